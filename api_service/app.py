"""The composition root of the API: settings in, a FastAPI application out."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypedDict
from uuid import UUID

from fastapi import FastAPI

from api_service import problems
from api_service.authentication.authenticator import Authenticator
from api_service.authentication.id_tokens import IdTokens
from api_service.authentication.known_keys import KnownKeys
from api_service.authentication.middleware import Authentication
from api_service.authentication.signing_keys import SigningKeys
from api_service.background import Service, running
from api_service.backstage import Backstage, BackstageSettings, backstage
from api_service.batch import BatchIntake
from api_service.catalogue_cache import CatalogueCache
from api_service.counts import Counts
from api_service.event_streams import EventStreams
from api_service.gathering import Gathered
from api_service.health import Health
from api_service.limits import Limits
from api_service.listening import Listener
from api_service.metrics import Metrics
from api_service.once import Once
from api_service.openapi_document import openapi_document
from api_service.pace import Paces
from api_service.pages import install_pages
from api_service.queue_position import QueuePositions
from api_service.quotas.quotas import Caps, Quotas
from api_service.quotas.rate_limit import RateLimit
from api_service.quotas.waiting_jobs import WaitingJobs
from api_service.request_times import RequestTimes, Timed
from api_service.routes import (
    batch,
    catalogue,
    dead_letters,
    events,
    health,
    jobs,
    poll,
    results,
    statistics,
    submit,
    uploads,
    webhooks,
)
from api_service.runtime import Runtime
from api_service.schema_check import SchemaCheck
from api_service.settings import ApiSettings
from api_service.statistics import Statistics, queues_of
from api_service.status_cache import StatusCache
from api_service.submission import Intake
from api_service.uploads.documents import Documents
from api_service.uploads.gone import refused_as_gone
from api_service.uploads.inputs import Inputs
from api_service.uploads.intake import UploadIntake
from api_service.waiting import Watcher
from shared.blobs import Blobs
from shared.database.catalogue import read_catalogue
from shared.database.events import find_event_news, read_events
from shared.database.keys import find_keys
from shared.database.pool import Database
from shared.database.reading import get_jobs, get_jobs_of, queue_head
from shared.database.repetition import find_submissions
from shared.database.statistics import read_pace
from shared.database.submission import insert_each, insert_jobs
from shared.database.uploads import find_uploads
from shared.database.waiting import count_waiting
from shared.failpoints import Failpoint, reached
from shared.job import Job, NewJob
from shared.settings import DatabaseSettings


class State(TypedDict):
    """What the lifespan gives to every request; read it with `runtime_of`."""

    runtime: Runtime


def create_app(settings: ApiSettings, database: DatabaseSettings, behind: BackstageSettings | None = None) -> FastAPI:
    """`app.state.answer_waiting()` answers all requests that wait; call it when the server is asked to stop."""
    counts, times, blobs = Counts(), RequestTimes(), Blobs(settings.blob_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        db = await Database.connect(
            database.database_url,
            size=database.database_pool,
            patience=database.database_patience,
            application="torchrelay-api",
        )
        try:
            known_models = CatalogueCache(partial(read_catalogue, db), settings.catalogue_refresh)
            async with backstage(behind, db, blobs, known_models, counts) as stage:
                runtime, services = _compose(settings, db, blobs, known_models, stage, counts, times)
                app.state.answer_waiting = runtime.answer_waiting
                async with running(services):
                    yield {"runtime": runtime}
                    await runtime.submissions.drain()
                    await runtime.paces.drain()
                    await runtime.quotas.drain()
        finally:
            await db.close()

    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.answer_waiting = lambda: None
    app.add_middleware(
        Authentication,
        authenticator=lambda scope: scope["state"]["runtime"].authenticator,
        asked=settings.everybody_is_asked,
        allowed_hosts=settings.allowed_hosts,
        open_paths=["/metrics"] if settings.metrics_open else [],
    )
    app.add_middleware(Timed, times=times)  # outermost: what is refused is counted as well
    problems.install(app)
    # The calls that are made most come first. Flat: an included router would be a second one to go through.
    for calls in (
        *(submit, poll, batch, jobs, results, uploads, events),
        *(catalogue, statistics, webhooks, dead_letters, health),
    ):
        app.router.routes.extend(calls.router.routes)
    install_pages(app, settings.frontend_dir)
    _document(app)
    return app


def _compose(
    settings: ApiSettings,
    db: Database,
    blobs: Blobs,
    known_models: CatalogueCache,
    stage: Backstage,
    counts: Counts,
    times: RequestTimes,
) -> tuple[Runtime, Sequence[Service]]:
    """-> (what requests are answered with, what runs beside them)."""

    async def store(new: Sequence[NewJob]) -> Sequence[Job | None]:
        reached(Failpoint.API_INSERTING)
        with refused_as_gone():
            stored = await insert_each(db, new)
        reached(Failpoint.API_INSERTED)
        fresh = [job for job, row in zip(new, stored, strict=True) if row is not None]
        counts.submitted += len(fresh)
        stage.on_committed(fresh)
        return stored

    async def store_together(new: Sequence[NewJob]) -> list[Job]:
        reached(Failpoint.API_INSERTING)
        with refused_as_gone():
            stored = await insert_jobs(db, new)
        reached(Failpoint.API_INSERTED)
        counts.submitted += len(stored)
        stage.on_committed(new)
        return stored

    schemas = SchemaCheck()
    documents = Documents(blobs, settings.blob_url, schemas, here=settings.inline_input_limit)
    intake = Intake(known_models, Inputs(schemas, documents, partial(find_uploads, db)), _limits(settings))
    statuses = StatusCache(Gathered(partial(get_jobs_of, db)).ask, counts=counts)
    watcher = Watcher(statuses.get, partial(get_jobs, db), statuses.saw)
    event_streams = EventStreams(
        Gathered(partial(read_events, db, limit=settings.events_per_read)).ask, partial(find_event_news, db)
    )
    paces = Paces(partial(read_pace, db))
    queue_statistics = Statistics(db, partial(queues_of, known_models))
    runtime = Runtime(
        database=db,
        blobs=blobs,
        authenticator=_authenticator(settings, db),
        quotas=_quotas(settings, db, paces),
        catalogue=known_models,
        intake=intake,
        batches=BatchIntake(intake, settings.body_limit),
        submissions=Gathered(store, size=lambda job: len(job.input)),
        store_together=store_together,
        uploads=UploadIntake(db, blobs, settings.upload_limit),
        once=Once(Gathered(partial(find_submissions, db)).ask),
        statuses=statuses,
        watcher=watcher,
        event_streams=event_streams,
        events_per_answer=settings.events_per_answer,
        positions=QueuePositions(partial(queue_head, db)),
        paces=paces,
        statistics=queue_statistics,
        metrics=Metrics(counts, times, queue_statistics, lambda: watcher.waiting),
        metrics_open=settings.metrics_open,
        health=Health(db.ping, stage.check_broker, known_models),
        on_requeued=stage.on_requeued,
        body_limit=settings.body_limit,
        batch_body_limit=settings.batch_body_limit,
        max_wait=settings.max_wait,
        webhook_secret_overlap=settings.webhook_secret_overlap,
    )
    return runtime, [
        Listener(db, *_on_news(statuses, watcher, event_streams), stage.on_due),
        watcher,
        event_streams,
        *stage.services,
    ]


def _authenticator(settings: ApiSettings, db: Database) -> Authenticator:
    rules = settings.issuer_rules
    tokens = None if rules is None else IdTokens(rules, SigningKeys(rules.issuer, settings.oidc_jwks_url))
    return Authenticator(KnownKeys(partial(find_keys, db)), tokens)


def _quotas(settings: ApiSettings, db: Database, paces: Paces) -> Quotas:
    caps = Caps(settings.max_waiting_per_owner, settings.max_waiting_per_queue)
    rate = None if settings.rate_limit is None else RateLimit(settings.rate_limit, settings.rate_burst)
    return Quotas(WaitingJobs(partial(count_waiting, db)), caps, rate, paces.until_taken)


def _on_news(
    statuses: StatusCache, watcher: Watcher, event_streams: EventStreams
) -> tuple[Callable[[], None], Callable[[Collection[UUID]], None]]:
    """The cache first: nobody who is woken may read what has just become old."""

    def connected() -> None:
        statuses.clear()
        watcher.reread()
        event_streams.reread()

    def changed(job_ids: Collection[UUID]) -> None:
        statuses.changed(job_ids)
        watcher.changed(job_ids)
        event_streams.changed(job_ids)

    return connected, changed


def _limits(settings: ApiSettings) -> Limits:
    return Limits(
        input_bytes=settings.inline_input_limit,
        documents_bytes=settings.upload_limit,
        metadata_bytes=settings.metadata_limit,
        default_queue_ttl=settings.default_queue_ttl,
        max_queue_ttl=settings.max_queue_ttl,
        default_execution_timeout=settings.default_execution_timeout,
        max_execution_timeout=settings.max_execution_timeout,
        default_max_attempts=settings.default_max_attempts,
        max_max_attempts=settings.max_max_attempts,
        result_retention=settings.result_retention,
        row_retention=settings.row_retention,
        webhook_urls=settings.url_rules,
    )


def _document(app: FastAPI) -> None:
    """Made once, when it is first asked for."""

    def openapi() -> dict[str, object]:
        app.openapi_schema = app.openapi_schema or openapi_document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
