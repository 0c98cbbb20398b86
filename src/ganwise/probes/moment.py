"""What a probe may read: one step's passes, the weights before it, and samples drawn beside the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ganwise.objective import Objective, Part, Pass, Signals
from ganwise.probes.points import Reference

Need = Literal["grads", "real", "polarity", "loss", "before", "logits", "look", "held", "unseen", "average", "classes", "units"]


class Look(NamedTuple):
    """What the networks made of fixed latents and of held-out samples at one moment."""

    fakes: Tensor  # (n, D), pooled
    change: Tensor | None = None  # mean distance of the averaged generator's samples from the generator's, in raw pixels
    apart: Tensor | None = None  # mean distance of two of the generator's samples, in raw pixels
    held: tuple[Tensor, Tensor] | None = None  # scores of held-out samples, and how far these lie on the real side, (h,) each
    fired: Mapping[str, Sequence[Tensor]] = {}  # by player: of each layer of rectifiers, which units fired for any sample


class Moment:
    """One step as the probes see it. A probe that needs what is ``missing`` or None is left out."""

    def __init__(
        self,
        d: Pass,
        g: Pass,
        signals: Signals,
        networks: Mapping[str, nn.Module],
        loss: Objective | Part | None = None,
        before: Mapping[str, Sequence[Tensor]] | None = None,
        reference: Reference | None = None,
        look: Look | None = None,
        missing: Sequence[Need] = (),
    ) -> None:
        self.d, self.g, self.signals, self.networks, self.loss = d, g, signals, networks, loss
        self.before, self.reference, self.seen, self.missing = before, reference, look, missing

    def has(self, need: Need) -> bool:
        return need not in self.missing and PRESENT[need](self)

    @property
    def look(self) -> Look:
        assert self.seen is not None, "the probe did not say that it needs a look"
        return self.seen

    @property
    def points(self) -> Reference:
        assert self.reference is not None, "the probe did not say that it needs a look"
        return self.reference

    @cached_property
    def real_fake(self) -> Tensor:
        """Distances from reference samples to fakes, (n, n)."""
        return torch.cdist(self.points.real, self.look.fakes)

    @cached_property
    def nearest(self) -> tuple[Tensor, Tensor]:
        """Distance of each fake to its nearest training sample, and which one that is, (n,) each."""
        distances, places = torch.cdist(self.look.fakes, self.points.train).min(1)
        return distances, places


PRESENT: dict[Need, Callable[[Moment], bool]] = {
    "grads": lambda m: {"grad_d", "grad_g"} <= set(m.signals),
    "real": lambda m: len(m.d.real) > 1 and len(m.g.fake) > 1,
    "polarity": lambda m: True,
    "loss": lambda m: m.loss is not None,
    "before": lambda m: bool(m.before),
    "logits": lambda m: m.d.real_out is not None and m.d.real_out.logits is not None and m.d.labels is not None,
    "look": lambda m: m.seen is not None and m.reference is not None,
    "held": lambda m: m.seen is not None and m.seen.held is not None,
    "unseen": lambda m: m.seen is not None and m.reference is not None and m.reference.held is not None,
    "average": lambda m: m.seen is not None and m.seen.change is not None,
    "classes": lambda m: m.seen is not None and m.reference is not None and m.reference.labels is not None,
    "units": lambda m: m.seen is not None and bool(m.seen.fired),
}
"""Whether a moment has what a probe needs."""
