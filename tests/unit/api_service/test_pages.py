"""The page and its files, as a browser gets them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api_service import pages
from api_service.pages import install_pages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page/assets").mkdir(parents=True)
    (tmp_path / "page/index.html").write_text("<h1>the page</h1>")
    (tmp_path / "page/assets/page-1.js").write_text("x" * 5000)
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "page"


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(folder) as client:
        yield client


def serving(folder: Path | None) -> httpx.AsyncClient:
    app = FastAPI()
    install_pages(app, folder)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_the_page_is_asked_for_each_time_and_its_files_once(client: httpx.AsyncClient) -> None:
    """A build gives a file with another content another name: a browser may keep it, but not the page that names it."""
    page, file = await client.get("/"), await client.get("/assets/page-1.js")

    assert (page.text, page.headers["cache-control"]) == ("<h1>the page</h1>", "no-cache")
    assert "immutable" in file.headers["cache-control"]
    assert file.headers["content-type"].startswith("text/javascript")
    assert file.headers["x-content-type-options"] == "nosniff"


async def test_files_are_compressed_for_who_wants_that(client: httpx.AsyncClient) -> None:
    compressed = await client.get("/assets/page-1.js", headers={"Accept-Encoding": "gzip"})
    plain = await client.get("/assets/page-1.js", headers={"Accept-Encoding": "identity"})

    assert compressed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert compressed.text == plain.text == "x" * 5000


@pytest.mark.parametrize("path", ["/assets/../../secret", "/assets/%2e%2e/%2e%2e/secret", "/assets/none.js", "/secret"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_without_a_page_it_says_how_to_get_one(tmp_path: Path, folder: Path) -> None:
    async with serving(tmp_path / "nowhere") as client:
        answer = await client.get("/")
        assert (await client.get("/assets/page-1.js")).status_code == 404

    assert "make page" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_page_that_is_built_later_is_served_then(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        assert "make page" in (await client.get("/")).text
        (tmp_path / "index.html").write_text("built")
        assert (await client.get("/")).text == "built"


async def test_the_page_of_the_wheel_goes_before_the_one_of_the_checkout(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/index.html").write_text("other")
    monkeypatch.setattr(pages, "FRONTENDS", (folder, tmp_path / "other"))
    async with serving(None) as client:
        assert (await client.get("/")).text == "<h1>the page</h1>"

    monkeypatch.setattr(pages, "FRONTENDS", (tmp_path / "nowhere", tmp_path / "other"))
    async with serving(None) as client:
        assert (await client.get("/")).text == "other"
