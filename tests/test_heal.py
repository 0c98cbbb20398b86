"""Healing: a real run on digits whose rates rise until it collapses goes on from its last healthy checkpoint, and is well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Answer

from ganwise import checkpoint, doctor
from ganwise.artifacts import RunDirectory, read_json
from ganwise.build import build
from ganwise.catalog import RECIPES, named
from ganwise.data import Dataset, load
from ganwise.doctor.slips import slip
from ganwise.heal import Healer
from ganwise.recipe import Recipe, change, from_data
from ganwise.study.healing import graft, last_healthy, treatments
from ganwise.study.limit import Limit
from ganwise.study.trial import Stop, Trial
from ganwise.train import train
from ganwise.types import Finding, Remedy, Unusable, Value

STEPS, EVERY = 900, 60
RISING = "1e-3 -> 2 geometric 900"
SMALL: dict[str, Value] = {"architecture.name": "mlp", "architecture.width": 64, "schedule.ema": 0.9}


def small(**changes: Value) -> Recipe:
    return change(named("fcgan"), {**SMALL, **{path.replace("__", "."): value for path, value in changes.items()}})


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def sick(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """It learns for 400 steps; then its rates pass a twentieth, and all samples are one."""
    run = RunDirectory(tmp_path_factory.mktemp("heal") / "sick")
    run.path.mkdir()
    recipe = small(schedule__generator__learning_rate=RISING, schedule__discriminator__learning_rate=RISING)
    Trial(run, recipe, digits, Limit(steps=STEPS), checkpoint_every=EVERY).go(Stop(), n=100, draws=1)
    return run


@pytest.fixture(scope="module")
def healed(sick: RunDirectory, digits: Dataset) -> dict[str, Any]:
    return Healer(sick, digits, sick.path.parent / "healed", n=100).go(Stop())


def test_what_an_earlier_heal_left_is_refused_before_training(sick: RunDirectory, digits: Dataset, tmp_path: Path) -> None:
    (left := tmp_path / "out-try-2").mkdir()
    (left / "run.json").write_text("{}")
    with pytest.raises(Unusable, match="out-try-2: holds files already, of an earlier heal"):
        Healer(sick, digits, tmp_path / "out", n=100).go(Stop())
    assert list(tmp_path.iterdir()) == [left]


def test_the_sick_run_is_sick(sick: RunDirectory) -> None:
    assert sick.read()["verdict"] == "failing"
    assert "mode_collapse" in {finding["problem"] for finding in read_json(sick.doctor)["findings"]}


def test_the_healed_run_is_healthy_and_its_samples_are_several_times_nearer_the_data(healed: dict[str, Any]) -> None:
    assert healed["cured"]
    assert healed["before"]["verdict"] == "failing"
    assert healed["after"]["verdict"] in ("healthy", "warning")
    assert healed["after"]["value"] < healed["before"]["value"] / 2


def test_counters_go_forward_from_the_checkpoint(sick: RunDirectory, healed: dict[str, Any]) -> None:
    begin = healed["attempts"][-1]["from_step"]
    before, after = sick.records(), RunDirectory(Path(healed["out"])).records()
    kept = [record for record in after if record.step <= begin]
    assert 0 < begin < STEPS
    assert kept == [record for record in before if record.step <= begin]
    for name in ("step", "images", "seconds"):
        numbers = [getattr(record, name) for record in after]
        assert numbers == sorted(set(numbers)), name
    assert after[-1].step == STEPS


def test_the_new_run_names_its_parent_and_what_was_changed(sick: RunDirectory, healed: dict[str, Any]) -> None:
    told = RunDirectory(Path(healed["out"])).read()
    assert told["lineage"]["parent"] == str(sick.path)
    assert told["lineage"]["from_step"] == healed["attempts"][-1]["from_step"]
    old, new = from_data(sick.read()["recipe"]), from_data(told["recipe"])
    assert change(old, told["lineage"]["change"]) == new != old


def test_before_and_after_lie_beside_each_other(healed: dict[str, Any]) -> None:
    out = Path(healed["out"])
    assert (out / "healed.png").stat().st_size > 1000
    assert read_json(out / "heal.json")["after"] == healed["after"]


def test_a_healthy_run_is_left_alone(healed: dict[str, Any], digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="nothing to heal"):
        Healer(RunDirectory(Path(healed["out"])), digits, tmp_path / "again").go(Stop())
    assert not (tmp_path / "again").exists()


def finding(since: int, *remedies: Remedy, severity: Any = "failing") -> Finding:
    return Finding("mode_collapse", severity, since, "", remedies, ())


def test_what_came_first_is_treated_first_and_a_slip_before_all() -> None:
    r1 = Remedy({"regularizers.r1": True}, "", ())
    hinge = Remedy({"loss.name": "hinge"}, "", ())
    found = (finding(400, r1), finding(200, hinge, r1), finding(100, r1, severity="warning"))
    diagnosis = doctor.Diagnosis("failing", found, ())
    assert [one.remedy for one in treatments(diagnosis, small())] == [hinge, r1]
    fast = small(schedule__generator__learning_rate=0.05, schedule__discriminator__learning_rate=0.05)
    first, *others = [one.remedy for one in treatments(diagnosis, fast)]
    assert set(first.change.values()) == {1e-3}
    assert others == [hinge, r1]


def test_no_recipe_of_the_catalog_has_a_slip() -> None:
    assert {name: slip(named(name)) for name in RECIPES} == dict.fromkeys(RECIPES)


RATES = ("schedule.discriminator.learning_rate", "schedule.generator.learning_rate")
SLIPS: dict[str, tuple[str, dict[str, Value], dict[str, Value]]] = {
    "a rate fifty times too high": ("fcgan", {RATES[1]: 0.05}, dict.fromkeys(RATES, 1e-3)),
    "players far apart": (
        "fcgan",
        {RATES[1]: 1e-6, "schedule.discriminator_steps": 5},
        {**dict.fromkeys(RATES, 2e-4), "schedule.discriminator_steps": 1},
    ),
    "two time scales": ("fcgan", {RATES[0]: 4e-4, RATES[1]: 1e-4}, {}),
    "a rising rate": (
        "fcgan",
        dict.fromkeys(RATES, "1e-4 -> 0.1 linear 100"),
        dict.fromkeys(RATES, "0.0001 -> 0.001 linear 100"),
    ),
    "a batch of two": ("dcgan", {"schedule.batch": 2}, {"schedule.batch": 64}),
    "a clip that lets nothing through": (
        "wgan",
        {"regularizers.weight-clipping.limit": 1e-6},
        {"regularizers.weight-clipping.limit": 0.01},
    ),
    "a controller that stands still": ("began", {"loss.rate": 0.0}, {"loss.rate": 0.001}),
    "a margin out of the air": ("ebgan", {"loss.margin": 1e4}, {"loss.margin": "auto"}),
    "heavy momentum": (
        "fcgan",
        {"schedule.generator.name": "sgd", "schedule.generator.momentum": 0.95},
        {"schedule.generator.momentum": 0.0},
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_set_right(name: str) -> None:
    recipe, changes, expected = SLIPS[name]
    found = slip(change(named(recipe), changes))
    assert (dict(found.change) if found else {}) == expected


def test_a_problem_that_was_there_from_the_first_look_leaves_no_healthy_checkpoint(sick: RunDirectory) -> None:
    recipe = from_data(sick.read()["recipe"])
    assert last_healthy(sick, recipe, finding(480)) is not None
    assert last_healthy(sick, recipe, finding(200)) is None


def trained(recipe: Recipe, data: Dataset) -> checkpoint.State:
    gan = build(recipe, data.shape)
    (record,) = train(gan, data, steps=20)
    return checkpoint.state(gan, record)


GRAFTS: dict[str, tuple[dict[str, Value], bool, int]] = {
    "another rate": ({"schedule.generator.learning_rate": 1e-4}, True, 2),
    "another loss": ({"loss.name": "hinge"}, True, 2),
    "a penalty": ({"regularizers.r1": True}, True, 2),
    "another optimizer of one": ({"schedule.generator.name": "sgd"}, True, 1),
    "spectral normalization": ({"regularizers.spectral-norm": True}, True, 1),
    "another width": ({"architecture.width": 32}, False, 0),
}


@pytest.mark.parametrize("name", GRAFTS)
def test_a_graft_keeps_all_that_fits_and_goes_on_training(name: str, digits: Dataset) -> None:
    changes, keeps, memories = GRAFTS[name]
    recipe, state = small(), trained(small(), digits)
    changed = change(recipe, changes)
    gan = build(changed, digits.shape, seed=5)
    grafted, told = graft(state, gan, changed.loss == recipe.loss)
    assert (grafted is not None) == keeps
    if grafted is None:
        assert "starts anew" in told
        return
    assert len({key.split(".")[1] for key in grafted.tensors if key.startswith("optimizer.")}) == memories
    (record,) = train(gan, digits, steps=40, start=grafted)
    assert record.step == 40
    assert record.images == 2 * state.record.images


def test_a_graft_under_spectral_normalization_takes_the_old_weight(digits: Dataset) -> None:
    state = trained(small(), digits)
    gan = build(change(small(), {"regularizers.spectral-norm": True}), digits.shape)
    grafted, _ = graft(state, gan, same_loss=True)
    assert grafted is not None
    new = [name for name in grafted.tensors if name.startswith("discriminator.") and name.endswith(".original")]
    assert len(new) == 3
    for name in new:
        old = name.replace("parametrizations.weight.original", "weight")
        assert torch.equal(grafted.tensors[name], state.tensors[old])


def test_a_controller_is_kept_with_its_loss_and_reset_with_another(digits: Dataset) -> None:
    recipe = change(named("began"), {"architecture.width": 4})
    gan = build(recipe, digits.shape)
    (record,) = train(gan, digits, steps=2)
    state = checkpoint.state(gan, record)
    state.tensors["part0.k"].fill_(0.25)
    for same_loss, expected in ((True, 0.25), (False, 0.0)):
        grafted, _ = graft(state, build(recipe, digits.shape), same_loss)
        assert grafted is not None
        assert float(grafted.tensors["part0.k"]) == expected


def test_a_memory_without_momentum_is_none_for_rmsprop_with_it(digits: Dataset) -> None:
    without = small(**{f"schedule.{player}.name": "rmsprop" for player in ("discriminator", "generator")})
    state = trained(without, digits)
    gan = build(change(without, {"schedule.generator.momentum": 0.5}), digits.shape)
    grafted, kept = graft(state, gan, same_loss=True)
    assert kept == "weights, the optimizer's memory of the discriminator"
    assert grafted is not None
    (record,) = train(gan, digits, steps=40, start=grafted)
    assert record.step == 40


def test_the_verb_says_what_it_changed_and_exits_by_whether_it_cured(
    sick: RunDirectory, tmp_path: Path, call: Callable[..., Answer]
) -> None:
    done = call("doctor", sick.path, "--heal", "--steps", 60, "--out", tmp_path / "out", "--json")
    result = done.json
    assert done.status == int(not result["cured"])
    assert result["out"] == str(tmp_path / "out")
    assert RunDirectory(tmp_path / "out").records()[-1].step == result["attempts"][-1]["from_step"] + 60
