"""What the study of intervals draws, and what is true of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ganwise.metrics import parzen_sigma, path
from ganwise.metrics.frechet import moments_distance
from ganwise.metrics.parzen import SIGMAS, _log_likelihoods
from ganwise.metrics.sliced import PROJECTIONS

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
Arrays = tuple[Any, ...]
N = 300


class Mixture(NamedTuple):
    """Round Gaussians: shares (K,), centers (K, D), and the standard deviation of each (K,)."""

    shares: Floats
    centers: Floats
    sd: Floats

    def draw(self, rng: Rng, n: int) -> Floats:
        which = rng.choice(len(self.shares), n, p=self.shares)
        return self.centers[which] + self.sd[which, None] * rng.standard_normal((n, self.centers.shape[1]))

    def mean(self) -> Floats:
        return np.asarray(self.shares @ self.centers)

    def second(self) -> Floats:
        """E x x^T (D, D)."""
        width = self.centers.shape[1]
        parts = self.centers[:, :, None] * self.centers[:, None] + self.sd[:, None, None] ** 2 * np.eye(width)
        return np.einsum("k,kij->ij", self.shares, parts)

    def third(self) -> Floats:
        """E x x x (D, D, D): of a Gaussian m m m, and the variance times each way to pair two of three indices."""
        m, one = self.centers, np.eye(self.centers.shape[1])
        paired = sum(np.einsum(way, m, one) for way in ("ka,bc->kabc", "kb,ac->kabc", "kc,ab->kabc"))
        parts = np.einsum("ka,kb,kc->kabc", m, m, m) + self.sd[:, None, None, None] ** 2 * paired
        return np.einsum("k,kabc->abc", self.shares, parts)

    def covariance(self) -> Floats:
        return self.second() - np.outer(self.mean(), self.mean())


def gaussian(width: int, shift: float = 0.0, sd: float = 1.0) -> Mixture:
    return Mixture(np.ones(1), np.full((1, width), shift), np.full(1, sd))


def _four(shares: tuple[float, ...]) -> Mixture:
    centers = 2 * np.array([[1, 1, 0, 0], [-1, 1, 1, 0], [1, -1, 0, 1], [-1, -1, -1, -1.0]])
    return Mixture(np.array(shares), centers, np.array([0.5, 1.0, 0.5, 1.0]))


PAIRS: dict[str, tuple[str, Mixture, Mixture]] = {
    "near": ("N(0, 1) and N(.3, 1.1^2), 8 dimensions", gaussian(8), gaussian(8, 0.3, 1.1)),
    "far": ("N(0, 1) and N(1, 1.5^2), 8 dimensions", gaussian(8), gaussian(8, 1.0, 1.5)),
    "mixture": (
        "4 Gaussians, and 3 of them unevenly, 4 dimensions",
        _four((0.25, 0.25, 0.25, 0.25)),
        _four((0.5, 0.3, 0.2, 0.0)),
    ),
    "equal": ("N(0, 1) twice, 8 dimensions", gaussian(8), gaussian(8)),
    "wide": ("N(0, 1) and N(.2, .9^2), 16 dimensions", gaussian(16), gaussian(16, 0.2, 0.9)),
}


def kernel_distance(x: Mixture, y: Mixture) -> float:
    """KID's own value: the cube of 1 + x.y / D is a sum of products of moments."""
    width = x.centers.shape[1]

    def mean(a: Mixture, b: Mixture) -> float:
        powers = (a.mean() @ b.mean(), (a.second() * b.second()).sum(), (a.third() * b.third()).sum())
        return float(1 + 3 * powers[0] / width + 3 * powers[1] / width**2 + powers[2] / width**3)

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def frechet(x: Mixture, y: Mixture) -> float:
    moments = (torch.from_numpy(part) for side in (x, y) for part in (side.mean(), side.covariance()))
    return moments_distance(*moments)


