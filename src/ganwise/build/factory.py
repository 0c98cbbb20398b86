"""The one way from a recipe to a GAN."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ganwise import catalog, ramp
from ganwise.build import rows
from ganwise.build.auto import resolve
from ganwise.build.gan import GAN, Scaling
from ganwise.catalog import AUTO
from ganwise.controllers import Plateau
from ganwise.divergences import DIVERGENCES
from ganwise.networks import UNLABELED, Labels, Networks
from ganwise.objective import Objective, Part
from ganwise.ramp import Number
from ganwise.recipe import Choice, Recipe
from ganwise.types import Shape, Unusable, Value


def build(recipe: Recipe, shape: Shape, *, classes: int = 0, seed: int = 0, device: str | torch.device = "cpu") -> GAN:
    """The GAN that ``recipe`` describes for data of ``shape`` and so many classes, weights drawn from ``seed`` alone.

    Raises:
        Unusable: The recipe names what does not exist, combines what does not fit, or does not suit the data.
    """
    recipe = resolve(recipe, shape)
    conditioning, labels = _conditioning(recipe, classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: Networks = _call("architecture", recipe.architecture, rows.ARCHITECTURES, shape, labels)
        recipe = _measured(recipe, made, shape)
        torch.manual_seed(seed)
        for pick in _picks(recipe, rows.TRANSFORMS):
            _call("regularizers", pick, rows.TRANSFORMS, made.discriminator)
    noises = [_call("regularizers", pick, rows.NOISES) for pick in _picks(recipe, rows.NOISES)]
    if recipe.augmentation:
        noises.append(_call("augmentation", recipe.augmentation, rows.AUGMENTATIONS))
    penalties = [_call("regularizers", pick, rows.PENALTIES) for pick in _picks(recipe, rows.PENALTIES)]
    projections = [_call("regularizers", pick, rows.PROJECTIONS) for pick in _picks(recipe, rows.PROJECTIONS)]
    return GAN(
        recipe,
        shape,
        classes,
        made.generator,
        made.discriminator,
        copy.deepcopy(made.generator).requires_grad_(False),
        [_loss(recipe), *conditioning.objectives, *penalties],
        projections,
        Scaling(shape, classes if labels.generator != "none" else 0, made.view),
        nn.Sequential(*noises),
        [Plateau(**recipe.schedule.stall.model_dump())] if recipe.schedule.stall.window else [],
        together=not made.told_real and not _mixes_samples(made.discriminator),
        told_real=made.told_real,
    ).to(device)


def _mixes_samples(discriminator: nn.Module) -> bool:
    """Whether a score depends on the rest of the batch. A layer of ours that mixes samples says so."""
    batch_norm = nn.modules.batchnorm._BatchNorm
    return any(isinstance(m, batch_norm) or getattr(m, "mixes_samples", False) for m in discriminator.modules())


def _picks(recipe: Recipe, table: dict[str, Any]) -> list[Choice]:
    return [pick for pick in recipe.regularizers if pick.name in table]


def _call(axis: catalog.Axis, pick: Choice, table: dict[str, Callable[..., Any]], *arguments: Any) -> Any:
    options = catalog.options(axis, pick)
    try:
        _typed(table[pick.name], options)
        return table[pick.name](*arguments, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise Unusable(f"{axis} {pick.name} with {options}: {error}") from error


def _typed(function: Callable[..., Any], options: dict[str, Value]) -> None:
    """Refuses text that is no number or ramp where one is due: it would fail only in the middle of training."""
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if isinstance(value := options.get(name), str) and parameter.annotation in (int, float):
            raise ValueError(f"{name} is a number that does not change, not '{value}'")
        if isinstance(value, str) and parameter.annotation == Number:
            ramp.parse(value)


def _loss(recipe: Recipe) -> Objective | Part:
    arguments = [DIVERGENCES[recipe.divergence.name]] if recipe.loss.name == "f-gan" and recipe.divergence else []
    loss: Objective | Part = _call("loss", recipe.loss, rows.LOSSES, *arguments)
    return loss


def _conditioning(recipe: Recipe, classes: int) -> tuple[rows.Conditioning, Labels]:
    """What labels add to the objectives, and where they enter the networks."""
    pick = recipe.conditioning
    if pick is None:
        return rows.Conditioning("none"), UNLABELED
    if why := catalog.unlabeled(recipe, classes, 1.0):
        raise Unusable(why)
    options = catalog.options("conditioning", pick)
    told = options.pop("generator", "none")
    normalizes = catalog.normalizes_generator(recipe)
    if told == AUTO:
        told = "norm" if normalizes else "input"
    if told == "norm" and not normalizes:
        raise Unusable(
            f"conditioning {pick.name}: generator=norm needs batch normalization, which {recipe.architecture.name}'s generator "
            "has not here; choose input [dumoulin2017style]"
        )
    made = rows.CONDITIONINGS[pick.name](**options)
    return made, Labels(classes, told, made.discriminator)  # type: ignore[arg-type]


def _measured(recipe: Recipe, made: Networks, shape: Shape) -> Recipe:
    """An ``auto`` of the loss is a number that its fresh networks tell: EBGAN's margin, half the energy of noise.

    The noise has the data's range: uniform for images, normal for vectors. Where the error is a norm, it makes 8 for MNIST and
    33 for 64 x 64 faces, for which the authors' search gave 10 and 20; it grows with the size as theirs, not with the width.
    Source: zhao2016ebgan, section 4.
    """
    options = catalog.options("loss", recipe.loss)
    if AUTO not in options.values():
        return recipe
    discriminator = copy.deepcopy(made.discriminator)  # a pass moves running statistics
    with torch.no_grad():
        noise = torch.randn(256, *shape) if len(shape) == 1 else torch.rand(256, *shape) * 2 - 1
        energy = float(discriminator(noise).score.mean()) / 2
    numbers = {name: energy if value == AUTO else value for name, value in options.items()}
    return recipe.model_copy(update={"loss": Choice(name=recipe.loss.name, options=numbers)})
