import tomllib
from dataclasses import replace
from pathlib import Path

import torch

from ml_service.models.digits import weights
from ml_service.models.digits.training import Samples, fit, samples, varied
from ml_service.models.digits.version import VERSION


def some() -> Samples:
    train, _ = samples()
    return replace(train, images=train.images[:128], digits=train.digits[:128])


def test_the_script_leaves_a_small_version_with_its_accuracy(digits_files: Path) -> None:
    assert {path.name for path in digits_files.iterdir()} == {weights.WEIGHTS, weights.DESCRIPTION}
    assert [path.name for path in digits_files.parent.iterdir()] == [str(VERSION)]
    assert (digits_files / weights.WEIGHTS).stat().st_size < 2**20
    description = tomllib.loads((digits_files / weights.DESCRIPTION).read_text())
    assert (description["name"], description["version"]) == ("digits", VERSION)
    assert description["metrics"]["test_accuracy"] >= 0.98
    assert description["metrics"]["test_samples"] == 360


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first = fit(some(), epochs=1, seed=1).state_dict()
    torch.rand(1)  # whatever else the process draws
    second = fit(some(), epochs=1, seed=1).state_dict()
    other = fit(some(), epochs=1, seed=2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    fit(some(), epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_digit_is_both_trained_and_tested_on() -> None:
    train, test = samples()
    assert len(train.digits) + len(test.digits) == 1797
    assert test.digits.bincount().min() >= 34
    assert torch.equal(samples()[1].images, test.images)


def test_training_reports_each_epoch() -> None:
    reports: list[float] = []
    fit(some(), epochs=2, report=reports.append)
    assert reports == [0.5, 1.0]


def test_variations_stay_digits_of_the_same_size_and_range() -> None:
    images = some().images
    changed = varied(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape
    assert 0 <= changed.min() <= changed.max() <= 1
    assert not torch.equal(changed, images)