def sliced(x: Mixture, y: Mixture) -> float:
    """Of two round Gaussians along the directions that seed 0 gives: W2^2 is (t.(a - b))^2 + (s - t)^2."""
    width = x.centers.shape[1]
    directions = np.random.default_rng(0).standard_normal((PROJECTIONS, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    along = directions @ (x.centers[0] - y.centers[0])
    return float(np.sqrt(np.mean(along**2) + (x.sd[0] - y.sd[0]) ** 2))


def likelihood(arrays: Arrays, of: Mixture) -> float:
    """The Parzen window's mean over the distribution of test points, by 10,000 of them, windows given."""
    validation, _, fake = arrays
    points = torch.from_numpy(of.draw(np.random.default_rng(1), 10_000))
    return float(_log_likelihoods(points, torch.from_numpy(fake), [parzen_sigma(validation, fake, SIGMAS)], 500).mean())


def steps() -> float:
    """Trimmed mean of squared steps in the plane: 2 s^2 times an exponential variable's, s = 1 / 2."""
    low, high = -np.log(1 - path.TRIM), -np.log(path.TRIM)
    inner = (low + 1) * np.exp(-low) - (high + 1) * np.exp(-high)
    return float(0.5 * inner / (1 - 2 * path.TRIM))


def found(p: Floats, n: int) -> float:
    """Modes of which n samples hold one, on average."""
    return float((1 - (1 - p) ** n).sum())


@dataclass(frozen=True)
class Case:
    """Draws for one metric function, and the target of its intervals.

    ``truths`` are closed forms by metric; ``average`` takes the estimator's mean at this n instead; ``given`` reads the truth
    off each repetition's arrays.
    """

    name: str
    metrics: tuple[str, ...]
    says: str
    draw: Callable[[Rng], Arrays]
    target: str
    truths: Callable[[], dict[str, float]] | None = None
    average: bool = False
    given: Callable[[Arrays], float] | None = None
    claimed: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def number(self) -> int:
        return zlib.crc32(self.name.encode())

    @property
    def content(self) -> tuple[str, ...]:
        return (self.name, self.says, self.target)


def truth_of(case: Case, metric: str, arrays: Arrays, truths: Mapping[str, float]) -> float:
    return case.given(arrays) if case.given else truths[metric]


MEAN, CLOSED, INFINITE = "its mean at this n", "closed form", "closed form at infinite n"
PRDC = ("precision", "recall", "density", "coverage")


def _pair(x: Mixture, y: Mixture, n: int, rng: Rng) -> Arrays:
    return x.draw(rng, n), y.draw(rng, n)


def _form(metric: str, form: Callable[[Mixture, Mixture], float], x: Mixture, y: Mixture) -> Callable[[], dict[str, float]]:
    return lambda: {metric: form(x, y)}


def _two_sided(name: str) -> list[Case]:
    says, x, y = PAIRS[name]
    n = N if name != "wide" else 500
    draw, told = partial(_pair, x, y, n), f"{says}, n {n}"
    closed = (("kid", kernel_distance), ("fid_infinity", frechet))
    out = [Case(f"{metric}/{name}", (metric,), told, draw, CLOSED, _form(metric, form, x, y)) for metric, form in closed]
    averaged: tuple[tuple[str, ...], ...] = (("fid",), ("two_sample",), PRDC)
    if name != "wide":  # the dearest by far
        averaged += (("sliced_wasserstein",),)
    out += [Case(f"{metrics[0]}/{name}", metrics, told, draw, MEAN, average=True) for metrics in averaged]
    if name == "near":
        for metric, form in (("fid", frechet), ("sliced_wasserstein", sliced)):
            truths = _form(metric, form, x, y)
            out.append(Case(f"{metric}/{name}/infinite", (metric,), told, draw, INFINITE, truths, claimed=False))
    return out


def _parzen(x: Mixture, y: Mixture, rng: Rng) -> Arrays:
    return x.draw(rng, 200), x.draw(rng, N), y.draw(rng, N)


def _with_train(copied: float, sd: float, rng: Rng) -> Arrays:
    """One training set for all repetitions; a share of the fakes are its samples, moved a little."""
    train = gaussian(8).draw(np.random.default_rng(0), 500)
    fake = gaussian(8, sd=sd).draw(rng, N)
    some = rng.random(N) < copied
    fake[some] = train[rng.integers(len(train), size=N)][some] + 0.1 * rng.standard_normal((N, 8))[some]
    return train, gaussian(8).draw(rng, N), fake


def _blobs(rng: Rng) -> Arrays:
    """Images 16 x 16 of a spot at a random place, of random size."""
    at, size = rng.uniform(4, 12, (200, 2, 1, 1)), rng.uniform(1.5, 4, (200, 1, 1))
    rows, columns = np.mgrid[:16, :16]
    return (np.exp(-((rows - at[:, 0]) ** 2 + (columns - at[:, 1]) ** 2) / (2 * size**2))[..., None],)


def _logits(rng: Rng) -> Arrays:
    classes = rng.integers(10, size=500)
    return (rng.standard_normal((500, 10)) + 4 * np.eye(10)[classes] * rng.random((500, 1)),)


def _assigned(p: Floats, n: int, rng: Rng) -> Arrays:
    mode = rng.choice(len(p), n, p=p)
    return np.stack([mode, np.ones_like(mode)], 1), np.ones(len(p))


def _ends(rng: Rng) -> Arrays:
    first = rng.standard_normal((N, 2))
    return first, first + 0.5 * path.EPSILON * rng.standard_normal((N, 2))


MODES: dict[str, tuple[str, Floats, int]] = {
    "even": ("25 equal modes", np.ones(25), 100),
    "full": ("25 equal modes", np.ones(25), 200),
    "falling": ("25 modes, each .75 of the last", 0.75 ** np.arange(25), 200),
    "thousand": ("1,000 modes, the largest 9 times the least", np.linspace(0.2, 1.8, 1000), 1000),
}


def _of_modes(kind: str) -> list[Case]:
    says, weights, n = MODES[kind]
    p = weights / weights.sum()
    draw, told = partial(_assigned, p, n), f"{says}, n {n}"
    closed = Case(f"modes/{kind}", ("modes",), told, draw, CLOSED, lambda: {"modes": found(p, n)})
    return [closed, Case(f"mode_kl/{kind}", ("mode_kl",), told, draw, MEAN, average=True)]


def _of_windows(name: str) -> Case:
    says, x, y = PAIRS[name]
    target = "its mean over test points, windows given"
    told, draw = f"{says}, {N} windows and test points", partial(_parzen, x, y)
    return Case(f"parzen/{name}", ("parzen",), told, draw, target, given=partial(likelihood, of=x))


def _of_copies(metric: str, kind: str, copied: float, sd: float) -> Case:
    told = f"500 of N(0, 1) to train on; of {N} fakes {copied:.0%} near one of them, the others N(0, {sd:g}^2); 8 dimensions"
    draw = partial(_with_train, copied, sd)
    return Case(f"{metric}/{kind}", (metric,), told, draw, f"{MEAN}, training set given", average=True)


CASES: tuple[Case, ...] = (
    *(case for name in PAIRS for case in _two_sided(name)),
    *(_of_windows(name) for name in ("near", "far")),
    *(
        _of_copies(metric, kind, copied, sd)
        for metric in ("memorization", "novelty")
        for kind, copied, sd in (("fresh", 0.0, 1.1), ("copying", 0.3, 1.0))
    ),
    Case("ms_ssim/spots", ("ms_ssim",), "200 images of a spot, 16 x 16", _blobs, MEAN, average=True),
    Case("inception_score/ten", ("inception_score",), "logits of 10 classes, n 500", _logits, MEAN, average=True),
    *(case for kind in MODES for case in _of_modes(kind)),
    Case("path_length/plane", ("path_length",), f"steps in the plane, n {N}", _ends, CLOSED, lambda: {"path_length": steps()}),
)
