"""The 2014 experiment on CIFAR-10: its contrasts, its rates, its rule, and that it runs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ganwise import ramp
from ganwise.build import build
from ganwise.cli import main
from ganwise.model import Model
from ganwise.reproduce.original_pictures import (
    RUNS,
    as_bytes,
    conclude,
    contrasts,
    from_bytes,
    judge,
    nearest,
    recipe,
    schedule,
    shown,
    walk,
)
from ganwise.reproduce.work import Row


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)


def test_contrasts_have_no_mean_and_norm_55(images: np.ndarray) -> None:
    flat = contrasts(images).reshape(7, -1)
    np.testing.assert_allclose(flat.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), 55, rtol=1e-5)


def test_an_even_image_has_no_contrasts() -> None:
    assert not contrasts(np.full((1, 4, 4, 3), 9, np.uint8)).any()


def test_bytes_hold_contrasts_to_half_a_step(images: np.ndarray) -> None:
    x = contrasts(images)
    assert np.abs(from_bytes(as_bytes(x)) - x).max() <= 4 / 127.5 / 2 + 1e-6


def test_what_is_shown_is_stretched_about_gray() -> None:
    assert shown(as_bytes(np.array([-2.5, 0.0, 2.5]))).tolist() == pytest.approx([0, 128, 255], abs=2)


def test_the_nearest_image_of_an_image_is_itself(images: np.ndarray) -> None:
    rows, away = nearest(images[[3, 5]], images)
    assert rows.tolist() == [3, 5]
    np.testing.assert_allclose(away, 0, atol=0.1)


def test_rates_fall_by_1_000004_a_step_to_1e_6_and_d_has_half() -> None:
    plan = schedule(0.025, 100, 400)
    for player, share in ((plan.generator, 1.0), (plan.discriminator, 0.5)):
        assert ramp.at(player.learning_rate, 100_000) == pytest.approx(0.025 * share / 1.000004**100_000, rel=1e-4)
        assert ramp.at(player.learning_rate, 10_000_000) == pytest.approx(1e-6 * share)
    assert ramp.at(plan.generator.momentum, 250 * 400) == pytest.approx(0.7)


def test_the_networks_at_paper_scale_have_the_published_sizes() -> None:
    made = recipe("full", 1, 40_000), recipe("convolutional", 1, 40_000)
    assert {name: made[0].architecture.options[name] for name in ("width", "units")} == {"width": 8000, "units": 1600}
    assert {name: made[1].architecture.options[name] for name in ("width", "maps", "units")} == {
        "width": 8000,
        "maps": 80,
        "units": 500,
    }
    assert [each.schedule.batch for each in made] == [100, 128]
    assert {options["shrink"] for options in RUNS["paper"].values()} == {1}


def test_a_walk_begins_and_ends_at_its_latents() -> None:
    model = Model(build(recipe("full", 200, 40_000), (3, 32, 32)))
    short, long = walk(model, 2, 2), walk(model, 2, 5)
    np.testing.assert_array_equal(short, long[[0, 4, 5, 9]])
    assert len(long) == 10


def _run(name: str, epoch: float, copies: float = 0.0, coverage: float = 0.5, shrink: int = 1) -> Row:
    numbers = {"epoch": epoch, "copies": copies, "coverage": coverage, "kid": 9.0, "n": 500, "step": 10, "seconds": 20.0}
    numbers |= {"away": 40.0, "held_out": 41.0, "contrast": 1.0, "train": 40_000, "batch": 100}
    return {"cell": name, "options": {"shrink": shrink}, "curve": [{}], **numbers}


def test_under_a_hundred_epochs_of_either_network_it_is_out_of_reach() -> None:
    assert judge([_run("a", 200), _run("b", 99)], "here") == "out of reach here"
    assert judge([_run("a", 200)], "paper") == "out of reach here"


def test_pictures_without_a_figure_are_close_at_best() -> None:
    assert judge([_run("a", 200), _run("b", 100)], "here") == "close"
    assert judge([_run("a", 200, copies=0.2), _run("b", 100)], "here") == "not reproduced"
    assert judge([_run("a", 200, coverage=0.01), _run("b", 100)], "here") == "not reproduced"


def test_a_narrow_network_s_epochs_do_not_count() -> None:
    found = conclude("gan-2014-cifar10", [_run("fully-connected-narrow", 500, shrink=8), _run("fully-connected", 1)], "here")
    assert found.verdict == "out of reach here"
    hours = 2.0 * 100 * 400 / 3600
    assert f"100 take {hours:.0f} h" in found.because
    assert not math.isnan(found.ours[0].value)


def test_the_sample_runs_and_draws_both_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    arguments = ["ganwise", "reproduce", "gan-2014-cifar10", "--scale", "sample", "--out", str(tmp_path / "out"), "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert '"verdict": "unjudged"' in capfd.readouterr().out
    assert {file.name for file in (tmp_path / "out").glob("*.png")} == {"figure-2.png", "figure-3.png"}
