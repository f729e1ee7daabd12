"""A client like anybody's: HTTP and nothing else."""

import asyncio
import time
from typing import Any

import httpx

FINISHED = {"succeeded", "failed", "cancelled", "expired"}


class Client:
    def __init__(self, url: str) -> None:
        # Sending to a part that is being restarted is tried again: the tests are about jobs, not about connections.
        self.http = httpx.AsyncClient(base_url=url, timeout=70, transport=httpx.AsyncHTTPTransport(retries=5))

    async def submit(self, model: str, value: Any, **fields: Any) -> str:
        response = await self.http.post("/v1/jobs", json={"model": model, "input": value, **fields})
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    async def get(self, job_id: str) -> dict[str, Any]:
        response = await self.http.get(f"/v1/jobs/{job_id}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def finished(self, job_id: str, timeout: float = 60.0) -> dict[str, Any]:
        """The job once it has ended; waits in the server, not here."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            response = await self.http.get(f"/v1/jobs/{job_id}", params={"wait": max(1, min(60, int(left)))})
            assert response.status_code == 200, response.text
            job = response.json()
            if job["state"] in FINISHED:
                return dict(job)
        raise AssertionError(f"not finished after {timeout} s: {await self.get(job_id)}")

    async def reaches(self, job_id: str, state: str, timeout: float = 30.0) -> dict[str, Any]:
        """The job once it is in `state`, by its ETag: each answer but the first comes with a change."""
        etag = ""
        async with asyncio.timeout(timeout):
            while True:
                waiting: dict[str, Any] = {"params": {"wait": 5}, "headers": {"If-None-Match": etag}} if etag else {}
                response = await self.http.get(f"/v1/jobs/{job_id}", **waiting)
                if response.status_code == 200:
                    etag = response.headers["ETag"]
                    if response.json()["state"] == state:
                        return dict(response.json())

    async def run(self, model: str, value: Any, timeout: float = 60.0, **fields: Any) -> dict[str, Any]:
        return await self.finished(await self.submit(model, value, **fields), timeout)

    async def result(self, model: str, value: Any, timeout: float = 60.0) -> Any:
        job = await self.run(model, value, timeout)
        assert job["state"] == "succeeded", job
        return job["result"]
