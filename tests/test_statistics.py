"""Who is better, and is it certain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ganwise.study.statistics import holm, rank
from ganwise.study.tails import t_quantile, t_tail


# two-sided quantiles of Student's T as printed in every textbook's table
@pytest.mark.parametrize(
    ("df", "tail", "t"),
    [(1, 0.05, 12.706), (2, 0.05, 4.303), (4, 0.05, 2.776), (4, 0.01, 4.604), (12, 0.05, 2.179), (30, 0.1, 1.697)],
)
def test_t_agrees_with_the_printed_table(df: int, tail: float, t: float) -> None:
    assert t_quantile(tail, df) == pytest.approx(t, abs=5e-4)
    assert t_tail(t, df) == pytest.approx(tail, rel=2e-3)


def test_t_has_the_closed_form_of_one_and_two_degrees_of_freedom() -> None:
    for t in (0.0, 0.3, 2.0, 50.0):
        assert t_tail(t, 1) == pytest.approx(1 - 2 * math.atan(t) / math.pi, abs=1e-9)
        assert t_tail(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), abs=1e-9)


def test_holm_multiplies_the_smallest_by_the_number_and_never_decreases() -> None:
    # by hand: .01*4, then max(.04, .015*3), then max(.045, .02*2), then max(.045, .3*1)
    assert holm([0.3, 0.01, 0.02, 0.015]) == pytest.approx([0.3, 0.04, 0.045, 0.045])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def _winners(deviations: list[float], seeds: int, times: int, ahead: float = 0.0) -> float:
    """How often there is a significant winner among candidates of one mean; the first is ``ahead`` of it, in logs."""
    draws = np.random.default_rng(0)
    won = 0
    for _ in range(times):
        values = {
            str(i): np.exp(draws.normal(-4 - ahead * (i == 0), deviation, seeds)).tolist()
            for i, deviation in enumerate(deviations)
        }
        won += not rank(values, True, noise=1e-4)[0].tied_with
    return won / times


@pytest.mark.parametrize(("candidates", "seeds"), [(6, 3), (2, 2)])
def test_one_distribution_entered_several_times_has_a_winner_in_five_percent_at_most(candidates: int, seeds: int) -> None:
    times = 2000 if candidates == 6 else 1000
    assert _winners([0.3] * candidates, seeds, times) <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / times)


def test_an_erratic_candidate_does_not_win_by_luck() -> None:
    times = 400
    assert _winners([1.0] + [0.05] * 5, 3, times) <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / times)


def test_a_clear_difference_is_found() -> None:
    assert _winners([0.2] * 3, 3, 100, ahead=1.5) > 0.9


def test_ties_are_mutual_and_ranks_run_from_one() -> None:
    values = {"a": [0.01, 0.012], "b": [0.011, 0.013], "c": [0.5, 0.6], "d": [0.009, 0.02]}
    standings = {s.name: s for s in rank(values, True, noise=1e-3)}
    assert sorted(s.rank for s in standings.values()) == [1, 2, 3, 4]
    for one in standings.values():
        assert one.name not in one.tied_with
        assert all(one.name in standings[other].tied_with for other in one.tied_with)


def test_the_best_is_first_in_either_direction() -> None:
    values = {"a": [0.2, 0.21], "b": [0.8, 0.79]}
    assert [s.name for s in rank(values, True, 1e-3)] == ["a", "b"]
    assert [s.name for s in rank(values, False, 1e-3)] == ["b", "a"]


def test_with_single_seeds_all_are_tied_and_no_interval_is_claimed() -> None:
    standings = rank({"a": [0.01], "b": [0.9], "c": [0.5]}, True, 1e-3)
    assert all(len(s.tied_with) == 2 for s in standings)
    assert all(s.low is None and s.high is None for s in standings)
    assert [s.mean for s in standings] == pytest.approx([0.01, 0.5, 0.9])


def test_one_candidate_with_a_single_seed_borrows_the_others_deviation() -> None:
    standings = {s.name: s for s in rank({"a": [0.01, 0.012, 0.011], "b": [0.9]}, True, 1e-3)}
    assert not standings["a"].tied_with
    assert standings["b"].low is not None


def test_scores_at_and_below_zero_are_as_good_as_the_noise() -> None:
    standings = rank({"a": [-0.002, 0.0], "b": [0.0, -0.001], "c": [0.4, 0.5]}, True, noise=2e-3)
    numbers = [v for s in standings for v in (s.mean, s.low, s.high)]
    assert all(v is not None and math.isfinite(v) and v >= 0 for v in numbers)
    assert standings[-1].name == "c"


def test_identical_values_tie() -> None:
    assert all(s.tied_with for s in rank({"a": [0.5, 0.5], "b": [0.5, 0.5]}, True, 1e-3))


def test_the_interval_holds_the_mean() -> None:
    for s in rank({"a": [0.01, 0.02], "b": [0.1, 0.4], "c": [0.03, 0.3]}, True, 1e-3):
        assert s.low is not None
        assert s.high is not None
        assert s.low <= s.mean <= s.high
