"""The slots that every GAN's mathematics fits into: what a pass made, and functions of it that a player minimizes.

Notation in all formulas: B samples; images ``(B, C, H, W)`` in [-1, 1], vectors ``(B, D)``; a score is ``(B,)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Output(NamedTuple):
    """What a discriminator says of a batch."""

    score: Tensor  # (B,)
    features: Tensor | None = None
    logits: Tensor | None = None
    code: Tensor | None = None

    def each(self, function: Callable[[Tensor], Tensor]) -> Output:
        optional = (None if part is None else function(part) for part in self[1:])
        return Output(function(self.score), *optional)


class Pass(NamedTuple):
    """All that an objective may read. ``look`` is the discriminator as trained: augmented, float32 out."""

    step: int  # updates of this player so far
    generator: nn.Module
    look: Callable[[Tensor], Output]
    real: Tensor
    fake: Tensor
    z: Tensor
    labels: Tensor | None
    real_out: Output | None  # None in the generator's pass unless an objective says pairs
    fake_out: Output

    @property
    def r(self) -> Tensor:
        """Scores of real samples, shape (B,)."""
        if self.real_out is None:
            raise AttributeError("this objective reads real scores in the generator's pass: declare pairs=True")
        return self.real_out.score

    @property
    def f(self) -> Tensor:
        """Scores of fake samples, shape (B,)."""
        return self.fake_out.score

    def detach(self) -> Pass:
        """Without the graph, which would otherwise live as long as the pass."""
        real_out = self.real_out and self.real_out.each(Tensor.detach)
        return self._replace(fake=self.fake.detach(), real_out=real_out, fake_out=self.fake_out.each(Tensor.detach))


Term = Callable[[Pass], Tensor]
Signals = dict[str, Tensor]


def nothing(p: Pass) -> Tensor:
    return p.fake.new_zeros((), dtype=torch.float32)


class Objective(NamedTuple):
    """One term per player, each a scalar to minimize. Losses and regularizers are both of this type.

    ``sign`` is +1 where a high score means real and -1 for energies. Real lies where ``sign * (score - threshold) > 0``; a
    ``threshold`` of None is halfway between the batch's two means.
    """

    discriminator: Term = nothing
    generator: Term = nothing
    pairs: bool = False
    sign: int = 1
    threshold: float | None = 0.0


class Part(nn.Module):
    """An objective, augmentation or controller with state. A forward pass changes nothing; ``update`` may."""

    pairs = False
    sign = 1
    threshold: float | None = 0.0

    def discriminator(self, p: Pass) -> Tensor:
        return nothing(p)

    def generator(self, p: Pass) -> Tensor:
        return nothing(p)

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        """Called once after both players moved, without gradients; may write signals."""


def every(k: int, objective: Objective) -> Objective:
    """The objective at every k-th update of its player, k times as strong: the same gradient on average.

    Source: karras2020stylegan2, section 3.1 (lazy regularization), added to the ordinary update.
    """

    def lazy(term: Term) -> Term:
        return lambda p: k * term(p) if p.step % k == 0 else nothing(p)

    if k == 1:
        return objective
    d, g = objective.discriminator, objective.generator
    return objective._replace(
        discriminator=d if d is nothing else lazy(d),
        generator=g if g is nothing else lazy(g),
    )
