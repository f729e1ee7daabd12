"""Whose jobs a request may see: the one place that decides it."""

from starlette.requests import Request

LOCAL = "local"


def owner_of(_: Request) -> str:
    """Without authentication there is one owner. Every statement is scoped by what this returns."""
    return LOCAL
