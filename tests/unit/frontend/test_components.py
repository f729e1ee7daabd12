"""The page's own tests, which vitest runs: each component by itself, against a hand-made API."""

from deploy.page import Page


def test_every_component_passes_its_own_tests() -> None:
    Page().run("test")
