"""The 2014 experiments: MNIST by its published configuration, measured as there, and beside it why the measure misleads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganwise import pictures
from ganwise.build import GAN
from ganwise.catalog.settings import choice
from ganwise.data import Dataset
from ganwise.features import ImageFeatures
from ganwise.metrics import kid, parzen_log_likelihood, precision_recall_density_coverage
from ganwise.metrics.parzen import SIGMAS
from ganwise.model import Model
from ganwise.recipe import Optimizer, Recipe, Schedule
from ganwise.reproduce import sets, training
from ganwise.reproduce.plots import panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Row, Scale, Verdict, Work
from ganwise.types import Record

GROWS = True
"""A run under way counts with what it has reached: there is no end."""
PUBLISHED, ERROR = 225.0, 2.0
EPOCH = 500
"""Steps of 100 images of 50,000."""
MARKS = (1, 2, 5, 10, 20, 35, 50, 75, *range(100, 1001, 50))
SEEDS = {"sample": {0: 1}, "here": {0: 1000, 1: 75, 2: 75}, "paper": {0: 1000, 1: 1000, 2: 1000}}
"""Epochs of each seed."""
MODERN = 2_000
"""Test images that the modern metrics see, against as many samples."""
YARDSTICKS = {
    "train-10000": "10,000 training images",
    "train-1000": "1,000 training images",
    "centroids-1000": "1,000 k-means centroids",
    "neighbor-means": "10,000 means of an image and its 9 nearest neighbors",
    "noisy-train": "10,000 training images with noise of .1",
}


def recipe(batch: int = 100) -> Recipe:
    """As in mnist.yaml: SGD, rate .1 / 1.000004^t down to 1e-6, momentum .5 to .7 over 250 epochs; both players at once.

    D's cost has a factor of 1/2 there and none here, so that D's rate is half of G's: the same for SGD.
    """

    def sgd(rate: float) -> Optimizer:
        ramp = f"{rate} -> {rate * 1e-5} geometric 2878231"
        return Optimizer(name="sgd", learning_rate=ramp, momentum=f"0.5 -> 0.7 linear {250 * EPOCH}")

    schedule = Schedule(batch=batch, simultaneous=True, shared_latents=True, discriminator=sgd(0.05), generator=sgd(0.1), ema=0.0)
    return Recipe(architecture=choice("original"), loss=choice("non-saturating"), schedule=schedule)


def cells(experiment: str, scale: Scale) -> list[Cell]:
    runs = [Cell(f"seed-{seed}", {"seed": seed, "epochs": epochs}) for seed, epochs in SEEDS[scale].items()]
    return [*(Cell(name, {"yardstick": name}) for name in YARDSTICKS if scale != "sample"), *runs]


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    data = sets.small_mnist() if work.scale == "sample" else sets.mnist_of_2014(work.wanted)
    if "yardstick" in cell.options:
        return judged(data, yardstick(str(cell.options["yardstick"]), data))
    steps = int(cell.options["epochs"]) * (EPOCH if work.scale != "sample" else len(data.split.train) // 100)

    def look(gan: GAN, record: Record) -> Mapping[str, Any]:
        samples = Model(gan).sample(len(data.split.test), seed=1)
        pictures.save(pictures.grid(samples[:64]), folder / "samples" / f"{record.step:07d}.png")
        modern = record.step == steps or record.step % (100 * EPOCH) == 0
        precision = str(gan.precision or torch.float32).removeprefix("torch.")
        return judged(data, samples, modern) | {"epoch": record.images / len(data.split.train), "computed_in": precision}

    marks = [epoch * EPOCH for epoch in MARKS]
    curve = training.run(
        recipe(), data, folder, work, steps=steps, marks=marks, measure=look, seed=int(cell.options["seed"]), every=100
    )
    return {**curve[-1], "curve": curve, "seed": cell.options["seed"]}


def judged(data: Dataset, samples: np.ndarray, modern: bool = True) -> Row:
    """The log-likelihood as in 2014, and of the first `MODERN` samples what looks at features."""
    held, test = data.part("validation")[:1000], data.part("test")
    found = parzen_log_likelihood(flat(held), flat(test), flat(samples), sigmas=SIGMAS)
    row: Row = {"parzen": found.value, "low": found.low, "high": found.high}
    if modern:
        chosen = np.random.default_rng(0).permutation(len(test))[: min(MODERN, len(test) // 5)]
        real, fake = (ImageFeatures()(np.ascontiguousarray(each)) for each in (test[chosen], samples[: len(chosen)]))
        row |= {"kid": kid(real, fake).value * 1000}
        row |= {name: each.value for name, each in precision_recall_density_coverage(real, fake)._asdict().items()}
    return row


def flat(images: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], a row each."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def yardstick(name: str, data: Dataset) -> np.ndarray:
    """What is no generator at all, in the place of samples."""
    train = data.part("train")[np.random.default_rng(0).permutation(len(data.split.train))]
    if name == "train-10000":
        return train[:10_000]
    if name == "train-1000":
        return train[:1_000]
    if name == "noisy-train":
        noise = np.random.default_rng(1).normal(0, 0.1 * 255, train[:10_000].shape)
        return (train[:10_000] + noise).clip(0, 255).astype(np.uint8)
    x = torch.from_numpy(flat(train[:20_000]))
    means = _centroids(x, 1_000) if name == "centroids-1000" else _neighbor_means(x, 10_000, 10)
    return (means * 255).round().clamp(0, 255).to(torch.uint8).numpy().reshape(-1, *train.shape[1:])


def _centroids(x: torch.Tensor, k: int, rounds: int = 8) -> torch.Tensor:
    """Lloyd's iteration from random images."""
    centers = x[:k].clone()
    for _ in range(rounds):
        nearest = torch.cat([torch.cdist(part, centers).argmin(1) for part in torch.split(x, 2_000)])
        sums = torch.zeros_like(centers).index_add_(0, nearest, x)
        counts = nearest.bincount(minlength=k)[:, None]
        centers = torch.where(counts > 0, sums / counts.clamp(min=1), centers)
    return centers


