"""The document that is tested against: the served one, made exact for the system that is tested."""

from typing import Any

# What of `echo` ends at once. No more of its fields, as a narrower limit than its own would be taken for it.
INPUT = {
    "type": "object",
    "properties": {
        "value": {},
        "behave": {"enum": ["ok", "raise", "nan"]},
    },
    "additionalProperties": False,
}
EXAMPLE = {"model": "echo", "input": {"value": 1}}


def exact(document: dict[str, Any], *, asked_who: bool) -> dict[str, Any]:
    """The one model there is, and its input. asked_who: whether calls without credentials are refused."""
    submission = document["components"]["schemas"]["Submission"]
    submission["properties"] |= {"model": {"const": "echo"}, "version": {"const": 1}, "input": INPUT}
    submission["properties"]["task"] = {"const": "inference"}
    jobs = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    jobs["examples"] = {"echo": {"value": EXAMPLE}}
    batch = document["paths"]["/v1/jobs/batch"]["post"]["requestBody"]["content"]["application/json"]
    batch["example"] = {"jobs": [EXAMPLE, EXAMPLE]}
    if not asked_who:
        _open(document)
    return document


def _open(document: dict[str, Any]) -> None:
    document.pop("security", None)
    for path in document["paths"].values():
        for operation in path.values():
            operation.pop("security", None)
