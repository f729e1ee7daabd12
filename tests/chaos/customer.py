"""A client as it should be: it repeats what was not answered, with the same key, at whichever API answers."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx

from tests.chaos.ledger import FINISHED, Ledger, Order

PATIENCE = 5.0  # seconds for an answer, beyond what it may wait for
PAUSE = 0.2  # seconds before it is tried again
# Neither refused nor answered: to be repeated.
_LATER = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class GaveUp(Exception):
    """No API answered within the time given."""


class Customer:
    def __init__(self, urls: Sequence[str], ledger: Ledger, *, give_up_after: float = 90.0) -> None:
        self._urls = list(urls)
        self._ledger = ledger
        self._give_up_after = give_up_after
        self._http = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)
        self.repeated = 0  # requests that were not answered, and sent again

    async def close(self) -> None:
        await self._http.aclose()

    async def submit(self, one: Order) -> Order:
        """Repeated until it is answered. Raises GaveUp."""
        self._ledger.enter(one)
        answer = await self._answered("POST", "/v1/jobs", key=one.key, json=one.submission)
        self._ledger.answered(one, answer.json()["id"])
        return one

    async def submit_twice(self, one: Order) -> Order:
        """As somebody who presses the button twice: the two are one job."""
        self._ledger.enter(one)
        await asyncio.gather(self.submit(one), self.submit(one))
        return one

    async def submit_batch(self, orders: Sequence[Order]) -> Sequence[Order]:
        key = orders[0].key
        for one in orders:
            one.key = key
        self._ledger.enter(*orders)
        jobs = {"jobs": [one.submission for one in orders]}
        answer = await self._answered("POST", "/v1/jobs/batch", key=key, json=jobs)
        for one, job in zip(orders, answer.json()["jobs"], strict=True):
            self._ledger.answered(one, job["id"])
        return orders

    async def get(self, one: Order, wait: int = 0) -> dict[str, Any]:
        params = {"wait": str(wait)} if wait else {}
        answer = await self._answered("GET", f"/v1/jobs/{one.job_id}", params=params, timeout=PATIENCE + wait)
        job: dict[str, Any] = answer.json()
        self._ledger.told(one, job)
        return job

    async def finished(self, one: Order, within: float = 90.0) -> dict[str, Any]:
        """The job once it has ended. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                job = await self.get(one, wait=5)
                if job["state"] in FINISHED:
                    return job

    async def reaches(self, one: Order, state: str, within: float = 30.0) -> dict[str, Any]:
        async with asyncio.timeout(within):
            while True:
                job = await self.get(one)
                if job["state"] == state:
                    return job
                await asyncio.sleep(PAUSE / 4)

    async def cancel(self, one: Order) -> None:
        one.cancelled = True
        answer = await self._answered("POST", f"/v1/jobs/{one.job_id}/cancel", allowed={HTTPStatus.CONFLICT})
        if answer.status_code != HTTPStatus.CONFLICT:
            self._ledger.told(one, answer.json())

    async def retry(self, one: Order) -> bool:
        """-> whether it was queued again. Where an answer was lost, the repetition may find it queued: that is not told apart."""
        before, one.told = one.told, None
        answer = await self._answered("POST", f"/v1/jobs/{one.job_id}/retry", allowed={HTTPStatus.CONFLICT})
        if answer.status_code == HTTPStatus.CONFLICT:
            if before is not None and before["state"] == "succeeded":
                one.told = before
            return False
        one.retries += 1
        return True

    async def follow(self, one: Order, within: float = 90.0) -> None:
        """Its events until it has ended: none twice, none left out."""
        last = 0
        async with asyncio.timeout(within):
            while True:
                answer = await self._answered("GET", f"/v1/jobs/{one.job_id}/events", params={"after": str(last)})
                events = answer.json()["events"]
                numbers = [event["seq"] for event in events]
                if numbers != list(range(last + 1, last + 1 + len(numbers))):
                    self._ledger.complain(f"{one.job_id}: after event {last} came {numbers}")
                last += len(numbers)
                states = [event["data"]["state"] for event in events if event["type"] == "state"]
                if states and states[-1] in FINISHED:
                    return
                await asyncio.sleep(PAUSE)

    async def _answered(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        allowed: Mapping[int, object] | set[HTTPStatus] = frozenset(),  # type: ignore[assignment]
        **given: Any,
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        deadline = time.monotonic() + self._give_up_after
        while time.monotonic() < deadline:
            try:
                answer = await self._http.request(method, self._urls[0] + path, headers=headers, **given)
            except httpx.TransportError:
                self._urls.append(self._urls.pop(0))
            else:
                if answer.is_success or answer.status_code in allowed:
                    return answer
                still_storing = key is not None and answer.status_code == HTTPStatus.CONFLICT
                if answer.status_code not in _LATER and not still_storing:
                    self._ledger.complain(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
                    raise GaveUp(answer.text)
                if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
                    self._ledger.complain(f"{method} {path}: 500 {answer.text[:300]}")
            self.repeated += 1
            await asyncio.sleep(PAUSE)
        raise GaveUp(f"{method} {path}: not answered within {self._give_up_after:g} s")