def _neighbor_means(x: torch.Tensor, n: int, k: int) -> torch.Tensor:
    """Of each of the first n images and its k - 1 nearest neighbors."""
    return torch.cat([x[torch.cdist(part, x).topk(k, largest=False).indices].mean(1) for part in torch.split(x[:n], 500)])


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    runs = sorted((row for row in rows if "curve" in row), key=lambda row: -row["epoch"])
    if not runs:
        return Conclusion((), "unjudged", "no run has ended yet")
    best = runs[0]
    ours = [
        Figure(f"Parzen log-likelihood after {row['epoch']:g} epochs, seed {row['seed']}", row["parzen"], row["low"], row["high"])
        for row in runs
    ]
    ours += [
        Figure(f"in the samples' place: {_yardstick(row)}", row["parzen"], row["low"], row["high"])
        for row in rows
        if "curve" not in row
    ]
    return Conclusion(ours, judge(best, scale), _because(best), _notes(rows))


def _yardstick(row: Row) -> str:
    return YARDSTICKS[row["options"]["yardstick"]]


def judge(best: Row, scale: Scale) -> Verdict:
    """Reproduced where the intervals meet or ours is higher, close within a tenth."""
    if scale == "sample":
        return "unjudged"
    if best["high"] >= PUBLISHED - 1.96 * ERROR:
        return "reproduced"
    return "close" if best["parzen"] >= 0.9 * PUBLISHED else "not reproduced"


def _because(best: Row) -> str:
    said = f"{best['parzen']:.1f} nats after {best['epoch']:g} epochs, published {PUBLISHED:g} ± {ERROR:g}"
    early, late = (next(row for row in best["curve"] if row["epoch"] >= limit) for limit in (best["epoch"] / 2, best["epoch"]))
    return f"{said}; it rose by {late['parzen'] - early['parzen']:.1f} nats over the last half of the epochs"


def _notes(rows: Sequence[Row]) -> list[str]:
    notes = [
        "the published code draws one dropout mask for both players' gradients, ours one each; samples are rounded to bytes",
        f"products of matrices were computed in {', '.join(sorted({row['computed_in'] for row in rows if 'curve' in row}))}",
    ]
    seen = [row for row in rows if "kid" in row]
    for row in sorted(seen, key=lambda row: -row["parzen"]):
        name = _yardstick(row) if "curve" not in row else f"the GAN, seed {row['seed']}, {row['epoch']:g} epochs"
        notes.append(
            f"{name}: {row['parzen']:.1f} nats; KID x1000 {row['kid']:.1f}, coverage {row['coverage']:.2f}, "
            f"precision {row['precision']:.2f}, recall {row['recall']:.2f} (efficientnet-lite0@96, n = {MODERN})"
        )
    return notes


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """The curves of the log-likelihood over the logarithm of the epochs, and samples of the longest run."""
    runs = [row for row in rows if "curve" in row]
    if not runs:
        return
    figure, (panel,) = panels(width=6.5, height=4)
    for row in runs:
        points = [(point["epoch"], point["parzen"]) for point in row["curve"] if point["epoch"] >= 2]
        panel.plot(*zip(*points, strict=True), marker=".", label=f"seed {row['seed']}")
    panel.axhspan(PUBLISHED - ERROR, PUBLISHED + ERROR, color="#c2571a", alpha=0.3, label="published: 225 ± 2")
    for row in rows:
        if "curve" not in row:
            panel.axhline(row["parzen"], color="#888", linewidth=0.7)
            panel.annotate(_yardstick(row), (2, row["parzen"]), fontsize=7, color="#555", va="bottom")
    panel.set(
        xscale="log", xlabel="epochs of 50,000 images", ylabel="log-likelihood of the test set, nats", title="GAN of 2014, MNIST"
    )
    panel.set_ylim(bottom=max(-200.0, min(point["parzen"] for row in runs for point in row["curve"][1:] or row["curve"])))
    panel.legend(loc="lower right")
    save(figure, out / "curve.png")
    longest = max(runs, key=lambda row: row["epoch"])
    sheets = sorted((out / "work" / longest["cell"] / "samples").glob("*.png"))
    if sheets:
        (out / "samples.png").write_bytes(sheets[-1].read_bytes())
