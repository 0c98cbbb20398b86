"""Successive halving as a pure function: who goes on, whatever the order in which runs finish."""

from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganwise.study.halving import Halving, Job, Ladder, Look, decide, ladder, work

NAMES = tuple("abcdefghijklmnopqr")


def _looks(plan: Ladder, values: dict[str, float], rung: int = 0, **more: Look) -> dict[tuple[str, int, int], Look]:
    """Looks of all seeds at a rung: seeds differ by a tenth."""
    found = {(n, s, rung): Look(v * (1 + 0.1 * s)) for n, v in values.items() for s in range(plan.seeds)}
    return found | {(name, 0, rung): look for name, look in more.items()}


def _race(plan: Ladder, draw: random.Random, halving: Halving | None = None) -> tuple[Halving, list[Job]]:
    """Runs the ladder with jobs that end in any order; returns it and all that was run."""
    halving, running, ran = halving or Halving(plan), [], []
    while not halving.done:
        while len(running) < 4 and (job := halving.take()):
            running.append(job)
        job = running.pop(draw.randrange(len(running)))
        ran.append(job)
        halving.finish(job.name, job.seed, job.rung, _value(job))
    return halving, ran


def _value(job: Job) -> Look:
    """A run's look, the same whenever it is asked for; some runs are sick, some break off."""
    luck = random.Random(f"{job.name} {job.seed} {job.rung}")
    if luck.random() < 0.05:
        return Look(None)
    sick = luck.random() < 0.15
    value = math.inf if sick and luck.random() < 0.5 else luck.lognormvariate(0, 1)
    return Look(value, "failing" if sick else "healthy", curable=sick and not job.heal)


@pytest.mark.parametrize("count", range(12, 19))
def test_twelve_to_eighteen_candidates_cost_at_most_35_percent_of_all_to_the_end(count: int) -> None:
    assert work(ladder(NAMES[:count], 3)) <= 0.35 * count * 3 + 1e-9


@pytest.mark.parametrize(("count", "places"), [(2, (2, 2, 2)), (3, (3, 3, 3)), (5, (5, 4, 2)), (8, (8, 4, 2)), (18, (18, 6, 3))])
def test_a_third_goes_on_then_half_and_few_candidates_all_do(count: int, places: tuple[int, ...]) -> None:
    assert tuple(rung.places for rung in ladder(NAMES[:count], 3).rungs) == places


def test_the_best_on_validation_go_on_and_the_rest_left_by_rank() -> None:
    plan = ladder(NAMES[:8], 2)
    values = {name: 2.0**place for place, name in enumerate("cagbhdef")}
    decided = decide(plan, _looks(plan, values))
    assert {job.name for job in decided.now} == set("cagb")
    assert {job.rung for job in decided.now} == {1}
    assert [(left.name, left.place, left.why) for left in decided.left] == [(n, 5 + i, "rank") for i, n in enumerate("hdef")]


def test_nothing_is_decided_before_the_last_run_of_a_rung() -> None:
    plan = ladder(NAMES[:8], 2)
    looks = _looks(plan, dict.fromkeys(NAMES[:8], 1.0))
    del looks[("h", 1, 0)]
    decided = decide(plan, looks)
    assert decided.now == (Job("h", 1, 0),)
    assert decided.left == ()


def test_free_workers_run_ahead_with_the_best_so_far_and_surely_only_with_those_nobody_can_displace() -> None:
    plan = ladder(NAMES[:8], 1)
    looks = _looks(plan, {name: float(place + 1) for place, name in enumerate(NAMES[:6])})
    decided = decide(plan, looks)
    assert [job.name for job in decided.ahead] == list("abcd")
    assert [job.name for job in decided.sure] == list("ab")


def test_a_sick_run_is_healed_as_its_candidate_goes_on_and_one_without_remedy_leaves() -> None:
    plan = ladder(NAMES[:5], 2)
    values = dict.fromkeys(NAMES[:5], 1.0)
    curable, not_curable = Look(0.5, "failing", curable=True), Look(0.1, "failed")
    decided = decide(plan, _looks(plan, values, 0, a=curable, b=not_curable))
    assert [(job.name, job.seed) for job in decided.now if job.heal] == [("a", 0)]
    assert [(left.name, left.why) for left in decided.left] == [("b", "sick")]


