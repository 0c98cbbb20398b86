"""Scores of a generator: every metric with n, features, protocol, interval, and two yardsticks under the same protocol."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt
from typing import Any

import numpy as np

from ganwise.data import Dataset, Part, cache_folder
from ganwise.data.dataset import write_whole
from ganwise.features import Array, Extractor, Floats, extractor_for
from ganwise.features import Precision as Precision
from ganwise.metrics import METRICS, Estimate, Neighborhood, ranking_metric
from ganwise.metrics.estimate import Z95
from ganwise.metrics.parzen import FINE_SIGMAS, SIGMAS
from ganwise.mixture import fit_mixture, images_of
from ganwise.types import Score, Unusable

Sampler = Callable[[int], Array]
"""Makes n samples as the data set holds them: ``uint8`` images (n, H, W, C), or vectors (n, D)."""

MOST = 10_000
DRAWS = 3

_VERSION = 2  # of what is cached: raise it when a number would come out differently
_KEPT = 64
_CHEAP = 1000


@dataclass(frozen=True, eq=False)
class Bench:
    """One part of a data set, ready to be compared with fakes. Make it with ``prepare``."""

    dataset: Dataset
    part: Part
    n: int
    seed: int
    extractor: Extractor
    real: Array
    real_features: Floats

    def scores(
        self,
        sample: Sampler | Array,
        *,
        draws: int = DRAWS,
        seed: int = 0,
        metrics: Sequence[str] | None = None,
    ) -> list[Score]:
        """Score a generator by means over ``draws`` sets of n fakes, as many as real samples.

        ``sample`` makes fakes, or is an array of n or more. ``seed`` is recorded, and orders an array. ``metrics`` are names in
        ``METRICS``, by default all that have enough samples. ``Unusable`` where one asked for has not, or fakes are not finite.
        """
        names = self.metrics() if metrics is None else self._checked(metrics)
        fakes = self._draws(sample, draws, seed)
        measured = [self._measure(names, values) for values in fakes]
        combined = {name: mean_of_draws([each[name] for each in measured], METRICS[name].bounds) for name in names}
        return [self._score(name, combined[name], len(fakes), seed) for name in names]

    def quick(self, fakes: Array) -> dict[str, float]:
        """Ranking metric, coverage and signs of copying of the first n fakes, without intervals or yardsticks.

        To choose a checkpoint by. A metric that has too few samples here is left out.
        """
        if len(fakes) < self.n:
            raise Unusable(f"{len(fakes)} fakes are too few: {self.n} stand on the real side, and n must be equal")
        wanted = (ranking_metric(self.dataset.kind), "coverage", "memorization", "novelty")
        names = [name for name in wanted if self._obstacle(name) is None]
        return {name: estimate.value for name, estimate in self._measure(names, fakes[: self.n]).items()}

    def metrics(self) -> list[str]:
        """The metrics that this kind of data and this many samples allow."""
        return [name for name in METRICS if self._obstacle(name) is None]

    @cached_property
    def yardsticks(self) -> Mapping[str, Mapping[str, float]]:
        """For every metric, what real training data and a Gaussian mixture score in the fakes' place."""
        key = self._key(what="yardsticks", metrics=self.metrics())
        found = cached(key, self._measure_yardsticks)
        sides = ("real", "mixture")
        return {name: dict(zip(sides, map(float, values), strict=True)) for name, values in found.items()}

    def _measure_yardsticks(self) -> dict[str, Array]:
        names = self.metrics()
        draws = DRAWS if self.n <= _CHEAP else 1
        sides = [self._mean(names, self._real_draws(draws)), self._mean(names, self._mixture_draws(draws))]
        for name in {"memorization", "novelty"} & set(names):
            sides[0][name] = 1.0  # by definition: the fakes' place is taken by the part itself
        return {name: np.array([side[name] for side in sides]) for name in names}

    def _real_draws(self, draws: int) -> Iterable[Array]:
        order = np.random.default_rng([self.seed, 1]).permutation(self.dataset.split.train)
        for i in range(min(draws, len(order) // self.n)):
            yield self.dataset.values[np.sort(order[i * self.n : (i + 1) * self.n])]

    def _mixture_draws(self, draws: int) -> Iterable[Array]:
        """From as many fits as draws: EM ends in other maxima from other seeds, which would be the yardstick's luck."""
        train = self.dataset.part("train")
        for i in range(draws):
            if self.dataset.kind == "vector":
                yield fit_mixture(train, seed=self.seed + i).sample(self.n, self.seed + i)
            else:
                mixture = fit_mixture(_pixels(train), seed=self.seed + i)
                yield images_of(mixture.sample(self.n, self.seed + i), train.shape[1:])

    def _mean(self, names: Sequence[str], draws: Iterable[Array]) -> dict[str, float]:
        measured = [self._measure(names, values) for values in draws]
        return {name: float(np.mean([estimates[name].value for estimates in measured])) for name in names}

    def _measure(self, names: Sequence[str], fakes: Array) -> dict[str, Estimate]:
        """All metrics of one set of fakes. A function that gives several metrics is called once."""
        sides: dict[str, Array] = {"real": self.real, "fake": fakes}
        features: dict[str, Array] = {"real": self.real_features}
        found: dict[str, Estimate] = {}
        for name in names:
            if name in found:
                continue
            row = METRICS[name]
            arrays = [self._seen(name, side, sides, features) for side in row.reads]
            result = row.function(*arrays, **self._options(name))
            found.update(result._asdict() if isinstance(result, Neighborhood) else {name: result})
        return {name: found[name] for name in names}

    def _seen(self, name: str, side: str, sides: Mapping[str, Array], features: dict[str, Array]) -> Array:
        """What a metric sees of one side; features are extracted once."""
        space = METRICS[name].space
        values = sides[side] if side in sides else self._whole(side)
        if self.dataset.kind == "image" and space != "features":
            return _pixels(values) if space == "pixels" else values.reshape(len(values), -1)
        if side not in features:
            features[side] = self.extractor(values)
        return features[side]

    def _whole(self, side: str) -> Array:
        return self._train if side == "train" else self.dataset.part("validation")

    @cached_property
    def _train(self) -> Array:
        return self.dataset.part("train")

    def _options(self, name: str) -> dict[str, Any]:
        return {"sigmas": FINE_SIGMAS} if name == "parzen" and self.dataset.kind == "vector" else {}

    def _draws(self, sample: Sampler | Array, draws: int, seed: int) -> list[Array]:
        if callable(sample):
            made = [np.asarray(sample(self.n)) for _ in range(draws)]
        else:
            # whoever saved the fakes may have sorted them by class
            shuffled = sample[np.random.default_rng([seed, 2]).permutation(len(sample))]
            made = [shuffled[i * self.n : (i + 1) * self.n] for i in range(max(1, min(draws, len(sample) // self.n)))]
        wanted = (self.n, *self.real.shape[1:])
        for values in made:
            if values.shape != wanted or (values.dtype == np.uint8) != (self.dataset.kind == "image"):
                dtype = self.real.dtype
                raise Unusable(f"fakes are {values.dtype} of {values.shape}; scoring needs {dtype} of {wanted} or more")
        return made

    def _score(self, name: str, estimate: Estimate, draws: int, seed: int) -> Score:
        yardsticks = self.yardsticks[name]
        text = self._protocol(name) + (f", mean of {draws} draws" if draws > 1 else "")
        features = self._features_name(name)
        return Score(name, *estimate, self.n, features, text, seed, METRICS[name].direction, yardsticks)

    def _protocol(self, name: str) -> str:
        row = METRICS[name]
        parts = [f"{self.n} {self.part} vs {self.n} generated"]
        if row.setting:
            parts.append(row.setting)
        if name == "fid" and self.n <= self.real_features.shape[1]:
            parts.append(f"n below {self.real_features.shape[1]} features: biased upwards")
        if name == "parzen":
            grid = self._options(name).get("sigmas", SIGMAS)
            held = len(self.dataset.split.validation)
            parts.append(f"sigma of {len(grid)} in [{grid[0]:g}, {grid[-1]:g}] chosen on {held} validation")
        if name in ("memorization", "novelty"):
            parts.append(f"nearest of {len(self.dataset.split.train)} train")
        return ", ".join(parts)

    def _features_name(self, name: str) -> str:
        if self.dataset.kind == "image" and METRICS[name].space != "features":
            return "pixels[0,1]"
        return self.extractor.name

    def _obstacle(self, name: str) -> str | None:
        """Why a metric can't be measured here, if it can't."""
        row = METRICS.get(name)
        if row is None:
            return f"{name}: no such metric; there are {', '.join(METRICS)}"
        if self.dataset.kind not in row.kinds:
            return f"{name}: not for data of kind {self.dataset.kind}"
        if self.part in row.reads:
            return f"{name}: reads the {self.part} part besides the one it is measured on; measure it on another"
        sizes = {"real": self.n, "fake": self.n}
        for side in row.reads:
            size = sizes.get(side, len(getattr(self.dataset.split, side, ())))
            if size < row.least:
                return f"{name}: needs at least {row.least} samples, and {size} are {side}"
        return None

    def _checked(self, names: Sequence[str]) -> list[str]:
        for name in names:
            if (obstacle := self._obstacle(name)) is not None:
                raise Unusable(obstacle)
        return list(dict.fromkeys(names))

    def _key(self, **more: object) -> dict[str, object]:
        return _key(self.dataset, self.part, self.n, self.seed, self.extractor, **more)


def prepare(
    dataset: Dataset,
    part: Part = "test",
    n: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: Precision = "fp32",
) -> Bench:
    """Choose n samples of a part (at most 10,000, and no more than the training part has) and extract their features."""
    rows = getattr(dataset.split, part)
    n = min(len(rows), len(dataset.split.train), MOST if n is None else n)
    # parts are in the order of the file, which is often that of the classes
    chosen = np.sort(np.random.default_rng([seed, 0]).permutation(rows)[:n])
    real = dataset.values[chosen]
    reference = dataset.part("train") if dataset.kind == "vector" else None
    extractor = extractor_for(dataset.kind, reference, device=device, dtype=precision)
    key = _key(dataset, part, n, seed, extractor, what="features")
    features = cached(key, lambda: {"features": extractor(real)})["features"]
    return Bench(dataset, part, n, seed, extractor, real, features)


def mean_of_draws(estimates: Sequence[Estimate], bounds: tuple[float, float] = (-inf, inf)) -> Estimate:
    """The mean over draws of fakes. Its interval is as wide as one draw's, since all share the real side, and the scatter
    between draws comes on top."""
    values = [estimate.value for estimate in estimates]
    mean = float(np.mean(values))
    between = Z95 * float(np.std(values, ddof=1)) / sqrt(len(values)) if len(values) > 1 else 0.0
    below = float(np.mean([estimate.value - estimate.low for estimate in estimates]))
    above = float(np.mean([estimate.high - estimate.value for estimate in estimates]))
    low, high = mean - sqrt(below**2 + between**2), mean + sqrt(above**2 + between**2)
    return Estimate(mean, max(low, bounds[0]), min(high, bounds[1]))


def comparable(a: Score, b: Score) -> None:
    """``Unusable`` unless two scores may be compared: the same metric, features, n and protocol."""
    for field in ("metric", "features", "n", "protocol"):
        ours, theirs = getattr(a, field), getattr(b, field)
        if ours != theirs:
            raise Unusable(f"scores differ in {field} and can't be compared: {ours!r} and {theirs!r}; measure them alike")


def cached(key: Mapping[str, object], make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    """Arrays from the cache folder, or made and put there. A damaged file is made anew."""
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = cache_folder() / "features" / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {field: file[field] for field in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        arrays = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes **kwds for allow_pickle
        write_whole(path, buffer.getvalue())
        for old in sorted(path.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime)[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        pass  # a full or read-only disk costs time, not the score
    return arrays


def _key(dataset: Dataset, part: Part, n: int, seed: int, extractor: Extractor, **more: object) -> dict[str, object]:
    sides = {"content": dataset.content, "part": part, "n": n, "seed": seed, "extractor": extractor.fingerprint}
    return {"version": _VERSION, **sides, **more}


def _pixels(images: Array) -> Floats:
    """Flat, in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
