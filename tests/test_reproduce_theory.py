"""Figure 1 of 2014, fits by f-divergences, the Dirac-GAN, the toys: by command line, their formulas, their verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Answer
from torch import nn

from ganwise.build import build
from ganwise.data import toy_modes
from ganwise.reproduce import dirac, fgan, theory, toys

Call = Callable[..., Answer]
PICTURES = {
    "gan-2014-theory": {"figure-1.png", "figure-1.gif", "curves.png"},
    "fgan-divergences": {"fits.png"},
    "dirac-gan": {"portraits.png"},
    "ring-8": {"samples.png", "curves.png"},
    "grid-25": {"samples.png", "curves.png"},
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_sample_runs_to_its_end_draws_and_judges_nothing(name: str, call: Call, tmp_path: Path) -> None:
    answer = call("reproduce", name, "--scale", "sample", "--out", "out", "--json")
    assert answer.status == 0
    (result,) = answer.json["experiments"]
    assert result["verdict"] == "unjudged"
    assert result["published"]
    assert all(math.isfinite(figure["value"]) for figure in result["ours"])
    assert {file.name for file in (tmp_path / "out").iterdir() if file.suffix in (".png", ".gif")} == PICTURES[name]
    again = call("reproduce", name, "--scale", "sample", "--out", "out", "--json")
    assert "1 of" not in again.err, "what has been measured is not measured again"
    assert again.json["experiments"][0]["runs"] == result["runs"]


# one Gaussian for two modes


@pytest.mark.parametrize("name", fgan.TABLE)
def test_the_mixture_has_the_published_optima(name: str) -> None:
    assert fgan.optimum(name) == pytest.approx(fgan.TABLE[name], abs=5e-4)


def test_quadrature_meets_the_closed_form_of_kl_and_the_nearest_gaussian_by_kl_has_the_mixtures_moments() -> None:
    samples = fgan.mixture().values
    assert fgan.spread() == pytest.approx((samples.mean(), samples.std()), abs=0.02)
    assert fgan.optimum("kl") == pytest.approx(fgan.spread(), abs=1e-3)
    near, far = fgan.values("kl", [fgan.spread(), fgan.Normal(3.0, 2.5)])
    m, s = fgan.spread()
    # cross entropies differ by a Gaussian's own, whatever the mixture
    assert far - near == pytest.approx(math.log(2.5 / s) + (s**2 + (m - 3.0) ** 2) / (2 * 2.5**2) - 0.5, abs=1e-6)


def test_twice_jensen_shannon_is_the_gans_divergence_but_for_log_four() -> None:
    at = [fgan.Normal(0.0, 1.0), fgan.Normal(2.0, 0.3)]
    assert fgan.values("gan", at) == pytest.approx([each - math.log(4) for each in fgan.values("jensen-shannon", at)], abs=1e-6)


def test_the_straight_generator_makes_the_gaussian_that_is_read_from_it() -> None:
    gan = fgan.line(build(fgan.recipe("kl", 10), (1,), seed=3), 3)
    gan.fit(torch.from_numpy(fgan.mixture(5_000).values), torch.full((5_000,), -1))
    torch.manual_seed(0)
    samples = gan.scaling.decode(gan.average(torch.randn(200_000, 1))).double()
    assert fgan.fitted(gan) == pytest.approx((samples.mean().item(), samples.std().item()), abs=0.02)
    assert any(isinstance(module, nn.Tanh) for module in gan.discriminator.modules())


def fits(**missed: float) -> list[fgan.Fit]:
    """Fits at the published optima, but for errors of the deviation in units of the data's."""
    wide = fgan.spread().deviation
    return [
        fgan.Fit(name, [fgan.Normal(m, s + missed.get(name.replace("-", "_"), 0.0) * wide)], fgan.Normal(m, s), 0.0, 0.0)
        for name, (m, s) in fgan.TABLE.items()
    ]


def test_the_fits_are_reproduced_when_all_are_near_and_ordered_by_width() -> None:
    assert fgan.judge(fits(), "here") == "reproduced"
    assert fgan.judge(fits(kl=0.08), "here") == "close", "near, but wider than Pearson's"
    assert fgan.judge(fits(pearson=0.2), "here") == "close", "one missed"
    assert fgan.judge(fits(pearson=0.2, jeffreys=-0.2), "here") == "not reproduced"
    assert fgan.judge(fits(), "sample") == "unjudged"
    assert fgan.judge(fits()[:4], "here") == "unjudged"


# the Dirac-GAN; its dynamics are in test_dirac.py


def test_steps_at_once_multiply_by_one_plus_a_step_of_the_eigenvalue_and_in_turn_their_product_is_the_determinant() -> None:
    for slope, penalty in ((0.5, 0.0), (0.5, 0.6), (1.0, 2.6)):
        at_once, in_turn = (dirac.factors(slope, penalty, simultaneous) for simultaneous in (True, False))
        field = np.array([[0.0, slope], [-slope, -penalty]])
        assert sorted(at_once, key=abs) == pytest.approx(sorted(1 + dirac.STEP * np.linalg.eigvals(field), key=abs))
        assert abs(np.prod(in_turn)) == pytest.approx(1 - dirac.STEP * penalty)


