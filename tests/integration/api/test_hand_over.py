"""What is handed on to those behind the answers: the relay's ears, and the traces."""

import asyncpg
import httpx

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_callers_trace_goes_with_the_job(client: httpx.AsyncClient, database_url: str) -> None:
    body = {"model": "anything", "input": 1}
    for header in (TRACE, "nonsense", None):
        answer = await client.post("/v1/jobs", json=body, headers={"traceparent": header} if header else {})
        assert answer.status_code == 202

    connection = await asyncpg.connect(database_url)
    stored = [row["traceparent"] for row in await connection.fetch("SELECT traceparent FROM jobs ORDER BY id")]
    await connection.close()
    assert stored == [TRACE, None, None]
