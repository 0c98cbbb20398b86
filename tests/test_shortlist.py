"""The short list: ranked, at most so many, few of one idea, with one strong default and one cheap baseline, all things said."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import product

import pytest
from test_select import AUDITS, CIFAR, FACES, FEW, MNIST, TEN, TOY, UNLABELED, seen

from ganwise import catalog
from ganwise.knowledge import cite, disagreements
from ganwise.knowledge.rule import tags_of_catalog
from ganwise.select import WANTS, Advice, Application, select
from ganwise.select.cost import cost
from ganwise.select.fitting import fit
from ganwise.select.profile import Profile, Timing
from ganwise.select.shortlist import AGAINST, BASELINE, DEFAULT, PER_IDEA, candidates, idea, options, roles, shorten
from ganwise.select.watch import ANYBODY, KINDS, watch
from ganwise.types import Audit

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 128, 128), (3, 50, 70), (40,))
MANY = [
    seen("image" if len(shape) > 1 else "vector", shape, n, classes, n_train=n, **facts)
    for shape, n, classes, facts in product(
        SHAPES,
        (300, 100_000),
        ((), TEN),
        ({}, {"domain": "single", "background_share": 0.01, "constant_pixel_share": 0.0}),
    )
]
"""48 applications: sides, colors, numbers, labels, domains."""


def said(audit: Audit, *want: str, **rest: object) -> Advice:
    return select(audit, want, **rest)  # type: ignore[arg-type]


@cache
def many() -> tuple[Advice, ...]:
    return tuple(select(audit) for audit in MANY)


def test_every_list_has_one_strong_default_and_one_cheap_baseline_and_is_diverse() -> None:
    for advice in many():
        found = advice.candidates
        assert len(found) <= 8
        assert Counter(one.role for one in found if one.role) == {DEFAULT: 1, BASELINE: 1}, advice.facts
        ideas = Counter(idea(one.recipe) for one in found if one.role != BASELINE)
        assert max(ideas.values()) <= PER_IDEA
        assert len(ideas) >= min(3, len(found) // PER_IDEA), advice.facts
        assert len({one.name for one in found}) == len(found)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize("limit", [2, 3, 5])
def test_a_shorter_list_keeps_both_and_is_a_choice_of_the_same(limit: int) -> None:
    for advice in many():
        picked = shorten(advice.considered, limit)
        assert len(picked) == min(limit, len(advice.candidates))
        assert set(roles(picked).values()) == {DEFAULT, BASELINE}
        assert roles(picked) == roles(advice.considered)


@pytest.mark.parametrize("want", WANTS)
def test_whatever_is_needed_the_default_and_the_baseline_stay(want: str) -> None:
    for audit in AUDITS.values():
        assert Counter(one.role for one in said(audit, want).candidates if one.role) == {DEFAULT: 1, BASELINE: 1}


def test_the_baseline_is_bare_and_the_default_regularized() -> None:
    for advice in many():
        by_role = {one.role: one.recipe for one in advice.candidates}
        assert by_role[DEFAULT].regularizers
        bare = by_role[BASELINE]
        assert not bare.regularizers and not bare.conditioning  # noqa: PT018
        assert bare.loss.name == "non-saturating"


def test_without_the_rules_that_keep_them_both_still_have_their_place() -> None:
    keeping = [rule.name for rule in said(CIFAR).fired if "keeps" in rule.effects]
    assert keeping
    roles_left = {one.role: one.name for one in said(CIFAR, without=keeping).candidates if one.role}
    assert roles_left.keys() == {DEFAULT, BASELINE}


def test_a_list_of_one_is_the_best() -> None:
    assert [one.rank for one in said(CIFAR, limit=1).candidates] == [1]


def test_roles_go_to_the_best_of_each_kind_that_a_rule_keeps() -> None:
    advice = said(FEW)
    named = roles(advice.considered)
    assert named == {"r1gan": DEFAULT, "dcgan": BASELINE}
    assert "semi-supervised-gan" in {one.name for one in advice.considered if one.kept}
    assert {"r1gan", "dcgan"} <= {one.name for one in shorten(advice.considered, 2)}


def test_reasons_against_are_those_that_lower_the_score() -> None:
    for audit in AUDITS.values():
        for one in said(audit).candidates:
            assert one.against == tuple(reason for reason in one.reasons if reason.points < 0)
            assert {reason.effect for reason in one.against} <= set(AGAINST)
            assert one.score == pytest.approx(sum(reason.points for reason in one.reasons))


def test_numbers_that_fit_are_in_the_recipe_and_what_it_costs_is_of_that_recipe() -> None:
    for audit in (CIFAR, MNIST, TOY, FACES):
        advice = said(audit)
        for one in advice.candidates:
            option = next(each for each in advice.considered if each.name == one.name)
            assert (one.recipe, one.fitted) == fit(option.recipe, audit.shape, advice.facts)
            catalog.check(one.recipe)
            n = int(advice.facts["n_train"])
            plain = cost(one.recipe, audit.shape, len(audit.classes), n)
            assert one.cost is not None
            assert one.cost._replace(seconds_per_1000_images=None, machine="") == plain


def test_a_timed_machine_changes_seconds_and_nothing_else() -> None:
    advice = said(CIFAR, evidence=())
    ranked = options(CIFAR.shape, advice.fired, advice.facts)
    picked = shorten(ranked, 8)
    profile = Profile("slow", (Timing("dcgan", "fp32", 1.0, 1e6),))
    plain = candidates(picked, advice.fired, CIFAR.shape, advice.facts)
    timed = candidates(picked, advice.fired, CIFAR.shape, advice.facts, profile)
    for one, other in zip(plain, timed, strict=True):
        assert one.cost is not None and other.cost is not None  # noqa: PT018
        assert (one.cost.seconds_per_1000_images is None, other.cost.machine) == (True, "slow")
        assert other._replace(cost=one.cost) == one


def test_every_candidate_says_what_to_watch() -> None:
    for advice in many():
        for one in advice.candidates:
            assert one.watch
            assert all(each.says and each.sources for each in one.watch)


def test_what_to_watch_names_tags_and_sources_that_exist() -> None:
    for one in KINDS:
        assert one.having | one.lacking <= tags_of_catalog()
        cite(one.watch.sources)
    cite(ANYBODY.sources)


def test_few_images_warn_of_memorization_unless_augmented() -> None:
    def problems(n: int, *tags: str) -> list[str]:
        return [one.problem for one in watch(frozenset(tags), {"kind": "image", "n_train": n})]

    assert problems(500, "regularizers.r1") == ["memorization", "instability"]
    assert problems(50_000, "regularizers.r1") == ["instability"]
    assert problems(500, "regularizers.r1", "augmentation.ada") == ["instability"]
    assert [one.problem for one in watch(frozenset({"regularizers.r1"}), {"kind": "image"})] == ["instability"]


def test_nothing_particular_to_watch_leaves_the_balance() -> None:
    assert watch(frozenset(), {"kind": "image", "n_train": 100_000}) == (ANYBODY,)


def test_disputes_are_disagreements_that_touch_the_candidate() -> None:
    known = {one.name: one for one in disagreements()}
    advice = said(UNLABELED, "diversity", "quality")
    lsgan = next(one for one in advice.candidates if one.name == "lsgan")
    assert "is least squares better in quality?" in lsgan.disputes
    for one in advice.candidates:
        tags = next(each.tags for each in advice.considered if each.name == one.name)
        assert all(any(target <= tags for target in known[name].touches) for name in one.disputes)
        assert "is least squares better in quality?" not in one.disputes or "loss.least-squares" in tags


def test_json_holds_everything_that_a_candidate_says() -> None:
    first = json.loads(json.dumps(said(TOY).as_json()))["candidates"][0]
    assert first.keys() >= {"role", "against", "fitted", "cost", "watch", "disputes", "measured"}
    assert first["cost"].keys() >= {"operations_per_1000_images", "memory", "seconds_per_1000_images"}
    assert first["watch"][0].keys() == {"problem", "says", "sources"}
    assert first["measured"][0].keys() >= {"group", "effect", "points", "says", "source"}


def test_no_two_candidates_are_the_same_recipe() -> None:
    classes = Application(image="32x32x3", n=20_000, classes=40, labels="all", want=("classes",))
    for advice in (select(classes), select(classes, device="cuda", seconds=40_000), said(UNLABELED), said(TOY)):
        recipes = [one.recipe for one in advice.candidates]
        assert len(set(recipes)) == len(recipes)
    assert all(one.recipe.conditioning for one in select(classes).candidates), "each can draw a class that is asked for"
