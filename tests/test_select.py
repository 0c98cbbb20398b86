"""Selection: the counts, the four answers and the short list, over audits of very different data."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import cache
from itertools import pairwise, product
from math import prod

import pytest

from ganwise import catalog
from ganwise.recipe import Recipe
from ganwise.select import WANTS, Advice, select
from ganwise.select.facts import gather
from ganwise.select.judge import apply
from ganwise.select.shortlist import options
from ganwise.select.space import NONE, Combination, combinable
from ganwise.select.wishes import CAPABILITIES
from ganwise.shapes import takes
from ganwise.types import Audit, Kind, Shape, Unusable, Value

TEN = tuple("0123456789")


def seen(kind: Kind, shape: Shape, n: int, classes: tuple[str, ...] = (), **facts: Value) -> Audit:
    return Audit(kind, shape, n, classes, facts, ())


DIGITS = seen("image", (1, 8, 8), 1797, TEN, n_train=1257, background_share=0.49, constant_pixel_share=0.09, domain="many")
MNIST = seen("image", (1, 28, 28), 60000, TEN, background_share=0.81, constant_pixel_share=0.09, domain="many")
CIFAR = seen("image", (3, 32, 32), 50000, TEN, background_share=0.0, constant_pixel_share=0.0, domain="many")
UNLABELED = CIFAR._replace(classes=())
TOY = seen("vector", (2,), 10000, intrinsic_dimension=1.9)
PHOTOS = seen("image", (3, 64, 64), 500, background_share=0.0, constant_pixel_share=0.0, domain="unknown")
FEW = seen("image", (3, 32, 32), 5000, TEN, labels="few", domain="many", background_share=0.0)
TABLE = seen("vector", (30,), 20000, intrinsic_dimension=8.0)
FACES = seen("image", (3, 64, 64), 30000, background_share=0.01, constant_pixel_share=0.0, domain="single")
ODD = seen("image", (3, 33, 40), 900)
AUDITS = {"digits": DIGITS, "mnist": MNIST, "cifar": CIFAR, "toy": TOY, "photos": PHOTOS}
AUDITS |= {"few": FEW, "table": TABLE, "faces": FACES, "odd": ODD}
EVERY = pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)

DEGREES = tuple(need for need in WANTS if need not in CAPABILITIES)


def ranks(advice: Advice) -> dict[str, int]:
    return {one.name: one.rank for one in advice.candidates}


@EVERY
@pytest.mark.parametrize("want", [(), *((need,) for need in WANTS), DEGREES], ids=str)
def test_every_candidate_is_a_recipe_that_the_catalog_accepts_and_that_makes_the_shape(
    audit: Audit, want: tuple[str, ...]
) -> None:
    advice = select(audit, want)
    assert advice.candidates
    for one in advice.candidates:
        catalog.check(one.recipe)
        assert takes(one.recipe.architecture.name, audit.shape) is None
        assert one.reasons


@cache
def brute_force() -> list[Combination]:
    """Each of the product's combinations asked whether it breaks a rule of the catalog."""
    every = product(catalog.ARCHITECTURES, catalog.LOSSES, (NONE, *catalog.REGULARIZERS), catalog.DIVERGENCES)
    return [one for values in every if not catalog.misfits((one := Combination(*values)).picks)]


def test_what_pairs_allow_is_what_a_brute_force_finds() -> None:
    assert [one for one, _ in combinable()] == brute_force()


@EVERY
def test_the_counts_are_those_of_a_brute_force(audit: Audit) -> None:
    images = {name for name, entry in catalog.REGULARIZERS.items() if not entry.traits["vectors"]}
    fitting = [one for one in brute_force() if takes(one.architecture, audit.shape) is None]
    fitting = [one for one in fitting if audit.kind == "image" or one.regularizer not in images]
    sizes = (
        len(axis) for axis in (catalog.ARCHITECTURES, catalog.LOSSES, {**catalog.REGULARIZERS, NONE: 0}, catalog.DIVERGENCES)
    )
    advice = select(audit)
    assert (advice.before, advice.valid) == (prod(sizes), len(fitting))
    assert 0 < advice.after < advice.valid < advice.before


