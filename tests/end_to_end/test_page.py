"""The page, in a real browser, as a person uses it."""

import json
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.end_to_end.client import Client

PATIENCE = 60_000  # milliseconds; models may still be loading


@pytest.fixture
async def page(browser: Browser, client: Client) -> AsyncIterator[Page]:
    """Fails the test if the page complains, of its Content-Security-Policy for one."""
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    complaints: list[str] = []
    # A refused request is noted there, too; what the page makes of it is for the tests to see.
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and not message.text.startswith("Failed to load resource")
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(str(client.http.base_url))
    yield page
    await context.close()
    assert not complaints


async def test_a_drawn_digit_is_recognised(page: Page) -> None:
    await page.select_option("#model", "digits")
    canvas = await page.locator("canvas").bounding_box()
    assert canvas is not None
    middle = canvas["x"] + canvas["width"] / 2
    await page.mouse.move(middle, canvas["y"] + 30)
    await page.mouse.down()
    await page.mouse.move(middle, canvas["y"] + 190, steps=20)
    await page.mouse.up()
    await page.get_by_role("button", name="Submit").click()
    job = page.locator("#jobs li").first
    await expect(job.locator("strong")).to_have_text("succeeded", timeout=PATIENCE)
    assert json.loads(await job.locator("pre").inner_text())["digit"] == 1


async def test_a_text_is_classified(page: Page) -> None:
    await page.select_option("#model", "zero-shot-text")
    await page.get_by_role("textbox", name=re.compile("^Text")).fill("The striker scored twice in the final.")
    await page.get_by_role("textbox", name=re.compile("^Labels")).fill("sport\npolitics\ncooking")
    await page.get_by_role("button", name="Submit").click()
    job = page.locator("#jobs li").first
    await expect(job.locator("strong")).to_have_text("succeeded", timeout=PATIENCE)
    assert json.loads(await job.locator("pre").inner_text())["label"] == "sport"


async def test_a_fault_in_the_input_is_shown_with_its_place(page: Page) -> None:
    await page.select_option("#model", "zero-shot-text")
    await page.get_by_role("textbox", name=re.compile("^Labels")).fill("only one")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_role("alert")).to_contain_text("/input/labels")
