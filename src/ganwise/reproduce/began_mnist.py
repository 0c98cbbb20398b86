"""BEGAN on MNIST, where others meet blank images or a controller at 0: settings compared on validation images, the best kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganwise import model
from ganwise.data import Dataset, content_hash, load
from ganwise.metrics import kid
from ganwise.reproduce import began, sets
from ganwise.reproduce.began_pictures import draw_mnist, keep
from ganwise.reproduce.began_words import conclude_mnist
from ganwise.reproduce.work import Cell, Conclusion, Row, Scale, Work, rows_in
from ganwise.types import Unusable, Value

FAST: dict[str, Value] = {"loss.gamma": 0.7, "loss.rate": 0.02}
"""More room for diversity, and a controller twenty times as quick: nearly black images have small errors, which k sums up."""
SETTINGS: dict[str, dict[str, Value]] = {
    "as-published": {},
    "fast-k": FAST,
    "fast-k-centered": {**FAST, "view": "centered"},
    "fast-k-cropped": {**FAST, "view": "cropped"},
    "cropped": {"loss.gamma": 0.7, "view": "cropped"},
    "fast-k-cropped-short-code": {**FAST, "view": "cropped", "architecture.code": 16, "architecture.latent": 16},
}
SECOND: dict[str, dict[str, Value]] = {
    "fast-k-centered-cropped": {**FAST, "view": "centered-cropped"},
    "fast-k-centered": SETTINGS["fast-k-centered"],
}
"""Of the second round, run as long as the first round's choice, which had drawn ones alone."""
SAMPLED = ("as-published", "fast-k-centered", "fast-k-cropped")
STEPS = {"sample": 20, "here": 1_000, "paper": 20_000}
LONG = {"sample": 20, "here": 3_000, "paper": 300_000}
WIDTH = {"sample": 4, "here": 16, "paper": 64}
SEEDS = {"sample": (0,), "here": (0, 1), "paper": (0, 1, 2)}
HELD = {"sample": 100, "here": 1_000, "paper": 5_000}
"""Validation images, and as many samples."""


class View:
    """What the networks see instead of the images, and the way back. ``mean`` (H, W, 1) is that of the training images.

    ``centered``: the mean image becomes gray and contrasts are halved. ``cropped``: a seventh of the side is cut off all around.
    """

    def __init__(self, name: str, mean: np.ndarray) -> None:
        self.name, self.mean = name, mean.astype(np.float32)
        self.border = mean.shape[0] // 7

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Bytes to bytes."""
        seen = _bytes((images - self.mean + 255) / 2) if "centered" in self.name else images
        return seen[:, self.border : -self.border, self.border : -self.border] if "cropped" in self.name else seen

    def decode(self, seen: np.ndarray) -> np.ndarray:
        mean, around = self.mean, (self.border, self.border)
        if "cropped" in self.name:
            mean = mean[self.border : -self.border, self.border : -self.border]
        images = _bytes(2 * seen.astype(np.float32) - 255 + mean) if "centered" in self.name else seen
        return np.pad(images, ((0, 0), around, around, (0, 0))) if "cropped" in self.name else images


def _bytes(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.rint(values).clip(0, 255).astype(np.uint8)
    return found


def cells(experiment: str, scale: Scale) -> list[Cell]:
    """The search; then for longer what it chose, with each seed, the published settings, and the second round."""
    width = {"architecture.width": WIDTH[scale]}
    made = [
        Cell(name, {"part": "search", "steps": STEPS[scale], "seed": 0, **width, **setting})
        for name, setting in SETTINGS.items()
        if scale != "sample" or name in SAMPLED
    ]
    made += [Cell(f"chosen-seed-{seed}", {"part": "chosen", "steps": LONG[scale], "seed": seed}) for seed in SEEDS[scale]]
    made.append(Cell("as-published-longer", {"part": "control", "steps": LONG[scale], "seed": 0, **width}))
    for name, setting in SECOND.items() if scale != "sample" else ():
        options = {"part": "second", "setting": name, "steps": LONG[scale], "seed": 0, **width, **setting}
        made.append(Cell(f"{name}-seed-0", options))
    return made


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    options: Mapping[str, Value] = cell.options
    name = str(options.get("setting", cell.name))
    if options["part"] == "chosen":
        best = chosen(rows_in(folder.parents[1]))
        name, options = best["cell"], {**best["options"], **options}
    digits = load("mnist-10k", size=14) if work.scale == "sample" else sets.mnist_of_2014(work.wanted)
    view = View(str(options.get("view", "plain")), digits.part("train").mean(0))
    changes = {path: value for path, value in options.items() if "." in path}
    data = seen_through(digits, view)
    curve, trace = began.followed(began.recipe(changes), data, folder, work, int(options["steps"]), int(options["seed"]))
    made = model.load(folder / "model.safetensors", work.device)
    samples = view.decode(made.sample(HELD[work.scale], seed=2))
    keep(folder / "last.npy", samples[:64])
    held = digits.part("validation")[: len(samples)]
    row: Row = {
        **curve[-1],
        **began.appearance(samples, held),
        "kid": distance(held, samples, work.scale),
        "curve": curve,
        "trace": trace,
    }
    if options["part"] in ("chosen", "second"):
        real = digits.part("train")[: len(samples)]
        row |= {
            "setting": name,
            "floor": distance(held, real, work.scale),
            "test": began.judged(digits, samples, work.scale),
        }
    return row


def seen_through(data: Dataset, view: View) -> Dataset:
    """The data as the view shows them, all digits one domain."""
    values = np.ascontiguousarray(view.encode(data.values))
    return replace(data, values=values, classes=(), content=content_hash(values, data.labels, data.split))


def distance(real: np.ndarray, samples: np.ndarray, scale: Scale) -> float:
    """KID x 1000."""
    theirs, ours = (began.features(each, scale) for each in (real, samples))
    return kid(theirs, ours).value * 1000


def chosen(rows: Sequence[Row]) -> Row:
    """The setting of the search with the lowest KID on validation images.

    Raises:
        Unusable: Nothing has been searched.
    """
    searched = [row for row in rows if row["options"].get("part") == "search"]
    if not searched:
        raise Unusable(f"the search comes first: run {', '.join(SETTINGS)}, then what it chose")
    return min(searched, key=lambda row: row["kid"])


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    return conclude_mnist(rows, scale)


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    draw_mnist(rows, out)
