"""What is in tests/fixtures is there for every test."""

from collections import defaultdict
from pathlib import Path
from pkgutil import iter_modules

import pytest

from tests import fixtures

pytest_plugins = [f"{fixtures.__name__}.{module.name}" for module in iter_modules(fixtures.__path__)]


@pytest.hookimpl(trylast=True)  # when every test has its time-out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files whose tests may take longest come first: else one of them runs alone in the end."""
    longest: dict[Path, float] = defaultdict(float)
    for item in items:
        for timeout in item.iter_markers("timeout"):
            longest[item.path] = max(longest[item.path], timeout.args[0])
    items.sort(key=lambda item: -longest[item.path])
