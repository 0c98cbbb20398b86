"""Three digits in one image: how modes are read and counted, the four losses, the rule that judges them, and that it all runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Answer
from torch import nn

from ganwise.artifacts import rows
from ganwise.build import build
from ganwise.reproduce import sets, stacked
from ganwise.reproduce.stacked import ARMS, BURN_IN, STEPS, borne_out, conclude, counted, interval, judge, read, recipe
from ganwise.reproduce.work import Row


class Brightness(nn.Module):
    """Names a digit by its first pixel: k for 25 k."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -((x[:, 0, 0, :1] * 255 - 25 * torch.arange(10)) ** 2)


def _row(arm: str, modes: float, kl: float, seed: int = 0) -> Row:
    around = {"modes_low": modes - 1, "modes_high": modes + 1, "kl_low": kl * 0.99, "kl_high": kl * 1.01}
    return {"arm": arm, "seed": seed, "modes": modes, "kl": kl, "n": 26_000, "step": 4_000, "seconds": 200.0, **around}


PUBLISHED = [_row("rp-r1-r2", 1000, 0.0781), _row("gan-r1-r2", 693, 0.927), _row("rp-r1", 3, 5.0), _row("gan-r1", 1, 6.9)]


def test_a_mode_is_the_number_that_three_channels_spell() -> None:
    digits = np.array([[7, 0, 4], [9, 9, 9], [0, 0, 1]])
    images = np.broadcast_to(25 * digits[:, None, None, :], (3, 28, 28, 3)).astype(np.uint8)
    assert read(Brightness(), images).tolist() == [704, 999, 1]


def test_counts_meet_their_closed_forms() -> None:
    every = counted(np.arange(26_000) % 1_000)
    assert (every["modes"], every["n"]) == (1_000, 26_000)
    assert every["kl"] == pytest.approx(0, abs=1e-12)
    half = counted(np.arange(10_000) % 500)
    assert half["modes"] == 500
    assert half["kl"] == pytest.approx(math.log(2))
    one = counted(np.zeros(10_000, np.int64))
    assert (one["modes"], one["kl"]) == (1, pytest.approx(math.log(1_000)))


def test_each_channel_holds_each_training_digit_once_and_no_other() -> None:
    data = sets.small_mnist()
    made = stacked.stacked(data)
    assert made.shape == (3, 28, 28)
    assert (len(made.split.train), len(made.split.validation), len(made.split.test)) == (8_000, 0, 0)
    sums = np.sort(data.part("train").reshape(8_000, -1).sum(1, dtype=np.int64))
    for channel in range(3):
        assert np.array_equal(np.sort(made.values[..., channel].reshape(8_000, -1).sum(1, dtype=np.int64)), sums)


def test_the_arms_differ_in_pairs_and_penalties_alone() -> None:
    for name, arm in ARMS.items():
        made = recipe(name, "here")
        gan = build(made, (3, 14, 14))
        assert gan.pairs == arm.relativistic
        assert [each.name for each in made.regularizers] == ["r1", "r2"][: 1 + arm.r2]
        assert {each.options["gamma"] for each in made.regularizers} == {f"1 -> 0.1 cosine {int(BURN_IN * STEPS['here'])}"}
        assert made.schedule == recipe("rp-r1-r2", "here").schedule
        assert not any(isinstance(m, nn.BatchNorm2d) for m in [*gan.generator.modules(), *gan.discriminator.modules()])


def test_the_published_rows_are_judged_reproduced() -> None:
    found = conclude("stacked-mnist", PUBLISHED, "here")
    assert found.verdict == "reproduced"
    assert [figure.value for figure in found.ours] == [1000, 0.0781, 693, 0.927, 3, 5.0, 1, 6.9]


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        (_row("rp-r1-r2", 900, 0.2), "close"),  # not every mode
        (_row("rp-r1", 980, 0.2), "close"),  # R1 alone trains
        (_row("gan-r1-r2", 1000, 0.0781), "close"),  # pairs gain nothing
        (_row("rp-r1-r2", 600, 1.1), "not reproduced"),  # neither every mode nor better than without pairs
    ],
)
def test_a_claim_that_fails_costs_the_verdict(changed: Row, verdict: str) -> None:
    rows = [changed if row["arm"] == changed["arm"] else row for row in PUBLISHED]
    assert conclude("stacked-mnist", rows, "here").verdict == verdict
    assert judge(borne_out({arm: [row for row in rows if row["arm"] == arm] for arm in ARMS}), "sample") == "unjudged"


def test_one_bad_seed_breaks_a_claim() -> None:
    rows = [*PUBLISHED, *(_row(arm, row["modes"], row["kl"], 1) for arm, row in zip(ARMS, PUBLISHED, strict=True))]
    assert conclude("stacked-mnist", rows, "here").verdict == "reproduced"
    assert conclude("stacked-mnist", [*rows, _row("rp-r1-r2", 500, 1.5, 2)], "here").verdict == "not reproduced"


def test_intervals_over_seeds_are_students() -> None:
    rows = [_row("rp-r1", modes, 1.0) for modes in (100, 110, 120)]
    mean, low, high = interval(rows, "modes")
    assert mean == 110
    assert high - mean == pytest.approx(4.3027 * 10 / math.sqrt(3), rel=1e-4)
    assert low == pytest.approx(2 * mean - high)


def test_the_classifier_is_trained_once_and_leaves_random_numbers_alone(tmp_path: Path) -> None:
    data = sets.small_mnist()
    few = replace(data, split=data.split._replace(train=data.split.train[:256]))
    state = torch.random.get_rng_state()
    first = stacked.reader(few, tmp_path / "weights.safetensors", 256)
    again = stacked.reader(few, tmp_path / "weights.safetensors", 256)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))


def test_the_sample_runs_all_four_losses(call: Callable[..., Answer]) -> None:
    found = call("reproduce", "stacked-mnist", "--scale", "sample", "--json").json["experiments"][0]
    assert found["verdict"] == "unjudged"
    assert found["cost"]["cells"] == 5
    assert len(found["ours"]) == 8
    assert found["pictures"] == ["modes.png", "samples.png"]
    assert list(rows(Path("runs/reproduce-stacked-mnist/work/rp-r1-r2-0/curve.jsonl")))[-1]["step"] == STEPS["sample"]
