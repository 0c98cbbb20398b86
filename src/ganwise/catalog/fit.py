"""Which entries of the axes fit together: the catalog's rules applied to a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ganwise.catalog.axes import AXES
from ganwise.catalog.entry import AUTO, Axis, Fit, closest
from ganwise.catalog.losses import LOSSES
from ganwise.catalog.training import CONDITIONINGS
from ganwise.recipe import Choice, Recipe
from ganwise.types import Unusable, Value


def options(axis: Axis, chosen: Choice) -> dict[str, Value]:
    """Every option of ``chosen``, its own over the entry's defaults.

    Raises:
        Unusable: The axis has no such name, or the entry no such option.
    """
    entries = AXES[axis]
    if chosen.name not in entries:
        raise Unusable(f"{axis}: unknown name '{chosen.name}': {closest(chosen.name, entries)}")
    defaults = entries[chosen.name].options
    for option in chosen.options:
        if option not in defaults:
            raise Unusable(f"{axis} {chosen.name}: unknown option '{option}': {closest(option, defaults)}")
    return {**defaults, **chosen.options}


def chosen(recipe: Recipe) -> dict[Axis, tuple[str, ...]]:
    """The names that ``recipe`` picks on each axis; a divergence left open is the loss's own."""
    divergence = recipe.divergence.name if recipe.divergence else own_divergence(recipe.loss.name)
    return {
        "architecture": (recipe.architecture.name,),
        "loss": (recipe.loss.name,),
        "regularizers": tuple(r.name for r in recipe.regularizers),
        "divergence": (divergence,) if divergence else (),
        "conditioning": (recipe.conditioning.name,) if recipe.conditioning else (),
        "augmentation": (recipe.augmentation.name,) if recipe.augmentation else (),
    }


def own_divergence(loss: str) -> str | None:
    """The divergence that a loss minimizes by itself; None where it takes one as its argument."""
    for fit in LOSSES[loss].fits if loss in LOSSES else ():
        if fit.axis == "divergence" and fit.only and len(fit.names) == 1:
            return fit.names[0]
    return None


def architectures(recipe: Recipe) -> list[str]:
    """The architectures that the rest of ``recipe`` fits."""
    return [name for name in AXES["architecture"] if not misfits(chosen(recipe) | {"architecture": (name,)})]


def normalizes_generator(recipe: Recipe) -> bool:
    """Whether the generator has batch normalization, which can depend on the class."""
    return options("architecture", recipe.architecture).get("generator_norm") == "batch"


def needs_labels(recipe: Recipe) -> Value:
    """Of which samples the networks have to be told the class: all, some or none."""
    name = recipe.conditioning.name if recipe.conditioning else ""
    return CONDITIONINGS[name].traits["needs_labels"] if name in CONDITIONINGS else "none"


def unlabeled(recipe: Recipe, classes: int, share: float) -> str | None:
    """Why data of so many classes, with a label on ``share`` of the samples, can't train ``recipe``; None where they can."""
    name, needs = recipe.conditioning.name if recipe.conditioning else "", needs_labels(recipe)
    if needs != "none" and (classes < 2 or share == 0):
        have = f"no labels for their {classes} classes" if classes > 1 else f"{classes or 'no'} classes"
        return f"conditioning {name}: the data have {have}; it needs labels of at least 2"
    if needs == "all" and share < 1:
        instead = "label all, leave conditioning out, or choose semi-supervised"
        return f"conditioning {name}: {1 - share:.2%} of the samples have no label; {instead}"
    return None


def unshaped(recipe: Recipe, shape: tuple[int, ...]) -> str | None:
    """Which regularizer or augmentation of ``recipe`` acts on images alone where the data are vectors; None where none does."""
    if len(shape) > 1:
        return None
    for axis in ("regularizers", "augmentation"):
        for name in chosen(recipe)[axis]:
            if not AXES[axis][name].traits["vectors"]:
                return f"{name} acts on images, and the data are vectors of {shape[0]} numbers"
    return None


class Misfit(NamedTuple):
    """Why two entries can't be combined."""

    what: str
    because: str
    sources: tuple[str, ...]


def misfits(picks: Mapping[Axis, tuple[str, ...]]) -> list[Misfit]:
    """Every rule of the catalog that a combination breaks. An ``auto`` architecture breaks none."""
    broken = []
    for axis, names in picks.items():
        for name in names:
            for fit in AXES[axis][name].fits if name in AXES[axis] else ():
                others = picks.get(fit.axis, ())
                if not fits(fit, others):
                    broken.append(Misfit(_complaint(name, fit, others), fit.because, fit.sources))
    return broken


def fits(fit: Fit, others: tuple[str, ...]) -> bool:
    """Whether the picks ``others`` of the axis that a fit speaks about are as it demands; an ``auto`` is."""
    names, picked = set(fit.names), set(others) - {AUTO}
    if not fit.only:
        return not picked & names
    if fit.axis == "regularizers" and names:  # one of the list has to be there; more may be
        return bool(picked & names)
    return AUTO in others or (picked <= names and bool(picked or not names))


def _complaint(name: str, fit: Fit, others: tuple[str, ...]) -> str:
    if not fit.only:
        return f"{name} can't be combined with {fit.axis} {' or '.join(set(others) & set(fit.names))}"
    if not fit.names:
        return f"{name} takes no {fit.axis}"
    return f"{name} needs {fit.axis} {' or '.join(fit.names)}, not {', '.join(others) or 'none'}"


def check(recipe: Recipe) -> None:
    """Refuses a recipe that names what does not exist or combines what does not fit.

    Raises:
        Unusable: The first fault, with its rule and source.
    """
    choices: list[tuple[Axis, Choice | None]] = [
        ("loss", recipe.loss),
        *(("regularizers", r) for r in recipe.regularizers),
        ("divergence", recipe.divergence),
        ("conditioning", recipe.conditioning),
        ("augmentation", recipe.augmentation),
    ]
    if recipe.architecture.name != AUTO:
        choices.insert(0, ("architecture", recipe.architecture))
    for axis, pick in choices:
        if pick:
            options(axis, pick)
    if dict(recipe.architecture.options).get("discriminator_norm") == "batch":
        for name in (r.name for r in recipe.regularizers if AXES["regularizers"][r.name].traits["per_sample"]):
            raise Unusable(
                f"{name} can't be combined with architecture.discriminator_norm=batch: it penalizes the slope at each sample, "
                "which batch statistics mix [gulrajani2017wgangp]"
            )
    for misfit in misfits(chosen(recipe)):
        raise Unusable(f"{misfit.what}: {misfit.because} [{', '.join(misfit.sources)}]")
