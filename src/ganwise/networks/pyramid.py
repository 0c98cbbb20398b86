"""LAPGAN's networks: one conditional GAN for each level of an image's Laplacian pyramid, all of them side by side.

Both players see a sample's coefficients in one row (B, P): the coarsest image, then what each finer level adds to the enlarged
coarser one. In training the generator is told the real coefficients, and each level adds to the real coarser image, so that no
level depends on another: the levels train as in separate runs. When it is told nothing, each level adds to the generator's own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganwise.networks.labels import UNLABELED, Labeled, Labels
from ganwise.networks.pair import Generator, Networks, Prior, View
from ganwise.objective import Output
from ganwise.shapes import Shape, halvings_to_eight


def shrunk(images: Tensor) -> Tensor:
    """Half the side: means of four pixels."""
    return avg_pool2d(images, 2)


def enlarged(images: Tensor) -> Tensor:
    """Twice the side, bilinear."""
    return interpolate(images, scale_factor=2.0, mode="bilinear", align_corners=False)


class Pyramid(View):
    """Images (B, C, H, W) to and from their coefficients (B, P). Source: denton2015lapgan, equations 3 and 4."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        stages = halvings_to_eight(shape[1])
        assert stages is not None, "build refuses other sides"
        bottom, halvings = stages
        self.shapes = [(shape[0], bottom << k, bottom << k) for k in range(halvings + 1)]  # coarsest first

    @property
    def levels(self) -> int:
        return len(self.shapes)

    def unpack(self, seen: Tensor) -> list[Tensor]:
        """The coarsest image and each level's residual, (B, C, side, side) each."""
        parts = torch.split(seen, [math.prod(shape) for shape in self.shapes], dim=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def pack(self, parts: list[Tensor]) -> Tensor:
        return torch.cat([part.flatten(1) for part in parts], 1)

    def encode(self, samples: Tensor) -> Tensor:
        parts = []
        for _ in self.shapes[1:]:
            coarser = shrunk(samples)
            parts.append(samples - enlarged(coarser))
            samples = coarser
        return self.pack([samples, *reversed(parts)])

    def decode(self, seen: Tensor) -> Tensor:
        images, *residuals = self.unpack(seen)
        for residual in residuals:
            images = enlarged(images) + residual
        return images

    def coarser(self, seen: Tensor) -> list[Tensor]:
        """For each level but the coarsest, the enlarged coarser image that its residual is added to."""
        images, *residuals = self.unpack(seen)
        found = []
        for residual in residuals:
            found.append(enlarged(images))
            images = found[-1] + residual
        return found


class LevelGenerator(nn.Module):
    """A plane of noise (B, 1, S, S) and the enlarged coarser image make the residual. Source: denton2015lapgan, appendix A."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(shape[0] + 1, width, 7, padding=3), nn.ReLU()),
            *(nn.Conv2d(width, width, 7, padding=3), nn.ReLU()),
            nn.Conv2d(width, shape[0], 5, padding=2),
        )

    def forward(self, noise: Tensor, coarser: Tensor) -> Tensor:
        residual: Tensor = self.layers(torch.cat([noise, coarser], 1))
        return residual


def _level_discriminator(shape: Shape, width: int, dropout: float) -> nn.Sequential:
    """Reads residual plus enlarged coarser image, as the authors' code does."""
    return nn.Sequential(
        *(nn.Conv2d(shape[0], width, 5, padding=2), nn.ReLU()),
        *(nn.Conv2d(width, width, 5, stride=2, padding=2), nn.ReLU(), nn.Flatten(), nn.Dropout(dropout)),
        nn.Linear(width * math.prod((s + 1) // 2 for s in shape[1:]), 1),
    )


def _coarsest(shape: Shape, noise: int, units: int, dropout: float) -> tuple[nn.Sequential, nn.Sequential]:
    """Fully connected generator and discriminator of the coarsest image."""
    size = math.prod(shape)
    layers = (nn.Linear(noise, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU(), nn.Linear(units, size))
    return nn.Sequential(*layers, nn.Unflatten(1, shape)), nn.Sequential(
        *(nn.Flatten(), nn.Linear(size, units), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(units, units), nn.ReLU(), nn.Dropout(dropout), nn.Linear(units, 1)),
    )


class PyramidGenerator(Labeled):
    """Latents (B, noise + S^2 of each level) to coefficients (B, P); ``told`` real coefficients (B, P) or nothing."""

    def __init__(self, pyramid: Pyramid, noise: int, coarsest: nn.Module, width: int) -> None:
        super().__init__()
        self.pyramid, self.noise, self.coarsest = pyramid, noise, coarsest
        self.levels = nn.ModuleList(LevelGenerator(shape, width) for shape in pyramid.shapes[1:])

    def forward(self, z: Tensor, told: Tensor | None = None) -> Tensor:
        sides = [shape[1] for shape in self.pyramid.shapes[1:]]
        first, *planes = torch.split(z, [self.noise, *(side * side for side in sides)], dim=1)
        images = self.coarsest(first)
        parts, real = [images], None if told is None else self.pyramid.coarser(told)
        for k, (level, plane, side) in enumerate(zip(self.levels, planes, sides, strict=True)):
            coarser = enlarged(images) if real is None else real[k]
            parts.append(level(plane.reshape(-1, 1, side, side), coarser))
            images = coarser + parts[-1]
        return self.pyramid.pack(parts)


class PyramidDiscriminator(nn.Module):
    """Scores (levels * B,): the coarsest level's batch first, so that means over scores are means over levels, too."""

    def __init__(self, pyramid: Pyramid, coarsest: nn.Module, width: int, dropout: float) -> None:
        super().__init__()
        self.pyramid, self.coarsest = pyramid, coarsest
        self.levels = nn.ModuleList(_level_discriminator(shape, width, dropout) for shape in pyramid.shapes[1:])

    def forward(self, x: Tensor, told: Tensor | None = None) -> Output:
        images, *residuals = self.pyramid.unpack(x)
        known = self.pyramid.coarser(x if told is None else told)
        scores = [self.coarsest(images)]
        scores += [level(part + under) for level, part, under in zip(self.levels, residuals, known, strict=True)]
        return Output(torch.cat(scores).flatten())


def laplacian_pyramid(
    shape: Shape,
    labels: Labels = UNLABELED,
    *,
    latent: int = 100,
    width: int = 64,
    units: int = 512,
    dropout: float = 0.5,
    prior: Prior = "uniform",
) -> Networks:
    """The coarsest level, of side at most 8, has two hidden layers of ``units``; finer ones ``width`` channels.

    ``latent`` is the coarsest level's; each finer one has a plane of noise. Source: denton2015lapgan, section 3 and appendix A.
    """
    view = Pyramid(shape)
    generator, discriminator = _coarsest(view.shapes[0], latent, units, dropout)
    size = latent + sum(shape[1] * shape[2] for shape in view.shapes[1:])
    return Networks(
        Generator(PyramidGenerator(view, latent, generator, width), size, prior),
        PyramidDiscriminator(view, discriminator, width, dropout),
        view,
        told_real=True,
    )
