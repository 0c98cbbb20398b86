"""A recipe made live: what the training step reads, and everything that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganwise import catalog, networks, ramp, regularizers
from ganwise.data.dataset import Dataset, Index
from ganwise.networks.pair import FromData, View
from ganwise.objective import Objective, Part
from ganwise.ranks import ALONE, Ranks
from ganwise.recipe import Optimizer, Recipe
from ganwise.types import Shape, Unusable

Player = Literal["discriminator", "generator"]


class Scaling(nn.Module):
    """Between the data's numbers and the networks': images from 0..255 to [-1, 1], vectors to zero mean and unit deviation.

    It also knows which share of the data each class has, so that samples can be drawn alike.
    """

    def __init__(self, shape: Shape, classes: int = 0, view: View | None = None) -> None:
        super().__init__()
        self.image, self.view = len(shape) == 3, view or View()
        size = 1 if self.image else shape[0]
        center = 127.5 if self.image else 0.0
        self.register_buffer("shift", torch.full((size,), center))
        self.register_buffer("scale", torch.full((size,), center or 1.0))
        self.register_buffer("shares", torch.full((classes,), 1 / max(classes, 1)))
        self.shift: Tensor
        self.scale: Tensor
        self.shares: Tensor

    def fit(self, values: Tensor, labels: Tensor) -> None:
        """Takes the shares of classes from labels (N,), and mean and deviation of vectors (N, D); constants keep their value."""
        if not self.image:
            deviation, mean = torch.std_mean(values.double(), dim=0)
            self.shift.copy_(mean)
            self.scale.copy_(deviation.clamp(min=1e-8))
        if len(self.shares):
            counts = torch.bincount(labels[labels >= 0], minlength=len(self.shares)).to(self.shares)
            self.shares.copy_(counts / counts.sum().clamp(min=1))

    def encode(self, x: Tensor) -> Tensor:
        """(B, H, W, C) bytes to (B, C, H, W), channels last in memory; (B, D) to (B, D)."""
        y = (x.float() - self.shift) / self.scale
        return self.view.encode(y.permute(0, 3, 1, 2) if self.image else y)

    def decode(self, y: Tensor) -> Tensor:
        y = self.view.decode(y.float()) * self.scale + self.shift
        return y.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1) if self.image else y


@dataclass
class GAN:
    """A recipe made live. Its mathematics is in ``objectives``; the training step reads nothing else about its kind."""

    recipe: Recipe
    shape: Shape
    classes: int
    generator: networks.Generator
    discriminator: nn.Module
    average: networks.Generator
    objectives: list[Objective | Part]  # the first is the loss
    projections: list[regularizers.Projection]
    scaling: Scaling
    augment: nn.Module
    controllers: list[Part]
    together: bool  # real and fake in one forward pass of the discriminator: only where it mixes no samples
    told_real: bool = False  # in training the generator is told real samples instead of labels
    precision: torch.dtype | None = None
    layout: torch.memory_format = torch.channels_last  # of images and kernels; 1.2 times the step for all but the smallest maps
    optimizers: dict[Player, torch.optim.Optimizer] = field(default_factory=dict)
    ranks: Ranks = ALONE  # the processes that train it

    @property
    def parts(self) -> list[Part]:
        """Everything with state of its own, in the order in which it is updated: controllers read the signals of the others."""
        return [*(o for o in self.objectives if isinstance(o, Part)), *self._inside, *self.controllers]

    @cached_property
    def _inside(self) -> list[Part]:
        """Parts that are layers; a walk over all modules costs more than a small network's update."""
        return [m for n in (self.generator, self.discriminator, self.augment) for m in n.modules() if isinstance(m, Part)]

    @property
    def pairs(self) -> bool:
        return any(o.pairs for o in self.objectives)

    @property
    def judgment(self) -> tuple[int, float | None]:
        """Which way scores point, and where real ends and fake begins: the loss's sign and threshold."""
        return self.objectives[0].sign, self.objectives[0].threshold

    @property
    def rate(self) -> float:
        """By what the controllers multiply both learning rates."""
        rate = 1.0
        for part in self.controllers:
            rate *= float(part.rate)  # type: ignore[arg-type]
        return rate

    @property
    def device(self) -> torch.device:
        return self.scaling.shift.device

    def modules(self) -> dict[str, nn.Module]:
        """Everything with weights or state, by name: what a checkpoint has to hold besides the optimizers."""
        named: dict[str, nn.Module] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
            "scaling": self.scaling,
            "augment": self.augment,
        }
        inside = {id(m) for module in named.values() for m in module.modules()}
        return named | {f"part{i}": part for i, part in enumerate(self.parts) if id(part) not in inside}

    def to(self, device: torch.device | str) -> GAN:
        """Moves the GAN in place; optimizers are made anew, so move it before training."""
        for module in self.modules().values():
            module.to(device)
        self.compute(self.precision, self.layout)
        self.optimizers = {
            "discriminator": _optimizer(self.recipe.schedule.discriminator, self.discriminator),
            "generator": _optimizer(self.recipe.schedule.generator, self.generator),
        }
        return self

    def compute(self, precision: torch.dtype | None, layout: torch.memory_format) -> None:
        """Sets how it computes, before it is trained: what optimizers remember keeps the layout of its weight."""
        self.precision, self.layout = precision, layout
        for module in self.modules().values():
            module.to(memory_format=layout)  # type: ignore[call-overload]

    @torch.no_grad()
    def fit(self, values: Tensor, labels: Tensor) -> None:
        """Takes from the training part what the recipe can't know: scales, shares of classes, the first weights of some layers.

        Raises:
            Unusable: The GAN is conditioned on labels, and some are unknown.
        """
        share = float((labels >= 0).double().mean())
        if why := catalog.unlabeled(self.recipe, self.classes, share):
            raise Unusable(why)
        self.scaling.fit(values, labels)
        started = [module for module in self.generator.modules() if isinstance(module, FromData)]
        if started:
            mean = values.sum(0, dtype=torch.float64, keepdim=True) / len(values)
            for module in started:
                module.fit(self.scaling.encode(mean)[0])
            self.average.load_state_dict(self.generator.state_dict())

    def held_out(self, data: Dataset) -> Index:
        """Rows of the validation part that both players can be shown: with a known class where they have to be told one."""
        rows = data.split.validation
        return rows[data.labels[rows] >= 0] if catalog.needs_labels(self.recipe) == "all" else rows

    def settings(self, player: Player, update: int) -> dict[str, Any]:
        """A player's optimizer at one of its updates."""
        settings: Optimizer = getattr(self.recipe.schedule, player)
        return numbers(settings, update, self.rate)


def numbers(settings: Optimizer, update: int, rate: float = 1.0) -> dict[str, Any]:
    """An optimizer's numbers at an update, as torch names them."""
    found: dict[str, Any] = {"lr": ramp.at(settings.learning_rate, update) * rate}
    if settings.name == "adam":
        return found | {"betas": (ramp.at(settings.beta1, update), ramp.at(settings.beta2, update))}
    return found | {"momentum": ramp.at(settings.momentum, update)}


def _optimizer(settings: Optimizer, network: nn.Module) -> torch.optim.Optimizer:
    start, weights = numbers(settings, 0), list(network.parameters())
    makers: dict[str, Callable[[], torch.optim.Optimizer]] = {
        # fused: one pass over the weights, 1.2 times the speed of an MLP's whole step on a processor
        "adam": lambda: torch.optim.Adam(weights, **start, fused=True),
        "rmsprop": lambda: torch.optim.RMSprop(weights, **start),
        "sgd": lambda: torch.optim.SGD(weights, **start, fused=True),
    }
    return makers[settings.name]()
