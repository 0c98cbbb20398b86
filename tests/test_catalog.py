"""The named GANs are those of their papers, what is printed of them comes from the catalog, and the page is up to date."""

from __future__ import annotations

import io
import re
import runpy
from pathlib import Path

import pytest
from rich.console import Console

from ganwise import catalog, knowledge
from ganwise.catalog import RECIPES, choice, tables
from ganwise.cli import browse, show
from ganwise.ramp import parse
from ganwise.recipe import Boost, Optimizer, Recipe, Schedule
from ganwise.types import Unusable

DESIGN = """gan gan-minimax fcgan cgan semi-supervised-gan dcgan lapgan wgan wgan-gp dragan lsgan rsgan rasgan ralsgan rahinge
    fgan-kl fgan-reverse-kl fgan-js fgan-gan fgan-pearson fgan-neyman fgan-squared-hellinger fgan-jeffreys fgan-total-variation
    geometric-gan lossgan glsgan sngan sngan-projection acgan ebgan began r1gan r3gan stylegan2"""
TAG = re.compile(r"\[(2nd|log|code|page|mem, unverified)\]\.?$")
ROOT = Path(__file__).parents[1]


def test_the_named_gans_are_those_of_the_design() -> None:
    assert sorted(RECIPES) == sorted(DESIGN.split())


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_gan_says_what_it_is_for_what_it_needs_and_where_it_differs(name: str) -> None:
    entry = RECIPES[name]
    for text in (entry.says, entry.application, entry.behavior, entry.needs):
        assert text.endswith("."), text
    assert entry.deviations
    assert knowledge.cite(entry.sources)
    assert entry.recipe
    catalog.check(entry.recipe)
    assert entry.published
    for figure, value in entry.published.items():
        assert TAG.search(value), f"{figure}: {value} does not say where it was read"


def setting(name: str, path: str) -> object:
    """A number of a recipe by its path, as in ``loss.gamma`` or ``schedule.generator.beta1``; defaults included."""
    recipe = catalog.named(name)
    head, *rest = path.split(".")
    if head == "schedule":
        found: object = recipe.schedule
        for part in rest:
            found = getattr(found, part)
        return found
    if head == "regularizers":
        (pick,) = (r for r in recipe.regularizers if r.name == rest[0])
        return catalog.options("regularizers", pick)[rest[1]]
    return catalog.options(head, getattr(recipe, head))[rest[0]]  # type: ignore[arg-type]


PAPERS = {
    ("gan", "architecture.pieces"): 5,
    ("gan", "architecture.dropout"): 0.5,
    ("gan", "architecture.prior"): "uniform",
    ("gan", "schedule.batch"): 100,
    ("gan", "schedule.simultaneous"): True,
    ("dcgan", "schedule.generator.learning_rate"): 2e-4,
    ("dcgan", "schedule.generator.beta1"): 0.5,
    ("semi-supervised-gan", "schedule.generator.learning_rate"): 3e-4,
    ("wgan", "schedule.discriminator.name"): "rmsprop",
    ("wgan", "schedule.discriminator.learning_rate"): 5e-5,
    ("wgan", "schedule.discriminator_steps"): 5,
    ("wgan", "schedule.boost"): Boost(steps=100, first=25, period=500),
    ("wgan", "regularizers.weight-clipping.limit"): 0.01,
    ("wgan-gp", "regularizers.gradient-penalty.weight"): 10.0,
    ("wgan-gp", "regularizers.gradient-penalty.center"): 1.0,
    ("wgan-gp", "schedule.discriminator.learning_rate"): 1e-4,
    ("wgan-gp", "schedule.discriminator_steps"): 5,
    ("dragan", "regularizers.dragan.weight"): 10.0,
    ("dragan", "schedule.discriminator.beta2"): 0.9,
    ("rsgan", "schedule.batch"): 32,
    ("ralsgan", "loss.form"): "least-squares",
    ("geometric-gan", "schedule.generator_steps"): 10,
    ("geometric-gan", "schedule.generator.learning_rate"): 2e-4,
    ("lossgan", "loss.margin"): pytest.approx(2e-4 * 64 * 64 * 3),
    ("lossgan", "schedule.generator.learning_rate"): 1e-4,
    ("glsgan", "loss.slope"): 0.5,
    ("sngan", "schedule.discriminator_steps"): 5,
    ("sngan", "schedule.generator.beta1"): 0.0,
    ("sngan", "schedule.generator.beta2"): 0.9,
    ("ebgan", "regularizers.pulling-away.weight"): 0.1,
    ("ebgan", "schedule.generator.learning_rate"): 1e-3,
    ("began", "loss.gamma"): 0.5,
    ("began", "loss.rate"): 0.001,
    ("began", "schedule.batch"): 16,
    ("began", "schedule.generator.learning_rate"): 1e-4,
    ("began", "schedule.simultaneous"): True,
    ("began", "schedule.shared_latents"): False,
    ("stylegan2", "regularizers.r1.every"): 16,
    ("stylegan2", "regularizers.path-length.weight"): 2.0,
    ("stylegan2", "regularizers.path-length.every"): 4,
    ("stylegan2", "schedule.generator.beta2"): 0.99,
    ("stylegan2", "schedule.ema_half_life"): 10_000.0,
    ("stylegan2", "architecture.mapping_depth"): 8,
}


@pytest.mark.parametrize(("name", "path"), PAPERS, ids=lambda text: text)
def test_a_setting_is_the_papers(name: str, path: str) -> None:
    assert setting(name, path) == PAPERS[name, path]


