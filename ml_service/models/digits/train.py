"""`python -m ml_service.models.digits.train --output <model repository>`: trains `digits` in some ten seconds.

Writes digits/VERSION/model.safetensors and model.toml there, or replaces them. The same data and seed give the same weights.
"""

import argparse
import time
from pathlib import Path

from ml_service.models.digits import weights
from ml_service.models.digits.model import Digits
from ml_service.models.digits.training import EPOCHS, accuracy, fit, samples


def train(repository: Path, epochs: int = EPOCHS) -> dict[str, float]:
    """Trains and writes the version that Digits loads; its metrics."""
    start = time.monotonic()
    known, unseen = samples()
    model = fit(known, epochs)
    metrics = {
        "test_accuracy": round(accuracy(model, unseen), 4),
        "test_samples": len(unseen.digits),
        "train_samples": len(known.digits),
        "epochs": epochs,
        "seconds": round(time.monotonic() - start, 1),
    }
    weights.write(repository / Digits.name / str(Digits.version), model.state_dict(), metrics)
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the digits model on scikit-learn's bundled digits.")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the model repository")
    parser.add_argument("--missing", action="store_true", help="only if the weights of this version are not there")
    arguments = parser.parse_args()
    if arguments.missing and (arguments.output / Digits.name / str(Digits.version) / weights.DESCRIPTION).exists():
        return
    metrics = train(arguments.output)
    print(f"digits: {metrics['test_accuracy']:.1%} of {metrics['test_samples']} unseen digits, {metrics['seconds']} s")  # noqa: T201 - a command's answer


if __name__ == "__main__":
    main()
