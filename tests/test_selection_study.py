"""The study of the short list, in small: what is drawn, what a list may rest on, runs, outcomes, and the page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganwise import catalog
from ganwise.data import load
from ganwise.knowledge import rules
from ganwise.recipe import from_data
from ganwise.select.evidence import OURS
from ganwise.select.space import possible

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import selection_regret as study  # noqa: E402
import selection_regret_page as page  # noqa: E402


def test_the_random_arm_is_twelve_different_valid_combinations_as_the_protocol_draws_them() -> None:
    drawn = json.loads(study.RANDOM.read_text())
    assert drawn.keys() == study.SETTINGS.keys() == page.TITLES.keys()
    for name, rows in drawn.items():
        valid = {combination for combination, _ in possible(study.SETTINGS[name].shape)}
        combinations = [study.Combination(**row["combination"]) for row in rows]
        assert len({*combinations}) == study.DRAWN == page.WANTED["random"]
        assert {*combinations} <= valid
        for combination, row in zip(combinations, rows, strict=True):
            made = from_data(row["recipe"])
            catalog.check(made)
            assert made == study.recipe_of(combination)


def test_a_list_of_the_study_rests_on_nothing_that_was_measured_on_its_own_data() -> None:
    for name, switched in study.MEASURED_ON.items():
        assert {*switched} <= {one.name for one in rules() if one.sources == (OURS,)}
        data = study.data_set(name, None)
        assert data.content != load(name).content, "its labels are gone, and so is what was cached of them"
        told = study.short_list(study.audit(data), name)
        assert len(told) == study.LISTED
        assert not [one["name"] for one in told if one["recipe"]["conditioning"]]
    alone = [one for one in rules() if one.sources == (OURS,) and {c.fact for c in one.when} & {"tiny_image", "toy"}]
    assert {one.name for one in alone} <= {name for switched in study.MEASURED_ON.values() for name in switched}


def test_a_random_combination_gets_the_settings_of_the_gan_that_was_made_for_its_loss_and_penalty() -> None:
    critic = study.recipe_of(study.Combination("dcgan", "wasserstein", "gradient-penalty", "wasserstein"))
    assert critic.schedule == catalog.named("wgan-gp").schedule
    assert (
        study.recipe_of(study.Combination("dcgan", "hinge", "r1", "total-variation")).schedule == catalog.named("dcgan").schedule
    )


QUICK = study.SETTINGS["grid"]._replace(seconds=0.3, n=300)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the study on the grid, a third of a second each."""
    out = tmp_path_factory.mktemp("regret")
    wanted = list(study.jobs("grid", ["random", "popular"], [0], study.LISTS))
    assert len(wanted) == 13
    assert study.run("grid", wanted[:2], out, None, QUICK) == 0
    return out


def test_a_sample_of_the_study_runs_is_scored_and_is_not_run_twice(tiny: Path) -> None:
    trials = [study.RunDirectory.open(path.parent) for path in sorted(tiny.glob("grid/*/*/run.json"))]
    assert len(trials) == 2
    least = json.loads((tiny / "grid" / "floor.json").read_text())
    assert least["metric"] == "sliced_wasserstein"
    for trial in trials:
        row = study.row_of("grid", trial, least)
        assert row["value"] > row["yardsticks"]["real"]
        assert 0 <= row["good"] <= 1
        assert row["steps"] >= 20
        assert page.failed(row) == (row["value"] > least["value"] or row["verdict"] == "failed")
    before = {trial.path: trial.run.stat().st_mtime_ns for trial in trials}
    wanted = list(study.jobs("grid", ["random", "popular"], [0], study.LISTS))
    assert study.run("grid", wanted[:2], tiny, None, QUICK) == 0
    assert before == {trial.path: trial.run.stat().st_mtime_ns for trial in trials}


def test_the_floor_lies_between_real_data_and_nonsense() -> None:
    data = load("grid")
    least, bench = study.floor(data, QUICK)["value"], study.prepare(data, "test", n=QUICK.n)
    fakes = data.part("train"), np.zeros((QUICK.n, 2), np.float32)
    (real,), (dot,) = (bench.scores(made, metrics=["sliced_wasserstein"]) for made in fakes)
    assert real.value < least < dot.value


def row(arm: str, recipe: str, seed: int, value: float | None, verdict: str = "healthy") -> dict[str, Any]:
    return {"arm": arm, "recipe": recipe, "seed": seed, "value": value, "floor": 5.0, "verdict": verdict, "broken": None}


def arms() -> dict[str, page.Arm]:
    """A list whose first is second best, and twelve at random of which one is better than all and three fail."""
    listed = [row("list", f"l{i}", s, [2.0, 1.5, 3.0, 4.0, 6.0][i]) for i in range(5) for s in range(3)]
    drawn = [
        row("random", f"r{i:02}", s, [1.0, 3.5, 3.5, 3.5, 3.5, 3.5, 4.0, 4.0, 4.0, 9.0, 9.0, None][i])
        for i in range(12)
        for s in range(3)
    ]
    return {"list": page.arm_of(listed), "random": page.arm_of(drawn), "popular": page.arm_of([row("popular", "dcgan", 0, 2.5)])}


def test_the_outcomes_are_what_the_protocol_says() -> None:
    found = page.outcomes(arms())
    assert found["list best"] == 1.5
    assert found["list median"] == 3.0
    assert found["list failed"] == pytest.approx(1 / 5), "worse than the floor"
    assert found["random failed"] == pytest.approx(3 / 12), "two worse than the floor, one without a score"
    assert found["regret of the list's best"] == 0.5
    assert found["regret of the list's first"] == 1.0
    assert found["share of random recipes that beat the list's first"] == pytest.approx(1 / 12)
    assert found["list first - popular"] == -0.5
    # the best recipe is in 5 of 12 choices; without it the best of five is 3.5, or 4 in the few choices that miss all such
    with_best = 5 / 12
    assert with_best * 1.0 + (1 - with_best) * 3.5 <= found["random best of 5"] < with_best * 1.0 + (1 - with_best) * 4.0


def test_an_interval_holds_its_value_and_is_wide_only_where_chance_was() -> None:
    found = page.intervals(arms(), draws=200)
    middle, low, high = found["list median"]
    assert low == middle == high, "the list is not drawn by chance, and its seeds agree here"
    middle, low, high = found["random failed"]
    assert low < middle < high


def test_a_run_fails_by_the_doctor_by_the_floor_or_without_a_score() -> None:
    assert not page.failed(row("list", "a", 0, 4.9))
    assert page.failed(row("list", "a", 0, 5.1))
    assert page.failed(row("list", "a", 0, None))
    assert page.failed(row("list", "a", 0, 1.0, verdict="failed"))
    assert not page.failed(row("list", "a", 0, 1.0, verdict="failing"))


def test_the_page_is_what_the_script_makes_of_the_committed_rows() -> None:
    text = page.PAGE.read_text()
    assert text.split(page.MARK + "\n")[1] == page.page(study.committed(), study.order()), (
        "run python benchmarks/selection_regret.py page"
    )


def test_every_committed_row_is_of_the_protocol() -> None:
    for one in study.committed():
        assert one["budget"] == study.SETTINGS[one["data"]].seconds
        assert one["seconds"] is None or one["seconds"] >= 0.8 * one["budget"] or one["verdict"] == "failed" or one["broken"]
        assert one["commit"] != "unknown"
        assert not one["commit"].endswith("+"), "code that no commit holds"
