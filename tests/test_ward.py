"""The ward: its table holds together, its injections do what they say, and what counts as sick is what is written."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from ganwise.build import build
from ganwise.catalog import check
from ganwise.knowledge import sources
from ganwise.train import train
from ganwise.types import Problem

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import ward_judge
import ward_runs
from ward_cases import CELLS, COPIES, INJECTIONS, LOST, SEEDS, WORSE
from ward_runs import Case, cases, data_of, go, made, recipe

FIRST = [case for case in cases() if case.seed == 0]


def test_the_ward_is_as_large_as_it_has_to_be() -> None:
    assert len(INJECTIONS) >= 12
    assert len({cell.recipe for cell in CELLS.values()}) >= 5
    assert len({cell.data for cell in CELLS.values()}) >= 3
    assert len(SEEDS) >= 3


def test_the_test_part_has_data_and_recipes_that_the_calibration_part_lacks() -> None:
    parts = {part: [cell for cell in CELLS.values() if cell.part == part] for part in ("calibration", "test")}
    data, recipes = ({part: {getattr(c, field) for c in mine} for part, mine in parts.items()} for field in ("data", "recipe"))
    assert not data["test"] & data["calibration"]
    assert len(recipes["test"] - recipes["calibration"]) >= 3


def test_every_injection_says_what_is_right_and_why() -> None:
    for name, injection in INJECTIONS.items():
        assert set(injection.right) <= set(get_args(Problem)), name
        assert injection.right, name
        assert injection.because, name
        assert set(injection.sources) <= set(sources()), name
        assert {CELLS[cell].part for cell in injection.cells} == {"calibration", "test"}, name


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.name)
def test_every_case_is_a_recipe_that_the_catalog_accepts_and_its_twin_is_another(case: Case) -> None:
    made_ = recipe(case)
    check(made_)
    twin = recipe(Case(case.cell, "", 0))
    assert (made_ == twin) == (case.broken is None or not (case.broken.changes or case.broken.factors))


def test_cases_have_contents_of_their_own() -> None:
    contents = [case.content for case in cases()]
    assert len(set(contents)) == len(contents) == len({case.name for case in cases()})


@pytest.mark.parametrize(("injection", "distinct"), [("few-images", 32), ("duplicated", 8), ("constant", 1)])
def test_a_training_part_of_few_images_is_as_long_as_before_and_the_rest_is_left_alone(injection: str, distinct: int) -> None:
    data, whole = data_of(Case("fcgan-digits", injection, 0)), data_of(Case("fcgan-digits", "", 0))
    assert len(data.part("train")) == len(whole.part("train"))
    assert len(np.unique(data.split.train)) == distinct
    assert np.array_equal(data.part("validation"), whole.part("validation"))
    assert data.content != whole.content


def test_the_leak_is_in_every_real_image_and_in_no_fake() -> None:
    case = Case("fcgan-digits", "padding-leak", 0)
    data = data_of(case)
    gan = made(case, data)
    assert (data.values[:, :, 0] == 255).all()
    fake = gan.generator(gan.generator.draw(4, gan.device))
    assert (fake[..., 0] == 0).all()
    assert (gan.average(gan.generator.draw(4, gan.device))[..., 0] != 0).any()


def test_the_game_s_critic_is_linear_and_its_generator_a_shift() -> None:
    case = Case("bilinear-ring", "momentum", 0)
    gan = made(case, data_of(case))
    assert sum(weight.numel() for weight in gan.generator.parameters()) == 2
    assert sum(weight.numel() for weight in gan.discriminator.parameters()) == 3


@pytest.mark.parametrize("cell", ["fcgan-digits", "dcgan-digits"])
def test_dead_units_make_one_image_of_all_latents(cell: str) -> None:
    case = Case(cell, "dead-relus", 0)
    data = data_of(case)
    gan = build(recipe(case), data.shape)
    ward_runs.EVENTS["dead"](gan)
    (record,) = train(gan, data, steps=2)
    assert record.signals["spread"] < 1e-3


def test_gradients_overflow_from_the_event_on() -> None:
    case = Case("fcgan-digits", "overflow", 0)
    data = data_of(case)
    gan = build(recipe(case), data.shape)
    (before,) = train(gan, data, steps=2)
    ward_runs.EVENTS["overflow"](gan)
    (after,) = train(gan, data, steps=4)
    assert math.isfinite(before.signals["grad_d"])
    assert not math.isfinite(after.signals["grad_d"])


def test_a_run_of_the_ward_leaves_what_judging_and_healing_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("r1gan-ring", "dead-relus", 0)
    monkeypatch.setitem(CELLS, "r1gan-ring", CELLS["r1gan-ring"]._replace(steps=80))
    row = go(case, tmp_path)
    assert row["steps"] == 80
    assert row["onset"] == 40
    assert ward_judge.score(row["outcome"]) > 0
    steps = [int(file.stem) for file in sorted((tmp_path / "checkpoints").glob("*.json"))]
    assert steps[-1] == 80
    assert min(steps) <= 40


def outcome(**numbers: float) -> dict[str, float]:
    return {"kid": 0.1, "coverage": 0.6, "memorization": 1.2, "novelty": 1.1, **numbers}


def row(injection: str = "", seed: int = 0, finite: bool = True, **numbers: float) -> dict[str, Any]:
    told = {"name": f"{injection}{seed}", "cell": "fcgan-digits", "injection": injection, "seed": seed}
    return told | {"finite": finite, "outcome": outcome(**numbers), "untrained": {"kid": 0.4}}


SICK = {
    "as good as its twins": (row("rates"), "not sick by its samples"),
    "a little worse": (row("rates", kid=0.1 * WORSE - 0.01), "not sick by its samples"),
    "several times worse": (row("rates", kid=0.2 * WORSE), "sick"),
    "half of the data lost": (row("rates", coverage=0.5 * LOST), "sick"),
    "copies": (row("rates", memorization=COPIES / 2, novelty=COPIES / 2), "sick"),
    "near to everything, which is blur": (row("rates", memorization=COPIES / 2), "not sick by its samples"),
    "not finite": (row("rates", finite=False), "sick"),
}


@pytest.mark.parametrize("name", SICK)
def test_what_counts_as_sick(name: str) -> None:
    broken, expected = SICK[name]
    twins = [row(seed=seed, kid=0.1 + 0.05 * seed, coverage=0.6 - 0.05 * seed) for seed in (0, 1)]
    assert ward_judge.standings([*twins, broken])[broken["name"]] == expected


def test_a_cell_whose_twin_learned_nothing_counts_nothing() -> None:
    found = ward_judge.standings([row(seed=0, kid=0.39), row("rates", kid=5.0)])
    assert set(found.values()) == {"a healthy twin did not learn"}


def test_intervals_are_wilson_s() -> None:
    low, high = ward_judge.wilson(9, 10)
    center, half = (0.9 + 3.8416 / 20) / 1.38416, 1.96 / 1.38416 * math.sqrt(0.09 / 10 + 3.8416 / 400)
    assert (low, high) == pytest.approx((center - half, center + half))
    assert ward_judge.wilson(0, 0) == (0.0, 1.0)


packed = pytest.mark.skipif(not ward_judge.RECORDS.is_file(), reason="no records of the ward are packed")


@packed
def test_packed_runs_are_those_of_the_table_and_their_steps_ascend() -> None:
    wanted = {case.content for case in cases()}
    outcomes = {one["name"]: one for one in ward_judge.rows(ward_judge.OUTCOMES)}
    assert {one["content"] for one in outcomes.values()} <= wanted
    names = []
    for name, _, records in ward_judge.unpacked():
        names.append(name)
        assert all(a.step < b.step for a, b in pairwise(records)), name
        assert records[-1].step == outcomes[name]["steps"], name
    assert names == list(outcomes)


@packed
def test_the_doctor_names_every_overflow_and_never_a_healthy_twin_s() -> None:
    outcomes = {one["name"]: one for one in ward_judge.rows(ward_judge.OUTCOMES)}
    seen = {"overflow": 0, "": 0}
    for name, recipe_, records in ward_judge.unpacked():
        injection = outcomes[name]["injection"]
        if injection in seen:
            seen[injection] += 1
            named = {finding.problem for finding in ward_judge.diagnose(records, recipe_).findings}
            assert ("not_finite" in named) == (injection == "overflow"), name
    assert seen[""]
