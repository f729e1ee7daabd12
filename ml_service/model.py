"""The one interface that a model implements.

    class Reverse(Model):
        name = "reverse"
        description = "Turns a text around."
        example = {"text": "abc"}

        class Input(Payload):
            text: str

        class Output(Payload):
            text: str

        def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
            return [self.Output(text=item.text[::-1]) for item in batch]

`load` runs once in the child process that will own the model; `predict` runs there too, under `torch.inference_mode`
where torch is in use, one call at a time. Neither may assume a GPU, a network, or that the process lives for ever.
A process that they fork ends by itself, as by `os._exit`: one that comes back out of them is ended.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, SupportsFloat, SupportsIndex

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """Base of a model's Input and Output: unknown fields are an error, NaN and infinity never become JSON."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, ser_json_inf_nan="constants")


@dataclass(frozen=True, slots=True)
class Batching:
    """How a model likes its jobs served. A batch is full at `max_size`; a smaller one starts after `max_wait` seconds."""

    max_size: int = 1
    max_wait: float = 0.01


@dataclass(frozen=True, slots=True)
class Defaults:
    """What jobs of this model get if their submission does not say; None: the system's own setting. In seconds.

    Never more than the system's MAX_QUEUE_TTL, MAX_EXECUTION_TIMEOUT and MAX_MAX_ATTEMPTS: what is above counts as those.
    """

    queue_ttl: float | None = None
    execution_timeout: float | None = None
    max_attempts: int | None = None
    # After a job's end; no submission can name them. A result goes with its job at the latest.
    result_retention: float | None = None
    row_retention: float | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that a submission to this model may ask for; None: the system's own setting. In seconds.

    Where both say something, the smaller holds, for the system's defaults as well. This model's own must be within its caps.
    """

    queue_ttl: float | None = None
    execution_timeout: float | None = None
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class LoadContext:
    """device: "cuda", "mps" or "cpu". files: this model version's own folder in the model repository (may be missing)."""

    device: str
    files: Path


Level = Literal["debug", "info", "warning", "error"]


class Run(Protocol):
    """What `predict` can say while it runs. `item` is an index into its batch; None: what is said holds for all of it.

    All of it may be called as often as you like, from any thread. What a job's readers could not follow is left out, and
    an event says how much; the last lines before the end always come through.
    """

    def progress(self, fraction: float, message: str | None = None, *, item: int | None = None) -> None:
        """How far this is, 0 to 1, for one item or for all of the batch."""

    def log(self, message: object, *, level: Level = "info", item: int | None = None) -> None:
        """A line for the job's readers. Beyond 2,000 characters it is cut, with an ellipsis at its end.

        Raises ValueError for another level, IndexError for an item that there is not.
        """

    def metrics(
        self, values: Mapping[str, SupportsFloat], *, step: SupportsIndex | None = None, item: int | None = None
    ) -> None:
        """Numbers with names, as of a step if you count them: `run.metrics({"loss": 0.1}, step=3)`.

        1 to 32 of them, names of 1 to 64 characters. Raises TypeError for what is no number, ValueError for what is not
        finite (JSON has neither NaN nor infinity) or does not fit, IndexError for an item that there is not.
        """

    def cancelled(self, item: int) -> bool:
        """Whether this item has been asked to stop; its output will be thrown away."""

    def check_cancelled(self) -> None:
        """Raises shared.errors.Cancelled once every item of the batch has been asked to stop. Call it now and then."""


class Model(ABC):
    """See the module's text. Raise shared.errors.InvalidInput or RetryableError to say what kind of failure it is."""

    name: ClassVar[str]  # [a-z0-9-], 3 to 60 characters; also the queue, if `queue` is not set
    version: ClassVar[int] = 1  # raise it whenever Input or Output changes
    description: ClassVar[str] = ""
    queue: ClassVar[str | None] = None
    example: ClassVar[dict[str, Any] | None] = None  # an input that fits; shown in the page and the documentation
    batching: ClassVar[Batching] = Batching()
    defaults: ClassVar[Defaults] = Defaults()
    caps: ClassVar[Caps] = Caps()

    Input: ClassVar[type[BaseModel]]
    Output: ClassVar[type[BaseModel]]

    def load(self, context: LoadContext) -> None:  # noqa: B027 - a model without weights has nothing to load
        """Load weights onto `context.device`. An exception here shows in the catalogue; the other models still serve.

        Import torch at the top of the module, not here: the device is chosen, and threads are limited, before this runs.
        """

    @abstractmethod
    def predict(self, batch: Sequence[Any], run: Run) -> Sequence[BaseModel]:
        """One Output per Input, in order. batch: 1 to `batching.max_size` validated Inputs."""
