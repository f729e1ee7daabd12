"""The network behind `digits`."""

from torch import nn


def network() -> nn.Sequential:
    """A small CNN: [n, 1, 8, 8] of 0 to 1 in, [n, 10] logits out. 128,000 parameters, half a megabyte.

    It pools only once: 8x8 leave nothing to throw away.
    """
    return nn.Sequential(
        *_block(1, 32), *_block(32, 32), nn.MaxPool2d(2), *_block(32, 64),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 4 * 4, 96), nn.ReLU(), nn.Linear(96, 10),
    )  # fmt: skip


def _block(inward: int, outward: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inward, outward, kernel_size=3, padding=1), nn.BatchNorm2d(outward), nn.ReLU()