def test_every_method_says_of_itself_what_its_eigenvalues_say() -> None:
    for name, method in dirac.METHODS.items():
        if method.linear:
            slowest = max(map(abs, dirac.factors(*method.linear)))
            assert (slowest < 1) == method.converges, name


def test_the_dirac_gan_is_reproduced_when_no_run_ends_otherwise_and_the_rates_agree() -> None:
    assert dirac.judge(0, 1e-4, "here") == "reproduced"
    assert dirac.judge(0, 1e-2, "here") == "close"
    assert dirac.judge(1, 1e-4, "here") == "close"
    assert dirac.judge(2, 1e-4, "here") == "not reproduced"
    assert dirac.judge(0, 0.0, "sample") == "unjudged"


# ring and grid


@pytest.mark.parametrize("toy", ["ring", "grid"])
def test_real_points_hold_every_mode_and_one_mode_alone_is_one(toy: str) -> None:
    centers, sd = toy_modes(toy)
    rng = np.random.default_rng(0)
    real = centers[np.arange(2_500) % len(centers)] + sd * rng.standard_normal((2_500, 2))
    whole = toys.judged(real, toy)
    assert (whole["modes"], whole["held"]) == (len(centers), len(centers))
    assert whole["good"] == pytest.approx(1 - math.exp(-4.5), abs=0.006), "a share of a Gaussian in the plane within 3 deviations"
    assert whole["kl"] == pytest.approx(0, abs=1e-4)
    one = toys.judged(centers[:1] + sd * rng.standard_normal((2_500, 2)), toy)
    assert (one["modes"], one["held"]) == (1, 1)
    assert one["kl"] == pytest.approx(math.log(len(centers)))


def group(name: str, *modes: float) -> toys.Group:
    return toys.Group(name, [{"modes": each, "held": each, "good": 0.5} for each in modes])


def test_the_toys_are_reproduced_when_the_plain_gan_loses_half_and_another_keeps_all() -> None:
    best = [group("r1gan", 25, 25)]
    assert toys.judge(3, best, 25, "here") == "reproduced"
    assert toys.judge(23, best, 25, "here") == "close"
    assert toys.judge(23, [], 25, "here") == "not reproduced"
    plain, cured = toys._sides([group(toys.PLAIN, 1, 3, 20), group("lsgan", 25, 24), *best], 25)
    assert plain == 3
    assert [each.name for each in cured] == ["r1gan"], "in every seed"


def test_the_recipe_with_r3gans_loss_has_both_penalties_at_every_step() -> None:
    made = toys.recipe("rpgan-r1-r2")
    assert made.loss.name == "relativistic"
    assert {one.name: one.options for one in made.regularizers} == {name: {"gamma": 0.1, "every": 1} for name in ("r1", "r2")}


# the theory of 2014; its theorems by the library's losses are in test_theory.py


def test_where_p_and_q_agree_and_d_is_one_half_the_theory_is_at_its_end() -> None:
    p = theory.shares()
    assert p.sum() == pytest.approx(1)
    found = theory.look(np.full(len(p), 0.5), p, p)
    assert found == pytest.approx((0.0, -math.log(4), 0.0, 0.0), abs=1e-9)


def test_at_the_best_d_the_value_is_minus_log_four_plus_twice_jensen_shannon() -> None:
    p = theory.shares()
    q = np.roll(p, 9)
    found = theory.look(p / np.maximum(p + q, 1e-300), p, q)
    assert found.value == pytest.approx(-math.log(4) + 2 * found.js, abs=1e-6)
    assert found.gap == 0
    assert 0 < found.js < math.log(2)
    apart = theory.jensen_shannon(np.eye(2)[0], np.eye(2)[1])
    assert apart == pytest.approx(math.log(2))


def run(js: float, half: float) -> dict[str, Any]:
    return {"js": js, "half": half, "curve": [{"js": 0.6}]}


def test_the_theory_is_reproduced_when_the_theorems_hold_and_every_run_comes_to_rest() -> None:
    exact = {"proposition_1": 1e-8, "theorem_1": 1e-12, "least": -math.log(4)}
    assert theory.judge(exact, [run(0.01, 0.02), run(0.015, 0.04)], "here") == "reproduced"
    assert theory.judge(exact, [run(0.01, 0.02), run(0.05, 0.04)], "here") == "close"
    assert theory.judge(exact, [run(0.01, 0.2)], "here") == "close"
    assert theory.judge(exact, [run(0.3, 0.02)], "here") == "not reproduced"
    assert theory.judge(exact | {"least": -1.5}, [run(0.01, 0.02)], "here") == "not reproduced"
    assert theory.judge(exact, [run(0.01, 0.02)], "sample") == "unjudged"