@EVERY
def test_the_funnel_adds_up_and_every_removal_names_its_rule(audit: Audit) -> None:
    stages = select(audit).funnel
    for before, stage in pairwise(stages[2:]):
        assert sum(one.combinations for one in stage.removed) == before.left - stage.left
        assert all(one.sources for one in stage.removed)
    assert f"= {stages[0].left:,}" in stages[0].arithmetic


@EVERY
def test_the_four_questions_come_in_order_and_are_answered_with_reasons(audit: Audit) -> None:
    questions = select(audit).questions
    assert [q.question.split()[0] for q in questions] == ["Which", "Which", "Is", "Is"]
    assert all(q.answer and q.because for q in questions)


@EVERY
def test_the_short_list_holds_the_strong_default_and_a_cheap_baseline(audit: Audit) -> None:
    names = ranks(select(audit))
    assert "r1gan" in names
    assert names.keys() & {"gan", "dcgan"}


@EVERY
def test_the_short_list_is_short_and_not_made_of_variants_of_one_idea(audit: Audit) -> None:
    advice = select(audit, limit=6)
    assert len(advice.candidates) <= 6
    regularized = [one.recipe.loss.name for one in advice.candidates if one.name not in ("gan", "dcgan")]
    assert all(regularized.count(loss) <= 2 for loss in regularized)
    assert [one.rank for one in advice.candidates] == list(range(1, len(advice.candidates) + 1))
    scores = [one.score for one in advice.candidates]
    assert scores == sorted(scores, reverse=True)


@EVERY
def test_selection_is_deterministic_and_takes_less_than_50_ms(audit: Audit) -> None:
    first = json.dumps(select(audit, ["diversity"]).as_json())
    taken = []
    for _ in range(5):  # the least: a suite with much in memory pays for its own garbage
        begin = time.process_time()
        assert json.dumps(select(audit, ["diversity"]).as_json()) == first
        taken.append(time.process_time() - begin)
    assert min(taken) < 0.05


def test_on_digits_selection_agrees_with_what_was_measured_there() -> None:
    advice = select(DIGITS, seconds=180)
    rank = ranks(advice)
    assert rank["r1gan"] == 1
    assert advice.candidates[0].recipe.architecture.name == "mlp"
    assert rank["r1gan"] < rank["r1gan-dcgan"] < rank["wgan-gp"]
    assert "sngan" not in rank
    excluded = {one.name: one.rule for one in advice.excluded}
    assert excluded["began"].startswith("began-not-for")
    assert excluded["wgan"] == "clipping-is-superseded"
    assert advice.questions[0].answer.startswith("for 1,797 gray images of 8x8: mlp")


@pytest.mark.parametrize("audit", [CIFAR, PHOTOS, FEW, FACES], ids=["cifar", "photos", "few", "faces"])
def test_color_images_get_convolutions(audit: Audit) -> None:
    advice = select(audit)
    assert all(one.recipe.architecture.name != "mlp" for one in advice.candidates)
    assert "not:" in advice.questions[0].answer
    assert "mlp" in advice.questions[0].answer.split("not:")[1]


@pytest.mark.parametrize("audit", [TOY, TABLE, ODD], ids=["toy", "table", "odd"])
def test_vectors_and_odd_sides_get_fully_connected_networks_only(audit: Audit) -> None:
    assert {one.recipe.architecture.name for one in select(audit).candidates} == {"mlp"}


def test_diversity_and_quality_on_a_gpu_bring_the_four_losses_of_the_frameworks_example() -> None:
    advice = select(UNLABELED, ["diversity", "quality"], device="cuda", seconds=20_000)
    assert ranks(advice).keys() >= {"wgan-gp", "lsgan", "ralsgan", "sngan", "dcgan", "r1gan"}
    assert {one.recipe.architecture.name for one in advice.candidates} >= {"resnet", "dcgan"}
    assert advice.questions[3].answer.startswith("no")


