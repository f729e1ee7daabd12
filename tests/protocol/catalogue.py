"""The scenarios that are explored, and the ways of breaking the rules that each must be seen to notice."""

from dataclasses import dataclass

from tests.protocol.scenario import Scenario
from tests.protocol.values import ANY, GOOD, HANGS, KILLS_BEFORE_START, KILLS_WORKER

# "reliable": the broker loses nothing by itself, and rule 11 is off.
SCENARIOS = {
    "one of each": Scenario((GOOD,)),
    "one of each, reliable": Scenario((GOOD,), lossy=False),
    "any end": Scenario((ANY,), users=2),
    "two relays, reliable": Scenario((GOOD,), relays=2, lossy=False),
    "two workers": Scenario((GOOD,), workers=2, users=0),
    "queue_ttl": Scenario((GOOD,), ttls=1),
    "a batch": Scenario((GOOD, GOOD), faults=0),
    "a hanging job in a batch": Scenario((HANGS, GOOD), faults=0, max_attempts=1),
    "a busy worker and an idle one": Scenario((GOOD, GOOD), workers=2, faults=0, users=0, lossy=False),
    "a stranger, reliable": Scenario((GOOD,), workers=2, users=0, stranger=True, lossy=False),
    "a stranger and queue_ttl": Scenario((GOOD,), workers=2, faults=0, users=0, ttls=1, stranger=True),
    "killed before the start": Scenario((KILLS_BEFORE_START,), faults=0, users=0),
    # Longer ones, some seconds to a minute each:
    "a poison job in a batch": Scenario((KILLS_WORKER, GOOD), faults=0, users=0, max_attempts=1),
    "two faults": Scenario((ANY,), faults=2, users=0),
    "two workers and a user": Scenario((GOOD,), workers=2),
    "two workers and retries": Scenario((GOOD,), workers=2, users=2),
    "a stranger and a user": Scenario((GOOD,), workers=2, stranger=True),
    "a stranger and a user, reliable": Scenario((GOOD,), workers=2, stranger=True, lossy=False),
    "two faults and two users": Scenario((ANY,), faults=2, users=2),
    "two faults and two users, reliable": Scenario((ANY,), faults=2, users=2, lossy=False),
}
QUICK = tuple(SCENARIOS)[:12]


@dataclass(frozen=True)
class Damage:
    """One way of breaking the rules, and where it shows. masks: a second one that goes with it, which would hide it."""

    scenario: str
    what: str
    masks: tuple[str, ...] = ()


DAMAGES = {
    # rule 1
    "settle_ignores_attempt": Damage("two workers", "a settlement is not fenced by its attempt"),
    "settle_ignores_state": Damage("one of each", "a settlement is not fenced by the state"),
    "claim_ignores_state": Damage("one of each", "a held job is claimed"),
    "claim_keeps_attempt": Damage("two workers", "a claim does not raise the attempt"),
    "retry_resets_attempt": Damage("any end", "a retry sets the attempt back"),
    "delete_ignores_state": Damage("one of each", "a job is deleted while an attempt holds it"),
    "no_budget": Damage("any end", "max_attempts limits nothing"),
    # rule 2
    "entry_keeps_number": Damage("one of each, reliable", "entering queued keeps publish_no"),
    "entry_keeps_published": Damage("one of each, reliable", "entering queued keeps published_at"),
    "entry_keeps_deadline": Damage("queue_ttl", "entering queued keeps the old deadline"),
    "stamp_ignores_number": Damage("one of each, reliable", "a late stamp marks a newer entry"),
    "clearing_keeps_number": Damage("one of each, reliable", "who clears published_at keeps publish_no"),
    # rule 3
    "publish_lease_for_ever": Damage("one of each", "a dead relay keeps its rows"),
    # rule 5
    "acked_before_the_claim": Damage("one of each, reliable", "a message is acked as it comes"),
    "the_dead_ack": Damage("one of each, reliable", "a worker that is not alive acks what it cannot claim"),
    "put_back_keeps_number": Damage("a stranger, reliable", "a job is put back under its old publish_no"),
    "put_back_does_nothing": Damage("a stranger, reliable", "a message of another model is just acked"),
    "put_back_renews_deadline": Damage("a stranger and queue_ttl", "who is put back again and again waits for ever"),
    "put_back_ignores_state": Damage("a stranger, reliable", "a job is put back though somebody runs it"),
    "early_is_acked": Damage("one of each, reliable", "a message that came before its job is due is just acked"),
    "claim_ignores_due": Damage("one of each", "a job is claimed during its back-off"),
    # rule 6
    "the_dead_claim": Damage("one of each", "a claim does not look at its worker's lease", ("requeued_only_once",)),
    "claim_past_lease": Damage("one of each", "a worker claims and starts past its lease", ("batch_is_charged",)),
    "unknown_jobs_are_kept": Damage("one of each", "a claim whose answer was lost is held for ever"),
    "incarnation_kept_at_restart": Damage("one of each", "a process keeps its name", ("unknown_jobs_are_kept",)),
    "the_thawed_keep_their_work": Damage("one of each", "a worker declared dead works on"),
    "the_frozen_keep_their_lease": Damage("two workers", "a frozen worker's lease never ends"),
    "cancelling_orphan_stays": Damage("one of each", "a dead worker's cancelling job is left alone"),
    # rule 7
    "death_without_contact": Damage("one of each", "an outage is held against the workers", ("batch_is_charged",)),
    "jump_is_no_loss_of_contact": Damage(
        "one of each", "a jump of the database's clock is held against the workers", ("batch_is_charged",)
    ),
    # rule 8
    "cancelling_is_requeued": Damage("one of each", "a job to be cancelled is queued again"),
    "cancel_at_once": Damage("one of each", "a running job is cancelled before it has stopped"),
    # rule 9
    "start_is_kept": Damage("two faults", "an earlier attempt's start counts for this one"),
    "early_losses_are_free": Damage("killed before the start", "a job may kill its worker before the start for ever"),
    # rule 10
    "batch_is_charged": Damage("a poison job in a batch", "a whole batch pays for a lost worker"),
    "crowding_out_is_charged": Damage(
        "a hanging job in a batch", "a whole batch pays for its time-out, or for one's kill"
    ),
    "timed_out_batch_fails": Damage("a hanging job in a batch", "a whole batch fails with its time-out"),
    # rule 11
    "nothing_is_republished": Damage("one of each", "what the broker loses is lost"),
    # rule 13
    "hand_back_is_charged": Damage("one of each", "a job pays for its worker's shutdown"),
}

# Not noticed, for nothing in a row depends on them: they cost time, or work done twice.
HARMLESS = {
    "acked_at_the_claim": Damage("one of each, reliable", "the row brings back what the message would have"),
    "start_of_nothing_is_sent": Damage("two workers", "the fence drops the result"),
    "stamp_ignores_state": Damage("two relays, reliable", "a new entry clears published_at"),
    "leaves_unmarked": Damage("two workers", "its jobs wait for the end of the lease"),
    "put_back_ignores_number": Damage("a stranger, reliable", "a repeated message delays a job once more"),
}
