"""A job's events, uploads, and who is told."""

import asyncio
import base64
import hashlib
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw

from tests.end_to_end.client import Client
from tests.end_to_end.contract.asking import UNKNOWN, echo, problem
from tests.end_to_end.contract.conftest import Hold

PNG = io.BytesIO()
ONE = Image.new("L", (64, 64), 255)
ImageDraw.Draw(ONE).line([(32, 10), (32, 54)], fill=0, width=6)
ONE.save(PNG, "PNG")


async def test_events_are_numbered_without_holes(client: Client, http: httpx.AsyncClient) -> None:
    """`{events: [{seq, type, at, data}], last_seq}`; types `state`, `progress`, `log`, `metrics`; without holes."""
    job = await client.run("echo", {"value": 1, "seconds": 1})
    answer = (await http.get(job["urls"]["events"])).json()
    assert answer.keys() == {"events", "last_seq"}
    assert all(event.keys() == {"seq", "type", "at", "data"} for event in answer["events"])
    assert [event["seq"] for event in answer["events"]] == list(range(1, answer["last_seq"] + 1))
    states = [event["data"]["state"] for event in answer["events"] if event["type"] == "state"]
    assert states == ["queued", "running", "succeeded"]
    after = (await http.get(job["urls"]["events"], params={"after": 2})).json()
    assert after["events"] == answer["events"][2:]
    beyond = (await http.get(job["urls"]["events"], params={"after": answer["last_seq"]})).json()
    assert beyond == {"events": [], "last_seq": answer["last_seq"]}


@pytest.mark.parametrize("after", ["x", "-1", "1.5"])
async def test_a_place_that_cannot_be_is_refused(client: Client, http: httpx.AsyncClient, after: str) -> None:
    """422 does not fit."""
    job = (await http.post("/v1/jobs", json=echo())).json()
    problem(await http.get(job["urls"]["events"], params={"after": after}), 422)


async def stream(http: httpx.AsyncClient, url: str, **headers: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """The whole of an event stream: id, event and data of each."""
    events = []
    async with http.stream("GET", url, headers={"Accept": "text/event-stream", **headers}) as answer:
        one: dict[str, Any] = {}
        async for line in answer.aiter_lines():
            name, _, value = line.partition(":")
            if not line and "data" in one:
                events.append(one | {"data": json.loads(one["data"])})
                one = {}
            elif name:
                one[name] = value.removeprefix(" ")
    return answer, events


async def test_events_are_streamed_until_the_end(http: httpx.AsyncClient) -> None:
    """With `Accept: text/event-stream` the same as SSE (`id:` = seq), closed after the terminal state."""
    job = (await http.post("/v1/jobs", json=echo(seconds=1))).json()
    answer, events = await stream(http, job["urls"]["events"])
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    listed = (await http.get(job["urls"]["events"])).json()
    assert [event["data"] for event in events] == listed["events"]
    assert [int(event["id"]) for event in events] == [event["seq"] for event in listed["events"]]


async def test_a_stream_is_resumed(client: Client, http: httpx.AsyncClient) -> None:
    """Resumed by `Last-Event-ID`; reconnecting with nothing newer on a finished job: 204."""
    job = await client.run("echo", {"value": 1})
    last = (await http.get(job["urls"]["events"])).json()["last_seq"]
    _, rest = await stream(http, job["urls"]["events"], **{"Last-Event-ID": "1"})
    assert [int(event["id"]) for event in rest] == list(range(2, last + 1))
    answer, _ = await stream(http, job["urls"]["events"], **{"Last-Event-ID": str(last)})
    assert answer.status_code == 204


async def test_an_upload_is_described(http: httpx.AsyncClient) -> None:
    """201 `{id, size, content_type, sha256}` (raw body or multipart)."""
    content = PNG.getvalue()
    raw = await http.post("/v1/uploads", content=content, headers={"Content-Type": "text/html"})
    parts = await http.post("/v1/uploads", files={"file": ("digit.png", content, "application/x-evil")})
    for answer in (raw, parts):
        assert answer.status_code == 201, answer.text
        upload = answer.json()
        assert upload.keys() == {"id", "size", "content_type", "sha256"}
        assert (upload["size"], upload["content_type"]) == (len(content), "image/png")
        assert upload["sha256"] == hashlib.sha256(content).hexdigest()


async def test_an_input_refers_to_an_upload(http: httpx.AsyncClient) -> None:
    """An input then says `{"upload": "…"}` wherever the model's schema has a file."""
    upload = (await http.post("/v1/uploads", content=PNG.getvalue())).json()
    inline = "data:image/png;base64," + base64.b64encode(PNG.getvalue()).decode()
    results = []
    for image in ({"upload": upload["id"]}, {"data": inline}):
        body = {"model": "digits", "input": {"image": image}}
        job = (await http.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})).json()
        assert job["state"] == "succeeded", job
        results.append(job["result"])
    assert results[0]["digit"] == results[1]["digit"]
    assert len(results[0]["probabilities"]) == 10


