"""Who is better, and is it certain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ganwise.study.spread import spread_of
from ganwise.study.statistics import holm, rank, settle
from ganwise.study.tails import f_tail, t_quantile, t_tail


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


def test_f_has_the_closed_form_of_two_degrees_above_and_its_printed_quantiles() -> None:
    for f in (0.1, 1.0, 7.0):
        assert f_tail(f, 2, 6) == pytest.approx((1 + 2 * f / 6) ** -3, abs=1e-9)
    # 5 % points as printed in every textbook's table
    for above, below, f in ((2, 4, 6.944), (2, 10, 4.103), (4, 20, 2.866), (1, 1, 161.4)):
        assert f_tail(f, above, below) == pytest.approx(0.05, rel=2e-3)


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


def _drawn(rng: np.random.Generator, means: list[float], common: float = 0.0, own: float = 0.3) -> dict[str, list[float]]:
    """Three seeds of each candidate, which also move all alike by ``common``."""
    both = rng.normal(0, common, 3)
    return {str(i): np.exp(mean + both + rng.normal(0, own, 3)).tolist() for i, mean in enumerate(means)}


def _shared(values: dict[str, list[float]]) -> dict[str, range]:
    return {name: range(len(v)) for name, v in values.items()}


@pytest.mark.parametrize("step", [0.05, 0.3])
def test_the_interval_of_a_rank_holds_the_true_rank(step: float) -> None:
    rng, held, times = np.random.default_rng(0), 0, 150
    for _ in range(times):
        standings = rank(_drawn(rng, [step * i for i in range(5)]), True, 1e-6)
        held += sum(s.rank_low <= int(s.name) + 1 <= s.rank_high for s in standings)
    assert held / times / 5 > 0.95


def test_what_is_far_apart_has_one_rank_and_what_is_equal_may_have_any() -> None:
    apart = rank({"a": [0.01, 0.011, 0.012], "b": [0.1, 0.11, 0.12], "c": [1.0, 1.1, 1.2]}, True, 1e-6)
    assert [(s.rank_low, s.rank_high) for s in apart] == [(1, 1), (2, 2), (3, 3)]
    alike = rank({n: [0.1, 0.11, 0.12] for n in "abc"}, True, 1e-6)
    assert all((s.rank_low, s.rank_high) == (1, 3) for s in alike)


def test_what_other_samples_would_turn_around_is_not_certain() -> None:
    values = {"a": [0.10, 0.101, 0.1005], "b": [0.104, 0.105, 0.1045], "c": [0.2, 0.201, 0.2005]}
    sharp = rank(values, True, 1e-6, samples={n: [1e-4] * 3 for n in values})
    blunt = rank(values, True, 1e-6, samples={n: [0.02] * 3 for n in values})
    assert [s[5:] for s in sharp] == [((), 1, 1), ((), 2, 2), ((), 3, 3)]
    assert [s[5:] for s in blunt] == [(("b",), 1, 2), (("a",), 1, 2), ((), 3, 3)]
    assert [s[:5] for s in sharp] == [s[:5] for s in blunt]
    assert settle(values, True, 1e-6, samples={n: [0.02] * 3 for n in values}) == (("a", "b"), None, None)


def test_where_nobody_wins_the_intervals_name_nobody_either() -> None:
    rng = np.random.default_rng(1)
    tied = 0
    for _ in range(100):
        standings = rank(_drawn(rng, [0.0, 0.5, 1.0]), True, 1e-6)
        if standings[0].tied_with:
            tied += 1
            assert standings[0].rank_high > 1
            assert {s.name: s for s in standings}[standings[0].tied_with[0]].rank_low == 1
    assert tied > 20


def test_ranks_without_a_second_seed_are_all_possible() -> None:
    assert {(s.rank_low, s.rank_high) for s in rank({"a": [0.01], "b": [0.9], "c": [0.5]}, True, 1e-3)} == {(1, 3)}


def test_candidates_are_compared_seed_by_seed_where_seeds_move_all_alike() -> None:
    rng = np.random.default_rng(2)
    plain, paired = 0, 0
    for _ in range(60):
        values = _drawn(rng, [0.0, 1.0, 1.0], common=0.9, own=0.2)
        plain += not rank(values, True, 1e-6)[0].tied_with
        paired += not rank(values, True, 1e-6, seeds=_shared(values))[0].tied_with
    assert paired > plain + 20


def test_pairing_names_no_more_winners_among_equals() -> None:
    rng, times = np.random.default_rng(3), 400
    drawn = (_drawn(rng, [0.0] * 3, common) for common in [0.0, 0.3] * (times // 2))
    won = sum(not rank(values, True, 1e-6, seeds=_shared(values))[0].tied_with for values in drawn)
    assert won / times <= 0.05


def test_seeds_that_do_not_matter_or_are_not_shared_are_not_paired() -> None:
    same = {"a": np.array([0.1, 0.9, 0.5]), "b": np.array([1.1, 1.9, 1.4]), "c": np.array([0.2, 0.95, 0.6])}
    assert spread_of(same, dict.fromkeys(same, (0, 1, 2))).paired
    assert not spread_of(same, {"a": (0, 1, 2), "b": (0, 1, 2), "c": (0, 1, 3)}).paired
    assert not spread_of(same, None).paired
    mixed = {"a": same["a"], "b": same["b"][[1, 2, 0]], "c": same["c"][[2, 0, 1]]}
    assert not spread_of(mixed, dict.fromkeys(mixed, (0, 1, 2))).paired


def test_so_many_more_seeds_do_settle_it() -> None:
    """The pair is drawn again with the seeds that were asked for; in four of five cases or more the better one is certain."""
    values = {"a": [0.10, 0.12, 0.11], "b": [0.13, 0.115, 0.125]}
    asked = settle(values, True, 1e-6, {"a": 20.0, "b": 40.0})
    assert asked is not None
    assert asked.pair == ("a", "b")
    assert asked.more_seeds is not None
    assert asked.more_seconds == asked.more_seeds * 60.0
    logs = {n: np.log(v) for n, v in values.items()}
    spread = spread_of(logs, None)
    rng, found, times = np.random.default_rng(4), 0, 300
    for _ in range(times):
        count = 3 + asked.more_seeds
        again = {n: np.exp(rng.normal(v.mean(), spread.errors[n] * math.sqrt(3), count)).tolist() for n, v in logs.items()}
        found += not rank(again, True, 1e-6)[0].tied_with
    assert 0.72 < found / times < 0.95


def test_nothing_is_asked_where_a_winner_is_certain_and_no_number_where_none_would_do() -> None:
    assert settle({"a": [0.01, 0.011], "b": [0.9, 0.91]}, True, 1e-6) is None
    equal = settle({"a": [0.1, 0.2, 0.3], "b": [0.3, 0.1, 0.2]}, True, 1e-6)
    assert equal == (("a", "b"), None, None)
    single = settle({"a": [0.1], "b": [0.2]}, True, 1e-6)
    assert single == (("a", "b"), None, None)


def test_a_smaller_difference_asks_for_more_seeds() -> None:
    def asked(gap: float) -> int:
        found = settle({"a": [0.10, 0.12, 0.11], "b": [0.10 + gap, 0.12 + gap, 0.11 + gap]}, True, 1e-6)
        assert found is not None
        assert found.more_seeds is not None
        return found.more_seeds

    assert asked(0.004) > asked(0.01) >= asked(0.015) >= 1
