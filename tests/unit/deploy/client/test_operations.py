"""What is sent for each operation, and what is made of the answers."""

import io
import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from deploy.client import catalogue, events, jobs, letters, results, uploads, waiting
from deploy.client.answers import DeadLetter, Job
from deploy.client.effects import Answer, Broken
from deploy.client.errors import (
    ConnectionFailed,
    InvalidRequest,
    JobFailed,
    ProblemError,
    UnexpectedAnswer,
    WaitTimedOut,
)
from deploy.client.sources import Source
from tests.unit.deploy.client.playing import LOST, REFUSED, Play, ok, problem, sent_headers

ID = "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55"


def job(state: str, *, tag: str = "", **fields: Any) -> Any:
    return ok(json.dumps({"id": ID, "state": state, **fields}), **({"etag": tag} if tag else {}))


def test_a_submission_is_repeated_with_the_same_key_and_another_has_another() -> None:
    play = Play([LOST, problem(409, "idempotency_key_in_use"), job("queued"), job("queued")])

    play.run(jobs.submit(play.policy, "digits", {"pixels": []}))
    play.run(jobs.submit(play.policy, "digits", {"pixels": []}))

    first, second, third, other = sent_headers(play.requests, "Idempotency-Key")
    assert first == second == third != other
    assert len(first or "") == 36


def test_a_submission_that_is_given_up_tells_the_key_to_repeat_it_with() -> None:
    play = Play([LOST] * 100)

    with pytest.raises(ConnectionFailed, match="repeat it with the idempotency key") as raised:
        play.run(jobs.submit(play.policy, "digits", {}))

    assert raised.value.idempotency_key == play.requests[0].headers["Idempotency-Key"]
    assert str(raised.value.idempotency_key) in str(raised.value)


def test_what_is_left_out_is_not_sent_but_a_null_input_is() -> None:
    play = Play([job("queued"), job("queued")])

    play.run(jobs.submit(play.policy, "m", None, max_attempts=1, idempotency_key="mine"))
    play.run(jobs.submit(play.policy, "m", 1, metadata={"ö": 2}))

    sent = [request.body for request in play.requests]
    assert sent == [
        b'{"model":"m","input":null,"max_attempts":1}',
        '{"model":"m","input":1,"metadata":{"ö":2}}'.encode(),
    ]
    assert sent_headers(play.requests, "Idempotency-Key")[0] == "mine"


@pytest.mark.parametrize("value", [float("nan"), {"a": b""}, {"a": {1, 2}}])
def test_what_is_no_json_is_refused_before_anything_is_sent(value: Any) -> None:
    play = Play([])

    with pytest.raises(InvalidRequest):
        play.run(jobs.submit(play.policy, "m", value))


@pytest.mark.parametrize("key", ["a\nb", "schlüssel"])
def test_a_key_that_no_header_holds_is_refused(key: str) -> None:
    play = Play([])

    with pytest.raises(InvalidRequest):
        play.run(jobs.submit(play.policy, "m", 1, idempotency_key=key))


def test_a_submission_that_waits_goes_on_by_polls_and_ends_with_the_job_as_it_is() -> None:
    play = Play([job("queued"), *[job("running", tag='W/"2"')] * 100], took=45.0)

    found = play.run(jobs.submit(play.policy, "m", 1, wait=100))

    assert found.state == "running"
    assert play.requests[0].headers["Prefer"] == "wait=45"
    assert [request.query["wait"] for request in play.requests[1:]] == ["45", "10"]
    assert all(request.read_timeout >= int(request.query["wait"]) for request in play.requests[1:])


@pytest.mark.parametrize("job_id", ["", ".", ".."])
def test_an_id_that_would_be_another_call_is_refused(job_id: str) -> None:
    play = Play([])

    with pytest.raises(InvalidRequest):
        play.run(jobs.get(play.policy, job_id))


def test_an_id_stays_one_segment_of_the_path() -> None:
    play = Play([problem(404, "unknown_job")])

    with pytest.raises(ProblemError):
        play.run(jobs.get(play.policy, "../models?x"))

    assert play.requests[0].path == "/v1/jobs/..%2Fmodels%3Fx"


def test_a_newer_server_may_say_more_and_have_new_states() -> None:
    play = Play([job("paused", colour="red", error={"code": "new_code", "why": 1}, urls={"self": 1})])

    found = play.run(jobs.get(play.policy, ID))

    assert (found.state, found.finished, found.error and found.error.code) == ("paused", False, "new_code")


