"""What is in tests/fixtures is there for every test."""

pytest_plugins = ["tests.fixtures.postgres"]
