"""A plain Gaussian mixture fitted to the data: what any GAN should beat, and so the yardstick beside its scores."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

AXES = 64
MOST = 10_000
"""Samples a mixture is fitted to: more would not change the yardstick, and images are long."""

_FLOOR = 1e-6
_TOLERANCE = 1e-4
_CHUNK = 500


@dataclass(frozen=True, eq=False)
class Mixture:
    """Gaussians with full covariances along the principal axes, and white noise across them."""

    weights: Floats  # (K,)
    means: Floats  # (K, A)
    roots: Floats  # (K, A, A): Cholesky factors of the covariances
    axes: Floats  # (A, D), orthonormal
    center: Floats  # (D,)
    residual: float  # standard deviation along each of the other D - A directions

    def sample(self, n: int, seed: int = 0) -> npt.NDArray[np.float32]:
        """Draw ``n`` samples ``(n, D)``."""
        rng = np.random.default_rng(seed)
        of = rng.choice(len(self.weights), n, p=self.weights)
        noise = rng.standard_normal((n, self.means.shape[1]))
        inner = self.means[of] + np.einsum("nab,nb->na", self.roots[of], noise)
        out = inner @ self.axes + self.center
        if self.residual > 0:
            across = rng.standard_normal(out.shape) * self.residual
            out += across - (across @ self.axes.T) @ self.axes
        samples: npt.NDArray[np.float32] = out.astype(np.float32)
        return samples


def fit_mixture(values: Array, components: int = 10, seed: int = 0, steps: int = 200) -> Mixture:
    """Maximum likelihood by EM from k-means++ centers; ``values`` float ``(N, D)``, of which 10,000 at most are used.

    Up to 64 columns the mixture is fitted to the values themselves, beyond to their coordinates along the 64 principal axes.
    """
    rng = np.random.default_rng(seed)
    if len(values) > MOST:
        values = values[np.sort(rng.choice(len(values), MOST, replace=False))]
    center = values.mean(0, dtype=np.float64)
    axes, residual = _principal_axes(values, center, rng)
    inner = torch.from_numpy(np.concatenate([(part - center) @ axes.T for part in _parts(values)]))
    weights, means, roots = _expectation_maximization(inner, min(components, len(inner)), steps, rng)
    return Mixture(weights.numpy(), means.numpy(), roots.numpy(), axes, center, residual)


def images_of(samples: Array, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Samples in [0, 1], flat, as ``uint8`` images of a shape (H, W, C): clipped and rounded."""
    return np.round(np.clip(samples, 0, 1) * 255).astype(np.uint8).reshape(-1, *shape)


def _parts(values: Array) -> list[Floats]:
    return [values[i : i + _CHUNK].astype(np.float64) for i in range(0, len(values), _CHUNK)]


def _principal_axes(values: Array, center: Floats, rng: np.random.Generator) -> tuple[Floats, float]:
    """The axes of largest variance ``(A, D)`` by subspace iteration, and the deviation across them."""
    width = values.shape[1]
    if width <= AXES:
        return np.eye(width), 0.0
    basis = np.linalg.qr(rng.standard_normal((width, AXES + 16)))[0]
    for _ in range(5):
        image = np.zeros_like(basis)
        for part in _parts(values):
            image += (part - center).T @ ((part - center) @ basis)
        basis = np.linalg.qr(image)[0]
    inner = np.concatenate([(part - center) @ basis for part in _parts(values)])
    rotation = np.linalg.svd(inner, full_matrices=False)[2][:AXES]
    total = float(values.var(0, dtype=np.float64).sum())
    kept = float(((inner @ rotation.T) ** 2).sum() / len(inner))
    return rotation @ basis.T, float(np.sqrt(max(total - kept, 0.0) / (width - AXES)))


def _expectation_maximization(x: Tensor, components: int, steps: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (K,), means (K, A) and Cholesky factors (K, A, A) at a local maximum of the likelihood."""
    floor = _FLOOR * float(x.var(0).mean()) + 1e-12
    nearest = torch.cdist(x, _k_means(x, components, rng)).argmin(1)
    shares = torch.nn.functional.one_hot(nearest, components).double()
    before = -float("inf")
    for _ in range(steps):
        weights, means, roots = _maximize(x, shares, floor)
        joint = torch.stack([_log_density(x, m, r) for m, r in zip(means, roots, strict=True)], 1) + weights.log()
        shares = joint.softmax(1)
        now = float(joint.logsumexp(1).mean())
        if now - before < _TOLERANCE:
            break
        before = now
    return weights, means, roots


def _maximize(x: Tensor, shares: Tensor, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    mass = shares.sum(0) + 1e-9
    means = shares.T @ x / mass[:, None]
    eye = torch.eye(x.shape[1], dtype=x.dtype) * floor
    covariances = [
        ((x - mean).T * share) @ (x - mean) / total + eye for mean, share, total in zip(means, shares.T, mass, strict=True)
    ]
    return mass / mass.sum(), means, torch.linalg.cholesky(torch.stack(covariances))


def _log_density(x: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    white = torch.linalg.solve_triangular(root, (x - mean).T, upper=False)
    density: Tensor = -0.5 * white.square().sum(0) - root.diagonal().log().sum() - x.shape[1] / 2 * log(2 * pi)
    return density


def _k_means(x: Tensor, components: int, rng: np.random.Generator, steps: int = 20) -> Tensor:
    """Centers (K, A): k-means++ seeding, then Lloyd's iteration."""
    centers = x[[int(rng.integers(len(x)))]]
    while len(centers) < components:
        chance = torch.cdist(x, centers).amin(1).square().numpy() + 1e-12
        centers = torch.cat([centers, x[[int(rng.choice(len(x), p=chance / chance.sum()))]]])
    for _ in range(steps):
        nearest = torch.nn.functional.one_hot(torch.cdist(x, centers).argmin(1), components).double()
        mass = nearest.sum(0)[:, None]
        centers = torch.where(mass > 0, nearest.T @ x / mass.clamp(min=1), centers)
    return centers
