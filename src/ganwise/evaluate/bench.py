"""One part of a data set, against which generators are scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import ceil
from typing import Any

import numpy as np

from ganwise.data import Dataset, Part
from ganwise.evaluate.cache import cached
from ganwise.evaluate.compare import mean_of_draws
from ganwise.evaluate.modes import Modes, modes_of
from ganwise.evaluate.steps import Steps
from ganwise.features import Array, Extractor, Floats, extractor_for
from ganwise.features import Precision as Precision
from ganwise.metrics import METRICS, Estimate, HeldOut, copying, held_out, ranking_metric
from ganwise.metrics.msssim import PAIRS, WINDOW, scales_of
from ganwise.metrics.parzen import FINE_SIGMAS, SIGMAS
from ganwise.metrics.path import EPSILON
from ganwise.mixture import fit_mixture, images_of
from ganwise.parts import AWAY_AT_MOST
from ganwise.types import Score, Unusable

Sampler = Callable[[int], Array]
"""Makes n samples as the data set holds them: ``uint8`` images (n, H, W, C), or vectors (n, D)."""

MOST = 10_000
DRAWS = 3

_VERSION = 3  # of what is cached: raise it when a number would come out differently
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
    classifier: Extractor | None = None
    modes: Modes | None = None

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
        ``METRICS``, by default the usual ones that have enough samples. ``Unusable`` where one asked for has not, or fakes are
        not finite. A path length can be asked for where ``sample`` makes `Steps`, as a `ModelSampler` does.
        """
        steps = sample if isinstance(sample, Steps) else None
        names = self.metrics() if metrics is None else self._checked(metrics, steps)
        fakes = self._draws(sample, draws, seed)
        measured = [self._measure(names, values, steps) for values in fakes]
        combined = {name: mean_of_draws([each[name] for each in measured], METRICS[name].bounds) for name in names}
        yardsticks, drawn = self._yardsticks_of(names), f", mean of {len(fakes)} draws" if len(fakes) > 1 else ""
        return [
            Score(
                name,
                *combined[name],
                n=self.n,
                features=self._features_name(name),
                protocol=self._protocol(name, steps) + drawn,
                seed=seed,
                direction=METRICS[name].direction,
                yardsticks=yardsticks.get(name, {}),
            )
            for name in names
        ]

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
        """The usual metrics that this kind of data and this many samples allow."""
        return [name for name, row in METRICS.items() if row.usual and self._obstacle(name) is None]

    @cached_property
    def yardsticks(self) -> Mapping[str, Mapping[str, float]]:
        """For every usual metric, what real training data and a Gaussian mixture score in the fakes' place."""
        return self._yardsticks_of(self.metrics())

    def _yardsticks_of(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Usual metrics are measured together, so that they are in the cache whatever is asked for; others one by one."""
        usual = self.metrics()
        others = [name for name in names if name not in usual and "first" not in METRICS[name].reads]
        found: dict[str, Array] = {}
        for group in (usual, *([name] for name in others)):
            if set(group) & set(names):
                found |= cached(self._key(what="yardsticks", metrics=group), partial(self._measure_yardsticks, group))
        sides = ("real", "mixture")
        return {name: dict(zip(sides, map(float, found[name]), strict=True)) for name in names if name in found}

    def _measure_yardsticks(self, names: Sequence[str]) -> dict[str, Array]:
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
                yield _mixture_of_columns(train, self.n, self.seed + i)
            else:
                mixture = fit_mixture(_pixels(train), seed=self.seed + i)
                yield images_of(mixture.sample(self.n, self.seed + i), train.shape[1:])

    def _mean(self, names: Sequence[str], draws: Iterable[Array]) -> dict[str, float]:
        measured = [self._measure(names, values) for values in draws]
        return {name: float(np.mean([estimates[name].value for estimates in measured])) for name in names}

    def _measure(self, names: Sequence[str], fakes: Array, steps: Steps | None = None) -> dict[str, Estimate]:
        """All metrics of one set of fakes. A function that gives several metrics is called once."""
        sides: dict[str, Array] = {"real": self.real, "fake": fakes}
        features: dict[str, Array] = {"real": self.real_features}
        found: dict[str, Estimate] = {}
        for name in names:
            if name in found:
                continue
            row = METRICS[name]
            if steps and "first" in row.reads:
                sides["first"], sides["second"] = steps.steps(self.n, EPSILON)
            arrays = [self._seen(name, side, sides, features) for side in row.reads]
            result = row.function(*arrays, **self._options(name))
            found.update({name: result} if isinstance(result, Estimate) else result._asdict())
        return {name: found[name] for name in names}

    def _seen(self, name: str, side: str, sides: Mapping[str, Array], features: dict[str, Array]) -> Array:
        """What a metric sees of one side; features are extracted once."""
        space = METRICS[name].space
        values = sides[side] if side in sides else self._whole(side)
        if space == "modes" and self.modes:
            return self.modes(values)
        if space == "logits" and self.classifier:
            return self.classifier(values)
        if self.dataset.kind == "image" and space != "features":
            flat = values if space == "images" else values.reshape(len(values), -1)
            return _pixels(values) if space == "pixels" else flat
        if side not in features:
            features[side] = self.extractor(values)
        return features[side]

    def _whole(self, side: str) -> Array:
        return self._train if side == "train" else self.dataset.part("validation")

    @cached_property
    def _train(self) -> Array:
        return self.dataset.part("train")

    @cached_property
    def _held_out(self) -> HeldOut:
        """The same for all fakes."""
        sides, features = {"real": self.real}, {"real": self.real_features}
        train, real = (self._seen("novelty", side, sides, features) for side in ("train", "real"))
        return held_out(train, real)

    def _options(self, name: str) -> dict[str, Any]:
        if METRICS[name].space == "modes" and self.modes:
            return {"shares": self.modes.shares}
        if METRICS[name].function is copying:
            return {"known": self._held_out}
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

    def _protocol(self, name: str, steps: Steps | None = None) -> str:
        row = METRICS[name]
        parts = [f"{self.n} {self.part} vs {self.n} generated" if "real" in row.reads else f"{self.n} generated"]
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
        if name == "ms_ssim":
            parts.append(f"{min(PAIRS, self.n // 2)} pairs at {scales_of(min(self.real.shape[1:3]))} scales")
        if row.space == "modes" and self.modes:
            parts.append(self.modes.rule)
        if steps and "first" in row.reads:
            parts.append(steps.path)
        return ", ".join(parts)

    def _features_name(self, name: str) -> str:
        space = METRICS[name].space
        if space == "modes" and self.modes:
            return self.modes.name
        if space == "logits" and self.classifier:
            return self.classifier.name
        if self.dataset.kind == "image" and space != "features":
            return "pixels[0,1]"
        return self.extractor.name

    def _obstacle(self, name: str, steps: Steps | None = None) -> str | None:
        """Why a metric can't be measured here, if it can't."""
        row = METRICS.get(name)
        if row is None:
            return f"{name}: no such metric; there are {', '.join(METRICS)}"
        if self.dataset.kind not in row.kinds:
            return f"{name}: not for data of kind {self.dataset.kind}"
        if self.part in row.reads:
            return f"{name}: reads the {self.part} part besides the one it is measured on; measure it on another"
        return self._lacking(name, steps) or self._too_few(name)

    def _lacking(self, name: str, steps: Steps | None) -> str | None:
        row = METRICS[name]
        if row.space == "logits" and self.classifier is None:
            return f"{name}: needs a classifier; prepare(..., classifier=...) takes any, as an extractor of logits"
        if row.space == "modes" and self.modes is None:
            return f"{name}: needs known modes: the toys ring and grid have them, else a classifier's classes are taken for modes"
        if "first" in row.reads and steps is None:
            return f"{name}: needs a generator at hand, not samples alone: give a ModelSampler"
        if "first" in row.reads and getattr(self.extractor, "dtype", "fp32") == "bf16":
            return f"{name}: features in bf16 are coarser than its steps; measure with fp32"
        if row.space == "images" and min(self.real.shape[1:3]) < WINDOW:
            return f"{name}: its window of {WINDOW} pixels does not fit into images of {min(self.real.shape[1:3])}"
        return None

    def _too_few(self, name: str) -> str | None:
        row, (n, width) = METRICS[name], self.real_features.shape
        least = max(row.least, row.per_feature * width)
        for side in row.reads:
            size = n if side in ("real", "fake", "first", "second") else len(getattr(self.dataset.split, side))
            if size < least:
                return f"{name}: needs at least {least} samples, and {size} are {side}"
        return None

    def _checked(self, names: Sequence[str], steps: Steps | None) -> list[str]:
        for name in names:
            if (obstacle := self._obstacle(name, steps)) is not None:
                raise Unusable(obstacle)
        return list(dict.fromkeys(names))

    def _key(self, **more: object) -> dict[str, object]:
        classes = {"classifier": self.classifier.fingerprint} if self.classifier else {}
        return _key(self.dataset, self.part, self.n, self.seed, self.extractor, **more, **classes)


def prepare(
    dataset: Dataset,
    part: Part = "test",
    n: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: Precision = "fp32",
    extractor: Extractor | None = None,
    classifier: Extractor | None = None,
) -> Bench:
    """Choose n samples of a part (at most 10,000, and no more than the training part has) and extract their features.

    The ``extractor`` is by default that of `extractor_for`. A ``classifier``, whose features are logits ``(N, K)``, gives images
    an inception score, and modes: its classes.
    """
    rows = getattr(dataset.split, part)
    n = min(len(rows), len(dataset.split.train), MOST if n is None else n)
    # parts are in the order of the file, which is often that of the classes
    chosen = np.sort(np.random.default_rng([seed, 0]).permutation(rows)[:n])
    real = dataset.values[chosen]
    if extractor is None:
        reference = dataset.part("train") if dataset.kind == "vector" else None
        extractor = extractor_for(dataset.kind, reference, device=device, dtype=precision)
    key = _key(dataset, part, n, seed, extractor, what="features")
    features = cached(key, lambda: {"features": extractor(real)})["features"]
    return Bench(dataset, part, n, seed, extractor, real, features, classifier, modes_of(dataset, classifier))


def rankable(dataset: Dataset) -> None:
    """Refuses data on which candidates can't be compared.

    Raises:
        Unusable: With how many samples are needed.
    """
    least, sizes = METRICS[metric := ranking_metric(dataset.kind)].least, dataset.split._asdict()
    part = min(sizes, key=lambda name: len(sizes[name]))
    if (n := len(sizes[part])) < least:
        need = f"give {ceil(2 * least / AWAY_AT_MOST)} different samples or more, or {least} in each part of a split of your own"
        raise Unusable(f"{dataset.source}: {n} samples for {part} are too few to compare candidates by {metric}; {need}")


def _key(dataset: Dataset, part: Part, n: int, seed: int, extractor: Extractor, **more: object) -> dict[str, object]:
    sides = {"content": dataset.content, "part": part, "n": n, "seed": seed, "extractor": extractor.fingerprint}
    return {"version": _VERSION, **sides, **more}


def _mixture_of_columns(train: Array, n: int, seed: int) -> Floats:
    """A draw from a mixture fitted in units of each column's deviation, or the widest column alone would place its Gaussians."""
    center, scale = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    scale[scale == 0] = 1.0
    draw: Floats = (fit_mixture((train - center) / scale, seed=seed).sample(n, seed) * scale + center).astype(np.float32)
    return draw


def _pixels(images: Array) -> Floats:
    """Flat, in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
