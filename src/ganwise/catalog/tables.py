"""The framework's seven tables, made from the catalog: reconstructed from the original papers, since its own could not be read.

Source: motwani2020selection for which GANs each table compares, and for the columns application, implementation and behavior.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ganwise.catalog.axes import AXES
from ganwise.catalog.entry import AUTO, Axis, Entry
from ganwise.catalog.fit import chosen, options
from ganwise.catalog.losses import LOSSES
from ganwise.catalog.recipes import RECIPES, named
from ganwise.catalog.regularizers import REGULARIZERS
from ganwise.recipe import Choice, Optimizer, Recipe, Schedule
from ganwise.types import Unusable

NOTE = "Reconstructed from the original papers and this catalog: the cells of the framework paper's own tables could not be read."


class Table(NamedTuple):
    """A table of the framework. Each row is a named GAN; the first is what the others are compared with."""

    title: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]  # the name of a GAN -> a cell for each column

    def as_json(self) -> list[dict[str, str]]:
        return [{"name": name} | dict(zip(self.columns, cells, strict=True)) for name, cells in self.rows.items()]


_COMPARED: dict[str, tuple[str, tuple[str, ...]]] = {
    "1": ("The loss variants", tuple(RECIPES)),
    "2": ("GANs against the fully connected GAN", ("fcgan", "cgan", "lapgan", "dcgan", "semi-supervised-gan")),
    "3": ("GANs against WGAN", ("wgan", "gan", "dcgan", "lsgan", "ebgan", "began")),
    "4": ("GANs against WGAN-GP", ("wgan-gp", "dragan", "sngan", "r1gan")),
    "5": ("f-divergence GANs against the Geometric GAN", ("geometric-gan", *(n for n in RECIPES if n.startswith("fgan-")))),
    "6": ("Relativistic GANs against the least-squares GAN", ("lsgan", "rsgan", "rasgan", "ralsgan", "rahinge")),
    "7": ("The loss-sensitive GAN against DCGAN", ("dcgan", "lossgan", "glsgan")),
}


def table(number: str) -> Table:
    """A table of the framework by its number, 1 to 7.

    Raises:
        Unusable: There is no such table.
    """
    if number not in _COMPARED:
        raise Unusable(f"catalog table {number or '?'}: expected a number from {min(_COMPARED)} to {max(_COMPARED)}")
    title, names = _COMPARED[number]
    columns: tuple[str, ...] = ("architecture", "losses", "divergence", "regularizers")
    cells = _summary
    if number != "1":
        columns, cells = ("application", "implementation", "behavior"), _comparison
    return Table(title, columns, {name: cells(RECIPES[name], named(name)) for name in names})


def _summary(entry: Entry, recipe: Recipe) -> tuple[str, ...]:
    picks = chosen(recipe)
    divergence, regularizers = (", ".join(picks[axis]) or "none" for axis in ("divergence", "regularizers"))
    return networks(recipe), LOSSES[recipe.loss.name].formula, divergence, regularizers


def _comparison(entry: Entry, recipe: Recipe) -> tuple[str, ...]:
    figures = "; ".join(f"{figure}: {value}" for figure, value in entry.published.items())
    return entry.application, implementation(recipe), f"{entry.behavior} Published: {figures}."


def implementation(recipe: Recipe) -> str:
    """A recipe in one sentence, with what its traits say of it."""
    regularizers = [words("regularizers", pick) for pick in recipe.regularizers]
    loss = words("loss", recipe.loss) + (f" of {recipe.divergence.name}" if recipe.divergence else "")
    facts = traits(recipe)
    return "; ".join([networks(recipe), loss, *regularizers, training(recipe.schedule), *facts])


def networks(recipe: Recipe) -> str:
    """The architecture, and what the networks are told and shown."""
    parts = ["any architecture" if recipe.architecture.name == AUTO else words("architecture", recipe.architecture)]
    parts += [words("conditioning", recipe.conditioning)] if recipe.conditioning else []
    parts += [words("augmentation", recipe.augmentation)] if recipe.augmentation else []
    return ", ".join(parts)


def words(axis: Axis, pick: Choice) -> str:
    """A choice with its options; of an architecture, which has many, with those that differ from the entry's defaults."""
    defaults = AXES[axis][pick.name].options
    said = {k: v for k, v in options(axis, pick).items() if axis != "architecture" or v != defaults[k]}
    return f"{pick.name} ({', '.join(f'{name} {value}' for name, value in said.items())})" if said else pick.name


def choices(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """What a recipe picks on each axis, with the formula of each."""
    yield "architecture", networks(recipe)
    picks: list[tuple[Axis, str, Choice]] = [("loss", "loss", recipe.loss)]
    picks += [("regularizers", "regularizer", pick) for pick in recipe.regularizers]
    divergence = chosen(recipe)["divergence"]
    picks += [("divergence", "divergence", recipe.divergence or Choice(name=divergence[0]))] if divergence else []
    picks += [("conditioning", "conditioning", recipe.conditioning)] if recipe.conditioning else []
    for axis, label, pick in picks:
        yield label, f"{words(axis, pick)}:  {AXES[axis][pick.name].formula}"
    yield "training", training(recipe.schedule)
    if facts := traits(recipe):
        yield "traits", "; ".join(facts)


def sources(recipe: Recipe) -> list[str]:
    """The keys of everything that a recipe rests on, each once."""
    named = ((AXES[axis], name) for axis, names in chosen(recipe).items() for name in names)
    return list(dict.fromkeys(key for entries, name in named if name in entries for key in entries[name].sources))


def traits(recipe: Recipe) -> list[str]:
    """What the measured and claimed traits of a recipe's loss and regularizers mean for whoever runs it."""
    loss = LOSSES[recipe.loss.name].traits
    said = {
        "the generator's gradient vanishes when D wins": loss["saturates"],
        "the loss itself tells convergence": loss.get("measures_convergence"),
        "the generator reads real samples too": loss["pairs"],
        "the loss mixes the samples of a batch": not loss["separable"],
        "a penalty takes a second backward pass": any(
            REGULARIZERS[r.name].traits["double_backward"] for r in recipe.regularizers
        ),
    }
    return [words for words, holds in said.items() if holds]


def training(schedule: Schedule) -> str:
    """How a recipe is trained, in words."""
    d, g, boost, stall = schedule.discriminator, schedule.generator, schedule.boost, schedule.stall
    many = f"{schedule.discriminator_steps}:{schedule.generator_steps} steps of D and G"
    said = {
        f"{_moves(d)}" if d == g else f"D {_moves(d)}, G {_moves(g)}": True,
        f"batch {schedule.batch}": True,
        many: (schedule.discriminator_steps, schedule.generator_steps) != (1, 1),
        f"{boost.steps} of D in each of the first {boost.first} rounds and every {boost.period}": boost.steps,
        "both players at once": schedule.simultaneous,
        "shared latents": schedule.shared_latents,
        f"rates times {stall.factor:g} when {stall.signal} stalls for {stall.window:,} steps": stall.window,
        f"averaged weights, half-life {_number(schedule.ema_half_life)} images": schedule.ema_half_life,
        f"averaged weights, {_number(schedule.ema)} a step": schedule.ema and not schedule.ema_half_life,
    }
    return ", ".join(words for words, holds in said.items() if holds)


def _moves(player: Optimizer) -> str:
    rate = f"{player.name} {_number(player.learning_rate)}"
    if player.name == "adam":
        return f"{rate} (betas {_number(player.beta1)}, {_number(player.beta2)})"
    return f"{rate} (momentum {_number(player.momentum)})" if player.momentum else rate


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
