"""Inputs for the MLP, as a client would send them. Apart from the model, so that asking for them does not load torch."""

import json
import random

PIXELS = 784
DIFFERENT = 64  # images; drawing each anew would take longer than running it


def inputs(count: int) -> list[str]:
    """`count` JSON texts of 28 x 28 grey values from 0 to 1, three decimals each; neighbours differ."""
    some = [json.dumps({"pixels": _pixels(seed)}, separators=(",", ":")) for seed in range(min(count, DIFFERENT))]
    return [some[number % len(some)] for number in range(count)]


def _pixels(seed: int) -> list[float]:
    drawn = random.Random(seed)
    return [round(drawn.random(), 3) for _ in range(PIXELS)]
