"""What a browser sees: the web page at `/`, and the documentation at `/docs`. Everything comes from here, nothing inline."""

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
FRONTEND = Path(__file__).parent.parent / "frontend"

# Only this origin's own files run, and nothing may embed the page. `data:` are pictures that the user has just chosen.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def install_pages(app: FastAPI, frontend: Path | None) -> None:
    """frontend: a folder with `index.html`, and what that asks for under `assets/`."""
    folder = frontend or FRONTEND

    @app.get("/", include_in_schema=False)
    async def page(_: Request) -> Response:
        """Without a page, the documentation is the next best thing to show."""
        if not (folder / "index.html").is_file():
            return RedirectResponse("/docs")
        return FileResponse(folder / "index.html", headers=SECURITY_HEADERS)

    @app.get("/docs", include_in_schema=False)
    async def documentation(_: Request) -> Response:
        return FileResponse(STATIC / "docs.html", headers=SECURITY_HEADERS)

    app.mount("/assets", StaticFiles(directory=folder / "assets", check_dir=False))
    app.mount("/docs/assets", StaticFiles(directory=STATIC, packages=[("fastapi_offline", "static")]))