async def test_a_whole_input_is_an_upload(http: httpx.AsyncClient) -> None:
    """Or the whole `input` is `{"upload": "…"}` of a JSON document."""
    upload = (await http.post("/v1/uploads", content=json.dumps({"value": "whole"}).encode())).json()
    body = {"model": "echo", "input": {"upload": upload["id"]}}
    job = (await http.post("/v1/jobs", json=body, headers={"Prefer": "wait=20"})).json()
    assert job["result"] == {"value": "whole"}


async def test_an_upload_that_is_not_there_is_said(http: httpx.AsyncClient) -> None:
    """422 does not fit."""
    for name, reference in (("echo", {"upload": UNKNOWN}), ("digits", {"image": {"upload": UNKNOWN}})):
        body = problem(await http.post("/v1/jobs", json={"model": name, "input": reference}), 422)
        assert body["errors"][0]["path"].startswith("/input")


async def test_a_webhook_is_checked_when_it_is_submitted(http: httpx.AsyncClient) -> None:
    """`{"url", "events": […]}` on submit; never to private addresses."""
    for url in ("ftp://example.com", "https://127.0.0.1/x", "not a url", "https://user:word@example.com/"):
        problem(await http.post("/v1/jobs", json=echo(webhook={"url": url, "events": ["job.succeeded"]})), 422)
    bad = {"url": "https://example.com/x", "events": ["job.started"]}
    problem(await http.post("/v1/jobs", json=echo(webhook=bad)), 422)


async def test_a_webhook_has_its_log(http: httpx.AsyncClient) -> None:
    """`GET /v1/jobs/{id}/webhook-deliveries` lists them."""
    hook = {"url": "https://nobody.invalid/hook", "events": ["job.succeeded"]}
    job = (await http.post("/v1/jobs", json=echo(webhook=hook), headers={"Prefer": "wait=20"})).json()
    async with asyncio.timeout(20):
        while not (log := (await http.get(f"{job['urls']['self']}/webhook-deliveries")).json())["deliveries"]:
            await asyncio.sleep(0.1)
    (delivery,) = log["deliveries"]
    assert (delivery["event"], delivery["url"]) == ("job.succeeded", hook["url"])


async def test_a_secret_is_rotated(http: httpx.AsyncClient) -> None:
    """The owner's `whsec_…`; POST rotates."""
    first = (await http.get("/v1/webhook-secret")).json()["secret"]
    assert first.startswith("whsec_")
    assert (await http.get("/v1/webhook-secret")).json()["secret"] == first
    rotated = (await http.post("/v1/webhook-secret")).json()["secret"]
    assert rotated != first
    assert (await http.get("/v1/webhook-secret")).json()["secret"] == rotated


async def test_a_stream_ends_with_a_cancellation(hold: Hold, http: httpx.AsyncClient) -> None:
    """Closed after the terminal state, whichever."""
    job = await hold()
    reading = asyncio.create_task(stream(http, job["urls"]["events"]))
    await http.post(job["urls"]["cancel"])
    async with asyncio.timeout(30):
        _, events = await reading
    assert events[-1]["data"]["data"]["state"] == "cancelled"
