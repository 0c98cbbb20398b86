"""BEGAN on one kind of image: the dial gamma, networks of unequal size, and what breaks it; `began_mnist` is beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganwise import catalog, model
from ganwise.artifacts import rows
from ganwise.build import GAN
from ganwise.data import Dataset, Split, content_hash, load
from ganwise.features import Identity, ImageFeatures
from ganwise.metrics import kid, ms_ssim, precision_recall_density_coverage
from ganwise.metrics.msssim import scales_of
from ganwise.model import Model
from ganwise.recipe import Recipe, change
from ganwise.reproduce import began_words, training
from ganwise.reproduce.began_pictures import draw as draw
from ganwise.reproduce.began_pictures import keep
from ganwise.reproduce.inversion import ends_and_path
from ganwise.reproduce.work import Cell, Conclusion, Row, Scale, Work
from ganwise.types import Record, Value

GAMMAS = (0.3, 0.5, 0.7)
SIDES: dict[str, tuple[int, ...]] = {"sample": (8,), "here": (32,), "paper": (32, 64, 128)}
STEPS = {"sample": 20, "here": 12_000, "paper": 300_000}
SHORT = {"sample": 20, "here": 1_200, "paper": 100_000}
"""Steps of the runs that show a difference and not a result."""
WIDTHS = {8: 8, 32: 16, 64: 32, 128: 64}
AS_PUBLISHED: dict[str, Value] = {"architecture.width": 128, "architecture.skip": True, "architecture.vanishing": 16_000}
BREAKS: dict[str, dict[str, Value]] = {
    "halved-discriminator": {"width": 0.5, "generator": 1.0},
    "halved-generator": {"width": 1.0, "generator": 0.5},
    "small-code": {"architecture.code": 8},
    "high-rate": {"schedule.discriminator.learning_rate": 1e-3, "schedule.generator.learning_rate": 1e-3},
    "all-classes": {"classes": "all"},
}
AUTOMOBILE = 1
"""Of CIFAR-10's ten kinds the most like faces: one rigid body that fills the picture, upright, lit from above."""
SEEN, FINAL = 256, 1_000
"""Samples at each mark, and at the end."""
WINDOW = 100
"""Steps that one point of a trace averages."""


def recipe(changes: Mapping[str, Value]) -> Recipe:
    """The paper's settings from the catalog; no averaged weights, which it does not use."""
    return change(catalog.named("began"), {"schedule.ema": 0.0, **changes})


def cells(experiment: str, scale: Scale) -> list[Cell]:
    """The dial at each side, most telling first; then, at the smallest side and gamma .5, what the paper and others vary."""
    made = []
    for side in SIDES[scale]:
        settings = _settings(side, scale)
        for gamma in sorted(GAMMAS, key=lambda gamma: abs(gamma - 0.6)):
            options = {"part": "dial", "steps": STEPS[scale], **settings, "loss.gamma": gamma}
            made.append(Cell(f"{side}px-gamma-{gamma}", options))
    settings = _settings(SIDES[scale][0], scale)
    for name, change_ in list(BREAKS.items())[: 1 if scale == "sample" else None]:
        options = {"part": name, "steps": SHORT[scale], **settings, "loss.gamma": 0.5, **_sized(change_, settings)}
        made.append(Cell(name, options))
    return made


def _settings(side: int, scale: Scale) -> dict[str, Value]:
    published = AS_PUBLISHED if scale == "paper" else {"architecture.width": WIDTHS[side]}
    return {"side": side, "seed": 0, **published}


def _sized(changes: Mapping[str, Value], settings: Mapping[str, Value]) -> dict[str, Value]:
    """Shares of the width as numbers of filters."""
    width, found = int(settings["architecture.width"]), dict(changes)
    if "width" in found:
        found["architecture.generator_width"] = int(float(found.pop("generator")) * width)
        found["architecture.width"] = int(float(found.pop("width")) * width)
    return found


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    options = cell.options
    data = images(work, int(options["side"]), everything="classes" in options)
    steps = int(options["steps"])
    changes = {path: value for path, value in options.items() if "." in path}
    curve, trace = followed(recipe(changes), data, folder, work, steps, int(options["seed"]))
    made = model.load(folder / "model.safetensors", work.device)
    samples = made.sample(FINAL if work.scale != "sample" else 64, seed=2)
    row = curve[-1] | judged(data, samples, work.scale) | {"classes": len(data.classes) or 1, "curve": curve, "trace": trace}
    if options["part"] == "dial":
        row |= ends_and_path(made, data.part("test")[:3], samples, folder, steps=200 if work.scale != "sample" else 5)
    return row