def test_something_else_that_answers_is_noticed() -> None:
    play = Play([ok("<html>hello</html>", **{"content-type": "text/html"})])

    with pytest.raises(UnexpectedAnswer, match="is the URL right"):
        play.run(jobs.get(play.policy, ID))


def test_deleting_what_a_lost_answer_has_deleted_is_no_error() -> None:
    play = Play([LOST, problem(404, "unknown_job")])
    play.run(jobs.delete(play.policy, ID))

    play = Play([problem(409, "wrong_state")])
    with pytest.raises(ProblemError):
        play.run(jobs.delete(play.policy, ID))


def test_pages_are_followed_until_there_are_enough() -> None:
    def page(cursor: str | None) -> Any:
        return ok(json.dumps({"jobs": [{"id": ID, "state": "queued"}] * 2, "next_cursor": cursor}))

    play = Play([page("a"), page(None)])
    assert len(play.items(jobs.list_jobs(play.policy, state="queued"))) == 4
    assert play.requests[1].query == {"state": "queued", "limit": "200", "cursor": "a"}

    play = Play([page("a"), page("b")])
    assert len(play.items(jobs.list_jobs(play.policy, limit=3))) == 3
    assert [request.query["limit"] for request in play.requests] == ["3", "1"]


def test_dead_letters_come_in_pages_too() -> None:
    def page(cursor: str | None) -> Any:
        return ok(json.dumps({"dead_letters": [{"id": ID, "reason": "no JSON", "new": 1}], "next_cursor": cursor}))

    play = Play([page("a"), page(None)])
    found = play.items(letters.dead_letters(play.policy, queue="echo"))

    assert [(one.id, one.reason, one.data) for one in found] == [(ID, "no JSON", None)] * 2
    assert play.requests[0].path == "/v1/dead-letters"
    assert play.requests[1].query == {"queue": "echo", "limit": "200", "cursor": "a"}


def test_a_redrive_is_sent_again_only_where_nothing_was_done() -> None:
    play = Play([REFUSED, problem(429), LOST])

    with pytest.raises(ConnectionFailed, match="look before you repeat it") as raised:
        play.run(letters.redrive(play.policy, ID))

    assert raised.value.uncertain
    assert [request.path for request in play.requests] == [f"/v1/dead-letters/{ID}/redrive"] * 3


def test_deleting_a_dead_letter_that_a_lost_answer_has_deleted_is_no_error() -> None:
    play = Play([LOST, problem(404, "unknown_dead_letter")])
    play.run(letters.delete_dead_letter(play.policy, ID))

    play = Play([problem(403, "scope_too_small")])
    with pytest.raises(ProblemError):
        play.run(letters.delete_dead_letter(play.policy, DeadLetter(id=ID)))
    assert play.requests[0].path == f"/v1/dead-letters/{ID}"


def test_waiting_asks_with_what_it_knows_until_the_job_has_ended() -> None:
    play = Play(
        [job("queued", tag='W/"1"'), ok("", 304, etag='W/"1"'), LOST, job("running", tag='W/"2"'), job("failed")],
        took=1.0,
    )

    assert play.run(waiting.wait(play.policy, ID)).state == "failed"
    assert [request.query.get("wait") for request in play.requests] == [None, "45", "45", "45", "45"]
    assert sent_headers(play.requests, "If-None-Match") == [None, 'W/"1"', 'W/"1"', 'W/"1"', 'W/"2"']


def test_a_wait_ends_in_time_and_tells_how_the_job_is() -> None:
    play = Play([job("queued", tag='W/"1"'), *[ok("", 304)] * 10], took=4.0)

    with pytest.raises(WaitTimedOut, match="queued") as raised:
        play.run(waiting.wait(play.policy, ID, 10.5))

    assert raised.value.job is not None
    assert [request.query.get("wait") for request in play.requests] == [None, "6", "2"]


def test_a_wait_whose_time_is_over_while_nothing_gets_through_has_timed_out() -> None:
    play = Play([job("running", tag='W/"1"'), *[REFUSED] * 100])

    with pytest.raises(WaitTimedOut, match="nobody there") as raised:
        play.run(waiting.wait(play.policy, ID, 20))

    assert isinstance(raised.value.__cause__, ConnectionFailed)


