"""The search within a candidate: what may be turned, that the budget pays for it, and that nothing is tried twice."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ganwise import catalog
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.build import build
from ganwise.data import load
from ganwise.recipe import Recipe, change, from_data
from ganwise.study import plan as plans
from ganwise.study import search
from ganwise.study.budget import parse
from ganwise.study.halving import SHARES, Look, work
from ganwise.study.local import Local
from ganwise.study.plan import Entrant
from ganwise.study.race import Clock
from ganwise.types import Unusable

pytest.importorskip("optuna", reason="the extra search is not installed")
NAMES = ("gan", "r1gan")
ENTRANTS = tuple(Entrant(name, catalog.named(name)) for name in NAMES)


def paths(recipe: Recipe) -> set[str]:
    return {path for knob in search.space(recipe) for path in knob.paths}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("gan", set()),
        ("wgan", {"regularizers.weight-clipping.limit"}),
        ("wgan-gp", {"regularizers.gradient-penalty.weight"}),
        ("began", {"loss.gamma"}),
        ("r3gan", {"regularizers.r1.gamma", "regularizers.r2.gamma"}),
    ],
)
def test_a_recipe_has_its_rates_steps_and_own_constants_to_turn(name: str, own: set[str]) -> None:
    rates = {f"schedule.{player}.learning_rate" for player in ("discriminator", "generator")}
    assert paths(catalog.named(name)) == rates | {"schedule.discriminator_steps"} | own


def test_a_ramp_is_turned_as_a_whole_and_twins_together() -> None:
    knobs = {knob.paths: knob for knob in search.space(catalog.named("r3gan"))}
    assert knobs["schedule.generator.learning_rate",].set(2.0) == {
        "schedule.generator.learning_rate": "0.0004 -> 0.0001 cosine 39063"
    }
    both = knobs["regularizers.r1.gamma", "regularizers.r2.gamma"].set(10)
    assert set(both.values()) == {"0.5 -> 0.05 cosine 39063"}


def asked(name: str, count: int, value: Callable[[int], Look | None]) -> list[dict[str, Any]]:
    proposals = search.Proposals(Entrant(name, catalog.named(name)))
    found = []
    for number in range(count):
        found.append(proposals.ask())
        proposals.tell(value(number))
    return found


@pytest.mark.parametrize("name", catalog.RECIPES)
def test_whatever_is_proposed_is_a_gan_within_its_bounds(name: str) -> None:
    recipe = catalog.named(name)
    for changes in asked(name, 3, lambda number: Look(1.0 + number)):
        made = change(recipe, changes)
        catalog.check(made)
        assert made.schedule.discriminator_steps in range(1, max(search.MOST_STEPS, recipe.schedule.discriminator_steps) + 1)
        assert (made == recipe) == (not changes)
    shape = (1, 32, 32) if recipe.architecture.name in ("lapgan", "stylegan2") else (1, 16, 16)
    gan = build(change(made, {"architecture.width": 8}), shape, classes=3)
    assert gan.recipe.schedule.discriminator == made.schedule.discriminator


def test_the_first_setting_is_the_recipe_as_it_is_and_the_same_results_bring_the_same_proposals() -> None:
    def value(number: int) -> Look | None:
        return None if number == 2 else Look(1.0, "failing") if number == 3 else Look(1 / (1 + number))

    first, again = asked("r1gan", 8, value), asked("r1gan", 8, value)
    assert first[0] == {}
    assert first == again
    assert len({json.dumps(changes) for changes in first}) == 8
    assert asked("r1gan", 8, lambda number: Look(float(number)))[7] != first[7], "results teach nothing"


def test_the_sampler_finds_the_rate_that_is_rewarded() -> None:
    def distance(changes: dict[str, Any]) -> float:
        rate = changes.get("schedule.generator.learning_rate", 1e-3)
        return abs(math.log(rate / 3e-3))

    proposals = search.Proposals(Entrant("r1gan", catalog.named("r1gan")))
    found = []
    for _ in range(30):
        found.append(distance(proposals.ask()))
        proposals.tell(Look(found[-1]))
    assert sum(found[20:]) < sum(found[1:11])


@pytest.mark.parametrize("budget", ["images:100k", "flops:1e13"])
def test_the_budget_pays_for_the_search(budget: str) -> None:
    data = load("ring")
    made = plans.plan(ENTRANTS, data, parse(budget), 2, "cpu", time.monotonic(), False, tune=4)
    whole = made.images or made.flops or 0
    assert made.searched == pytest.approx(2 * 4 * SHARES[0])
    assert whole * (work(made.ladder) + made.searched) == pytest.approx(parse(budget).amount, rel=1e-3)


def test_time_pays_for_the_search_in_rounds_of_workers() -> None:
    data = load("ring")
    without, made = (
        plans.plan(ENTRANTS, data, parse("5m"), 2, "cpu", time.monotonic(), False, slots=2, tune=tune) for tune in (0, 6)
    )
    assert made.seconds is not None
    assert without.seconds is not None
    assert made.seconds < without.seconds
    assert made.wall == pytest.approx(without.wall, abs=5)
    assert made.seconds_a_round(3) == pytest.approx(2 * (made.seconds * SHARES[0] + plans.START))


def test_a_plan_with_a_search_is_read_back_and_one_of_before_too(tmp_path: Path) -> None:
    made = plans.plan(ENTRANTS, load("ring"), parse("images:100k"), 2, "cpu", time.monotonic(), False, tune=4)
    write_json(tmp_path / "plan.json", made.as_json())
    told = read_json(tmp_path / "plan.json")
    assert plans.read(told, "") == made
    del told["tune"]
    assert plans.read(told, "").tune == 0


def tried(*values: tuple[float | None, str]) -> list[search.Tried]:
    rates = [{}, *({"schedule.generator.learning_rate": 1e-4 * number} for number in range(1, len(values)))]
    return [search.Tried(change, value, verdict, "") for change, (value, verdict) in zip(rates, values, strict=True)]


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ([(2.0, "healthy"), (1.0, "healthy"), (3.0, "healthy")], 1),
        ([(2.0, "healthy"), (1.0, "failing"), (3.0, "healthy")], 0),
        ([(2.0, "failed"), (None, "unknown"), (3.0, "warning")], 2),
        ([(2.0, "failed"), (None, "unknown"), (math.inf, "healthy")], 0),
        ([(2.0, "healthy"), (1.9, "healthy")], 0),
        ([(2.0, "failing"), (3.0, "healthy")], 1),
    ],
)
def test_the_best_healthy_setting_is_chosen_and_else_the_recipe_as_it_is(values: list[Any], chosen: int) -> None:
    settings = tried(*values)
    best = search._best(ENTRANTS[1], settings)
    assert best["change"] == settings[chosen].change
    assert from_data(best["recipe"]) == change(ENTRANTS[1].recipe, settings[chosen].change)
    assert best["before"] == values[0][0]


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real race with a search of two settings, small."""
    from ganwise.study import job

    out = tmp_path_factory.mktemp("tuned") / "out"
    small = {"architecture.width": 8, "architecture.depth": 1, "architecture.latent": 4}
    entrants = tuple(Entrant(name, change(recipe, small)) for name, recipe in ENTRANTS)
    request = job.Request("ring", out, parse("images:12k"), entrants=entrants, seeds=1, tune=2)
    result = job.run(request, job.Hooks())
    assert not result["interrupted"]
    return out


