"""What a trial decides while it trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganwise.artifacts import RunDirectory, sha256
from ganwise.catalog import named
from ganwise.data import load
from ganwise.study.limit import Limit
from ganwise.study.trial import Stop, Trial, copies
from ganwise.types import Record

CHECKS = {
    "r1gan on digits at 5,000 steps": ({"memorization": 0.996, "novelty": 1.046}, False),
    "r1gan on digits at 12,000 steps, which has begun to repeat": ({"memorization": 0.902, "novelty": 0.952}, True),
    "blurred photos, early": ({"memorization": 0.883, "novelty": 0.996}, False),
    "photos that get better": ({"memorization": 0.932, "novelty": 1.000}, False),
    # benchmarks/blur_or_copies.py, CIFAR-10
    "unseen photos through 10 components, which is blur": ({"memorization": 0.646, "novelty": 0.935}, False),
    "unseen photos through 50 components": ({"memorization": 0.834, "novelty": 0.969}, False),
    "a fifth of them copies": ({"memorization": 0.900, "novelty": 0.915}, True),
    "copies through 50 components": ({"memorization": 0.544, "novelty": 0.625}, True),
    "copies": ({"memorization": 0.0, "novelty": 0.0}, True),
    "vectors, or too few samples to tell": ({"coverage": 0.5}, False),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_checkpoint_that_repeats_its_training_images_is_passed_over_and_blur_is_not(name: str) -> None:
    numbers, repeats = CHECKS[name]
    assert copies(numbers) == repeats


def test_a_limit_is_reached_by_whatever_is_spent_first() -> None:
    record = Record(step=50, images=3200, seconds=4.0, signals={})
    assert Limit(steps=100, seconds=5.0).share(record, wall=1.0) == 0.8
    assert Limit(images=1600, wall=10.0).share(record, wall=1.0) == 2.0
    assert Limit().share(record, wall=1.0) == 0.0


def test_where_validation_is_too_small_to_rank_by_the_newest_snapshot_is_kept(tmp_path: Path) -> None:
    data = load(np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32))
    run = RunDirectory(tmp_path / "run")
    with Stop().listening() as stop:
        Trial(run, named("gan"), data, Limit(steps=30)).go(stop)
    steps = [check["step"] for check in run.checks()]
    assert len(steps) > 1
    assert run.read()["best"]["step"] == steps[-1] == 30
    assert run.read()["model_sha256"] == sha256(run.model)
