"""What a trial decides while it trains."""

from __future__ import annotations

import pytest

from ganwise.study.limit import Limit
from ganwise.study.trial import copies
from ganwise.types import Record

CHECKS = {
    "r1gan on digits at 5,000 steps": ({"memorization": 0.996, "novelty": 1.046}, False),
    "r1gan on digits at 12,000 steps, which has begun to repeat": ({"memorization": 0.902, "novelty": 0.952}, True),
    "blurred photos, early": ({"memorization": 0.883, "novelty": 0.996}, False),
    "photos that get better": ({"memorization": 0.932, "novelty": 1.000}, False),
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
