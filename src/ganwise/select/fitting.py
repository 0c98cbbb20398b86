"""Hyper-parameters that fit the data: what the sources let follow from resolution, number of samples, wishes and budget.

A field is changed only where a source speaks about data like these. Below 32 gray pixels and for vectors none does, and the
catalog's values were measured there: they stay. What needs a network to be known is ``auto``, and resolved by `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ganwise.catalog import AUGMENTATIONS, AUTO, LOSSES, RECIPES, Axis, chosen, misfits, options
from ganwise.recipe import Recipe, change
from ganwise.types import Shape, Value

ADA_HALF_LIFE = 10_000 / 32
"""Updates in which an average forgets half: ten thousand images of a batch of 32. Source: karras2020ada, the code's ``auto``."""
SHORT_RUN = 0.998
"""The same as a decay per update, .5^(1 / 312.5), rounded."""
HEAVY_GB = 8.0  # what the published widths need at least: StyleGAN2's own code takes 5 to 8 GB, karras2020ada [code]
R1_CONSTANT = 0.0002  # karras2020ada, the code's heuristic, for gamma/2 |grad D|^2 as ours
PIXELS = 32  # the smallest side of the published values
R3GAN_BURN_IN = 20_000_000  # images; huang2024r3gan, the authors' presets
MANY_CLASSES = 10  # CIFAR-10 is the smallest set of classes on which projection was shown, miyato2018projection
FEW, SOME = 10_000, 70_000
"""Images below which augmentation helped every GAN that it was tried on, and below which StyleGAN2 alone."""
_CONTROLS = ("gan", "dcgan", "r1gan")
"""The baselines and the strong default stay bare: what augmentation brings shows beside them, as a candidate of its own."""
_ENERGIES = ("energy-margin", "boundary-equilibrium")

Facts = Mapping[str, Value]


class Fitted(NamedTuple):
    """One field, as ``--set`` names it, the value that suits the data, and who says so."""

    field: str
    value: Value
    because: str
    sources: tuple[str, ...]


def fit(recipe: Recipe, shape: Shape, facts: Facts) -> tuple[Recipe, tuple[Fitted, ...]]:
    """``recipe`` with what suits data of this shape and these facts, and every field that was looked at, changed or not.

    The number of discriminator steps, the optimizers and the losses' other options stay the recipe's: no source ties them to
    the data.
    """
    found: list[Fitted] = []
    for look in _LOOKS:  # in order: the batch decides over gamma, and over the average
        new = tuple(look(recipe, shape, facts))
        changes = {one.field: one.value for one in new if value_of(recipe, one.field) != one.value}
        recipe = change(recipe, changes) if changes else recipe
        found += new
    return recipe, tuple(found)


def value_of(recipe: Recipe, field: str) -> Value | None:
    """What a recipe has in a field, its own or by default; None where it has no such part."""
    head, *rest = field.split(".")
    if head == "schedule":
        found: object = recipe.schedule
        for name in rest:
            found = getattr(found, name)
        return found if isinstance(found, bool | int | float | str) else None
    several = recipe.regularizers if head == "regularizers" else [getattr(recipe, head)]
    part = next((one for one in several if one and (head != "regularizers" or one.name == rest[0])), None)
    if part is None:
        return None
    axes: dict[str, Axis] = {"architecture": "architecture", "loss": "loss", "regularizers": "regularizers"}
    return part.name if rest[-1] == "name" else options(axes.get(head, "augmentation"), part).get(rest[-1])


def _side(shape: Shape) -> int:
    return max(shape[1:], default=0)


def _published(shape: Shape, facts: Facts) -> bool:
    """Whether these are data that published values are about."""
    return len(shape) > 1 and bool(facts.get("needs_convolution", False))