def test_a_server_that_answers_all_who_wait_at_once_is_not_asked_in_a_circle() -> None:
    play = Play([job("queued", tag='W/"1"'), *[ok("", 304)] * 3, job("succeeded")])

    play.run(waiting.wait(play.policy, ID))

    assert play.pauses == [1.0] * 3


def test_following_gives_each_change_and_refreshes_what_is_queued() -> None:
    same = ok("", 304, etag='W/"1"')
    play = Play(
        [
            job("queued", tag='W/"1"', queue_position=2),
            same,
            job("queued", tag='W/"1"', queue_position=1),
            same,
            job("queued", tag='W/"1"', queue_position=1),
            job("running", tag='W/"2"'),
            job("succeeded", tag='W/"3"'),
        ],
        took=1.0,
    )

    found = play.items(waiting.follow(play.policy, ID, refresh=2.0))

    assert [(one.state, one.queue_position) for one in found] == [
        ("queued", 2),
        ("queued", 1),
        ("running", None),
        ("succeeded", None),
    ]
    assert [request.query.get("wait") for request in play.requests] == [None, "2", None, "2", None, "2", "45"]
    tags = sent_headers(play.requests, "If-None-Match")
    assert tags == [None, 'W/"1"', None, 'W/"1"', None, 'W/"1"', 'W/"2"']


def test_run_returns_the_result_and_fetches_one_that_does_not_stand_in_the_job() -> None:
    play = Play([job("succeeded", result={"digit": 7})])
    assert play.run(results.run(play.policy, "digits", {})) == {"digit": 7}

    play = Play([job("succeeded", result_url=f"/v1/jobs/{ID}/result"), ok("[1, 2]")])
    assert play.run(results.run(play.policy, "digits", {})) == [1, 2]
    assert play.requests[1].path == f"/v1/jobs/{ID}/result"


def test_run_raises_what_a_job_failed_of() -> None:
    play = Play([job("failed", error={"code": "model_error", "message": "no ink", "retryable": False})])

    with pytest.raises(JobFailed, match=r"no ink \(model_error\)") as raised:
        play.run(results.run(play.policy, "digits", {}))

    assert raised.value.job == Job(id=ID, state="failed", error=raised.value.job.error)


def test_a_result_is_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    play = Play([ok(), b"[1", LOST, ok(**{"content-length": "9"}), b"[1", b"", ok(), b"[1", b",2]", b""])

    assert play.run(results.save_result(play.policy, ID, target)) == 5
    assert target.read_text() == "[1,2]"
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]
    assert len(play.pauses) == 2


def test_a_result_that_comes_damaged_is_fetched_again_and_never_given(tmp_path: Path) -> None:
    named = ok("[1]", etag=f'"{sha256(b"[1]").hexdigest()}"')
    target, play = tmp_path / "result.json", Play([named, b"[2]", b"", named, b"[", b"1]", b""])
    assert play.run(results.save_result(play.policy, ID, target)) == 3
    assert target.read_text() == "[1]"

    damaged = replace(named, body=b"[2]")
    play = Play([damaged, named])
    assert play.run(results.result(play.policy, ID)) == [1]
    play = Play([damaged] * 100)
    with pytest.raises(ConnectionFailed, match="SHA-256"):
        play.run(results.result(play.policy, ID))


@pytest.mark.parametrize("etag", ["", 'W/"1"', f'W/"{"0" * 64}"', f'"{"0" * 64}-gzip"'])
def test_a_tag_that_names_no_bytes_says_nothing_of_them(etag: str) -> None:
    play = Play([ok("[1]", etag=etag)])
    assert play.run(results.result(play.policy, ID)) == [1]


def test_a_result_that_never_comes_whole_leaves_nothing(tmp_path: Path) -> None:
    play = Play([ok(), LOST] * 100)

    with pytest.raises(ConnectionFailed):
        play.run(results.save_result(play.policy, ID, tmp_path / "result.json"))

    assert not list(tmp_path.iterdir())


def test_small_files_are_attached_and_large_ones_uploaded(tmp_path: Path) -> None:
    small, large = tmp_path / "x.png", tmp_path / "y.png"
    small.write_bytes(b"\x89PNG")
    large.write_bytes(b"x" * (uploads.INLINE + 1))
    play = Play([ok('{"id": "u1", "size": 1, "sha256": "", "content_type": "image/png"}', 201)])

    assert play.run(uploads.attach(play.policy, small)) == {"data": "data:image/png;base64,iVBORw=="}
    assert play.run(uploads.attach(play.policy, str(large))) == {"upload": "u1"}
    assert play.requests[0].headers == {"Content-Type": "image/png", "Content-Length": str(uploads.INLINE + 1)}


