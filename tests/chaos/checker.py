"""The checker, run after every fault test: the rows against the promises, and against what the clients were told."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from shared.states import FINISHED, HELD, TRANSITIONS, JobState
from tests.chaos.ledger import Ledger, Order
from tests.chaos.truth import Truth

SHOWN = 20

_JOBS = """SELECT id, owner, state, input, result, result_key, result_sha256, error, history, last_seq, trail, attempt,
charged, max_attempts, worker, idempotency_key, batch_id, finished_at FROM jobs"""
_EVENTS = "SELECT job_id, array_agg(seq) AS seqs FROM events GROUP BY job_id"
_HOLDERS = "SELECT id FROM workers WHERE state = 'alive' AND lease_until > now()"


@dataclass(slots=True)
class Verdict:
    """lost: answered 202, and not there or without an end. doubled: more than one job, result or end. wrong: anything else."""

    jobs: int = 0
    states: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        lines = [f"{self.jobs} jobs: {dict(self.states)}"]
        for name in ("lost", "doubled", "wrong"):
            found: list[str] = getattr(self, name)
            lines += [f"{len(found)} {name}", *(f"  {text}" for text in found[:SHOWN])]
        return "\n".join(lines)


async def check(truth: Truth, ledger: Ledger, blobs: Path, owner: str = "local") -> Verdict:
    """Once everything has come to its end. All rows of the database must be of this ledger. blobs: where large results are."""
    rows = await truth.fetch(_JOBS)
    seqs = {row["job_id"]: row["seqs"] for row in await truth.fetch(_EVENTS)}
    alive = {row["id"] for row in await truth.fetch(_HOLDERS)}
    verdict = Verdict(len(rows), Counter(row["state"] for row in rows), wrong=list(ledger.complaints))
    by_nonce: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_nonce[row["input"]["value"]["nonce"]].append(row)
        verdict.wrong += _row_faults(row, seqs.get(row["id"], ()), alive)
    for nonce in by_nonce.keys() - ledger.orders.keys():
        verdict.doubled.append(f"{by_nonce[nonce][0]['id']}: nobody has ordered it")
    for one in ledger.orders.values():
        _compare(one, by_nonce[one.nonce], blobs, owner, verdict)
    _check_batches(ledger, rows, verdict)
    return verdict


async def kept(truth: Truth, ledger: Ledger, blobs: Path) -> Verdict:
    """Asserts it."""
    verdict = await check(truth, ledger, blobs)
    assert verdict.kept, str(verdict)
    return verdict


def _compare(one: Order, rows: Sequence[Any], blobs: Path, owner: str, verdict: Verdict) -> None:
    """What the client knows of its order, with what there is."""
    if one.other_ids:
        verdict.doubled.append(f"{one.job_id}: its key was answered {one.other_ids}, too")
    if len(rows) > 1:
        verdict.doubled.append(f"{one.key}: submitted once, stored as {[str(row['id']) for row in rows]}")
    if not rows:
        if one.job_id is not None:
            verdict.lost.append(f"{one.job_id}: answered 202, and there is no such row")
        return
    row = rows[0]
    if one.job_id not in {None, row["id"]}:
        verdict.lost.append(f"{one.job_id}: answered 202; the row is {row['id']}")
    if row["owner"] != owner:
        verdict.wrong.append(f"{row['id']}: belongs to {row['owner']}")
    if JobState(row["state"]) not in FINISHED:
        verdict.lost.append(f"{row['id']}: still {row['state']}, {row['attempt']} attempts")
        return
    verdict.wrong += _end_faults(one, row, blobs)
    if one.told is not None:
        verdict.wrong += _told_faults(one.told, row)


def _end_faults(one: Order, row: Any, blobs: Path) -> Iterable[str]:
    end = (row["state"], row["error"]["code"] if row["error"] else None)
    if end not in one.ends:
        history = [(was["attempt"], was["code"], was["message"]) for was in row["history"]]
        yield f"{row['id']}: {one.behave} ended as {end}, not one of {one.ends}; {row['charged']} charged, {history}"
    right = one.result if row["state"] == JobState.SUCCEEDED else None
    there = _result_of(row, blobs)
    if there != right:
        yield f"{row['id']}: its result is {str(there)[:200]}, not {str(right)[:200]}"


def _result_of(row: Any, blobs: Path) -> Any:
    """From the row, or the blob that it points at."""
    if row["result_key"] is None:
        return row["result"]
    try:
        stored = (blobs / row["result_key"]).read_bytes()
    except OSError as error:
        return error
    if hashlib.sha256(stored).hexdigest() != row["result_sha256"]:
        return f"a blob of {len(stored)} bytes with another checksum"
    return msgspec.json.decode(stored)


def _told_faults(told: Mapping[str, Any], row: Any) -> Iterable[str]:
    for name in ("state", "attempt", "result"):
        if told[name] != row[name]:
            yield f"{row['id']}: a client was told {name} {told[name]!r}, and it is {row[name]!r}"


def _row_faults(row: Any, seqs: Iterable[int], alive: set[UUID]) -> Iterable[str]:
    """What each row must be by itself."""
    yield from _trail_faults(row)
    yield from _attempt_faults(row)
    who = row["id"]
    numbers = sorted([*(move["seq"] for move in row["trail"]), *seqs])
    if numbers != list(range(1, row["last_seq"] + 1)):
        yield f"{who}: its events are numbered {numbers}, the last being {row['last_seq']}"
    if JobState(row["state"]) in HELD and row["worker"] not in alive:
        yield f"{who}: {row['state']}, held by {row['worker']}, which is not alive"


def _trail_faults(row: Any) -> Iterable[str]:
    who, states = row["id"], [JobState(move["state"]) for move in row["trail"]]
    if states[0] is not JobState.QUEUED or states[-1] != row["state"]:
        yield f"{who}: is {row['state']}, and its trail goes from {states[0]} to {states[-1]}"
    for one, other in pairwise(states):
        if other not in TRANSITIONS[one]:
            yield f"{who}: went from {one} to {other}"
    if sum(state is JobState.SUCCEEDED for state in states) > 1:
        yield f"{who}: succeeded more than once"
    # Each entry into the queue ends at most once.
    if sum(state in FINISHED for state in states) > sum(state is JobState.QUEUED for state in states):
        yield f"{who}: ended more often than it was queued: {states}"


def _attempt_faults(row: Any) -> Iterable[str]:
    who = row["id"]
    claims = [move["attempt"] for move in row["trail"] if move["state"] == JobState.RUNNING]
    if claims != list(range(1, row["attempt"] + 1)):
        yield f"{who}: attempt {row['attempt']}, and its claims were {claims}"
    ended = [entry["attempt"] for entry in row["history"]]
    if ended != sorted(set(ended)):
        yield f"{who}: attempts ended badly in the order {ended}"
    if not 0 <= row["charged"] <= row["max_attempts"]:
        yield f"{who}: {row['charged']} of {row['max_attempts']} attempts charged"


def _check_batches(ledger: Ledger, rows: Iterable[Any], verdict: Verdict) -> None:
    """All of a batch, or nothing; and all in one batch."""
    ordered = Counter(one.key for one in ledger.orders.values())
    batch_of = {row["input"]["value"]["nonce"]: row["batch_id"] for row in rows}
    stored: defaultdict[str, Counter[Any]] = defaultdict(Counter)
    for one in ledger.orders.values():
        if one.nonce in batch_of:
            stored[one.key][batch_of[one.nonce]] += 1
    for key, batches in stored.items():
        if ordered[key] > 1 and list(batches.values()) != [ordered[key]]:
            verdict.wrong.append(f"batch {key}: {ordered[key]} jobs were submitted together, and stored as {batches}")
