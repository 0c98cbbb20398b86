"""Seven GANs at one budget: that they are alike where they should be, how their order is judged, and that it all runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer

from ganwise import catalog
from ganwise.reproduce.equal import RIVALS, Order, conclude, correlation, judge, order, recipe, steps
from ganwise.reproduce.work import Row

NAME = "are-gans-created-equal-mnist"


def _rows(kid: dict[str, float], seeds: int = 5) -> list[Row]:
    """A run of each seed: a hundredth apart, and FID in proportion."""
    found: list[Row] = []
    for name, value in kid.items():
        for seed in range(seeds):
            scores = {"kid": value * (1 + seed / 100), "fid": 100 * value * (1 + seed / 100), "kid_half": 1e-4, "coverage": 0.5}
            found.append({"gan": name, "seed": seed, "step": 10, "images": 640, "seconds": 1.0, **scores})
    return found


def test_spearman_is_the_formula_of_squared_differences_where_no_ranks_are_shared() -> None:
    a, b = np.array([3.0, 1, 2, 10, 5]), np.array([1.0, 2, 3, 5, 4])
    d = np.array([3, 1, 2, 5, 4]) - b
    assert correlation(a, b) == pytest.approx(1 - 6 * float(d @ d) / (5 * 24))
    assert correlation(np.array([1, 1, 2, 3]), np.arange(4)) == pytest.approx(np.corrcoef([1.5, 1.5, 3, 4], np.arange(4))[0, 1])
    assert correlation(np.ones(3), np.arange(3)) == 0
    assert np.allclose(correlation(np.stack([a, -a]), b), [correlation(a, b), -correlation(a, b)])


def test_all_see_as_many_images_with_one_architecture_and_the_losses_of_the_catalog() -> None:
    for name in RIVALS:
        made = recipe(name)
        assert made.schedule.batch * made.schedule.discriminator_steps * steps(made, 64_000) == 64_000
        assert made.schedule.ema == 0
        assert made.schedule.boost.steps == 0
        assert made.loss == catalog.named(name).loss
        assert made.regularizers == catalog.named(name).regularizers
        assert made.schedule.generator == catalog.named(name).schedule.generator
    assert {recipe(name).architecture.model_dump_json() for name in RIVALS if name != "began"} == {
        recipe("gan").architecture.model_dump_json()
    }


def test_the_published_order_is_reproduced_and_the_reverse_is_not() -> None:
    same = {name: rival.fid / 1000 for name, rival in RIVALS.items()}
    reverse = {name: 1 / rival.fid for name, rival in RIVALS.items()}
    found = conclude(NAME, _rows(same), "here")
    assert found.verdict == "reproduced"
    assert found.ours[0].value == pytest.approx(1)
    found = conclude(NAME, _rows(reverse), "here")
    assert found.verdict == "not reproduced"
    assert found.ours[0].value == pytest.approx(-1)


def test_the_interval_holds_what_seeds_and_the_study_leave_open() -> None:
    """WGAN and NS GAN are a fifth of a deviation apart in the study, so that no order of ours can agree for sure."""
    found = order({name: [rival.fid] * 5 for name, rival in RIVALS.items()}, 0.0)
    assert found.correlation == pytest.approx(1)
    assert 0.5 < found.low < 1
    noisy = order({name: [rival.fid * f for f in (0.2, 1, 5)] for name, rival in RIVALS.items()}, 0.0)
    assert noisy.low < found.low
    assert noisy.ranks["gan"][1] - noisy.ranks["gan"][0] > found.ranks["gan"][1] - found.ranks["gan"][0]


def test_an_order_that_may_be_chance_is_close_at_most() -> None:
    assert judge(Order(0.6, -0.1, 0.9, {}), "here") == "close"
    assert judge(Order(0.4, -0.1, 0.8, {}), "here") == "not reproduced"
    assert judge(Order(0.9, 0.3, 1.0, {}), "sample") == "unjudged"


def test_who_is_reliably_better_than_the_plain_gan_is_named() -> None:
    kid = dict.fromkeys(RIVALS, 0.02) | {"dragan": 0.001, "began": 0.3}
    found = conclude(NAME, _rows(kid), "here")
    assert "by KID DRAGAN is reliably better than NS GAN, BEGAN reliably worse" in found.because
    assert found.ours[2].what == "KID x1000 of DRAGAN"
    assert "rank 1 (1 to 1), tied with none" in found.ours[2].note


def test_the_sample_runs_all_seven(call: Callable[..., Answer]) -> None:
    found = call("reproduce", NAME, "--scale", "sample", "--json").json["experiments"][0]
    out = Path(f"runs/reproduce-{NAME}")
    assert found["verdict"] == "unjudged"
    assert found["cost"]["cells"] == 8
    assert {figure["what"] for figure in found["ours"][2:]} == {f"KID x1000 of {rival.label}" for rival in RIVALS.values()}
    assert found["pictures"] == ["samples.png", "scores.png"]
    assert all(np.load(out / "work" / f"{name}-0" / "samples.npy").shape == (16, 14, 14, 1) for name in RIVALS)
