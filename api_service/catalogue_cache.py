"""What models there are, read from the database when somebody asks and what is known is too old."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from shared.catalogue import CatalogueModel, CatalogueVersion
from shared.errors import UnknownModel

# Who asks for what is not known may have registered it just now: looked up again, but no more often than this.
MISSED = 0.05  # seconds

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
        return await self._models_younger_than(self._lifetime)

    async def model(self, name: str) -> CatalogueModel:
        """Raises UnknownModel, which names those there are."""
        model = (await self.models()).get(name) or (await self._models_younger_than(MISSED)).get(name)
        if model is None:
            raise UnknownModel(f"There is no model {name!r}. There are: {', '.join(self._models) or 'none yet'}.")
        return model

    async def version(self, name: str, version: int | None) -> CatalogueVersion:
        """The default one for None. Raises UnknownModel, which names those there are."""
        model = await self.model(name)
        if version is None:
            return model.default
        found = _version_in(model, version) or _version_in((await self._models_younger_than(MISSED))[name], version)
        if found is None:
            known = ", ".join(str(candidate.description.version) for candidate in model.versions)
            raise UnknownModel(f"There is no version {version} of model {name!r}. There are: {known}.")
        return found

    async def refresh(self) -> None:
        """The catalogue has just been changed here: whoever asks from now on sees that."""
        await self._models_younger_than(0.0)

    async def _models_younger_than(self, age: float) -> Mapping[str, CatalogueModel]:
        if self._clock() - self._read_at >= age:
            async with self._reading:
                if self._clock() - self._read_at >= age:  # nobody has read it while this waited
                    began = self._clock()
                    self._models = {model.name: model for model in await self._read()}
                    self._read_at = began
        return self._models


def _version_in(model: CatalogueModel, version: int) -> CatalogueVersion | None:
    return next((one for one in model.versions if one.description.version == version), None)
