"""The 2014 experiment on faces: a generator trained in two stages, judged by its Parzen-window log-likelihood fold by fold."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from ganwise import checkpoint, model, pictures
from ganwise.build import GAN, build
from ganwise.catalog.settings import choice
from ganwise.data import Dataset, Split, content_hash, load
from ganwise.metrics import parzen_log_likelihood
from ganwise.metrics.parzen import SIGMAS
from ganwise.model import Model
from ganwise.networks.pair import Generator
from ganwise.recipe import Recipe
from ganwise.reproduce import training
from ganwise.reproduce.original import flat
from ganwise.reproduce.original_pictures import schedule
from ganwise.reproduce.plots import panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Row, Scale, Verdict, Work
from ganwise.study.tails import t_quantile
from ganwise.types import Record, Unusable

PUBLISHED, ERROR = 2057.0, 26.0
SIDE, BATCH, FOLDS = 48, 100, 5
UNLABELED, VALIDATION, TEST = 0, 2, 3
"""How TFD_48x48.mat numbers the parts of a fold; 1 is a classifier's training part, which is not used here."""
NOT_PUBLIC = "the Toronto Face Database is not public: whoever has it runs this with --data"
STAGES: dict[Scale, dict[str, int]] = {
    "sample": {"shrink": 200, "first": 1, "second": 1, "samples": 100},
    "here": {"shrink": 8, "first": 25, "second": 11, "samples": 2_000},
    "paper": {"shrink": 1, "first": 50, "second": 22, "samples": 10_000},
}
"""By what the widths are divided, epochs of either stage, samples that the likelihood is of."""


class Faces(NamedTuple):
    """Images to train on, and for each fold images that choose sigma and images that are scored; all 48 x 48 and gray."""

    unlabeled: Dataset
    folds: list[tuple[np.ndarray, np.ndarray]]
    stand_in: bool


def cells(experiment: str, scale: Scale) -> list[Cell]:
    return [Cell("two-stages", {**STAGES[scale], "seed": 0})]


