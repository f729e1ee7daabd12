"""Which device a model gets."""

from types import SimpleNamespace
from typing import Any

import pytest

from ml_service.device import DeviceUnavailable, choose_device


def torch_with(*devices: str) -> Any:
    return SimpleNamespace(
        __version__="2.13.0",
        cuda=SimpleNamespace(is_available=lambda: "cuda" in devices),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: "mps" in devices)),
    )


@pytest.mark.parametrize(
    ("there", "chosen"), [(["cuda", "mps"], "cuda"), (["cuda"], "cuda"), (["mps"], "mps"), ([], "cpu")]
)
def test_auto_takes_the_fastest_there_is(there: list[str], chosen: str) -> None:
    assert choose_device("auto", torch_with(*there)) == chosen


@pytest.mark.parametrize("device", ["cuda", "mps", "cpu"])
def test_a_device_that_is_there_can_be_asked_for(device: str) -> None:
    assert choose_device(device, torch_with("cuda", "mps")) == device


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_absent_device_is_an_error_that_says_so(device: str) -> None:
    with pytest.raises(DeviceUnavailable, match=f"finds no {device} device here"):
        choose_device(device, torch_with())


def test_an_unknown_device_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(DeviceUnavailable, match="'tpu': choose auto, cuda, mps, cpu"):
        choose_device("tpu", torch_with())