def images(work: Work, side: int, everything: bool) -> Dataset:
    """The user's images at that side, of CIFAR-10 one class unless ``everything``; built-in digits for a sample."""
    data = load(work.wanted if work.scale != "sample" or work.source else "digits", size=side)
    return one_class(data, AUTOMOBILE) if len(data.classes) == 10 and not everything else data


def one_class(data: Dataset, label: int) -> Dataset:
    """The samples of one class, each in the part where it was, without a label."""
    rows = np.flatnonzero(data.labels == label)
    split = Split(*(np.flatnonzero(np.isin(rows, part)) for part in data.split))
    values, labels = data.values[rows], np.full(len(rows), -1, np.int64)
    return replace(data, values=values, labels=labels, classes=(), split=split, content=content_hash(values, labels, split))


def followed(
    recipe: Recipe, data: Dataset, folder: Path, work: Work, steps: int, seed: int = 0
) -> tuple[list[Row], list[dict[str, float]]]:
    """Trains; returns what samples looked like at marks, and what the step itself told, averaged over windows."""
    real = data.part("train")[np.random.default_rng(0).permutation(len(data.split.train))[:SEEN]]
    keep(folder / "real.npy", real[:64])

    def look(gan: GAN, record: Record) -> Mapping[str, Any]:
        samples = Model(gan).sample(SEEN, seed=1)
        keep(folder / "samples" / f"{record.step:07d}.npy", samples[:64])
        return appearance(samples, real)

    marks = range(0, steps + 1, 20 if work.scale == "sample" else 200)
    curve = training.run(recipe, data, folder, work, steps=steps, marks=list(marks), measure=look, seed=seed)
    return curve, traced(list(rows(folder / "records.jsonl")), WINDOW if steps >= 4 * WINDOW else 20)


def appearance(samples: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Of samples against as many real images: how far apart they are, how much detail they have, how bright they are."""
    parts = [spread(part) for part in np.array_split(samples, 8)]
    unit = spread(real)
    error = float(np.std(parts) / np.sqrt(len(parts)) / unit)
    value = spread(samples) / unit
    return {
        "diversity": value,
        "diversity_low": value - 1.96 * error,
        "diversity_high": value + 1.96 * error,
        "detail": detail(samples) / detail(real),
        "brightness": (float(samples.mean()) - float(real.mean())) / 255,
    }


def spread(images: np.ndarray) -> float:
    """Mean Euclidean distance of two images, pixels in [0, 1]."""
    flat = torch.from_numpy(images.reshape(len(images), -1).astype(np.float32) / np.float32(255))
    return float(torch.pdist(flat).mean())


def detail(images: np.ndarray) -> float:
    """Mean absolute difference of neighboring pixels, in [0, 1]: blur lowers it."""
    x = images.astype(np.float32) / np.float32(255)
    return float(np.abs(np.diff(x, axis=1)).mean() + np.abs(np.diff(x, axis=2)).mean()) / 2


def traced(records: Sequence[Row], window: int) -> list[dict[str, float]]:
    """Means of the records of each window of steps; ``ratio`` is E A(G(z)) over E A(x), what gamma sets."""
    found = []
    for end in range(window, int(records[-1]["step"]) + 1, window):
        part = [row for row in records if end - window < row["step"] <= end]
        mean = {name: float(np.mean([row[name] for row in part])) for name in ("m_global", "k", "score_real", "loss_g", "spread")}
        found.append({"step": end, **mean, "ratio": mean["loss_g"] / mean["score_real"]})
    return found


def features(images: np.ndarray, scale: Scale) -> np.ndarray:
    """Pixels for a sample, which has to be quick."""
    return (Identity() if scale == "sample" else ImageFeatures())(np.ascontiguousarray(images))


def judged(data: Dataset, samples: np.ndarray, scale: Scale) -> Row:
    """What the metrics say at the end, against test images."""
    real = data.part("test")[: len(samples)]
    theirs, ours = (features(each, scale) for each in (real, samples[: len(real)]))
    row: Row = {"n": len(real), "kid": kid(theirs, ours).value * 1000}
    row |= {name: each.value for name, each in precision_recall_density_coverage(theirs, ours)._asdict().items()}
    if scales_of(samples.shape[1]):
        row |= {"ms_ssim": ms_ssim(samples).value, "ms_ssim_real": ms_ssim(data.part("train")[:FINAL]).value}
    return row


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    return began_words.conclude(rows, scale)
