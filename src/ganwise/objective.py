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
    """All that an objective may read. ``look`` is the discriminator as trained: augmented, conditioned, float32 out.

    Real and fake samples of one place in the batch share their label. ``sign`` and ``threshold`` are those of the loss.
    """

    step: int  # updates of this player so far
    generator: nn.Module
    look: Callable[..., Output]  # look(x), or look(x, labels) for another number of samples
    real: Tensor
    fake: Tensor
    z: Tensor
    labels: Tensor | None  # classes (B,), -1 unknown; or what the generator is told instead
    real_out: Output | None  # None in the generator's pass unless an objective says pairs
    fake_out: Output
    discriminator: nn.Module = nn.Identity()
    sign: int = 1
    threshold: float | None = 0.0
    slopes: Callable[[Tensor], Tensor] | None = None  # who trains several GANs at once answers `regularizers.slope` in its place

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

    @property
    def realness(self) -> tuple[Tensor, Tensor]:
        """How far real and fake scores lie on the loss's real side, (B,) each: below zero is taken for fake."""
        return self.side(self.r), self.side(self.f)

    def side(self, scores: Tensor) -> Tensor:
        """How far any scores, real or fake, lie on the loss's real side."""
        middle = (self.r.mean() + self.f.mean()) / 2 if self.threshold is None else self.threshold
        return self.sign * (scores - middle)

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
    """An objective, augmentation, layer or controller with state. A forward pass changes nothing; ``update`` may.

    A part that is not an objective leaves both terms as they are, and the step never asks for them.
    """

    pairs = False
    sign = 1
    threshold: float | None = 0.0

    def discriminator(self, p: Pass) -> Tensor:
        return nothing(p)

    def generator(self, p: Pass) -> Tensor:
        return nothing(p)

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        """Called once after both players moved, without gradients; may write signals."""


def lazy(every: int, objective: Objective) -> Objective:
    """The objective at each so many updates of its player, as many times as strong: the same gradient on average.

    Source: karras2020stylegan2, section 3.1 (lazy regularization), added to the ordinary update.
    """

    def now_and_then(term: Term) -> Term:
        return lambda p: every * term(p) if p.step % every == 0 else nothing(p)

    if every == 1:
        return objective
    d, g = objective.discriminator, objective.generator
    return objective._replace(
        discriminator=d if d is nothing else now_and_then(d),
        generator=g if g is nothing else now_and_then(g),
    )
