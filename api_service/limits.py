"""What a submission may say, and what a job gets of which it says nothing: the system's word and the model's."""

from dataclasses import dataclass, replace
from typing import TypeVar

from api_service.webhooks.rules import UrlRules
from shared.catalogue import ModelDescription

_T = TypeVar("_T", int, float)


@dataclass(frozen=True, slots=True)
class Limits:
    """Defaults and caps of what a submission may say. Sizes in bytes, times in seconds."""

    input_bytes: int
    documents_bytes: int  # of inputs that are uploads, in all that one request submits
    metadata_bytes: int
    default_queue_ttl: float
    max_queue_ttl: float
    default_execution_timeout: float
    max_execution_timeout: float
    default_max_attempts: int
    max_max_attempts: int
    result_retention: float
    row_retention: float
    webhook_urls: UrlRules

    def of(self, model: ModelDescription) -> "Limits":
        """Those of one model: its own defaults and caps where it has some, none above a cap of the system's.

        A default beyond its cap is brought down to it, whoever said either: a submission that asks for nothing is not refused.
        """
        queue_ttl = _least(self.max_queue_ttl, model.max_queue_ttl)
        execution_timeout = _least(self.max_execution_timeout, model.max_execution_timeout)
        max_attempts = _least(self.max_max_attempts, model.max_max_attempts)
        return replace(
            self,
            default_queue_ttl=min(said(model.queue_ttl, otherwise=self.default_queue_ttl), queue_ttl),
            max_queue_ttl=queue_ttl,
            default_execution_timeout=min(
                said(model.execution_timeout, otherwise=self.default_execution_timeout), execution_timeout
            ),
            max_execution_timeout=execution_timeout,
            default_max_attempts=min(said(model.max_attempts, otherwise=self.default_max_attempts), max_attempts),
            max_max_attempts=max_attempts,
            result_retention=said(model.result_retention, otherwise=self.result_retention),
            row_retention=said(model.row_retention, otherwise=self.row_retention),
        )


def _least(systems: _T, models: _T | None) -> _T:
    return systems if models is None else min(systems, models)


def said(value: _T | None, *, otherwise: _T) -> _T:
    return otherwise if value is None else value
