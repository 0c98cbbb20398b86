"""Published ways to measure, by name: which images, how many, resized how, seen by what.

Which images, how many of them and how they are resized moves a FID by several points, and every published table has its own
way. A row here says what one of them does; `emulate` measures as it does.

>>> emulate(dataset, "mimicry", "inception:weights.pth").scores(model.sample)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal, NamedTuple

import numpy as np

from ganwise.data import Dataset
from ganwise.evaluate import cached, mean_of_draws
from ganwise.features import Array, Floats, InceptionFeatures, WithLogits, extractor_named
from ganwise.inception import PUBLISHED
from ganwise.metrics import Estimate, frechet_distance, kid, precision_recall_density_coverage
from ganwise.metrics.inception import inception_score
from ganwise.types import Direction, Score, Unusable

OWN = "ganwise"
SamplerFrom = Callable[[int, int], Array]
"""Makes n samples from a seed, as `Model.sample` does: ``uint8`` images (n, H, W, C)."""

_PRDC = ("precision", "recall", "density", "coverage")
_BOUNDS = {"fid": (0.0, inf), "kid": (-inf, inf), "inception_score": (1.0, inf), "density": (0.0, inf)}
_BOUNDS |= dict.fromkeys(("precision", "recall", "coverage"), (0.0, 1.0))
_VERSION = 1


class Protocol(NamedTuple):
    """One published way to measure.

    ``reference`` is the published part that is compared with: ``train`` is all that is not test, for the data sets of papers have
    no validation part. ``real`` and ``fakes`` are sample sizes; None is all of the part, and as many fakes as real images.
    ``score_splits`` and ``score_bias`` are of the inception score, ``kid_block`` is the size of the blocks whose kernel distances
    are averaged. ``deviations`` says where we do otherwise.
    """

    reference: Literal["train", "test"]
    real: int | None
    fakes: int | None
    resizer: str
    metrics: tuple[str, ...]
    sources: tuple[str, ...]
    evidence: str
    score_splits: int = 10
    score_bias: bool = False
    kid_block: int = 0
    repeats: int = 1
    least: int = 2
    deviations: str = ""

    @property
    def sizes(self) -> str:
        real = "all" if self.real is None else str(self.real)
        return f"{real} {self.reference} vs {'as many' if self.fakes is None else self.fakes}"


_MIMICRY = Protocol(
    "train", 50_000, 50_000, "tf1", ("fid", "kid", "inception_score"), ("lee2020mimicry",),
    "[code] compute_fid.py, compute_is.py, compute_kid.py, compute_metrics.py @a7fda06; README for the sizes",
    kid_block=5_000, repeats=3,
    deviations="fakes are our bytes, not stretched to their least and greatest value; KID's blocks are disjoint, not drawn anew",
)  # fmt: skip


def _mimicry(real: int, fakes: int) -> Protocol:
    told = "[code] as mimicry; README, table Reproducibility, for the sizes"
    other = _MIMICRY.deviations.partition(";")[0]
    if real < 50_000:
        other += "; the same real images in every repeat, there drawn anew"
    return _MIMICRY._replace(real=real, fakes=fakes, metrics=("fid",), kid_block=0, evidence=told, deviations=other)


PROTOCOLS: dict[str, Protocol] = {
    "mimicry": _MIMICRY,
    "mimicry-10k": _mimicry(10_000, 10_000),
    "mimicry-10k-5k": _mimicry(10_000, 5_000),
    "mimicry-50k-10k": _mimicry(50_000, 10_000),
    "studiogan-2020": Protocol(
        "test", None, None, "pytorch", ("fid", "inception_score"), ("kang2020contragan",),
        "[code] metrics/FID.py, IS.py, inception_network.py, worker.py @v0.2.0; README line 292",
        score_splits=1, score_bias=True,
        deviations="fakes are bytes, there floats; batch normalization as the model has it, there of the batch",
    ),
    "studiogan": Protocol(
        "train", None, None, "friendly", ("fid", "inception_score", *_PRDC), ("kang2022studiogan",),
        "[code] metrics/preparation.py, ins.py, inception_net.py, utils/resize.py, worker.py @947b35e; README lines 320 to 344",
        score_splits=1, score_bias=True, deviations="batch normalization as the model has it, there standing statistics",
    ),
    "clean-fid": Protocol(
        "train", None, 50_000, "clean", ("fid", "kid"), ("parmar2022cleanfid",),
        "[code] fid.py, resize.py, inception_torchscript.py of release 0.1.35: its defaults",
        kid_block=1_000, deviations="KID of disjoint blocks, there of 100 drawn anew",
    ),
    "compare-gan": Protocol(
        "test", 10_000, 10_000, "tf1", ("fid", "kid", "inception_score"), ("lucic2018equal", "kurach2019landscape"),
        "[code] eval_gan_lib.py, eval_utils.py, metrics/, datasets.py, main.py @19922d3: as for CIFAR-10 and MNIST;"
        " whether its logits have a bias [mem, unverified]",
        score_splits=1, kid_block=1_000, repeats=3, deviations="batch normalization as the model has it, there re-estimated",
    ),
    "pytorch-fid": Protocol(
        "test", None, None, "pytorch", ("fid",), ("seitzer2020pytorchfid",),
        "[code] inception.py, fid_score.py of release 0.3.0; it compares any two folders: the sizes are our choice",
        least=2_048,
    ),
}  # fmt: skip
"""Besides ganwise's own, which `evaluate.prepare` holds: up to 10,000 test samples, as many fakes, three draws, yardsticks."""


