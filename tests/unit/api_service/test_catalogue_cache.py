"""What models there are."""

import asyncio

import pytest

from api_service.catalogue_cache import CatalogueCache
from shared.catalogue import CatalogueModel, CatalogueVersion, ModelDescription, ModelState
from shared.errors import DatabaseUnavailable, UnknownModel


def version(number: int, *, default: bool = False) -> CatalogueVersion:
    description = ModelDescription("m", number, "", "m", ("inference",), {}, {})
    return CatalogueVersion(description, default, ModelState.OFFLINE, None, 0)


class Source:
    def __init__(self) -> None:
        two, one = version(2), version(1, default=True)
        self.models = [CatalogueModel("m", one, (two, one))]
        self.reads = 0
        self.away = False
        self.now = 0.0
        self.cache = CatalogueCache(self.read, 1.0, lambda: self.now)

    async def read(self) -> list[CatalogueModel]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise DatabaseUnavailable("away")
        return self.models


async def test_the_default_is_what_one_gets_without_saying() -> None:
    cache = Source().cache

    assert (await cache.version("m", None)).description.version == 1
    assert (await cache.version("m", 2)).description.version == 2


async def test_what_there_is_not_names_what_there_is() -> None:
    cache = Source().cache

    with pytest.raises(UnknownModel, match=r"'x'\. There are: m"):
        await cache.version("x", None)
    with pytest.raises(UnknownModel, match=r"version 3 of model 'm'\. There are: 2, 1"):
        await cache.version("m", 3)


async def test_it_is_read_once_a_second_however_many_ask() -> None:
    source = Source()
    await asyncio.gather(*(source.cache.models() for _ in range(10)))
    source.now = 0.99
    await source.cache.models()
    assert source.reads == 1

    source.now = 1.0
    source.models = []

    assert not await source.cache.models()


async def test_a_failure_is_not_remembered() -> None:
    source = Source()
    source.away = True
    with pytest.raises(DatabaseUnavailable):
        await source.cache.models()
    source.away = False

    assert await source.cache.models()
