"""The 2014 experiment on CIFAR-10: two generators, samples beside their nearest training images, walks between latents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganwise import checkpoint, pictures
from ganwise.artifacts import read_json
from ganwise.build import GAN, build
from ganwise.catalog.settings import choice
from ganwise.data import Dataset, content_hash, load
from ganwise.features import ImageFeatures
from ganwise.metrics import kid, precision_recall_density_coverage
from ganwise.model import Model
from ganwise.recipe import Choice, Optimizer, Recipe, Schedule, from_data
from ganwise.reproduce import sets, training
from ganwise.reproduce.plots import panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Row, Scale, Verdict, Work
from ganwise.types import Record, Unusable

GROWS = True
NORM = 55.0
"""Of an image's contrasts, from the published configuration."""
REACH = 4.0
"""The contrast that a byte of 255 stands for; the networks read bytes so."""
SHOWN = 2.5
"""The contrast that is drawn as black or white."""
ENOUGH = 100
"""Epochs under which nothing is judged. The configuration has no end; momentum rises for 250."""
COPY = 0.5
"""A sample is called a copy below this part of the distance that held-out images have to the training set."""
RATES, BATCHES = {"full": 0.025, "convolutional": 0.004}, {"full": 100, "convolutional": 128}
ROWS, COLUMNS, WALK = 4, 5, 10
RUNS: dict[Scale, dict[str, dict[str, int | str]]] = {
    "sample": {
        "fully-connected": {"network": "full", "shrink": 200, "steps": 4, "looks": 60},
        "convolutional": {"network": "convolutional", "shrink": 100, "steps": 2, "looks": 60},
    },
    "here": {
        "fully-connected": {"network": "full", "shrink": 1, "steps": 250, "looks": 500},
        "fully-connected-narrow": {"network": "full", "shrink": 8, "steps": 4000, "looks": 500},
        "convolutional": {"network": "convolutional", "shrink": 1, "steps": 100, "looks": 500},
    },
    "paper": {
        "fully-connected": {"network": "full", "shrink": 1, "steps": 100_000, "looks": 2000},
        "convolutional": {"network": "convolutional", "shrink": 1, "steps": 78_000, "looks": 2000},
    },
}


def cells(experiment: str, scale: Scale) -> list[Cell]:
    return [Cell(name, {**options, "seed": 0}) for name, options in RUNS[scale].items()]


def schedule(rate: float, batch: int, epoch: int) -> Schedule:
    """SGD as in all configurations of 2014: the rate divided by 1.000004 at each step, down to 1e-6; momentum .5 to .7.

    Momentum rises over 250 epochs of ``epoch`` steps. D's cost has a factor of 1/2 there and none here: half the rate.
    """
    falling = round(math.log(rate / 1e-6) / math.log(1.000004))

    def sgd(share: float) -> Optimizer:
        ramp = f"{rate * share} -> {1e-6 * share} geometric {falling}"
        return Optimizer(name="sgd", learning_rate=ramp, momentum=f"0.5 -> 0.7 linear {250 * epoch}")

    return Schedule(batch=batch, simultaneous=True, shared_latents=True, discriminator=sgd(0.5), generator=sgd(1.0), ema=0.0)