def test_what_can_be_read_only_once_is_sent_only_once() -> None:
    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

    play = Play([REFUSED])

    with pytest.raises(ConnectionFailed):
        play.run(uploads.upload(play.policy, Pipe()))  # type: ignore[arg-type]  # is one

    assert "Content-Length" not in play.requests[0].headers


def test_a_pipe_with_a_name_is_read_only_when_it_is_sent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    play = Play([REFUSED])

    with pytest.raises(ConnectionFailed):  # and does not wait here for somebody who writes
        play.run(uploads.attach(play.policy, tmp_path / "pipe"))

    assert len(play.requests) == 1


def test_an_open_file_is_sent_again_from_where_it_stood() -> None:
    file = io.BytesIO(b"head, body")
    file.seek(6)
    play = Play([LOST, ok('{"id": "u1", "size": 4, "sha256": ""}', 201)])

    play.run(uploads.upload(play.policy, file))

    bodies = [request.body for request in play.requests]
    assert [b"".join(body.pieces()) for body in bodies if isinstance(body, Source)] == [b"body", b"body"]


@pytest.mark.parametrize("file", ["no/such/file", "/", io.StringIO("text")])
def test_a_file_that_cannot_be_sent_is_refused(file: Any) -> None:
    play = Play([])

    with pytest.raises(InvalidRequest):
        play.run(uploads.upload(play.policy, file))


STREAM = {"content-type": "text/event-stream; charset=utf-8"}


def test_events_go_on_where_a_connection_broke() -> None:
    play = Play(
        [
            ok(**STREAM),
            b'id: 1\nevent: state\ndata: {"seq":1,"type":"state","at":"2026-01-05T09:30:00Z","data":{"state":"queued"}}\n\n',
            b"id: 2\nevent: log\ndata: ",
            LOST,
            ok(**STREAM),
            b'id: 1\nevent: log\ndata: "again"\n\nid: 2\nevent: log\ndata: {"message": "hello"}\n\n',
            b"",
            ok("", 204),
        ]
    )

    found = play.items(events.events(play.policy, ID))

    assert [(one.seq, one.type, one.data) for one in found] == [
        (1, "state", {"state": "queued"}),
        (2, "log", {"message": "hello"}),
    ]
    assert sent_headers(play.requests, "Last-Event-ID") == [None, "1", "2"]
    assert [request.query["after"] for request in play.requests] == ["0", "1", "2"]


ENDED = b'id: 9\nevent: state\ndata: {"state": "cancelled"}\n\n'


def test_events_end_with_the_jobs_end() -> None:
    play = Play([ok(**STREAM), ENDED, b"", ok("", 204)])

    assert [one.seq for one in play.items(events.events(play.policy, ID, after=8))] == [9]
    assert play.pauses == []


def test_an_end_in_the_past_of_a_job_that_was_queued_again_is_none() -> None:
    more = b'id: 10\nevent: state\ndata: {"state": "queued"}\n\n'
    play = Play([ok(**STREAM), ENDED, more, LOST, ok(**STREAM), ENDED.replace(b"9", b"11"), b"", ok("", 204)])

    assert [one.seq for one in play.items(events.events(play.policy, ID, after=8))] == [9, 10, 11]


def test_a_stream_that_always_ends_empty_is_given_up() -> None:
    play = Play([ok(**STREAM), b""] * 100)

    with pytest.raises(ConnectionFailed, match="ends the stream"):
        play.items(events.events(play.policy, ID))


def test_a_job_in_which_nothing_happens_for_an_hour_is_watched_on() -> None:
    once: list[Answer | Broken | bytes] = [ok(**STREAM), LOST]
    play = Play([*once * 120, ok("", 204)], quiet=30.0)

    assert play.items(events.events(play.policy, ID)) == []
    assert play.now > 3600


def test_a_stream_that_is_none_is_refused() -> None:
    play = Play([ok("{}", **{"content-type": "application/json"})])

    with pytest.raises(UnexpectedAnswer, match="application/json"):
        play.items(events.events(play.policy, ID))


def test_promoting_is_not_repeated_where_it_may_have_been_done() -> None:
    play = Play([LOST])

    with pytest.raises(ConnectionFailed):
        play.run(catalogue.promote(play.policy, "digits", 2))
