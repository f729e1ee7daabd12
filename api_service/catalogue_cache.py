"""What models there are, read from the database when somebody asks and what is known is too old."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from shared.catalogue import CatalogueModel, CatalogueVersion
from shared.errors import UnknownModel

ReadCatalogue = Callable[[], Awaitable[Sequence[CatalogueModel]]]


class CatalogueCache:
    """lifetime: seconds. clock: monotonic seconds."""

    def __init__(self, read: ReadCatalogue, lifetime: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._lifetime = lifetime
        self._clock = clock
        self._models: Mapping[str, CatalogueModel] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def models(self) -> Mapping[str, CatalogueModel]:
        """By name, in the order of names. Raises DatabaseUnavailable."""
        if self._too_old():
            async with self._reading:
                if self._too_old():  # nobody has read it while this waited
                    began = self._clock()
                    self._models = {model.name: model for model in await self._read()}
                    self._read_at = began
        return self._models

    async def model(self, name: str) -> CatalogueModel:
        """Raises UnknownModel, which names those there are."""
        models = await self.models()
        model = models.get(name)
        if model is None:
            raise UnknownModel(f"There is no model {name!r}. There are: {', '.join(models) or 'none yet'}.")
        return model

    async def version(self, name: str, version: int | None) -> CatalogueVersion:
        """The default one for None. Raises UnknownModel, which names those there are."""
        model = await self.model(name)
        if version is None:
            return model.default
        for candidate in model.versions:
            if candidate.description.version == version:
                return candidate
        known = ", ".join(str(candidate.description.version) for candidate in model.versions)
        raise UnknownModel(f"There is no version {version} of model {name!r}. There are: {known}.")

    def _too_old(self) -> bool:
        return self._clock() - self._read_at >= self._lifetime
