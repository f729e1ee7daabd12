"""What clients have ordered, and what they were told: one side of the comparison that the checker makes."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from ml_service.models.echo import Behave

FINISHED = frozenset({"succeeded", "failed", "cancelled", "expired"})
# So many that no run uses them up: an innocent job that failed because of its neighbours or its machine is a wrong one.
ENDLESS = 25
# The budget of those that are to use it up.
SHORT = 2


@dataclass(slots=True, eq=False)
class Order:
    """One job that a client wants. Its input carries the nonce; the right result is computed from it."""

    nonce: str
    behave: Behave = Behave.OK
    seconds: float = 0.0
    max_attempts: int = ENDLESS
    bulk: int = 0  # characters more in the input, and so in the result
    fields: dict[str, Any] = field(default_factory=dict)  # of the submission, besides model, input and max_attempts
    key: str = ""  # the Idempotency-Key of its submission
    job_id: UUID | None = None  # as answered with 202
    other_ids: set[UUID] = field(default_factory=set)  # that it was answered besides: there must be none
    cancelled: bool = False  # a client has asked for it
    retries: int = 0  # answered with 202
    told: dict[str, Any] | None = None  # the job as somebody was told that it has finished, since the last retry

    @property
    def submission(self) -> dict[str, Any]:
        given = {**self.result, "seconds": self.seconds, "behave": self.behave.value}
        return {"model": "echo", "input": given, "max_attempts": self.max_attempts, **self.fields}

    @property
    def result(self) -> Any:
        return {"value": {"nonce": self.nonce, **({"bulk": "-" * self.bulk} if self.bulk else {})}}

    @property
    def ends(self) -> set[tuple[str, str | None]]:
        """The states that it may come to, each with its error's code."""
        ends: set[tuple[str, str | None]] = set(_ENDS[self.behave])
        if self.cancelled:
            ends.add(("cancelled", None))
        if "queue_ttl" in self.fields:
            ends.add(("expired", "queue_expired"))
        if self.max_attempts < ENDLESS and self.behave in _TRIED_AGAIN:
            ends.add(("failed", "worker_lost"))  # its machine may have died each time that it ran alone
        return ends


_ENDS: dict[Behave, set[tuple[str, str | None]]] = {
    Behave.OK: {("succeeded", None)},
    Behave.HOLD_GIL: {("succeeded", None)},
    Behave.LEAK: {("succeeded", None)},
    Behave.RAISE: {("failed", "model_error")},
    Behave.NAN: {("failed", "model_error")},
    Behave.RAISE_RETRYABLE: {("failed", "model_error")},
    Behave.HANG: {("failed", "execution_timeout")},
    Behave.SEGFAULT: {("failed", "worker_lost")},
    Behave.EXIT: {("failed", "worker_lost")},
}
_TRIED_AGAIN = frozenset(Behave)


def order(behave: Behave = Behave.OK, seconds: float = 0.0, bulk: int = 0, **fields: Any) -> Order:
    """With the budget that its behaviour asks for, and a key of its own."""
    fields = dict(fields)
    if behave is Behave.HANG:
        fields.setdefault("execution_timeout", 2)
    budget = SHORT if behave in {Behave.SEGFAULT, Behave.EXIT, Behave.RAISE_RETRYABLE} else ENDLESS
    nonce = uuid4().hex
    attempts = int(fields.pop("max_attempts", budget))
    return Order(nonce, behave, seconds, attempts, bulk, fields, key=nonce)


class Ledger:
    """All orders of a run."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.complaints: list[str] = []  # answers that no client may get

    def enter(self, *orders: Order) -> None:
        """Before it is sent: an answer may be lost."""
        self.orders |= {one.nonce: one for one in orders}

    def answered(self, one: Order, job_id: str) -> None:
        if one.job_id not in {None, UUID(job_id)}:
            one.other_ids.add(UUID(job_id))
        one.job_id = one.job_id or UUID(job_id)

    def told(self, one: Order, job: dict[str, Any]) -> None:
        """A job as an API answered it."""
        if job["state"] not in FINISHED:
            return
        before, one.told = one.told, job
        if before is not None and (before["state"], before["attempt"]) != (job["state"], job["attempt"]):
            self.complaints.append(
                f"{one.job_id} had ended as {before['state']} ({before['attempt']}), and then as {job['state']} ({job['attempt']})"
            )

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    @property
    def accepted(self) -> list[Order]:
        return [one for one in self.orders.values() if one.job_id is not None]
