"""Fakes of a trained model, and short steps in its latents."""

from __future__ import annotations

from math import sqrt
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ganwise.features import Array
from ganwise.model import Model

_BATCH = 500


@runtime_checkable
class Steps(Protocol):
    """A sampler that has a generator at hand, and so a path length."""

    def __call__(self, n: int, /) -> Array: ...

    def steps(self, n: int, epsilon: float, /) -> tuple[Array, Array]:
        """Both ends of n steps of length ``epsilon``, in order."""

    @property
    def path(self) -> str:
        """The path that steps lie on, as in ``Score.protocol``."""


class ModelSampler:
    """Draws of a model's samples, each time new ones, and steps on the path between two of its latents."""

    def __init__(self, model: Model, seed: int = 0) -> None:
        self.model, self.seed, self.drawn = model, seed, 0

    def __call__(self, n: int, /) -> Array:
        """n samples, as the data set holds them."""
        self.drawn += 1
        return self.model.sample(n, self._next())

    @property
    def path(self) -> str:
        return "slerp" if self.model.generator.prior == "normal" else "lerp"

    @torch.no_grad()
    def steps(self, n: int, epsilon: float, /) -> tuple[Array, Array]:
        """Samples at t and t + epsilon of n paths, t uniform on [0, 1]: float32 images 0 to 255 ``(n, H, W, C)``, or vectors.

        Images are not rounded to bytes: the step would be lost. On the sphere for a normal prior, straight for a uniform one, as
        the latents' distribution asks. Both ends are of one class, where there are classes.

        Source: karras2019stylegan, section 4.1.
        """
        generator, device = self.model.generator, self.model.scaling.shift.device
        self.drawn += 1
        seed = self._next()
        draws = torch.Generator(device).manual_seed(seed)
        told = self.model.draw_labels(n, seed)
        labels = None if told is None else torch.as_tensor(told, dtype=torch.long, device=device)
        training = generator.training
        generator.eval()
        ends: tuple[list[Array], list[Array]] = ([], [])
        for first in range(0, n, _BATCH):
            count = min(_BATCH, n - first)
            a, b = (generator.draw(count, device, draws) for _ in range(2))
            t = torch.rand(count, 1, device=device, generator=draws)
            for at, into in zip((t, t + epsilon), ends, strict=True):
                z = slerp(a, b, at) if generator.prior == "normal" else a + at * (b - a)
                into.append(self._decoded(generator(z, None if labels is None else labels[first : first + count])))
        generator.train(training)
        return np.concatenate(ends[0]), np.concatenate(ends[1])

    def _next(self) -> int:
        return int(np.random.default_rng([self.seed, self.drawn]).integers(2**31))

    def _decoded(self, samples: Tensor) -> Array:
        scaling = self.model.scaling
        values = scaling.view.decode(samples.float()) * scaling.scale + scaling.shift
        decoded: Array = (values.permute(0, 2, 3, 1) if scaling.image else values).cpu().numpy()
        return decoded


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points (B, D) at shares ``t`` (B, 1) of the way along the great circle between the directions of ``a`` and ``b`` (B, D).

    They keep the length that the prior's latents have on average, sqrt(D), as a network that normalizes its latents sees them.
    """
    a, b = (side / side.norm(dim=1, keepdim=True) for side in (a, b))
    angle = t * (a * b).sum(1, keepdim=True).clamp(-1, 1).acos()
    across = b - (a * b).sum(1, keepdim=True) * a
    across = across / across.norm(dim=1, keepdim=True).clamp(min=1e-12)
    along: Tensor = a * angle.cos() + across * angle.sin()
    return along * sqrt(a.shape[1])
