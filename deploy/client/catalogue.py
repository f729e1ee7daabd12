"""Models, workers, statistics, and webhooks."""

from deploy.client.answers import Deliveries, Delivery, Model, Models, Secret, Stats, Worker, Workers
from deploy.client.effects import Request, Steps
from deploy.client.interpretation import read_as
from deploy.client.references import JobRef, path_of, segment
from deploy.client.retrying import Policy, Repeat, call


def models(policy: Policy) -> Steps[list[Model]]:
    """All that were ever registered, by name. Raises ProblemError, ConnectionFailed; so do all of these."""
    return read_as(Models, (yield from call(policy, _get(policy, "/v1/models"), Repeat.ALWAYS))).models


def model(policy: Policy, name: str) -> Steps[Model]:
    """One, with its schemas. `unknown_model` names those that there are."""
    path = f"/v1/models/{segment(name, 'model')}"
    return read_as(Model, (yield from call(policy, _get(policy, path), Repeat.ALWAYS)))


def promote(policy: Policy, name: str, version: int) -> Steps[Model]:
    """Makes a version the default for jobs submitted from now on. -> the model. Needs the scope `admin`."""
    path = f"/v1/models/{segment(name, 'model')}/versions/{version}/promote"
    return read_as(Model, (yield from call(policy, Request("POST", path, policy.timeout), Repeat.UNDONE)))


def workers(policy: Policy) -> Steps[list[Worker]]:
    """The live ones first, and those that died within the last hour."""
    return read_as(Workers, (yield from call(policy, _get(policy, "/v1/workers"), Repeat.ALWAYS))).workers


def stats(policy: Policy) -> Steps[Stats]:
    """For each queue: jobs by state, the age of the oldest waiting one, how many are done a minute, and how long it takes."""
    return read_as(Stats, (yield from call(policy, _get(policy, "/v1/stats"), Repeat.ALWAYS)))


def webhook_secret(policy: Policy, *, rotate: bool = False) -> Steps[str]:
    """The `whsec_…` that webhooks are signed with. rotate: make a new one; the old one signs along for a day."""
    path = "/v1/webhook-secret"
    if rotate:
        request, repeat = Request("POST", path, policy.timeout), Repeat.UNDONE
    else:
        request, repeat = _get(policy, path), Repeat.ALWAYS
    return read_as(Secret, (yield from call(policy, request, repeat))).secret


def webhook_deliveries(policy: Policy, job: JobRef) -> Steps[list[Delivery]]:
    """Who was told of the job's end, and what came of each try."""
    path = f"{path_of(job)}/webhook-deliveries"
    return read_as(Deliveries, (yield from call(policy, _get(policy, path), Repeat.ALWAYS))).deliveries


def _get(policy: Policy, path: str) -> Request:
    return Request("GET", path, policy.timeout)
