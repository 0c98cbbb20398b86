"""Samples of the simulations behind docs/race.md: chance, power, replays of past runs, the scheduler at scale."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from ganwise.study.halving import ladder

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import race_chance as chance  # noqa: E402
import race_page as page  # noqa: E402
import race_replay as replay  # noqa: E402
import race_scale as scale  # noqa: E402
from race_rows import committed  # noqa: E402


def test_the_same_gan_entered_six_times_has_a_winner_in_five_percent_of_races_at_most() -> None:
    runs = chance.many()
    assert len(runs) >= 12
    noise = replay.noise_of({"dcgan": runs})
    times = 150
    found = chance.share([chance.logs(runs, noise)] * chance.EQUALS, times, noise, None)
    assert found["share"] <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / times)


def test_the_best_of_digits_is_found_among_copies_of_its_median_candidate() -> None:
    best = next(chance.power(60))
    assert best["difference"] > 1
    assert best["share"] >= 0.9


@pytest.mark.parametrize("data", ["grid", "digits"])
def test_the_race_names_nobody_who_is_significantly_worse_at_35_percent_of_the_cost(data: str) -> None:
    runs = replay.field(data)
    assert len(runs) == 18
    for some in [runs, *replay.drawn(runs, times=8)]:
        found = replay.compared(some)
        assert found["seeds"] == 3
        assert not found["worse"]
        assert found["cost"] <= 0.35


def test_a_race_in_which_everyone_trains_to_the_end_is_the_exhaustive_comparison() -> None:
    runs = replay.field("digits")
    noise = replay.noise_of(runs)
    all_on = replay.rule((1.0, 1.0), (1, 1), spare=0)(tuple(runs), 3, noise)
    healthy = {n: rows for n, rows in runs.items() if not any(r["verdict"] in replay.SICK for r in rows)}
    short, full = replay.race(runs, noise, all_on), replay.exhaustive(runs, noise)
    assert short.cost <= full.cost
    assert [s.name for s in short.standings] == [s.name for s in full.standings if s.name in short.finalists]
    assert {s.name for s in full.standings} == {*healthy}


def test_the_committed_rows_hold_every_look_a_race_needs() -> None:
    for row in committed():
        assert [look["share"] for look in row["looks"]] == [0.1, 0.4, 0.6, 0.8, 1.0]
        values = [math.inf if look["best"] is None else look["best"] for look in row["looks"]]
        assert values == sorted(values, reverse=True), "the best so far gets no worse"


def test_the_page_shows_what_is_committed_and_that_repeats() -> None:
    assert page.PAGE.read_text().split(page.MARK)[1] == page.written().split(page.MARK)[1]
    (grid,) = [row for row in page.rows("replays") if row["data"] == "grid" and row["field"] == "all"]
    again = replay.compared(replay.field("grid"))
    assert {name: grid[name] for name in again} == again


def test_every_worker_is_busy_as_long_as_there_is_a_run_for_each() -> None:
    found = scale.measured(600, 60)
    assert found["failures"] > 0
    assert found["least_busy_worker"] > 0.95
    assert found["parts"]["in vain"] < 0.05
    assert sum(found["parts"].values()) == pytest.approx(1, abs=2e-3)
    assert scale.measured(600, 60, ahead=False)["busy"] < found["busy"]


def test_the_simulated_cluster_comes_to_the_same_finalists_with_and_without_failures() -> None:
    calm, rough = scale.Cluster(300, 30, life=1e12), scale.Cluster(300, 30, life=600.0)
    calm.go()
    rough.go()
    assert calm.failures == 0 < rough.failures
    assert calm.halving.finalists == rough.halving.finalists
    assert rough.now > calm.now


def test_new_runs_of_a_gan_have_its_mean_and_covariance() -> None:
    noise = replay.noise_of(replay.field("digits"))
    pool = chance.logs(replay.field("digits")["r1gan"], noise)
    runs = chance.drawn(pool, np.random.default_rng(0), 40_000)
    assert np.allclose(runs.mean(0), pool.mean(0), atol=0.02)
    assert np.allclose(np.cov(runs.T), np.cov(pool.T), atol=0.05 * np.abs(np.cov(pool.T)).max())


def test_a_ladder_of_the_replay_has_the_races_own_rungs() -> None:
    names = tuple("abcdefghijkl")
    assert replay.rule((1 / 3, 1 / 6), (4, 2))(names, 3, 0.1) == ladder(names, 3, 0.1)