def test_in_the_frameworks_example_least_squares_with_relativism_stands_above_either_alone_by_its_rule() -> None:
    facts = gather(UNLABELED, ("diversity", "quality"), "cuda", 20_000)
    rules, _ = apply(facts)
    score = {one.name: one.score for one in options(UNLABELED.shape, rules, facts)}
    assert score["ralsgan"] > max(score["lsgan"], score["rsgan"], score["rasgan"])
    advice = select(UNLABELED, ["diversity", "quality"], device="cuda", seconds=20_000)
    reasons = next(one for one in advice.candidates if one.name == "ralsgan").reasons
    assert "least-squares-with-relativism" in {reason.rule for reason in reasons}


def test_a_need_for_a_convergence_measure_brings_the_critic_up_and_rules_the_log_losses_out() -> None:
    advice = select(DIGITS, ["convergence-measure"])
    rank = ranks(advice)
    assert rank["wgan-gp"] == 1
    r1gan = next(one for one in advice.candidates if one.name == "r1gan")
    assert ("convergence-measure", "rules_out") in {(r.rule, r.effect) for r in r1gan.reasons}
    assert "minimax" in advice.questions[1].answer.split("not:")[1]


def test_a_need_for_reconstruction_brings_began_where_the_data_allow_it() -> None:
    assert ranks(select(FACES, ["reconstruction"]))["began"] == 1
    assert "began" not in ranks(select(MNIST, ["reconstruction"]))


def test_began_without_a_regularizer_does_not_count_as_unregularized() -> None:
    few_faces = FACES._replace(n=500)
    assert "began" in ranks(select(few_faces))
    assert "rsgan" not in ranks(select(few_faces))


def test_a_need_for_coverage_is_the_reason_for_another_divergence() -> None:
    assert "fgan-kl" not in ranks(select(CIFAR))
    assert "fgan-kl" in ranks(select(CIFAR, ["coverage"]))
    assert "kl" in select(CIFAR, ["coverage"]).questions[3].answer


def test_a_need_for_speed_or_stability_moves_the_ranks_the_right_way() -> None:
    def score(name: str, *want: str) -> float:
        rules, _ = apply(gather(CIFAR, want, "cpu", None))
        return next(one.score for one in options(CIFAR.shape, rules, gather(CIFAR, want, "cpu", None)) if one.name == name)

    assert score("wgan-gp", "speed") < score("wgan-gp")
    assert score("sngan", "stability") > score("sngan")
    assert score("sngan", "generalization") > score("sngan")
    assert score("rsgan", "diversity") > score("rsgan")


def test_a_tiny_budget_prefers_one_discriminator_step() -> None:
    def gap(seconds: float) -> float:
        scores = {one.name: one.score for one in select(CIFAR, device="cuda", seconds=seconds, limit=20).candidates}
        return scores["lsgan"] - scores["wgan-gp"]

    assert gap(600) > gap(30000)


LABELED = {"labels": "all", "labeled_share": 1.0}
PARTLY = {"labels": "few", "labeled_share": 0.1}


@pytest.mark.parametrize("audit", [UNLABELED, TABLE, ODD], ids=["colors", "table", "odd"])
def test_without_labels_no_recipe_that_needs_them_is_a_candidate_and_the_reason_is_told(audit: Audit) -> None:
    advice = select(audit, limit=40)
    assert not [one.name for one in advice.candidates if one.recipe.conditioning]
    excluded = {one.name: one.rule for one in advice.excluded}
    for name in ("cgan", "acgan", "sngan-projection", "semi-supervised-gan"):
        assert excluded[name] == "labels"


def test_labels_bring_recipes_that_use_them() -> None:
    cifar = CIFAR._replace(facts={**CIFAR.facts, **LABELED})
    assert "sngan-projection" in ranks(select(cifar, device="cuda", seconds=90_000))
    few = FEW._replace(facts={**FEW.facts, **PARTLY})
    advice = select(few)
    assert "semi-supervised-gan" in ranks(advice)
    partly = [one for one in advice.excluded if one.name in ("cgan", "acgan", "sngan-projection")]
    assert {one.rule for one in partly} == {"labels"}
    assert "90.00% of the samples have no label" in partly[0].because


