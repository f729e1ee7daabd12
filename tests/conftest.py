"""What is in tests/fixtures is there for every test."""

from pkgutil import iter_modules

from tests import fixtures

pytest_plugins = [f"{fixtures.__name__}.{module.name}" for module in iter_modules(fixtures.__path__)]
