"""Is the answer the right one, for the right reasons: ten applications, the framework's own, one fact changed at a time."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ganwise import catalog
from ganwise.knowledge import rules
from ganwise.select import Advice, Application, select
from ganwise.select.application import read_file
from ganwise.select.facts import STATES, moved
from ganwise.select.judge import score
from ganwise.select.shortlist import Option
from ganwise.shapes import takes
from ganwise.types import Audit, Shape, Unusable, Value

ROOT = Path(__file__).parents[1]
KNOWN = {rule.name: rule for rule in rules()}
FILES = {path.stem: path for path in sorted((ROOT / "docs" / "applications").glob("*.toml"))}
TEN = pytest.mark.parametrize("name", FILES)


@cache
def application(name: str) -> Application:
    return read_file(FILES[name])


@cache
def advice(name: str) -> Advice:
    return select(application(name))


def considered(found: Advice, name: str) -> Option:
    return next(option for option in found.considered if option.name == name)


def rules_for(found: Advice, name: str) -> set[str]:
    """The rules that speak for a candidate."""
    (candidate,) = (one for one in found.candidates if one.name == name)
    return {reason.rule for reason in candidate.reasons if reason.points > 0}


def test_there_are_ten_applications_of_different_kinds() -> None:
    assert len(FILES) == 10
    assert {application(name).kind for name in FILES} == {"image", "vector"}
    assert {application(name).labels for name in FILES} >= {"none", "few", "all"}


@TEN
def test_every_application_gets_a_list_of_gans_that_can_be_built_for_it(name: str) -> None:
    found, shape = advice(name), application(name).shape
    assert shape is not None
    assert 0 < len(found.candidates) <= 8
    for one in found.candidates:
        catalog.check(one.recipe)
        assert takes(one.recipe.architecture.name, shape) is None, one.name
        assert catalog.unshaped(one.recipe, shape) is None, one.name
        assert one.reasons, one.name


def test_the_reviewed_lists_are_what_selection_answers() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_applications_page.py"))
    text = script["PAGE"].read_text(encoding="utf-8")
    assert text == script["page"](text), "run python scripts/make_applications_page.py, and read the reviews again"


def test_the_frameworks_own_application_yields_its_four_losses_each_from_its_rule() -> None:
    found = advice("framework")
    names = {one.name for one in found.candidates}
    assert names >= {"wgan-gp", "lsgan", "sngan", "ralsgan"}
    assert names & {"rsgan", "rasgan"}
    for name in names & {"wgan-gp", "lsgan", "sngan", "rsgan", "rasgan", "ralsgan"}:
        assert "diversity-and-quality" in rules_for(found, name)


def test_least_squares_with_relativism_stands_above_either_alone_by_its_rule() -> None:
    found = advice("framework")
    both = considered(found, "ralsgan").score
    for alone in ("lsgan", "rsgan", "rasgan"):
        assert both > considered(found, alone).score
    assert "least-squares-with-relativism" in rules_for(found, "ralsgan")
    without = select(application("framework"), without=["least-squares-with-relativism"])
    assert considered(without, "ralsgan").score <= max(considered(without, one).score for one in ("lsgan", "rasgan"))


def test_batch_normalization_is_for_the_generator_only_by_its_two_rules() -> None:
    found = advice("framework")
    for one in found.candidates:
        tags = considered(found, one.name).tags
        if "norm.generator-batch" in tags:
            assert "batch-norm-in-the-generator" in rules_for(found, one.name)
        if "norm.discriminator-batch" in tags:
            against = {reason.rule for reason in one.reasons if reason.points < 0}
            assert one.name == "dcgan", "the bare baseline alone has it, as its paper does"
            assert "no-batch-norm-in-the-discriminator" in against
    assert any("norm.generator-batch" in considered(found, one.name).tags for one in found.candidates)


def test_the_divergence_stays_at_its_default_and_the_answer_says_by_which_rules() -> None:
    found = advice("framework")
    assert all(one.recipe.divergence is None for one in found.candidates)
    fourth = found.questions[3]
    assert fourth.answer.startswith("no")
    assert fourth.reasons
    assert "nowozin2016fgan" in fourth.sources


def test_an_answer_rests_on_named_rules_whose_points_are_its_score() -> None:
    for name in FILES:
        for one in advice(name).candidates:
            assert sum(reason.points for reason in one.reasons) == pytest.approx(one.score)
            assert all(reason.sources for reason in one.reasons)


OTHER: dict[str, tuple[Any, ...]] = {
    "height": (28, 256),
    "channels": (1, 3),
    "columns": (2, 300),
    "n": (400, 5_000, 200_000),
    "classes": (3, 100),
    "labels": ("none", "all"),
    "labeled_share": (0.02,),
    "domain": ("one", "many"),
    "aligned": (True, False),
    "sparse": (True, False),
    "discrete": (True, False),
    "device": ("cpu", "cuda"),
    "memory_gb": (2, 80),
    "seconds": (600, 7_200, 600_000),
    "private": (True, False),
    "title": ("another name",),
    "want": (("stability",), ("speed", "quality"), ("coverage",), ("convergence-measure",), ("reconstruction",), ()),
}
"""What else could be said; every statement that an application has is here."""


def changes(name: str) -> list[tuple[str, Any, Advice]]:
    """The answers with one statement changed to each value; what contradicts another statement is left out."""
    found, base = [], application(name)
    foreign = ("height", "channels", "sparse", "aligned") if base.kind == "vector" else ("columns", "discrete")
    unlabeled = () if base.classes else ("classes", "labels", "labeled_share")  # of data without classes they come as a pair
    for key, values in OTHER.items():
        for value in values if key not in (*foreign, *unlabeled) else ():
            if getattr(base, key) == value:
                continue
            try:
                found.append((key, value, select(base.but(**{key: value}, **({"width": value} if key == "height" else {})))))
            except Unusable as error:
                if "contradicts" not in str(error):
                    raise
    assert len(found) >= 20
    return found


def test_every_statement_of_an_application_is_changed_here() -> None:
    assert {*OTHER, "kind", "width"} == set(Application.model_fields)


@TEN
def test_changing_one_fact_changes_only_what_rules_about_that_fact_explain(name: str) -> None:
    for key, value, after in changes(name):
        only(advice(name), after, moved(STATES[key]), f"{key} = {value}")


MEASURED: dict[str, tuple[Value, ...]] = {
    "background_share": (0.0, 0.9),
    "constant_pixel_share": (0.5,),
    "intrinsic_dimension": (1.5, 40.0),
    "discrete_columns": (3,),
    "n_train": (90, 30_000),
    "labeled_share": (0.03, 1.0),
    "balanced": (False,),
    "near_duplicates": (0.4,),
}


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (30,)], ids=str)
def test_changing_what_the_audit_measured_changes_only_what_rules_about_it_explain(shape: Shape) -> None:
    facts: dict[str, Value] = {"background_share": 0.2, "constant_pixel_share": 0.0, "intrinsic_dimension": 9.0, "n_train": 7_000}
    seen = Audit("image" if len(shape) > 1 else "vector", shape, 10_000, ("a", "b", "c"), facts, ())
    before = select(seen)
    for fact, values in MEASURED.items():
        for value in values:
            after = select(seen._replace(facts={**facts, fact: value}))
            only(before, after, moved({fact}), f"{fact} = {value}")


def only(before: Advice, after: Advice, about: frozenset[str], where: str) -> None:
    """Two answers differ by rules about these facts, and by what follows from those rules."""
    assert differing(before.facts, after.facts) <= about, where
    old, new = ({rule.name: rule for rule in found.fired} for found in (before, after))
    turned = [rule for rules, others in ((old, new), (new, old)) for n, rule in rules.items() if n not in others]
    for rule in turned:
        assert {condition.fact for condition in rule.when} & about, f"{where}: {rule.name} is not about it"
    for one in {*before.undecided} ^ {*after.undecided}:
        assert {condition.fact for condition in KNOWN[one.rule].when} & about, f"{where}: {one}"
    explained(before, after, {rule.name for rule in turned}, about, where)
    if not turned and not {"shape", "n", "labels", "n_classes", "labeled_share"} & about:
        assert [listed(one) for one in after.candidates] == [listed(one) for one in before.candidates], where
        assert (before.valid, before.after, before.funnel) == (after.valid, after.after, after.funnel), where


def listed(one: Any) -> tuple[str, int, float]:
    return one.name, one.rank, one.score


def differing(one: Any, other: Any) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def explained(before: Advice, after: Advice, turned: set[str], about: frozenset[str], where: str) -> None:
    """A GAN's score moves by the points of the rules that turned, and by what was measured on data of this size; by no more."""
    old = {option.name: option for option in before.considered}
    for option in after.considered:
        if (same := old.get(option.name)) is None or same.tags != option.tags:
            continue
        moves = points(after, option, turned) - points(before, same, turned)
        if {"shape", "n"} & about:
            moves += sum(one.points for one in option.measured) - sum(one.points for one in same.measured)
        assert option.score - same.score == pytest.approx(moves), f"{where}: {option.name}"


def points(found: Advice, option: Option, turned: set[str]) -> float:
    return score([rule for rule in found.fired if rule.name in turned], option.tags)


SAME = """
import hashlib, json, sys
from pathlib import Path
from ganwise.select import select
from ganwise.select.application import read_file
for path in sys.argv[1:]:
    print(hashlib.sha256(json.dumps(select(read_file(Path(path))).as_json()).encode()).hexdigest())
"""


def test_the_answer_is_the_same_twice_and_in_two_processes_that_hash_differently() -> None:
    for name in FILES:
        assert json.dumps(select(application(name)).as_json()) == json.dumps(advice(name).as_json())
    some = [str(FILES[name]) for name in ("framework", "icons", "sensors")]
    said = [
        subprocess.run(
            [sys.executable, "-c", SAME, *some],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert len(said[0].split()) == 3