@dataclass(frozen=True, eq=False)
class Emulation:
    """A data set ready to be measured as a published table was. Make it with ``emulate``."""

    name: str
    protocol: Protocol
    dataset: Dataset
    extractor: WithLogits
    n: int
    fakes: int
    seed: int
    real_features: Floats

    def scores(self, sample: SamplerFrom, seed: int = 0) -> list[Score]:
        """Score a generator by means over the protocol's repeats, each of ``fakes`` new samples. There are no yardsticks.

        ``Unusable`` where the samples are not images of the data's shape.
        """
        repeats = [self._measure(self._features(sample, seed + i)) for i in range(self.protocol.repeats)]
        return [self._score(name, [each[name] for each in repeats], seed) for name in self.protocol.metrics]

    def _features(self, sample: SamplerFrom, seed: int) -> Floats:
        made, wanted = sample(self.fakes, seed), (self.fakes, *self.dataset.values.shape[1:])
        if made.shape != wanted or made.dtype != np.uint8:
            raise Unusable(f"fakes are {made.dtype} of {made.shape}; protocol {self.name} needs uint8 of {wanted}")
        return self.extractor(made)

    def _measure(self, fake: Floats) -> dict[str, Estimate]:
        real, rows = self.real_features, self.protocol
        found: dict[str, Estimate] = {}
        if "fid" in rows.metrics:
            found["fid"] = frechet_distance(real, fake)
        if "kid" in rows.metrics:
            found["kid"] = blocks_of_kid(real, fake, rows.kid_block, self.seed)
        if "inception_score" in rows.metrics:
            found["inception_score"] = inception_score(self.extractor.logits(fake, rows.score_bias), rows.score_splits)
        if "precision" in rows.metrics:
            found.update(precision_recall_density_coverage(real, fake)._asdict())
        return found

    def _score(self, name: str, repeats: list[Estimate], seed: int) -> Score:
        direction: Direction = "lower" if name in ("fid", "kid") else "higher"
        estimate = mean_of_draws(repeats, _BOUNDS[name])
        return Score(name, *estimate, self.fakes, self.extractor.name, self._told(name), seed, direction)

    def _told(self, name: str) -> str:
        parts = [f"{self.name}: {self.n} {self.protocol.reference} vs {self.fakes} generated"]
        if name == "kid":
            parts.append(f"cubic kernel, mean of blocks of {min(self.protocol.kid_block, self.n, self.fakes)}")
        if name == "inception_score":
            parts.append(f"splits={self.protocol.score_splits}, logits {'with' if self.protocol.score_bias else 'without'} bias")
        if name in _PRDC:
            parts.append("k=5")
        return ", ".join(parts) + (f", mean of {self.protocol.repeats} repeats" if self.protocol.repeats > 1 else "")


