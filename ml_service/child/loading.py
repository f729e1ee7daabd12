"""From a Load message to a model that can serve, with a word to the parent at each step."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from pydantic_core import to_json

from ml_service.child.batch import BatchRunner
from ml_service.child.describe import describe
from ml_service.child.faults import told
from ml_service.child.importing import import_model
from ml_service.child.messages import (
    BatchItem,
    Described,
    Failed,
    Load,
    LoadFailed,
    Outcomes,
    Ready,
    Refused,
    RunBatch,
    ToParent,
)
from ml_service.child.torch_runtime import TorchRuntime
from ml_service.child.uploads import UploadStore
from ml_service.model import LoadContext, Model
from shared.errors import InvalidModel

logger = logging.getLogger(__name__)


class WarmUpFailed(Exception):
    """The model was loaded, but cannot compute even its own example."""


def load_model(load: Load, runtime: TorchRuntime, send: Callable[[ToParent], None]) -> BatchRunner | None:
    """None: it did not work, and the parent has been told."""
    try:
        model_class = import_model(load.target)
        description = describe(model_class)
    except InvalidModel as error:
        logger.warning("%s", error, exc_info=error.__cause__)
        send(Refused(str(error)))
        return None
    send(Described(description, model_class.batching))
    repository, started = Path(load.files).resolve(), time.monotonic()
    try:
        model, device = _loaded(model_class, load, repository / model_class.name / str(model_class.version), runtime)
        if load.warm_up and model.example is not None:
            _warm_up(model, runtime, load.result_limit)
    except BaseException as error:
        logger.exception("%s cannot be loaded", load.target)
        send(LoadFailed(_without(str(repository), told(error))))
        return None
    send(Ready(device, time.monotonic() - started))
    return BatchRunner(model, runtime, send, UploadStore(load.blob_url, load.upload_limit), load.result_limit)


def _loaded(model_class: type[Model], load: Load, files: Path, runtime: TorchRuntime) -> tuple[Model, str]:
    runtime.limit_threads(load.threads)
    device = runtime.device(load.device)
    model = model_class()
    model.load(LoadContext(device, files))
    return model, device


def _warm_up(model: Model, runtime: TorchRuntime, result_limit: int) -> None:
    """The first call is the slow one (kernels, caches, lazy imports): it should not be somebody's job."""
    said: list[ToParent] = []
    runner = BatchRunner(model, runtime, said.append, result_limit=result_limit)
    runner.run(RunBatch(0, [BatchItem(to_json(model.example))]), frozenset())
    for message in said:
        if isinstance(message, Outcomes) and isinstance(failed := message.outcomes[0], Failed):
            raise WarmUpFailed(f"predict fails on the model's own example: {failed.message}")


def _without(folder: str, text: str) -> str:
    """Where this machine keeps its files is nobody's business who reads the catalogue."""
    return text.replace(folder, "<model repository>")