@pytest.mark.parametrize(("share", "lack"), [(0.9998, "10 samples have none"), (0.1, "45,000 samples have none")])
def test_chosen_classes_of_data_with_a_sample_unlabeled_are_warned_about_and_nothing_untrainable_is_listed(
    share: float, lack: str
) -> None:
    labels: dict[str, Value] = {"labels": "all" if share >= 0.5 else "few", "labeled_share": share}
    advice = select(CIFAR._replace(facts={**CIFAR.facts, **labels}), ["classes"])
    assert [words for words in advice.warnings if words.startswith("want = classes: nothing fulfills it") and lack in words]
    for one in advice.candidates:
        assert catalog.unlabeled(one.recipe, 10, share) is None


@EVERY
def test_heavy_networks_stay_out_where_there_is_no_accelerator(audit: Audit) -> None:
    names = {one.recipe.architecture.name for one in select(audit, limit=40, seconds=600).candidates}
    assert not names & {"r3gan", "stylegan2"}


def test_large_budgets_bring_modern_networks() -> None:
    large = FACES._replace(shape=(3, 256, 256))
    assert ranks(select(large, device="cuda", seconds=10 * 86400)).keys() >= {"r3gan", "stylegan2-ada", "r1gan"}
    assert not {"stylegan2", "stylegan2-ada"} & ranks(select(large, device="cuda", seconds=20_000)).keys()


def test_few_photographs_get_augmentation_and_tiny_digits_do_not() -> None:
    assert ranks(select(PHOTOS, seconds=180))["r1gan-diffaugment"] < ranks(select(PHOTOS, seconds=180))["dcgan"]
    for audit in (DIGITS, MNIST, TOY, TABLE, CIFAR._replace(n=200_000)):
        assert not [
            one.name for one in select(audit, limit=40).candidates if one.name.startswith("r1gan-") and one.recipe.augmentation
        ]


@EVERY
def test_f_gans_do_not_flood_the_short_list(audit: Audit) -> None:
    for want in ((), ("coverage",), ("diversity", "quality")):
        assert len([name for name in ranks(select(audit, want, limit=40)) if name.startswith("fgan")]) <= 2


def test_a_rule_whose_fact_is_unknown_does_not_fire_and_says_so() -> None:
    undecided = {one.rule: one.unknown for one in select(ODD).undecided}
    assert undecided["began-not-for-sparse-images"] == ("sparse_image",)
    assert "began-not-for-sparse-images" not in {one.rule for one in select(DIGITS).undecided}


def test_disagreements_are_shown_where_they_touch_the_application() -> None:
    said = {one.name for one in select(CIFAR).disagreements}
    assert "does augmentation help?" in said
    assert "is least squares better in quality?" not in {one.name for one in select(TOY).disagreements}


def test_the_json_has_the_contracts_fields_and_its_recipes_can_be_read_back() -> None:
    content = json.loads(json.dumps(select(DIGITS).as_json()))
    assert {"questions", "before", "valid", "after", "candidates", "excluded", "disagreements"} <= content.keys()
    assert content["questions"][0].keys() == {"question", "answer", "because", "sources", "reasons"}
    first = content["candidates"][0]
    assert first.keys() >= {"name", "recipe", "rank", "score", "reasons"}
    assert first["reasons"][0].keys() == {"rule", "effect", "because", "sources", "points", "strength"}
    assert Recipe.model_validate(first["recipe"]) == select(DIGITS).candidates[0].recipe


def test_an_unknown_need_is_refused_with_the_closest() -> None:
    with pytest.raises(Unusable, match="did you mean diversity"):
        select(DIGITS, ["diversty"])


def test_a_short_list_of_none_is_refused() -> None:
    with pytest.raises(Unusable, match="at least one"):
        select(DIGITS, limit=0)


def test_selection_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, ganwise.select, ganwise.doctor; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
