"""Puts the built page into the API's wheel: `python -m deploy.page build` first, then `pip wheel .`."""

import shutil
from pathlib import Path

from setuptools.command.build_py import build_py  # type: ignore[import-untyped]

BUILT = Path("frontend/dist")


class BuildWithPage(build_py):  # type: ignore[misc]  # setuptools has no types
    """Named in pyproject.toml. An editable installation finds the page where it is built."""

    def run(self) -> None:
        super().run()
        target = Path(self.build_lib) / "api_service/page"
        if self.editable_mode:
            return
        shutil.rmtree(target, ignore_errors=True)
        if (BUILT / "index.html").is_file():
            shutil.copytree(BUILT, target)
        else:
            self.warn("the page has not been built, and is left out: python -m deploy.page build")
