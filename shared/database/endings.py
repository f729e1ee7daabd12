"""The end of a job is told to whoever asked for it: what ends a job writes that down itself, in the same commit.

A statement that ends jobs returns `TOLD` of the rows it changed, and selects from them by `ended`. For a job without a
webhook that is a few NULLs.
"""

from typing import Any

import msgspec
from sqlalchemy import (
    CTE,
    JSON,
    Column,
    ColumnElement,
    Integer,
    Label,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    insert,
    literal_column,
    select,
    true,
)

from shared.database.entries import announced, is_state
from shared.database.jobs import JOB_COLUMNS, job_of
from shared.database.statement import clock, constant
from shared.database.tables import jobs, webhook_deliveries
from shared.job import Job
from shared.states import FINISHED

# Heard by who tells: there is something to tell.
CHANNEL = "torchrelay_webhooks"


def _wanted(event: ColumnElement[str]) -> ColumnElement[bool]:
    """The webhook first: most jobs have none. Events that are not named are all meant."""
    named = jobs.c.webhook[constant("events")]
    return and_(jobs.c.webhook.is_not(None), is_state(*FINISHED), func.coalesce(named.has_key(event), true()))


def _snapshot() -> ColumnElement[Any]:
    """The row's columns as they are now. json, not jsonb: a result is carried as it was given (decision 0003)."""
    return func.json_build_object(*(part for c in JOB_COLUMNS for part in (constant(c.name), c)), type_=JSON)


_EVENT = constant("job.").concat(jobs.c.state)
# To be returned by what ends jobs. `told_job` is NULL where nobody is to be told.
TOLD: list[Label[Any]] = [
    case((_wanted(_EVENT), _snapshot())).label("told_job"),
    _EVENT.label("told_event"),
    jobs.c.webhook[constant("url")].astext.label("told_url"),
    jobs.c.owner.label("told_owner"),
]
_NAMES = frozenset(column.name for column in TOLD)

_NULL = msgspec.Raw(b"null")
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def ended(changed: CTE) -> Select[Any]:
    """As `announced`, and a delivery is written for each job of whose end somebody is to be told."""
    deliveries = _deliveries(changed)
    due = (
        select(func.pg_notify(constant(CHANNEL), constant("")))
        .select_from(deliveries)
        .limit(literal_column("1", Integer))
    )
    columns = [column for column in changed.c if column.name not in _NAMES]
    return announced(changed, *columns).add_columns(cast(due.scalar_subquery(), Text).label("due"))


def _deliveries(changed: CTE) -> CTE:
    values = {
        "id": func.gen_random_uuid(),
        "job_id": changed.c.id,
        "owner": changed.c.told_owner,
        "event": changed.c.told_event,
        "url": changed.c.told_url,
        "host": _host(changed.c.told_url),
        "job": changed.c.told_job,
        "next_try_at": clock(),
        "created_at": clock(),
    }
    rows = select(*values.values()).where(changed.c.told_job.is_not(None))
    return (
        insert(webhook_deliveries).from_select(list(values), rows).returning(webhook_deliveries.c.id).cte("deliveries")
    )


def _host(url: ColumnElement[str]) -> ColumnElement[str]:
    """In small letters, without its port and the dot at its end."""
    found = func.substring(url, constant(r"^[^:]+://(\[[^]]+\]|[^/?#:]+)"))
    return func.rtrim(func.lower(func.coalesce(found, constant(""))), constant("."))


def job_of_snapshot(text: str) -> Job:
    """The job as it was when it ended, its JSON again the very text that it had."""
    given = _decode(text)
    return job_of({column.name: _value(column, given.get(column.name, _NULL)) for column in JOB_COLUMNS})


def _value(column: Column[Any], raw: msgspec.Raw) -> Any:
    if isinstance(column.type, JSON):
        return None if raw == _NULL else bytes(raw).decode()
    return msgspec.json.decode(raw, type=column.type.python_type | None)
