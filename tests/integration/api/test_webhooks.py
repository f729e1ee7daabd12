"""Webhooks over HTTP: secrets, the log of deliveries, and URLs that are refused at once."""

import base64
from typing import Any

import httpx
import pytest

from tests.integration.api.conftest import Submit

HOOK = {"url": "https://example.com/hook"}


async def deliveries(client: httpx.AsyncClient, job: dict[str, Any]) -> list[Any]:
    answer = await client.get(f"{job['urls']['self']}/webhook-deliveries")
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["deliveries"]
    return found


async def test_a_secret_is_there_for_who_asks(client: httpx.AsyncClient) -> None:
    """The same one each time, and in nobody's cache."""
    first, second = [await client.get("/v1/webhook-secret") for _ in range(2)]
    assert first.status_code == 200
    assert first.json() == second.json()
    assert first.headers["cache-control"] == "no-store"
    assert len(base64.b64decode(first.json()["secret"].removeprefix("whsec_"))) == 32
    assert first.json()["previous_until"] is None


async def test_a_secret_is_rotated(client: httpx.AsyncClient) -> None:
    before = (await client.get("/v1/webhook-secret")).json()
    rotated = await client.post("/v1/webhook-secret")
    assert rotated.status_code == 200
    assert rotated.headers["cache-control"] == "no-store"
    assert rotated.json()["secret"] != before["secret"]
    assert rotated.json()["previous_until"] is not None
    assert (await client.get("/v1/webhook-secret")).json() == rotated.json()


async def test_a_job_shows_whom_it_told(client: httpx.AsyncClient, submit: Submit) -> None:
    silent, job = await submit(), await submit(webhook=HOOK)
    assert await deliveries(client, job) == []
    for one in (silent, job):
        await client.post(one["urls"]["cancel"])
    assert await deliveries(client, silent) == []
    (delivery,) = await deliveries(client, job)
    assert delivery.pop("id")
    assert delivery.pop("created_at") <= delivery.pop("next_try_at")
    assert delivery == {
        "event": "job.cancelled",
        "url": HOOK["url"],
        "state": "pending",
        "tries": [],
        "finished_at": None,
    }


@pytest.mark.parametrize("job_id", ["0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55", "x"])
async def test_a_job_that_is_not_there_has_no_log(job_id: str, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/v1/jobs/{job_id}/webhook-deliveries")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "https://127.0.0.1/", "https://169.254.169.254/", "https://[::ffff:10.0.0.1]/"),
        *("https://localhost/", "https://2130706433/", "https://a:b@example.com/", "https://example.com:25/"),
    ],
)
async def test_a_url_that_cannot_be_called_is_refused_at_once(url: str, client: httpx.AsyncClient) -> None:
    body = {"model": "reverse", "input": {"text": "abc"}, "webhook": {"url": url}}
    answer = await client.post("/v1/jobs", json=body)
    assert answer.status_code == 422
    assert [fault["path"] for fault in answer.json()["errors"]] == ["/webhook/url"]
