"""Metrics as pure functions of arrays, each with its interval, and the table of them.

>>> METRICS["kid"].function(real_features, fake_features)
Estimate(value=0.012, low=-0.003, high=0.027)
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Literal, NamedTuple

from ganwise.metrics import frechet, kernel, neighbors, parzen, sliced
from ganwise.metrics.estimate import Estimate
from ganwise.metrics.frechet import frechet_distance
from ganwise.metrics.kernel import kid
from ganwise.metrics.neighbors import (
    Neighborhood,
    memorization,
    nearest_distances,
    novelty,
    precision_recall_density_coverage,
)
from ganwise.metrics.parzen import parzen_log_likelihood
from ganwise.metrics.sliced import sliced_wasserstein
from ganwise.types import Direction, Kind

__all__ = [
    "METRICS",
    "Estimate",
    "Metric",
    "Neighborhood",
    "frechet_distance",
    "kid",
    "memorization",
    "nearest_distances",
    "novelty",
    "parzen_log_likelihood",
    "precision_recall_density_coverage",
    "ranking_metric",
    "sliced_wasserstein",
]

Side = Literal["train", "validation", "real", "fake"]


class Metric(NamedTuple):
    """One row: what computes it, which way is better, below how many samples it refuses, what it reads and on what data.

    ``space`` is what it sees of images: features, pixels in [0, 1], or bytes where the unit cancels. Of vectors it sees features.
    """

    function: Callable[..., Estimate | Neighborhood]
    direction: Direction
    least: int
    reads: tuple[Side, ...] = ("real", "fake")
    space: Literal["features", "pixels", "bytes"] = "features"
    kinds: tuple[Kind, ...] = ("image", "vector")
    setting: str = ""
    bounds: tuple[float, float] = (-inf, inf)


_PRDC = precision_recall_density_coverage
_POSITIVE = (0.0, inf)
_K = f"k={neighbors.K}"

METRICS: dict[str, Metric] = {
    "sliced_wasserstein": Metric(
        sliced_wasserstein, "lower", sliced.LEAST, kinds=("vector",), setting=f"{sliced.PROJECTIONS} directions", bounds=_POSITIVE
    ),
    "kid": Metric(kid, "lower", kernel.LEAST, setting="cubic kernel"),
    "fid": Metric(frechet_distance, "lower", frechet.LEAST, bounds=_POSITIVE),
    "precision": Metric(_PRDC, "higher", neighbors.LEAST, setting=_K, bounds=(0, 1)),
    "recall": Metric(_PRDC, "higher", neighbors.LEAST, setting=_K, bounds=(0, 1)),
    "density": Metric(_PRDC, "higher", neighbors.LEAST, setting=_K, bounds=_POSITIVE),
    "coverage": Metric(_PRDC, "higher", neighbors.LEAST, setting=_K, bounds=(0, 1)),
    "parzen": Metric(parzen_log_likelihood, "higher", parzen.LEAST, ("validation", "real", "fake"), "pixels"),
    "memorization": Metric(
        memorization, "higher", neighbors.LEAST_MEMORIZATION, ("train", "real", "fake"), "bytes", bounds=_POSITIVE
    ),
    "novelty": Metric(novelty, "higher", neighbors.LEAST_MEMORIZATION, ("train", "real", "fake"), "bytes", bounds=_POSITIVE),
}


def ranking_metric(kind: Kind) -> str:
    """The one metric that candidates are ranked by.

    KID for images, with coverage beside it: ten prototypes, one of each class, have a KID no worse than a Gaussian mixture's, and
    a coverage of 0.2. Vectors get the sliced Wasserstein distance: a cubic kernel, or two moments, can't tell a ring or a grid of
    Gaussians from a blob of the same moments.
    """
    return "kid" if kind == "image" else "sliced_wasserstein"
