"""From a submission over HTTP to the call of its webhook."""

import asyncio
from ipaddress import ip_network

import httpx
import pytest

from api_service.app import create_app
from api_service.backstage import BackstageSettings
from api_service.server import server
from api_service.settings import ApiSettings
from api_service.webhooks import dispatcher
from deploy.local.standin.process import StandInProcess
from shared.settings import DatabaseSettings
from tests.contract.database.stage import until
from tests.integration.api.conftest import models_known
from tests.integration.webhooks.receiver import Receiver

HERE = (ip_network("127.0.0.0/8"),)


async def test_a_webhook_is_called_as_soon_as_its_job_has_ended(
    receiver: Receiver, database_url: str, standin: StandInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not wait until the dispatcher looks by itself; and what it is told is what `GET` says."""
    monkeypatch.setattr(dispatcher, "LOOK_EVERY", 60.0)
    app = create_app(
        ApiSettings(
            api_port=0, catalogue_refresh=0.05, shutdown_grace=2, webhook_allow_http=True, webhook_allowed_networks=HERE
        ),
        DatabaseSettings(database_url=database_url),
        BackstageSettings(
            pubsub_emulator_host=standin.host,
            queue_prefix="news-",
            webhook_allow_http=True,
            webhook_allowed_networks=HERE,
        ),
    )
    async with models_known(database_url):
        one = server(app, "127.0.0.1", 0, 2)
        task = asyncio.create_task(one.serve())

        async def started() -> bool:
            await asyncio.sleep(0.01)
            return one.started

        await until(started, 10)
        async with httpx.AsyncClient(base_url=one.url, timeout=10) as client:
            hook = {"url": f"http://127.0.0.1:{receiver.port}/hook", "events": ["job.cancelled"]}
            body = {"model": "anything", "input": 1, "webhook": hook}
            job = (await client.post("/v1/jobs", json=body)).json()
            await client.post(job["urls"]["cancel"])
            received = await receiver.next()
            assert received.event["type"] == "job.cancelled"
            assert received.event["data"] == (await client.get(job["urls"]["self"])).json()

            async def delivered() -> bool:
                answer = await client.get(f"{job['urls']['self']}/webhook-deliveries")
                (delivery,) = answer.json()["deliveries"]
                assert delivery["id"] == received.headers["webhook-id"]
                return bool(delivery["state"] == "delivered")

            await until(delivered)
        one.should_exit = True
        await task