def recipe(network: str, shrink: int, images: int) -> Recipe:
    """cifar10_fully_connected.yaml or cifar10_convolutional.yaml; ``shrink`` divides the widths."""
    made: dict[str, Choice] = {
        "full": choice("original", width=8000 // shrink, second="sigmoid", output="linear", units=1600 // shrink, prior="normal"),
        "convolutional": choice(
            "original-convolutional", width=8000 // shrink, maps=max(2, 80 // shrink), units=max(4, 500 // shrink)
        ),
    }
    batch = BATCHES[network]
    plan = schedule(RATES[network], batch, max(1, images // batch))
    return Recipe(architecture=made[network], loss=choice("non-saturating"), schedule=plan)


def contrasts(images: np.ndarray, norm: float = NORM) -> np.ndarray:
    """Each image minus its mean, scaled to that norm; (N, H, W, C) bytes to float32. An even image stays at 0."""
    x = images.astype(np.float32)
    x -= x.mean((1, 2, 3), keepdims=True)
    size = np.sqrt((x**2).sum((1, 2, 3), keepdims=True))
    scaled: np.ndarray = x * (norm / np.maximum(size, 1e-8))
    return scaled


def as_bytes(x: np.ndarray) -> np.ndarray:
    """Contrasts in [-4, 4] as bytes: steps of .03, where an image's contrasts have a deviation of 1."""
    return ((x / REACH + 1) * 127.5).round().clip(0, 255).astype(np.uint8)


def from_bytes(values: np.ndarray) -> np.ndarray:
    return REACH * (values.astype(np.float32) / 127.5 - 1)


def shown(values: np.ndarray) -> np.ndarray:
    """Bytes that stand for contrasts as bytes that can be looked at."""
    return ((from_bytes(values) / SHOWN + 1) * 127.5).round().clip(0, 255).astype(np.uint8)


def contrasted(data: Dataset) -> Dataset:
    values = np.concatenate([as_bytes(contrasts(part)) for part in np.array_split(data.values, 60)])
    return replace(data, values=values, content=content_hash(values, data.labels, data.split))


def _data(work: Work) -> Dataset:
    if work.scale == "sample":
        return contrasted(sets.divided(sets.colored_digits(900), 700, 100, 100, 800))
    data = load(work.wanted)
    if data.shape != (3, 32, 32) or len(data) != 60_000:
        raise Unusable(f"{work.wanted}: not CIFAR-10: {len(data)} samples of {data.shape}; expected 60,000 of (3, 32, 32)")
    return contrasted(sets.divided(data, 40_000, 10_000, 10_000, 50_000))


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    data, options = _data(work), cell.options
    steps, looks = int(options["steps"]), int(options["looks"])
    train, batch = data.part("train"), BATCHES[str(options["network"])]
    held_out = nearest(data.part("validation")[:looks], train)[1]

    def look(gan: GAN, record: Record) -> Mapping[str, Any]:
        samples = Model(gan).sample(looks, seed=1)
        rows, away = nearest(samples, train)
        _keep(folder, gan, samples, train[rows])
        row: Row = {"away": float(np.median(away)), "held_out": float(np.median(held_out)), "epoch": record.images / len(train)}
        row |= {"copies": float((away < COPY * np.median(held_out)).mean()), "images": record.images}
        row |= {"contrast": float(from_bytes(samples).std()), "computed_in": str(gan.precision or torch.float32)}
        return row | (_modern(data.part("test")[:looks], samples) if record.step == steps else {})

    every = 50 if steps % 50 == 0 else 1
    marks = [steps // 4 // every * every or every, steps // 2 // every * every or every]
    images = len(train) if work.scale != "sample" else 40_000
    plan = recipe(str(options["network"]), int(options["shrink"]), images)
    curve = training.run(plan, data, folder, work, steps=steps, marks=marks, measure=look, seed=int(options["seed"]), every=every)
    return {**curve[-1], "curve": curve, "batch": batch, "train": len(train)}


def nearest(images: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each image the row of its nearest one in contrasts, by Euclidean distance, and that distance."""
    x = torch.from_numpy(from_bytes(images).reshape(len(images), -1))
    rows, least = torch.zeros(len(x), dtype=torch.long), torch.full((len(x),), math.inf)
    for first in range(0, len(among), 4_000):
        some = torch.from_numpy(from_bytes(among[first : first + 4_000]).reshape(-1, x.shape[1]))
        near, row = torch.cdist(x, some).min(1)
        rows = torch.where(near < least, row + first, rows)
        least = torch.minimum(near, least)
    return rows.numpy(), least.numpy()


def _modern(real: np.ndarray, fake: np.ndarray) -> Row:
    features = [ImageFeatures()(shown(each)) for each in (real, fake)]
    found = precision_recall_density_coverage(features[0], features[1])
    return {"kid": kid(features[0], features[1]).value * 1000, "coverage": found.coverage.value, "n": len(fake)}


def _keep(folder: Path, gan: GAN, samples: np.ndarray, neighbors: np.ndarray) -> None:
    """What the pictures are made of: figure 2 shows twenty samples, and beside every fifth its neighbor."""
    count = ROWS * COLUMNS
    last = slice(COLUMNS - 1, count, COLUMNS)
    walks = walk(Model(gan), ROWS, WALK)
    np.savez_compressed(folder / "pictures.npz", samples=samples[:count], neighbors=neighbors[:count][last], walks=walks)


@torch.no_grad()
def walk(model: Model, rows: int, steps: int, seed: int = 2) -> np.ndarray:
    """Images (rows * steps, H, W, C) on straight lines between pairs of latents, ends included."""
    device = model.scaling.shift.device
    ends = model.generator.draw(2 * rows, device, torch.Generator(device).manual_seed(seed)).view(rows, 2, -1)
    shares = torch.linspace(0, 1, steps, device=device)[None, :, None]
    z = ends[:, :1] * (1 - shares) + ends[:, 1:] * shares
    model.generator.eval()
    made: np.ndarray = model.scaling.decode(model.generator(z.flatten(0, 1))).cpu().numpy()
    return made


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    runs = [row for row in rows if "curve" in row]
    if not runs:
        return Conclusion((), "unjudged", "no run has begun")
    ours = [Figure(f"copies of training images among samples, {row['cell']}, {_lasted(row)}", row["copies"]) for row in runs]
    ours += [Figure(f"KID x1000, {row['cell']} (efficientnet@96, n = {row['n']})", row["kid"]) for row in runs if "kid" in row]
    published = [row for row in runs if not row.get("unfinished") and int(row["options"]["shrink"]) == 1]
    return Conclusion(ours, judge(published, scale), _because(published), _notes(runs))


def _lasted(row: Row) -> str:
    return f"{row['epoch']:.2g} epochs"


def judge(published: Sequence[Row], scale: Scale) -> Verdict:
    """Close, since pictures have no figure to be met, where both networks had their epochs, copy nothing and cover something.

    Networks of the published size only. Under `ENOUGH` epochs of either the experiment is out of reach.
    """
    if scale == "sample":
        return "unjudged"
    if len(published) < 2 or min(row["epoch"] for row in published) < ENOUGH:
        return "out of reach here"
    good = all(row["copies"] <= 0.01 and row["coverage"] >= 0.05 for row in published)
    return "close" if good else "not reproduced"


def _because(published: Sequence[Row]) -> str:
    if not published:
        return "no network of the published size has ended its run"
    said = [
        f"{row['cell']} had {_lasted(row)} of {ENOUGH} at least: {ENOUGH} take {_hours(row):.0f} h of one core"
        for row in published
    ]
    return "; ".join(said)


def _hours(row: Row) -> float:
    return float(row["seconds"] / row["step"] * ENOUGH * row["train"] / row["batch"] / 3600)


def _notes(runs: Sequence[Row]) -> list[str]:
    notes = []
    for row in runs:
        seen = f", KID x1000 {row['kid']:.0f}, coverage {row['coverage']:.2f}" if "kid" in row else ""
        notes.append(
            f"{row['cell']}: {row['step']} steps, {_lasted(row)}; a sample is {row['away']:.0f} from the nearest training image, "
            f"a held-out image {row['held_out']:.0f}; samples' contrasts deviate by {row['contrast']:.2f}, the data's by 1{seen}"
        )
    if any("narrow" in row["cell"] for row in runs):
        notes.append(
            "fully-connected-narrow has an eighth of the published widths: not the paper's network, it shows more epochs"
        )
    return [
        *notes,
        f"images are bytes that stand for contrasts in [-4, 4], after global contrast normalization to {NORM:g}; KID sees them "
        f"stretched to [-{SHOWN}, {SHOWN}]",
        "the copy of CIFAR-10 at hand is shuffled: its first 40,000 images are not those of 2014",
        "the published code draws one dropout mask for both players' gradients, ours one each",
    ]


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """Figure 2: samples, and in the last column the training image nearest to the one on its left. Figure 3: walks."""
    kept = {row["cell"]: out / "work" / row["cell"] / "pictures.npz" for row in rows if "curve" in row}
    loaded = {name: dict(np.load(file)) for name, file in kept.items() if file.is_file()}
    lasted = {row["cell"]: _lasted(row) for row in rows if "curve" in row}
    if not loaded:
        return
    tiles = {f"{name}, {lasted[name]}": (_beside(each), COLUMNS + 1) for name, each in loaded.items()}
    _sheets(tiles, out / "figure-2.png", "last column: the training image nearest to the sample on its left")
    walks = {f"{name}, {lasted[name]}": (shown(each["walks"]), WALK) for name, each in loaded.items()}
    if digits := mnist_model(out.parent):
        walks["MNIST, the digits' generator"] = (walk(digits, ROWS, WALK), WALK)
    _sheets(walks, out / "figure-3.png", "from left to right: straight lines between two latents")


def _beside(each: Mapping[str, np.ndarray]) -> np.ndarray:
    samples = shown(each["samples"]).reshape(ROWS, COLUMNS, *each["samples"].shape[1:])
    return np.concatenate([samples, shown(each["neighbors"])[:, None]], 1).reshape(-1, *samples.shape[2:])


def _sheets(tiles: Mapping[str, tuple[np.ndarray, int]], path: Path, says: str) -> None:
    rows = max(math.ceil(len(images) / columns) / columns for images, columns in tiles.values())
    figure, places = panels(1, len(tiles), width=4.4, height=4.4 * rows + 0.7)
    for panel, (title, (images, columns)) in zip(places, tiles.items(), strict=True):
        panel.imshow(np.asarray(pictures.grid(images, columns)))
        panel.set_title(title)
        panel.axis("off")
    figure.supxlabel(says, fontsize=9)
    save(figure, path)


def mnist_model(runs: Path) -> Model | None:
    """The generator that a run of gan-2014-mnist beside this one has reached, the longest one; None where there is none."""
    folders = [
        folder for name in ("gan-2014-mnist", "reproduce-gan-2014-mnist") for folder in (runs / name / "work").glob("seed-*")
    ]
    reached: list[tuple[int, Path, checkpoint.State]] = []
    for folder in folders:
        try:
            state = checkpoint.newest(folder / "checkpoints")
        except Unusable:
            continue
        reached.append((state.record.step, folder, state))
    if not reached:
        return None
    _, folder, state = max(reached, key=lambda each: each[0])
    gan = build(from_data(read_json(folder / "run.json")["recipe"]), (1, 28, 28), classes=10)
    with torch.random.fork_rng(devices=[]):
        state.restore(gan)
    return Model(gan)
