"""Which device a model computes on. The torch module is handed in: the worker's own process never imports it."""

from typing import Any

from shared.errors import TorchrelayError

DEVICES = ("cuda", "mps", "cpu")  # fastest first, which is what "auto" goes by


class DeviceUnavailable(TorchrelayError):
    """A device was asked for by name that this machine, or this build of torch, does not have."""

    code = "device_unavailable"


def choose_device(requested: str, torch: Any) -> str:
    """The device to use: `requested`, or for "auto" the fastest one there is. Raises DeviceUnavailable."""
    if requested == "auto":
        return next(device for device in DEVICES if _available(device, torch))
    if requested not in DEVICES:
        raise DeviceUnavailable(f"unknown device {requested!r}: choose auto, {', '.join(DEVICES)}")
    if not _available(requested, torch):
        raise DeviceUnavailable(
            f"torch {torch.__version__} finds no {requested} device here: set DEVICE to auto or cpu"
        )
    return requested


def _available(device: str, torch: Any) -> bool:
    match device:
        case "cuda":
            return bool(torch.cuda.is_available())
        case "mps":
            return bool(torch.backends.mps.is_available())
        case _:
            return True
