"""The folder that keeps what must outlive a restart: .torchrelay, unless another is named."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import CannotStart
from deploy.local.leftovers import Leftovers
from deploy.local.postgres import Postgres


@dataclass(frozen=True, slots=True)
class DataFolder:
    path: Path

    @property
    def database(self) -> Path:
        return self.path / "postgres"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    @property
    def leftovers(self) -> Leftovers:
        return Leftovers(self.path / "processes.json")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One launcher at a time. The lock goes with the process that has it, however that ends."""
        self._make()
        with self._lock.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise CannotStart(
                    f"{self.path} is in use by another `make run` (process {lock.read().strip() or 'unknown'}): "
                    "stop that first, or name another folder with --data."
                ) from error
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def clear(self, *, blobs: bool = True) -> list[Path]:
        """Removes the database and the models. Returns what there was of them. blobs: also what rows of it point at."""
        folders = (self.database, self.models, *([self.blobs] if blobs else []))
        there = [folder for folder in folders if folder.exists()]
        Postgres(self.database).remove()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return there

    @property
    def _lock(self) -> Path:
        return self.path / "launcher.lock"

    def _make(self) -> None:
        """A folder that is not ours is refused: `clear` would remove what is somebody else's.

        Blobs alone are ours: services that are started one by one keep them here, too.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            ours = self._lock.exists() or {*self.path.iterdir()} <= {self.blobs}
        except OSError as error:
            raise CannotStart(f"The data folder {self.path} cannot be used: {error.strerror}.") from error
        if not ours:
            raise CannotStart(f"{self.path} holds other things: name an empty folder, or a new one, with --data.")