def recipe(stages: int, shrink: int, epoch: int) -> Recipe:
    """tfd_pretrain/pretrain.yaml for one stage, tfd_pretrain/train.yaml for two. ``epoch`` is in steps of 100 images."""
    widths = {"width": 8000 // shrink, "units": 1200 // shrink}
    networks = choice("original", second="sigmoid", prior="normal", most=1.9365, stages=stages, **widths)
    return Recipe(architecture=networks, loss=choice("non-saturating"), schedule=schedule(0.05, BATCH, epoch))


def faces(work: Work) -> Faces:
    """The user's faces; without them built-in digits in their place, but not at the scale of the paper."""
    if work.scale == "sample" or (work.scale == "here" and work.source is None):
        return stand_in(600 if work.scale == "sample" else 8_000)
    return read(work.wanted)


def read(source: str) -> Faces:
    """An .npz with images (n, 48, 48) and folds (n, 5), as in TFD_48x48.mat.

    Raises:
        Unusable: The file can't be read, an array is missing or of another shape, or a part of a fold is empty.
    """
    try:
        with np.load(source) as file:
            images, parts = (np.asarray(file[name]) for name in ("images", "folds"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise Unusable(f"{source}: not faces: {error}; give an .npz with images (n, 48, 48) and folds (n, 5)") from None
    if images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8 or parts.shape != (len(images), FOLDS):
        told = f"images {images.dtype} {images.shape}, folds {parts.shape}"
        raise Unusable(f"{source}: {told}; expected bytes (n, {SIDE}, {SIDE}) and ({len(images)}, {FOLDS})")
    folds = [(images[part == VALIDATION], images[part == TEST]) for part in parts.T]
    unlabeled = images[(parts == UNLABELED).any(1)]
    if not len(unlabeled) or not all(len(each) for fold in folds for each in fold):
        raise Unusable(f"{source}: a part is empty; folds has {UNLABELED} unlabeled, {VALIDATION} validation, {TEST} test")
    return Faces(whole(unlabeled), folds, stand_in=False)


def stand_in(train: int) -> Faces:
    """The built-in digits with a black border, and disjoint folds of those that are not trained on."""
    digits = np.pad(load("mnist-10k").values[..., 0], ((0, 0), (10, 10), (10, 10)))
    held = np.array_split(digits[8_000:], 2 * FOLDS)
    return Faces(whole(digits[:train]), list(zip(held[::2], held[1::2], strict=True)), stand_in=True)


def whole(images: np.ndarray) -> Dataset:
    """All images to train on; its other parts, which every data set has, are the first ones again and are not looked at."""
    data, rows = load(images[..., None]), np.arange(len(images))
    split = Split(rows, rows[:64], rows[:64])
    return replace(data, split=split, content=content_hash(data.values, data.labels, split))


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    found, options = faces(work), cell.options
    epoch = max(1, len(found.unlabeled.split.train) // BATCH)
    shrink, seed, samples = (int(options[name]) for name in ("shrink", "seed", "samples"))

    def look(gan: GAN, record: Record) -> Mapping[str, Any]:
        made = Model(gan).sample(samples, seed=1)
        pictures.save(pictures.grid(made[:36]), folder / f"stage-{gan.recipe.architecture.options['stages']}.png")
        spread = float(made.std(0).mean() / found.unlabeled.values.std(0).mean())
        return {"folds": [fold_likelihood(made, *fold) for fold in found.folds], "epoch": record.step / epoch, "spread": spread}

    first, second = (epoch * int(options[name]) for name in ("first", "second"))
    every = max(1, epoch // 4)
    data, plan = found.unlabeled, recipe(2, shrink, epoch)
    one = training.run(
        recipe(1, shrink, epoch), data, folder / "stage-1", work, steps=first, marks=(), measure=look, seed=seed, every=every
    )
    begin = continued(plan, data, folder / "stage-1" / "model.safetensors", seed, work.device)
    two = training.run(
        plan, data, folder / "stage-2", work, steps=second, marks=(), measure=look, seed=seed, every=every, begin=begin
    )
    seconds = one[-1]["seconds"] + two[-1]["seconds"]
    row = {"stage_1": one[-1], "stage_2": two[-1], "steps": first + second, "seconds": seconds}
    return {**row, "stand_in": found.stand_in, "train": len(found.unlabeled.split.train)}


def fold_likelihood(samples: np.ndarray, validation: np.ndarray, test: np.ndarray) -> float:
    """Mean log-likelihood of the fold's test images, in nats, with the sigma that its validation images prefer."""
    return parzen_log_likelihood(flat(validation), flat(test), flat(samples), sigmas=SIGMAS).value


def continued(plan: Recipe, data: Dataset, file: Path, seed: int, device: str) -> checkpoint.State:
    """The state in which stage 2 begins: fresh layers in front of all that stage 1 has learned, and a fresh discriminator."""
    gan = build(plan, data.shape, classes=len(data.classes), seed=seed, device=device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gan.fit(torch.as_tensor(data.part("train")), torch.as_tensor(data.labels[data.split.train]))
        stack(gan.generator, model.load(file, device).generator)
        gan.average.load_state_dict(gan.generator.state_dict())
        return checkpoint.state(gan, Record(0, 0, 0.0, {}))


def stack(generator: Generator, learned: Generator) -> None:
    """Copies the layers of ``learned`` into the last ones of ``generator``."""
    theirs = [*learned.synthesis.children()]
    for mine, other in zip([*generator.synthesis.children()][-len(theirs) :], theirs, strict=True):
        mine.load_state_dict(other.state_dict())


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    if not rows:
        return Conclusion((), "unjudged", "nothing has been measured")
    row = rows[0]
    ours = [over_folds(f"after stage {stage}", row[f"stage_{stage}"]["folds"]) for stage in (2, 1)]
    verdict = judge(ours[0], bool(row["stand_in"]), int(row["options"]["shrink"]), scale)
    if row["stand_in"]:  # no figure of ours: it would stand beside that of faces
        return Conclusion((), verdict, NOT_PUBLIC, _notes(row, ours))
    said = f"{ours[0].value:.0f} nats, published {PUBLISHED:g} ± {ERROR:g}"
    return Conclusion(ours, verdict, said, _notes(row))


def over_folds(when: str, folds: Sequence[float]) -> Figure:
    """The mean over folds with Student's interval; the paper prints the standard error."""
    error = float(np.std(folds, ddof=1)) / math.sqrt(len(folds))
    mean, reach = float(np.mean(folds)), t_quantile(0.05, len(folds) - 1) * error
    return Figure(
        f"Parzen log-likelihood {when}, {len(folds)} folds", mean, mean - reach, mean + reach, note=f"standard error {error:.1f}"
    )


def judge(ours: Figure, digits: bool, shrink: int, scale: Scale) -> Verdict:
    """Of faces, and of networks of the published size: reproduced where the intervals meet or ours is higher, or close."""
    if scale == "sample":
        return "unjudged"
    if digits or shrink != 1:
        return "out of reach here"
    if (ours.high or ours.value) >= PUBLISHED - 1.96 * ERROR:
        return "reproduced"
    return "close" if ours.value >= 0.9 * PUBLISHED else "not reproduced"


def _notes(row: Row, digits: Sequence[Figure] = ()) -> list[str]:
    options = row["options"]
    notes = [
        f"stage 1: {options['first']} epochs of {row['train']:,} images, stage 2: {options['second']}; published are 50 and 22; "
        f"the widths are the published ones divided by {options['shrink']}; {row['seconds'] / row['steps']:.2f} s a step",
        f"samples scatter over {row['stage_1']['spread']:.2f} of the data's deviation after stage 1, "
        f"{row['stage_2']['spread']:.2f} after stage 2: far below 1 they are all alike",
        "stage 2 puts a ReLU and a sigmoid layer in front of stage 1's generator, trains all of it, and begins with a new D",
    ]
    told = [
        f"digits with a black border in the faces' place: {each.what}: {each.value:.0f} nats ({each.note})" for each in digits
    ]
    if told:
        told.append("the digits only show that both stages run: their likelihood has nothing to do with the published figure")
    return notes + told


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """Samples after either stage."""
    files = [out / "work" / "two-stages" / f"stage-{stage}.png" for stage in (1, 2)]
    if not rows or not all(file.is_file() for file in files):
        return
    figure, places = panels(1, 2, width=3.6, height=3.9)
    digits = ", digits for faces" if rows[0]["stand_in"] else ""
    for stage, (panel, file) in enumerate(zip(places, files, strict=True), 1):
        panel.imshow(np.asarray(Image.open(file)))
        panel.set_title(f"samples after stage {stage}{digits}")
        panel.axis("off")
    save(figure, out / "samples.png")
