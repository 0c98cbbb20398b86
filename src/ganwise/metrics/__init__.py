"""Metrics as pure functions of arrays, each with its interval, and the table of them.

>>> METRICS["kid"].function(real_features, fake_features)
Estimate(value=0.012, low=-0.003, high=0.027)
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Literal, NamedTuple

from ganwise.metrics import frechet, inception, infinity, kernel, modes, msssim, neighbors, parzen, path, sliced, twosample
from ganwise.metrics.estimate import Estimate
from ganwise.metrics.frechet import frechet_distance
from ganwise.metrics.inception import inception_score, inception_splits
from ganwise.metrics.infinity import fid_infinity
from ganwise.metrics.kernel import kid
from ganwise.metrics.modes import ModeCoverage, classified, mode_coverage, nearest_mode
from ganwise.metrics.msssim import ms_ssim
from ganwise.metrics.neighbors import (
    Copying,
    HeldOut,
    Neighborhood,
    copying,
    held_out,
    memorization,
    nearest_distances,
    novelty,
    precision_recall_density_coverage,
)
from ganwise.metrics.parzen import parzen_log_likelihood, parzen_sigma
from ganwise.metrics.path import path_length
from ganwise.metrics.sliced import sliced_wasserstein
from ganwise.metrics.twosample import two_sample
from ganwise.types import Direction, Kind

__all__ = [
    "METRICS",
    "Copying",
    "Estimate",
    "HeldOut",
    "Metric",
    "ModeCoverage",
    "Neighborhood",
    "classified",
    "copying",
    "fid_infinity",
    "frechet_distance",
    "held_out",
    "inception_score",
    "inception_splits",
    "kid",
    "memorization",
    "mode_coverage",
    "ms_ssim",
    "nearest_distances",
    "nearest_mode",
    "novelty",
    "parzen_log_likelihood",
    "parzen_sigma",
    "path_length",
    "precision_recall_density_coverage",
    "ranking_metric",
    "sliced_wasserstein",
    "two_sample",
]

Side = Literal["train", "validation", "real", "fake", "first", "second"]
Space = Literal["features", "pixels", "bytes", "images", "logits", "modes"]


class Metric(NamedTuple):
    """One row: what computes it, which way is better, below how many samples it refuses, what it reads and on what data.

    ``reads`` are parts of the data, the fakes, or the two ends of steps in a generator's latents. ``space`` is what it sees of
    them: features, flat pixels in [0, 1], bytes where the unit cancels, whole images, a classifier's logits, or a sample's mode.
    Of vectors all of the first four are features. ``per_feature`` raises ``least`` with the number of features. What is not
    ``usual`` is measured only where it is asked for by name: it is dear, or says nothing without its conditions.
    """

    function: Callable[..., Estimate | Neighborhood | Copying | ModeCoverage]
    direction: Direction
    least: int
    reads: tuple[Side, ...] = ("real", "fake")
    space: Space = "features"
    kinds: tuple[Kind, ...] = ("image", "vector")
    setting: str = ""
    bounds: tuple[float, float] = (-inf, inf)
    per_feature: int = 0
    usual: bool = True


_PRDC = precision_recall_density_coverage
_POSITIVE = (0.0, inf)
_K = f"k={neighbors.K}"
_FAKE: tuple[Side, ...] = ("fake",)
_COPIES: tuple[Side, ...] = ("train", "real", "fake")

METRICS: dict[str, Metric] = {
    "sliced_wasserstein": Metric(
        sliced_wasserstein, "lower", sliced.LEAST, setting=f"{sliced.PROJECTIONS} directions", bounds=_POSITIVE
    ),
    "kid": Metric(kid, "lower", kernel.LEAST, setting="cubic kernel"),
    "fid": Metric(frechet_distance, "lower", frechet.LEAST, bounds=_POSITIVE),
    "fid_infinity": Metric(
        fid_infinity,
        "lower",
        frechet.LEAST,
        setting=f"line through n over {infinity.LEVELS}",
        per_feature=infinity.PER_FEATURE,
        usual=False,
    ),
    "precision": Metric(_PRDC, "higher", neighbors.LEAST, setting=_K, bounds=(0, 1)),
    "recall": Metric(_PRDC, "higher", neighbors.LEAST, setting=_K, bounds=(0, 1)),
    "density": Metric(_PRDC, "higher", neighbors.LEAST, setting=_K, bounds=_POSITIVE),
    "coverage": Metric(_PRDC, "higher", neighbors.LEAST, setting=_K, bounds=(0, 1)),
    "two_sample": Metric(
        two_sample, "lower", twosample.LEAST, setting=f"nearest neighbor of at most {twosample.MOST} a side", bounds=(0, 1)
    ),
    "parzen": Metric(parzen_log_likelihood, "higher", parzen.LEAST, ("validation", "real", "fake"), "pixels"),
    "memorization": Metric(copying, "higher", neighbors.LEAST_MEMORIZATION, _COPIES, "bytes", bounds=_POSITIVE),
    "novelty": Metric(copying, "higher", neighbors.LEAST_MEMORIZATION, _COPIES, "bytes", bounds=_POSITIVE),
    "ms_ssim": Metric(ms_ssim, "lower", msssim.LEAST, _FAKE, "images", ("image",), bounds=(0, 1)),
    "inception_score": Metric(
        inception_score, "higher", inception.LEAST, _FAKE, "logits", ("image",), f"{inception.SPLITS} splits", (1, inf)
    ),
    "modes": Metric(mode_coverage, "higher", modes.LEAST, _FAKE, "modes", bounds=_POSITIVE),
    "mode_kl": Metric(mode_coverage, "lower", modes.LEAST, _FAKE, "modes", bounds=_POSITIVE),
    "path_length": Metric(
        path_length,
        "lower",
        path.LEAST,
        ("first", "second"),
        setting=f"steps of {path.EPSILON:g}, {path.TRIM:.0%} left out at either end",
        bounds=_POSITIVE,
        usual=False,
    ),
}


def ranking_metric(kind: Kind) -> str:
    """The one metric that candidates are ranked by.

    KID for images, with coverage beside it: ten prototypes, one of each class, have a KID no worse than a Gaussian mixture's, and
    a coverage of 0.2. Vectors get the sliced Wasserstein distance: a cubic kernel, or two moments, can't tell a ring or a grid of
    Gaussians from a blob of the same moments.
    """
    return "kid" if kind == "image" else "sliced_wasserstein"
