"""What the child does with torch, if the model brought it in. A model that does not need it never pays for it."""

import gc
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from ml_service.device import choose_device


class TorchRuntime:
    """`torch`: the module, or None while nothing has imported it. `load` and `predict` may still do so."""

    @property
    def torch(self) -> Any | None:
        return sys.modules.get("torch")

    def device(self, requested: str) -> str:
        """Raises DeviceUnavailable. Without torch there is only the CPU, whatever the other models were promised."""
        return "cpu" if self.torch is None else choose_device(requested, self.torch)

    def limit_threads(self, threads: int) -> None:
        if self.torch is not None and threads > 0:
            self.torch.set_num_threads(threads)

    def inference(self) -> AbstractContextManager[Any]:
        """Without gradients, which nobody asks for here and which would keep every layer's activations."""
        return nullcontext() if self.torch is None else self.torch.inference_mode()

    def synchronize(self) -> None:
        """A device reports what went wrong at some later call: it must not be the next batch that hears of it."""
        if self.torch is not None and self.torch.cuda.is_initialized():
            self.torch.cuda.synchronize()

    def free_memory(self) -> None:
        """After an out-of-memory: garbage goes back to the allocator, and what that keeps in store to the device."""
        gc.collect()
        if self.torch is not None and self.torch.cuda.is_available():
            with suppress(RuntimeError):  # it is an attempt: the next predict shows whether there is room
                self.torch.cuda.empty_cache()
