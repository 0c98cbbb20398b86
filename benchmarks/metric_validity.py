"""Which metric sees which spoiling of real images: every metric, seven spoilings at three strengths, MNIST and CIFAR-10.

    python benchmarks/metric_validity.py run mnist=mnist.npz cifar10=cifar10.npz     resumable
    python benchmarks/metric_validity.py pictures mnist=mnist.npz cifar10=cifar10.npz
    python benchmarks/metrics_page.py              writes the tables into docs/metrics.md

Files hold x_train and y_train; `scripts/make_cifar10_npz.py` makes CIFAR-10's. Nothing of the test split is read: all sets are
disjoint parts of the training split in random order, since MNIST's order is not exchangeable. Rows go to
benchmarks/results/metric_validity.jsonl, one for each set of fakes: eight untouched sets, and each spoiling at each strength, all
against the same held-out images.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file
from spoilings import SPOILINGS, Images, Ints, Material  # beside this file
from torch import nn

from ganwise import pictures
from ganwise.features import Floats, ImageFeatures, ModuleFeatures
from ganwise.metrics import METRICS, Estimate, classified

RESULTS = Path(__file__).parent / "results" / "metric_validity.jsonl"
PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WEIGHTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "extractors" / "mnist_cnn.safetensors"
N, TRAIN, UNTOUCHED, CLASSES = 1_000, 3_000, 8, 10
GRAY = ((0.0,), (1.0,))
SHOWN = 8  # images of each set in the picture
Row = dict[str, Any]


class Study(NamedTuple):
    """One data set cut up: held-out images and validation, untouched sets, and what spoilings are made of."""

    name: str
    held_out: Images
    validation: Images
    material: Material
    classifier: nn.Sequential | None

    @property
    def n(self) -> int:
        return len(self.held_out)


def cut(name: str, images: Images, labels: Ints, other: Images, n: int = N, train: int = TRAIN) -> Study:
    """Disjoint parts in random order."""
    order = np.random.default_rng(0).permutation(len(images))
    sizes = [n, n, n, train, UNTOUCHED * n]
    if sum(sizes) > len(order):
        raise SystemExit(f"{name}: {len(order)} images are too few; {sum(sizes)} are needed")
    held_out, validation, real, copied, pool = (
        order[end - size : end] for size, end in zip(sizes, np.cumsum(sizes), strict=True)
    )
    foreign = fitted(other[np.random.default_rng(1).permutation(len(other))[:n]], images.shape[1:])
    material = Material(images[real], images[pool], labels[pool], images[copied], foreign)
    classifier = mnist_classifier() if name == "mnist" and WEIGHTS.is_file() else None
    return Study(name, images[held_out], images[validation], material, classifier)


def fitted(images: Images, shape: Sequence[int]) -> Images:
    """Another data set's images, cut or framed in black to this size, gray or in three equal colors."""
    side, channels = shape[0], shape[2]
    if images.shape[3] > channels:
        images = np.rint(images @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]
    off = abs(images.shape[1] - side) // 2
    if images.shape[1] > side:
        images = images[:, off : off + side, off : off + side]
    elif images.shape[1] < side:
        images = np.pad(images, ((0, 0), (off, side - images.shape[1] - off), (off, side - images.shape[2] - off), (0, 0)))
    return np.repeat(images, channels // images.shape[3], 3)


def mnist_classifier() -> nn.Sequential:
    """99.2 % right on MNIST's test set; 128 features before its last layer."""
    blocks: list[nn.Module] = []
    for inside, outside in ((1, 16), (16, 32)):
        blocks += [nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(1568, 128), nn.ReLU(), nn.Linear(128, 10))
    network.load_state_dict(load_file(WEIGHTS))
    return network.eval()


def fakes(study: Study) -> Iterator[tuple[str, int, Any]]:
    """Name, number and maker of each set: untouched ones, then each spoiling from weak to strong."""
    n = study.n
    for i in range(UNTOUCHED):
        yield "untouched", i, partial(lambda i: study.material.pool[i * n : (i + 1) * n], i)
    for name, spoiling in SPOILINGS.items():
        for i, strength in enumerate(spoiling.strengths):
            yield name, i, partial(spoiling.make, study.material, strength, n, np.random.default_rng([2, i]))


class Judge:
    """Every metric that applies, of sets of fakes against a study's held-out images. The real side is extracted once."""

    def __init__(self, study: Study, metrics: Sequence[str] | None = None) -> None:
        self.study, self.metrics = study, metrics
        self.seen: dict[bytes, Floats] = {}
        self.real_features = self.image_features(study.held_out)
        self.narrow = self.logits = None
        if study.classifier is not None:
            self.narrow = ModuleFeatures(study.classifier[:-1], "mnist-cnn", normalization=GRAY)
            self.logits = ModuleFeatures(study.classifier, "mnist-cnn-logits", normalization=GRAY)
            self.real_narrow = self.narrow(study.held_out)

    def image_features(self, images: Images) -> Floats:
        """The bundled extractor's, of each image once: most spoilings leave most images as they are."""
        keys = [image.tobytes() for image in images]
        new = {key: i for i, key in enumerate(keys) if key not in self.seen}
        if new:
            self.seen |= dict(zip(new, ImageFeatures()(images[list(new.values())]), strict=True))
        return np.stack([self.seen[key] for key in keys])

    def scores(self, images: Images) -> dict[str, float]:
        features = self.image_features(images)
        flat = {side: part.reshape(len(part), -1) for side, part in self._parts(images).items()}
        pixels = {side: (part / 255.0) for side, part in flat.items() if side != "train"}
        found: dict[str, float] = {}
        for name, row in METRICS.items():
            if name in found or name == "path_length" or (self.metrics is not None and name not in self.metrics):
                continue
            if name == "fid_infinity":  # needs 4 images for each feature, so it sees the classifier's 128
                arrays = None if self.narrow is None else [self.real_narrow, self.narrow(images)]
            elif row.space in ("logits", "modes"):
                arrays = None if self.logits is None else self._classes(row.space, images)
            elif row.space == "images":
                arrays = [images]
            elif row.space == "features":
                arrays = [self.real_features, features]
            else:
                arrays = [(pixels if row.space == "pixels" else flat)[side] for side in row.reads]
            if arrays is not None:
                result = row.function(*arrays)
                each = {name: result} if isinstance(result, Estimate) else result._asdict()
                found |= {key: float(estimate.value) for key, estimate in each.items()}
        return found

    def _parts(self, images: Images) -> dict[str, Images]:
        study = self.study
        return {"train": study.material.train, "validation": study.validation, "real": study.held_out, "fake": images}

    def _classes(self, space: str, images: Images) -> list[Any]:
        assert self.logits is not None
        logits = self.logits(images)
        return [logits] if space == "logits" else [classified(logits), np.ones(CLASSES)]


def load(files: Sequence[str]) -> list[Study]:
    """Studies of ``name=file.npz`` arguments, each data set mixed with the next one."""
    names, paths = zip(*(each.split("=", 1) for each in files), strict=True)
    data = [np.load(path) for path in paths]
    images = [part["x_train"].reshape(len(part["x_train"]), *part["x_train"].shape[1:3], -1) for part in data]
    labels = [part["y_train"].astype(np.int64).ravel() for part in data]
    return [cut(name, images[i], labels[i], images[(i + 1) % len(images)]) for i, name in enumerate(names)]


def rows() -> list[Row]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.is_file() else []


def run(studies: Sequence[Study]) -> None:
    torch.set_num_threads(1)
    RESULTS.parent.mkdir(exist_ok=True)
    done = {(row["data"], row["fakes"], row["strength"]) for row in rows()}
    for study in studies:
        todo = [each for each in fakes(study) if (study.name, *each[:2]) not in done]
        judge = Judge(study) if todo else None
        for name, strength, make in todo:
            assert judge is not None
            begin = time.process_time()
            scores = {key: float(f"{value:.6g}") for key, value in judge.scores(make()).items()}
            with RESULTS.open("a") as file:
                file.write(json.dumps({"data": study.name, "fakes": name, "strength": strength, "n": study.n, **scores}) + "\n")
            print(f"{study.name} {name} {strength}: {time.process_time() - begin:.1f} CPU s", flush=True)


def draw(study: Study) -> None:
    """A line for each spoiling, its three strengths side by side, above all untouched images."""
    rows = [("untouched", [study.material.real] * 3, ("", "", ""))]
    made = {name: [make() for other, _, make in fakes(study) if other == name] for name in SPOILINGS}
    rows += [(name, made[name], tuple(each.form.format(s) for s in each.strengths)) for name, each in SPOILINGS.items()]
    lines = []
    for name, sets, strengths in rows:
        # what is replaced comes first, and every kind of image of a set must be seen
        blocks = [pictures.grid(images[:: len(images) // SHOWN][:SHOWN], SHOWN) for images in sets]
        lines.append(_line(name, strengths, blocks))
    sheet = Image.new("RGB", (lines[0].width, sum(line.height for line in lines)), pictures.PAPER)
    for i, line in enumerate(lines):
        sheet.paste(line, (0, i * line.height))
    pictures.save(sheet, PICTURES / f"spoilings-{study.name}.png")


def _line(name: str, strengths: Sequence[str], blocks: Sequence[Image.Image]) -> Image.Image:
    """Blocks side by side, the spoiling's name before them and each strength above its block."""
    left, top, gap, (width, height) = 110, 14, 14, blocks[0].size
    line = Image.new("RGB", (left + len(blocks) * (width + gap), top + height), pictures.PAPER)
    draw = ImageDraw.Draw(line)
    draw.text((8, top + height // 2 - 6), name, fill="black")
    for i, (strength, block) in enumerate(zip(strengths, blocks, strict=True)):
        draw.text((left + i * (width + gap) + 4, 2), strength, fill="black")
        line.paste(block, (left + i * (width + gap), top))
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("run", "pictures"):
        verbs.add_parser(verb).add_argument("files", nargs="+", metavar="NAME=FILE.npz")
    arguments = parser.parse_args()
    studies = load(arguments.files)
    if arguments.verb == "run":
        run(studies)
    else:
        for study in studies:
            draw(study)


if __name__ == "__main__":
    main()