def _network(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    """Published widths where there is an accelerator to carry them; else the catalog's, which suit a laptop."""
    compute, memory = facts.get("compute"), float(facts.get("memory_gb", HEAVY_GB))
    if not _published(shape, facts) or compute not in ("medium", "high") or memory < HEAVY_GB:
        return
    sizes, because, sources = _widths(recipe.architecture.name, _side(shape), compute == "high")
    for name, value in sizes.items():
        if recipe.architecture.options.get(name, AUTO) == AUTO:
            yield Fitted(f"architecture.{name}", value, because, sources)


def _widths(architecture: str, side: int, days: bool) -> tuple[dict[str, Value], str, tuple[str, ...]]:
    """Options, why, and sources; empty where no source has a width for this side and budget."""
    if architecture == "dcgan":
        return {"width": 64}, "the width of DCGAN's Torch port [code], where a laptop has 32", ("radford2015dcgan",)
    if architecture == "resnet" and side <= 64:
        because = "SNGAN's residual networks at 32 pixels: 256 maps in the generator, 128 in the discriminator [code]"
        return {"latent": 128, "width": 256, "full_side": 32}, because, ("miyato2018sngan",)
    if architecture == "autoencoder":
        because = "BEGAN's largest model has 128 filters, its first implementation 64 or 128 [code]"
        return {"width": 128 if days else 64}, because, ("berthelot2017began", "kim2017begantensorflow")
    if architecture == "r3gan" and days:
        because = "the authors' presets at 32 to 256 pixels: 20 million weights in the generator, for days of accelerators [code]"
        return {"width": 768, "full_side": 32, "blocks": 2}, because, ("huang2024r3gan",)
    if architecture == "stylegan2" and days:
        because = "512 maps up to a side of 32, from 512 pixels on to 64 [code]"
        return {"latent": 512, "width": 512, "full_side": 64 if side >= 512 else 32}, because, ("karras2020ada",)
    return {}, "", ()


def _batch(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    if recipe.architecture.name == "stylegan2":
        because = "the smaller of 32 and 4096 / side on one accelerator, which keeps its memory in bounds [code]"
        yield Fitted("schedule.batch", max(2, min(4096 // _side(shape), 32)), because, ("karras2020ada",))
    if _is_r3gan(recipe) and _side(shape) >= 64:
        yield Fitted("schedule.batch", 256, "the authors' batch for faces at 64 and 256 pixels [code]", ("huang2024r3gan",))


def _slope(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    """R1's gamma. It has to be found by trying; this is where to begin."""
    own = value_of(recipe, "regularizers.r1.gamma")
    side, batch = _side(shape), recipe.schedule.batch
    if own is None or (_is_r3gan(recipe) and side >= 64):
        return
    here = "regularizers.r1.gamma"
    if not _published(shape, facts) or side < PIXELS:
        what = "counts pixels, and a vector has none" if len(shape) == 1 else f"starts at images of {PIXELS} pixels"
        because = f"what is published {what}: the value stays that was measured on 8x8 digits and in the plane"
        yield Fitted(here, own, because, ("ganwise2026measurements",))
    elif _is_r3gan(recipe) or (recipe.architecture.name == "stylegan2" and side < 64):
        source = "huang2024r3gan" if _is_r3gan(recipe) else "karras2020ada"
        yield Fitted(here, own, "the authors' own value for CIFAR-10 [code]; it carries over to no other side", (source,))
    else:
        gamma = float(f"{R1_CONSTANT * side**2 / batch:.2g}")
        because = (
            f"StyleGAN2-ADA's heuristic, .0002 x {side}^2 / {batch} images [code]; then twice, four times, half and a quarter of "
            "it: larger is steadier and less diverse"
        )
        yield Fitted(here, gamma, because, ("karras2020ada",))


def _is_r3gan(recipe: Recipe) -> bool:
    return recipe.loss.name == "relativistic" and {"r1", "r2"} <= {one.name for one in recipe.regularizers}


def _burn_in(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    """R3GAN's schedules beyond 32 pixels, where the catalog has those of CIFAR-10."""
    side = _side(shape)
    if not _is_r3gan(recipe) or side < 64:
        return
    many = side == 64 and facts.get("domain") == "many"
    gamma = 1.0 if many else min(150.0, float(f"{2 * (side / 64) ** 3.114:.2g}"))  # 2 at 64 and 150 at 256
    known = "ImageNet at 64 pixels" if many else "faces at 64 and 256 pixels"
    because = f"the authors' presets for {known} [code]"
    between = "" if side in (64, 256) else "; for other sides ours, on the line between: race it with half and twice"
    updates = round(R3GAN_BURN_IN / recipe.schedule.batch)
    for name in ("r1", "r2"):
        ramp = f"{gamma:g} -> {gamma / 10:g} cosine {updates}"
        yield Fitted(f"regularizers.{name}.gamma", ramp, because + between, ("huang2024r3gan",))
    paced = f"the burn-in is {R3GAN_BURN_IN / 1e6:g} million images, here in batches of {recipe.schedule.batch} [code]"
    for player in ("discriminator", "generator"):
        yield Fitted(f"schedule.{player}.learning_rate", f"2e-4 -> 5e-5 cosine {updates}", paced, ("huang2024r3gan",))
        yield Fitted(f"schedule.{player}.beta2", f"0.9 -> 0.99 cosine {updates}", paced, ("huang2024r3gan",))
    half_life = f"0 -> {5e6 if many else 5e5:g} cosine {updates}"
    yield Fitted("schedule.ema_half_life", half_life, because, ("huang2024r3gan",))


def _equilibrium(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    """BEGAN's ratio of errors, by what is wanted: diverse at .7, sharp at .3. Source: berthelot2017began, figure 3."""
    if recipe.loss.name != "boundary-equilibrium":
        return
    diverse = bool(facts.get("want.diversity") or facts.get("want.coverage"))
    sharp = bool(facts.get("want.quality"))
    gamma, because = 0.5, "between sharp (.3) and diverse (.7), as both are wanted or neither"
    if diverse != sharp:
        gamma, because = (0.7, "diversity is wanted: .7 of .3 to .7") if diverse else (0.3, "sharpness is wanted: .3 of .3 to .7")
    yield Fitted("loss.gamma", gamma, f"{because}, the values that the paper shows", ("berthelot2017began",))


def _margin(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    if recipe.loss.name == "energy-margin" and value_of(recipe, "loss.margin") == AUTO:
        because = (
            "it has to fit the scale of the reconstruction error (10 on MNIST, 20 on faces, 80 on bedrooms [code]), which the "
            "networks have to be there for: measured when the GAN is built"
        )
        yield Fitted("loss.margin", AUTO, because, ("zhao2016ebgan",))


def _augmentation(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    """What the discriminator sees is augmented where images are few."""
    n, compute = int(facts.get("n_train", SOME)), facts.get("compute")
    style = recipe.architecture.name == "stylegan2" and compute != "low"
    if not _published(shape, facts) or recipe.augmentation or _is_control(recipe) or recipe.loss.name in _ENERGIES:
        return
    if n >= (SOME if style else FEW):
        return
    slow = () if compute == "low" else ("ada",)  # its strength moves by one in 500,000 images, more than a short run shows
    order = (*slow, "diffaugment") if style or compute == "high" else ("diffaugment", *slow)
    if LOSSES[recipe.loss.name].traits.get("measures_convergence"):  # a critic's sureness is no sign of overfitting
        order = tuple(name for name in order if not AUGMENTATIONS[name].traits["adapts"])
    goes = [name for name in order if not misfits({**chosen(recipe), "augmentation": (name,)})]
    if not goes:
        return
    why = {
        "diffaugment": "a fixed strength, which acts from the first step: FID 62 became 26 on 1,000 faces [code]",
        "ada": "an adaptive strength, for long runs: FID 3.8 became 2.3 on CIFAR-10 in a published log [log]",
    }
    because = f"{n:,} images to train on are few: {why[goes[0]]}"
    sources = {"diffaugment": ("zhao2020diffaugment",), "ada": ("karras2020ada", "kang2023studiogan")}
    assert goes[0] in AUGMENTATIONS
    yield Fitted("augmentation.name", goes[0], because, sources[goes[0]])


def _is_control(recipe: Recipe) -> bool:
    def idea(one: Recipe) -> tuple[str, tuple[str, ...], bool]:
        return one.loss.name, tuple(r.name for r in one.regularizers), one.conditioning is None

    return idea(recipe) in {idea(made) for name in _CONTROLS if (made := RECIPES[name].recipe)}


def _classes(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    """Who wants to draw a class gets a generator that can be told one, the baselines too."""
    n = int(facts.get("n_classes", 0))
    every = facts.get("labels") == "all" and float(facts.get("labeled_share") or 1.0) == 1  # an audit's all is most
    if not facts.get("want.classes") or not every or n < 2 or recipe.conditioning:
        return
    name = "projection" if n >= MANY_CLASSES and len(shape) > 1 else "label-input"
    if not misfits({**chosen(recipe), "conditioning": (name,)}):
        because = {
            "projection": f"{n} classes to choose from: an inner product with the class beat input and classifier",
            "label-input": f"{n} classes to choose from: both players read the class as an input",
        }
        source = {"projection": "miyato2018projection", "label-input": "mirza2014cgan"}[name]
        yield Fitted("conditioning.name", name, because[name], (source,))


def _average(recipe: Recipe, shape: Shape, facts: Facts) -> Iterator[Fitted]:
    """How fast the averaged generator forgets: a run of minutes ends before an average of hours begins."""
    if recipe.architecture.name == "stylegan2" and recipe.schedule.ema_half_life:
        half_life = recipe.schedule.batch * ADA_HALF_LIFE
        because = "ten thousand images for a batch of 32, in proportion [code]"
        yield Fitted("schedule.ema_half_life", half_life, because, ("karras2020ada",))
    elif _published(shape, facts) and facts.get("compute") == "low" and recipe.schedule.ema == 0.999:
        because = "a short run: half is forgotten in some 300 updates, as StyleGAN2-ADA's automatic setting has it [code]"
        yield Fitted("schedule.ema", SHORT_RUN, because, ("karras2020ada", "yazici2019averaging"))


Look = Callable[[Recipe, Shape, Facts], Iterator[Fitted]]
_LOOKS: tuple[Look, ...] = (_network, _batch, _slope, _burn_in, _equilibrium, _margin, _classes, _augmentation, _average)
