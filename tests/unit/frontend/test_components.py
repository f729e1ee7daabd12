"""The page's own tests, which vitest runs: each component by itself, against a hand-made API."""

import pytest

from deploy.page import Page


@pytest.mark.timeout(600)  # a minute, where nothing else runs
def test_every_component_passes_its_own_tests() -> None:
    Page().run("test")