def emulate(dataset: Dataset, name: str, features: str = "", device: str = "cpu", seed: int = 0) -> Emulation:
    """Choose the real images that a protocol compares with, and extract their features; they are cached.

    ``features`` is ``inception:PATH``, with the file of the published weights: every row is of their features.

    Raises:
        Unusable: No such protocol, no weights, no images, or fewer images than the protocol needs.
    """
    if name not in PROTOCOLS:
        raise Unusable(f"--protocol {name}: unknown; known: {', '.join((OWN, *PROTOCOLS))}")
    row = PROTOCOLS[name]
    if dataset.kind != "image":
        raise Unusable(f"--protocol {name}: is of images, and the data are of kind {dataset.kind}; known for them: {OWN}")
    if not features.startswith("inception:"):
        raise Unusable(f"--protocol {name}: is of Inception-v3's features; pass --features inception:PATH with {PUBLISHED}")
    chosen = reference(dataset, name, seed)
    extractor = extractor_named(features, dataset.kind, device=device, resizer=row.resizer)
    assert isinstance(extractor, InceptionFeatures)
    told = {"version": _VERSION, "content": dataset.content, "protocol": name, "seed": seed, "extractor": extractor.fingerprint}
    kept = cached(told | {"n": len(chosen)}, lambda: {"features": extractor(dataset.values[chosen])})
    fakes = len(chosen) if row.fakes is None else row.fakes
    return Emulation(name, row, dataset, extractor, len(chosen), fakes, seed, kept["features"])


def reference(dataset: Dataset, name: str, seed: int = 0) -> Array:
    """The rows, ascending, of the real images that a protocol compares with. ``Unusable`` where there are too few."""
    row, split = PROTOCOLS[name], dataset.split
    rows = split.test if row.reference == "test" else np.sort(np.concatenate([split.train, split.validation]))
    needed = max(row.least, 0 if row.real is None else row.real)
    if len(rows) < needed:
        part = "test images" if row.reference == "test" else "training images (validation included)"
        raise Unusable(
            f"--protocol {name}: needs {needed:,} {part}, and {dataset.name} has {len(rows):,}; use {OWN}, which takes any n"
        )
    if row.real is None or row.real == len(rows):
        return rows
    chosen: Array = np.sort(np.random.default_rng([seed, 0]).permutation(rows)[: row.real])
    return chosen


def blocks_of_kid(real: Array, fake: Array, size: int, seed: int = 0) -> Estimate:
    """Mean of the kernel distances of disjoint blocks, shuffled first, of ``size`` samples of each side.

    Features ``(n, F)`` and ``(m, F)``. Unbiased as `kid` of all, at a fraction of the cost and with a wider interval. What is
    left over after the last whole block is not used. Source: binkowski2018kid, section 4.
    """
    draws = np.random.default_rng([seed, 3])
    x, y = (side[draws.permutation(len(side))] for side in (real, fake))
    size = min(size, len(x), len(y))
    each = [kid(x[i : i + size], y[i : i + size]) for i in range(0, min(len(x), len(y)) - size + 1, size)]
    value = float(np.mean([estimate.value for estimate in each]))
    half = sqrt(sum((estimate.high - estimate.low) ** 2 for estimate in each)) / (2 * len(each))
    return Estimate(value, value - half, value + half)