def test_where_all_are_sick_the_best_of_them_train_on() -> None:
    plan = ladder(NAMES[:5], 1)
    sick = {(name, 0, 0): Look(float(place), "failing") for place, name in enumerate(NAMES[:5], 1)}
    assert {job.name for job in decide(plan, sick).now} == set("abcd")


def test_a_candidate_just_below_the_line_is_protected_unless_the_stop_rule_ends_it() -> None:
    plan = ladder(NAMES[:8], 2)
    values = {name: 1.0 + place / 100 for place, name in enumerate(NAMES[:8])}
    decided = decide(plan, _looks(plan, values))
    assert decided.cuts[0].protected == ("e",)
    ended = {("e", seed, 0): Look(1.04 * (1 + 0.1 * seed), late=False) for seed in (0, 1)}
    assert decide(plan, _looks(plan, values) | ended).cuts[0].protected == ()


def test_a_candidate_clearly_below_the_line_is_not_protected() -> None:
    plan = ladder(NAMES[:8], 3)
    values = {name: 1.0 if place < 4 else 50.0 for place, name in enumerate(NAMES[:8])}
    assert decide(plan, _looks(plan, values)).cuts[0].protected == ()


def test_runs_that_are_gone_are_not_waited_for() -> None:
    plan = ladder(NAMES[:2], 2)
    looks = _looks(plan, {"a": 1.0, "b": 2.0}) | {("a", 1, 0): Look(None)}
    assert decide(plan, looks).now == (Job("a", 0, 1), Job("b", 0, 1), Job("b", 1, 1))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 18), st.integers(1, 4), st.integers(0, 10**6))
def test_the_order_in_which_runs_finish_changes_no_decision_and_nothing_runs_twice(count: int, seeds: int, luck: int) -> None:
    plan = ladder(NAMES[:count], seeds)
    first, ran = _race(plan, random.Random(luck))
    second, _ = _race(plan, random.Random(luck + 1))
    assert (first.cuts, first.left, first.finalists) == (second.cuts, second.left, second.finalists)
    assert len({job[:3] for job in ran}) == len(ran)
    assert len(first.finalists) <= plan.rungs[-1].places
    for cut, after in zip(first.cuts, plan.rungs[1:], strict=False):
        assert len(cut.on) <= after.places + after.spare
        assert {name for name, _ in cut.order} == set(cut.on) | {x.name for x in first.left if x.rung == first.cuts.index(cut)}


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 18), st.integers(0, 10**6), st.integers(0, 200))
def test_a_race_that_goes_on_from_any_point_equals_an_undisturbed_one(count: int, luck: int, stopped: int) -> None:
    plan = ladder(NAMES[:count], 2)
    whole, ran = _race(plan, random.Random(luck))
    again = Halving(plan)
    for job in random.Random(luck).sample(ran[:stopped], len(ran[:stopped])):
        again.finish(job.name, job.seed, job.rung, _value(job))
    _, rest = _race(plan, random.Random(luck), again)
    assert (again.cuts, again.left, again.finalists) == (whole.cuts, whole.left, whole.finalists)
    assert not {job[:3] for job in rest} & {job[:3] for job in ran[:stopped]}


def test_a_longer_ladder_repeats_nothing_of_the_shorter_one() -> None:
    first, ran = _race(ladder(NAMES[:8], 2), random.Random(0))
    longer = ladder(NAMES[:12], 3)
    again = Halving(longer)
    for key, look in first.looks.items():
        again.finish(*key, look)
    _, rest = _race(longer, random.Random(1), again)
    assert not {job[:3] for job in rest} & {job[:3] for job in ran}


def test_a_decision_takes_next_to_no_time_with_ten_thousand_runs() -> None:
    plan = ladder([f"candidate-{i}" for i in range(3000)], 3)
    begin = time.process_time()
    _, ran = _race(plan, random.Random(0))
    assert (time.process_time() - begin) / len(ran) < 1e-3
