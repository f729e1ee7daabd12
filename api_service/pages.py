"""What a browser sees: the web page at `/`, and the documentation at `/docs`. Everything comes from here, nothing inline."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
# In a wheel beside this file; in a checkout, and in the image, where it is built.
FRONTENDS = (Path(__file__).parent / "page", Path(__file__).parent.parent / "frontend/dist")

# Only this origin's own files run, and nothing may embed the page. `data:` and `blob:` are pictures that the user has
# just chosen.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
# A build names each file after its content: what a name stands for never changes.
FOR_EVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    async def check_config(self) -> None:
        """Where the page is not built yet, its files are not there: that is no fault of the API's."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = FOR_EVER
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def install_pages(app: FastAPI, frontend: Path | None) -> None:
    """frontend: a folder with `index.html`, and what that asks for under `assets/`; None: the first of FRONTENDS."""
    folder = frontend or next(filter(_has_page, FRONTENDS), FRONTENDS[-1])

    @app.get("/", include_in_schema=False)
    async def page(_: Request) -> Response:
        """Without a page, what says how to get one: the API works all the same."""
        found = folder / "index.html" if _has_page(folder) else STATIC / "no_page.html"
        return FileResponse(found, headers=SECURITY_HEADERS)

    @app.get("/docs", include_in_schema=False)
    async def documentation(_: Request) -> Response:
        return FileResponse(STATIC / "docs.html", headers=SECURITY_HEADERS)

    app.mount("/assets", GZipMiddleware(Assets(directory=folder / "assets", check_dir=False)))
    app.mount("/docs/assets", StaticFiles(directory=STATIC, packages=[("fastapi_offline", "static")]))


def _has_page(folder: Path) -> bool:
    return (folder / "index.html").is_file()
