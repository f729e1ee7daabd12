"""Changes its process's folder, as a library that has its files beside it may do."""

import os

from ml_service.model import LoadContext
from tests.zoo.reader import Reader


class Mover(Reader):
    name = "mover"

    def load(self, context: LoadContext) -> None:
        os.chdir("/")