def test_sngans_rates_fall_to_zero_over_50000_generator_steps_for_either_player() -> None:
    for player, a_step in (("generator", 1), ("discriminator", 5)):
        ramp = parse(str(setting("sngan", f"schedule.{player}.learning_rate")))
        assert (ramp.start, ramp.end, ramp.updates) == (2e-4, 0.0, 50_000 * a_step)


def test_r3gans_burn_in_is_20_million_images_in_updates_of_its_batch() -> None:
    assert setting("r3gan", "schedule.batch") == 512
    ends = {
        "schedule.generator.learning_rate": (2e-4, 5e-5),
        "schedule.generator.beta2": (0.9, 0.99),
        "schedule.ema_half_life": (0.0, 5e6),
        "regularizers.r1.gamma": (0.05, 0.005),
        "regularizers.r2.gamma": (0.05, 0.005),
    }
    for path, (start, end) in ends.items():
        ramp = parse(str(setting("r3gan", path)))
        assert (ramp.start, ramp.end, ramp.shape) == (start, end, "cosine")
        assert ramp.updates * 512 == pytest.approx(20e6, abs=512)
    assert setting("r3gan", "regularizers.r1.every") == 1, "lazy penalties make it fail"


def test_the_measured_default_has_not_moved() -> None:
    adam = Optimizer(name="adam", learning_rate=1e-3, beta1=0.0, beta2=0.99)
    assert catalog.named("r1gan") == Recipe(
        architecture=choice("auto"),
        loss=choice("non-saturating"),
        regularizers=(choice("r1", gamma=0.1, every=4),),
        schedule=Schedule(discriminator=adam, generator=adam, ema=0.998),
    )


# the framework's tables


@pytest.mark.parametrize("number", "1234567")
def test_each_cell_of_a_table_says_something(number: str) -> None:
    found = tables.table(number)
    assert found.rows.keys() <= RECIPES.keys()
    assert all(len(cells) == len(found.columns) and all(cells) for cells in found.rows.values())
    assert [row.keys() for row in found.as_json()] == [{"name", *found.columns}] * len(found.rows)


def test_the_tables_compare_what_the_framework_compares() -> None:
    firsts = [next(iter(tables.table(n).rows)) for n in "234567"]
    assert firsts == ["fcgan", "wgan", "wgan-gp", "geometric-gan", "lsgan", "dcgan"]
    assert tables.table("1").rows.keys() == RECIPES.keys()


@pytest.mark.parametrize("number", ["0", "8", "", "one", "²"])
def test_there_are_seven_tables(number: str) -> None:
    with pytest.raises(Unusable, match="from 1 to 7"):
        tables.table(number)


def test_the_implementation_is_read_off_the_recipe() -> None:
    said = tables.implementation(catalog.named("wgan"))
    for part in ("wasserstein", "limit 0.01", "rmsprop 5e-05", "batch 64", "5:1 steps", "100 of D", "tells convergence"):
        assert part in said
    slow = Schedule(batch=7, simultaneous=True, discriminator=Optimizer(name="sgd", learning_rate=0.1, momentum=0.5))
    said = tables.training(slow)
    assert said.startswith("D sgd 0.1 (momentum 0.5), G adam 0.0002 (betas 0.5, 0.999), batch 7, both players at once")
    assert "the generator's gradient vanishes when D wins" in tables.traits(catalog.named("gan-minimax"))


# what a person reads


def printed(columns: int, monkeypatch: pytest.MonkeyPatch, what: str, number: str = "") -> str:
    out = io.StringIO()
    monkeypatch.setattr(show, "console", Console(file=out, width=columns, highlight=False))
    browse.catalog(what, number, json=False)
    return out.getvalue()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_nothing_is_cut_at_any_width(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for what, number in [("", ""), *((name, "") for name in RECIPES), *(("table", n) for n in "1234567")]:
        text = printed(columns, monkeypatch, what, number)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= columns


@pytest.mark.parametrize("name", RECIPES)
def test_a_name_prints_everything_that_the_catalog_knows_of_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(100_000, monkeypatch, name)
    entry, recipe = RECIPES[name], catalog.named(name)
    expected = [entry.says, entry.application, entry.behavior, entry.needs, *entry.deviations]
    expected += [catalog.LOSSES[recipe.loss.name].formula, tables.training(recipe.schedule)]
    expected += [catalog.REGULARIZERS[r.name].formula for r in recipe.regularizers]
    expected += [catalog.DIVERGENCES[d].formula for d in catalog.chosen(recipe)["divergence"]]
    expected += [f"{figure}: {value}" for figure, value in entry.published.items()]
    expected += [source.line for source in knowledge.cite(entry.sources)]
    assert [part for part in expected if part not in text] == []


def test_a_table_says_that_it_is_reconstructed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Reconstructed from the original papers" in printed(80, monkeypatch, "table", "4")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_table_is_the_same_in_columns_and_one_under_another(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(columns, monkeypatch, "table", "6")
    assert all(name in text for name in tables.table("6").rows)


@pytest.mark.parametrize(("what", "number", "says"), [("gan", "3", "one name at a time"), ("wgann", "", "did you mean wgan")])
def test_what_the_catalog_has_not_is_refused(what: str, number: str, says: str) -> None:
    with pytest.raises(Unusable, match=says):
        browse.catalog(what, number, json=False)


@pytest.mark.parametrize(
    "axis", ["architecture", "loss", "regularizers", "divergence", "conditioning", "augmentations", "recipe"]
)
def test_an_axis_has_its_name_in_the_singular_and_the_plural(axis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(80, monkeypatch, axis).startswith("\n" + axis.removesuffix("s"))


def test_the_page_of_the_catalog_is_up_to_date() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_catalog_page.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), "run python scripts/make_catalog_page.py"
