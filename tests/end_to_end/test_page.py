"""The page, in a real browser, as a person uses it: at a desk in the light, and on a telephone in the dark."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.end_to_end.client import Client

PATIENCE = 60_000  # milliseconds; models may still be loading

DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True, "is_mobile": True},
}


@pytest.fixture(params=list(DEVICES))
async def context(request: pytest.FixtureRequest, browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(**DEVICES[request.param])
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext, client: Client) -> AsyncIterator[Page]:
    """Fails the test if the page complains, of its Content-Security-Policy for one, or asks for anything elsewhere."""
    page = await context.new_page()
    complaints: list[str] = []
    home = urlsplit(str(client.http.base_url)).netloc
    # A refused request is noted there, too; what the page makes of it is for the tests to see.
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource")
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            complaints.append(f"asks elsewhere: {asked.url}")
            if asked.url.startswith("http") and urlsplit(asked.url).netloc != home
            else None
        ),
    )
    await page.goto(str(client.http.base_url))
    yield page
    width, room = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= room, "it scrolls sideways"
    assert not complaints


async def choose(page: Page, model: str) -> None:
    await page.get_by_role("radio", name=re.compile(f"^{model}: ")).click()


async def submit(page: Page) -> None:
    await page.get_by_role("button", name="Submit").click()


async def ends(page: Page, model: str, state: str) -> Locator:
    """The job that is shown, once it is in that state."""
    await expect(page.get_by_text(f"Job of {model}: {state}")).to_be_attached(timeout=PATIENCE)
    return page.get_by_role("region", name=model)


async def test_a_text_is_classified_and_a_reload_keeps_the_job(page: Page) -> None:
    await choose(page, "zero-shot-text")
    await page.get_by_role("textbox", name="Text").fill("The striker scored twice in the final.")
    for number, label in enumerate(("sport", "politics", "cooking"), start=1):
        if number > 2:
            await page.get_by_role("button", name="Add label").click()
        await page.get_by_role("textbox", name=f"Label {number}").fill(label)
    await submit(page)

    job = await ends(page, "zero-shot-text", "succeeded")
    await expect(job.locator("strong")).to_have_text("sport")
    await expect(job.locator(".recharts-bar-rectangle")).to_have_count(3)

    await page.reload()
    job = await ends(page, "zero-shot-text", "succeeded")
    await expect(job.locator("strong")).to_have_text("sport")
    assert await page.get_by_role("radio", name=re.compile("^zero-shot-text")).is_checked()


async def test_a_drawn_digit_is_recognised(page: Page) -> None:
    await choose(page, "digits")
    canvas = page.locator("canvas")
    await canvas.scroll_into_view_if_needed()
    box = await canvas.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2
    await page.mouse.move(middle, box["y"] + 0.15 * box["height"])
    await page.mouse.down()
    await page.mouse.move(middle, box["y"] + 0.85 * box["height"], steps=20)
    await page.mouse.up()
    await submit(page)

    job = await ends(page, "digits", "succeeded")
    await expect(job.locator("strong")).to_have_text("1")


async def test_a_large_photograph_of_a_digit_is_recognised(page: Page, tmp_path: Path) -> None:
    """Inputs of more than a megabyte are refused; a telephone's pictures have several, and are uploaded or made smaller."""
    picture = Image.effect_noise((1800, 1800), 40).point(lambda value: 255 - value // 8)
    ImageDraw.Draw(picture).line([(900, 300), (900, 1500)], fill=10, width=140)
    picture.save(tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 1_000_000
    await choose(page, "digits")
    await page.get_by_text("Upload", exact=True).click()
    await page.locator("input[type=file]").set_input_files(tmp_path / "one.png")
    await expect(page.get_by_role("img", name="What will be sent")).to_be_visible()
    await submit(page)

    job = await ends(page, "digits", "succeeded")
    await expect(job.locator("strong")).to_have_text("1")


async def test_texts_are_compared(page: Page) -> None:
    await choose(page, "text-embedding")
    await page.get_by_role("button", name="Fill in the example").click()
    await submit(page)

    job = await ends(page, "text-embedding", "succeeded")
    await expect(job.get_by_text("3 vectors of 384 numbers")).to_be_visible()
    await expect(job.get_by_role("rowheader", name="1. A cat sleeps on the sofa.")).to_be_visible()


async def test_a_fault_in_the_input_is_said_beside_its_field(page: Page) -> None:
    await choose(page, "zero-shot-text")
    await page.get_by_role("textbox", name="Text").fill("The striker scored twice.")
    await page.get_by_role("textbox", name="Label 1").fill("only one")
    await submit(page)

    empty = page.get_by_role("textbox", name="Label 2")
    await expect(empty).to_be_focused()
    await expect(empty).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_role("textbox", name="Label 1")).not_to_have_attribute("aria-invalid", "true")


async def test_progress_moves_nothing_and_a_running_job_can_be_cancelled(page: Page) -> None:
    await choose(page, "echo")
    await page.get_by_role("textbox", name="Seconds").fill("60")
    await submit(page)
    job = page.get_by_role("region", name="echo")
    await expect(job.get_by_text(re.compile(r"slept [1-9]"))).to_be_visible(timeout=PATIENCE)
    await page.evaluate(
        "new PerformanceObserver(list => (window.shifts ??= []).push(...list.getEntries().map(shift => shift.value)))"
        ".observe({type: 'layout-shift'})"
    )
    await expect(job.get_by_text(re.compile(r"slept [3-9]"))).to_be_visible()
    assert await page.evaluate("window.shifts ?? []") == []

    await job.get_by_role("button", name="Cancel").click()
    await ends(page, "echo", "cancelled")
    await expect(job.get_by_role("button", name="Retry")).to_be_visible()


async def test_a_failure_says_why_and_what_to_do(page: Page) -> None:
    await choose(page, "echo")
    await page.get_by_role("combobox", name="Behave").select_option("raise")
    await submit(page)

    job = await ends(page, "echo", "failed")
    await expect(job.get_by_text("raised as asked")).to_be_visible()
    await expect(job.get_by_text("tell whoever wrote the model")).to_be_visible()


async def test_without_a_connection_it_says_so_and_goes_on_once_there_is_one(
    page: Page, context: BrowserContext
) -> None:
    await choose(page, "echo")
    await page.get_by_role("textbox", name="Seconds").fill("3")
    await submit(page)
    job = page.get_by_role("region", name="echo")
    await expect(job.get_by_text(re.compile("slept"))).to_be_visible(timeout=PATIENCE)

    await context.set_offline(True)
    await expect(page.get_by_text("The API does not answer")).to_be_visible(timeout=PATIENCE)
    await context.set_offline(False)

    await ends(page, "echo", "succeeded")
    await expect(page.get_by_text("The API does not answer")).to_be_hidden(timeout=PATIENCE)


async def test_a_finished_job_is_deleted_after_it_was_confirmed(page: Page) -> None:
    await choose(page, "echo")
    await submit(page)
    job = await ends(page, "echo", "succeeded")
    await expect(job.get_by_role("list", name="Its states until now")).to_contain_text("succeeded")

    await job.get_by_role("button", name="Delete").click()
    await expect(job.get_by_role("button", name="Keep")).to_be_focused()
    await job.get_by_role("button", name="Delete for good").click()

    await expect(page.get_by_role("region", name="echo")).to_be_hidden()
    assert "job=" not in page.url


async def test_a_submission_whose_answer_is_lost_is_stored_once(page: Page) -> None:
    keys: list[str | None] = []

    async def lose_the_first_answer(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        keys.append(await route.request.header_value("Idempotency-Key"))
        answer = await route.fetch()  # it is stored
        await (route.abort() if len(keys) == 1 else route.fulfill(response=answer))

    await page.route("**/v1/jobs", lose_the_first_answer)
    await choose(page, "echo")
    before = await page.evaluate("fetch('/v1/jobs').then(answer => answer.json()).then(page => page.jobs.length)")
    await submit(page)

    await ends(page, "echo", "succeeded")
    after = await page.evaluate("fetch('/v1/jobs').then(answer => answer.json()).then(page => page.jobs.length)")
    assert after == before + 1
    assert keys[0]
    assert keys == [keys[0]] * 2


async def test_where_the_api_wants_a_key_it_is_asked_for_once(page: Page) -> None:
    async def guard(route: Route) -> None:
        if await route.request.header_value("Authorization") == "Bearer trk_good_secret":
            # The API behind it asks nobody, but looks at the keys that it is given.
            given = {name: value for name, value in route.request.headers.items() if name != "authorization"}
            await route.continue_(headers=given)
            return
        problem = {"title": "Who are you?", "status": 401, "code": "unauthenticated", "detail": "There is no such key."}
        await route.fulfill(status=401, json=problem, headers={"WWW-Authenticate": "Bearer"})

    await page.route("**/v1/**", guard)
    await page.reload()
    dialog = page.get_by_role("dialog", name="An API key is needed")
    key = dialog.locator("input")
    await expect(key).to_be_focused()
    await key.fill("trk_bad_secret")
    await dialog.get_by_role("button", name="Sign in").click()
    await expect(dialog.get_by_text("This key is not taken.")).to_be_visible()
    await key.fill("trk_good_secret")
    await key.press("Enter")

    await expect(dialog).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("radio", name=re.compile("^echo: "))).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(dialog).to_be_visible()


async def test_colours_are_the_systems_until_somebody_says_otherwise(page: Page, context: BrowserContext) -> None:
    root = page.locator("html")
    system = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    await expect(root).to_have_attribute("data-mantine-color-scheme", system)

    other = {"dark": "light", "light": "dark"}[system]
    toggle = page.get_by_role("button", name="Colours")
    for _ in range(3):
        if await root.get_attribute("data-mantine-color-scheme") != other:
            await toggle.click()
    await page.reload()

    await expect(root).to_have_attribute("data-mantine-color-scheme", other)