def written(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("**/records.jsonl"))}


def test_a_race_tries_settings_on_validation_alone_and_races_the_best(raced: Path) -> None:
    result, told = read_json(raced / "race.json"), read_json(raced / "tune.json")
    assert set(told["candidates"]) == set(NAMES)
    runs = sorted((raced / "tune" / "runs").iterdir())
    assert [run.name for run in runs] == ["gan-t0-s0", "gan-t1-s0", "r1gan-t0-s0", "r1gan-t1-s0"]
    assert not list((raced / "tune").glob("runs/*/scores.json")), "a search never sees the test part"
    for name, one in told["candidates"].items():
        own, other = one["tried"]
        assert one["change"] == (other if other["value"] < 0.9 * own["value"] else own)["change"]
        job = RunDirectory(raced / "runs" / f"{name}-s0").read()["job"]
        assert job["recipe"] == one["recipe"]
    assert {run["seed"] for run in (RunDirectory(path).read() for path in runs)} == {search.SEED}
    rows = {row["recipe"]: row for row in result["ranking"]}
    assert rows["gan"]["tuned"]["before"] == told["candidates"]["gan"]["tried"][0]["value"]
    spent = sum(RunDirectory(run).read()["images"] for run in [*runs, *(raced / "runs").iterdir()])
    assert result["cost"]["images"] == pytest.approx(spent)
    assert spent == pytest.approx(12_000, rel=0.15), "search and ladder together are the budget"
    assert read_json(raced / "plan.json")["recipes"]["gan"] == told["candidates"]["gan"]["asked"]


def test_gone_on_with_it_repeats_nothing(raced: Path) -> None:
    from ganwise.study import job

    before, chosen = written(raced), read_json(raced / "tune.json")
    job.run(job.Request("ring", raced, resume=True), job.Hooks())
    assert written(raced) == before
    assert read_json(raced / "tune.json") == chosen


def test_a_search_that_was_ended_is_replayed_from_its_runs(raced: Path) -> None:
    """As if the driver had been killed before it wrote its choice: the same proposals, the same choice, no run trained again."""
    before, chosen = written(raced), read_json(raced / "tune.json")
    (raced / "tune.json").unlink()
    plan = plans.read(read_json(raced / "plan.json"), "")
    with closing(Local(1)) as engine:
        again = search.tune(plan, load("ring"), raced, "cpu", Clock(), engine)
    assert (again.stopped, read_json(raced / "tune.json")) == (0, chosen)
    assert written(raced) == before


def test_where_results_have_changed_what_was_proposed_on_them_makes_room_for_what_is_now(raced: Path, tmp_path: Path) -> None:
    out, name = tmp_path / "out", "tune/runs/gan-t1-s0/run.json"
    shutil.copytree(raced, out)
    (out / "tune.json").unlink()
    told = read_json(out / name)
    write_json(out / name, told | {"job": told["job"] | {"recipe": read_json(raced / "plan.json")["recipes"]["gan"]}})
    with closing(Local(1)) as engine:
        search.tune(plans.read(read_json(out / "plan.json"), ""), load("ring"), out, "cpu", Clock(), engine)
    again, chosen = read_json(out / "tune.json"), read_json(raced / "tune.json")
    assert again["candidates"] == chosen["candidates"]
    assert read_json(out / name)["job"]["recipe"] == told["job"]["recipe"]


def test_another_number_of_settings_is_refused_on_the_way(raced: Path) -> None:
    from ganwise.study import job

    with pytest.raises(Unusable, match=r"--tune 3: the race in .* was begun with 2"), closing(Local(1)) as engine:
        job._gone_on_with(job.Request("ring", raced, resume=True, tune=3), load("ring"), time.monotonic(), engine)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    refused = call("race", "ring", "gan", "lsgan", "--tune", 2, "--out", "race")
    assert refused.status == 2
    assert "pip install 'ganwise[search]'" in refused.err
    assert not Path("race").exists()
