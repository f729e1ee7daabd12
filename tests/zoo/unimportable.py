"""Needs a package that is not there."""

import no_such_package  # type: ignore[import-not-found]

from ml_service.model import Model


class Unimportable(Model):
    name = "unimportable"
    package = no_such_package
