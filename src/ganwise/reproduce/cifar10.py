"""DCGAN, WGAN-GP and SNGAN on CIFAR-10 as mimicry trains and measures them, as far as the machine allows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganwise import machine, pictures
from ganwise.build import GAN, build
from ganwise.catalog.recipes import named
from ganwise.catalog.settings import adam, choice
from ganwise.data import Dataset, load
from ganwise.features import ImageFeatures
from ganwise.metrics import kid, precision_recall_density_coverage
from ganwise.model import Model
from ganwise.protocols import emulate
from ganwise.recipe import Recipe, Schedule
from ganwise.reproduce import sets, training
from ganwise.reproduce.plots import panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Row, Scale, Verdict, Work
from ganwise.train import train
from ganwise.types import Record, Unusable

GROWS = True
WIDTH, STEPS, CRITIC = 256, 100_000, 5
"""Channels of G; D has half of them. Steps of G, and updates of D for one of them."""
PUBLISHED: dict[str, tuple[float, str]] = {
    "dcgan": (28.95, "mimicry-10k"),
    "wgan-gp": (22.29, "mimicry"),
    "sngan": (16.77, "mimicry"),
}
"""FID and the protocol that it was measured by."""
WEIGHTS = "GANWISE_INCEPTION"
"""The environment variable that names a file with the weights of FID's Inception-v3."""
GOOD, NEAR = 1.05, 1.15
RUNS: dict[Scale, dict[str, int]] = {
    "sample": {"width": 8, "steps": 2, "looks": 60, "every": 1},
    "here": {"width": 16, "steps": 500, "looks": 2_000, "every": 25},
    "paper": {"width": WIDTH, "steps": STEPS, "looks": 10_000, "every": 500},
}


def cells(experiment: str, scale: Scale) -> list[Cell]:
    runs = [Cell(name, {"model": name, **RUNS[scale], "seed": 0}) for name in PUBLISHED]
    return runs if scale == "sample" else [Cell("speed", {"steps": 2}), *runs]


def recipe(name: str, width: int = WIDTH) -> Recipe:
    """The named GAN's loss and penalty on mimicry's networks, by its schedule: no weights are averaged."""
    known = named(name)
    players = {
        player: adam(f"2e-4 -> 0 linear {STEPS * updates}", 0.0, 0.9)
        for player, updates in (("discriminator", CRITIC), ("generator", 1))
    }
    schedule = Schedule(batch=64, discriminator_steps=CRITIC, ema=0.0, **players)
    networks = choice("resnet", width=width, full_side=32)
    return Recipe(architecture=networks, loss=known.loss, regularizers=known.regularizers, schedule=schedule)


def _data(work: Work) -> Dataset:
    """All that is not test is trained on, as there."""
    if work.scale == "sample":
        return sets.divided(sets.colored_digits(900), 800, 0, 100, 800)
    data = load(work.wanted)
    if data.shape != (3, 32, 32) or len(data) != 60_000:
        raise Unusable(f"{work.wanted}: not CIFAR-10: {len(data)} samples of {data.shape}; expected 60,000 of (3, 32, 32)")
    return sets.divided(data, 50_000, 0, 10_000, 50_000)


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    data, options = _data(work), cell.options
    if cell.name == "speed":
        return {"seconds_a_step": _speed(data, int(options["steps"]), work)}
    steps, every, looks = (int(options[name]) for name in ("steps", "every", "looks"))
    see = ImageFeatures(work.device)
    real = see(data.part("test")[:looks])

    def look(gan: GAN, record: Record) -> Mapping[str, Any]:
        samples = Model(gan).sample(looks, seed=1)
        pictures.save(pictures.grid(samples[:36]), folder / "samples" / f"{record.step:07d}.png")
        fake = see(samples)
        distance, near = kid(real, fake), precision_recall_density_coverage(real, fake)
        row = {"kid": distance.value * 1000, "low": distance.low * 1000, "high": distance.high * 1000, "seed": options["seed"]}
        row |= {"coverage": near.coverage.value, "precision": near.precision.value, "recall": near.recall.value}
        return {**row, "computed_in": str(gan.precision or torch.float32), **_published(gan, data, record.step == steps)}

    marks = sorted({max(every, steps // part // every * every) for part in (4, 2)})
    plan = recipe(str(options["model"]), int(options["width"]))
    curve = training.run(plan, data, folder, work, steps=steps, marks=marks, measure=look, seed=int(options["seed"]), every=every)
    return {**curve[-1], "curve": curve}


def _published(gan: GAN, data: Dataset, last: bool) -> Row:
    """FID as mimicry measures it, where the weights for it are at hand and all of CIFAR-10 is."""
    weights = os.environ.get(WEIGHTS)
    if not (last and weights and len(data) == 60_000):
        return {}
    found: Row = {}
    for protocol in ("mimicry", "mimicry-10k"):
        scores = emulate(data, protocol, f"inception:{weights}", str(gan.device)).scores(Model(gan).sample)
        found[protocol] = next(score.value for score in scores if score.metric == "fid")
    return {"fid": found}


def _speed(data: Dataset, steps: int, work: Work) -> dict[str, float]:
    """Seconds a step with networks of the published width; the first step is not counted."""
    found = {}
    for name in PUBLISHED:
        gan = build(recipe(name), data.shape, classes=len(data.classes), device=work.device)
        gan.precision = machine.precision(work.precision, work.device, gan.generator)
        first, *_, last = train(gan, data, steps=steps + 1, every=1)
        found[name] = (last.seconds - first.seconds) / steps
    return found


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    runs = {row["cell"]: row for row in rows if "curve" in row}
    if not runs:
        return Conclusion((), "unjudged", "no run has begun")
    speed: Row = next((row["seconds_a_step"] for row in rows if row["cell"] == "speed"), {})
    ours = [Figure(f"FID of {name}, {PUBLISHED[name][1]}", fid) for name, row in runs.items() if (fid := _fid(row)) is not None]
    verdict = judge(runs, scale)
    return Conclusion(ours, verdict, _because(runs, speed), _notes(runs, speed))


def _curve(row: Row) -> str:
    """KID is no figure of ours: it would stand beside a published FID."""
    points = ", ".join(f"{point['step']:,}: {point['kid']:.0f}" for point in row["curve"])
    return f"{points} ({row['low']:.0f} to {row['high']:.0f} at the end)"


def _width(row: Row) -> int:
    """Of G, from the cell, or from the curve of a run under way, which knows no cell."""
    return int(row.get("options", {}).get("width", RUNS["here"]["width"]))


def _fid(row: Row) -> float | None:
    """By the protocol of this model's published figure."""
    found = row.get("fid", {}).get(PUBLISHED[row["cell"]][1])
    return None if found is None else float(found)


def judge(runs: Mapping[str, Row], scale: Scale) -> Verdict:
    """The worst of the three: reproduced up to 5 % above the published FID, close up to 15 %.

    Judged are networks of the published width after all steps, measured in the published features, and nothing less.
    """
    if scale == "sample":
        return "unjudged"
    whole = [row for row in runs.values() if row["step"] >= STEPS and _width(row) == WIDTH and _fid(row) is not None]
    if len(whole) < len(PUBLISHED):
        return "out of reach here"
    worst = max((_fid(row) or 0.0) / PUBLISHED[row["cell"]][0] for row in whole)
    return "reproduced" if worst <= GOOD else "close" if worst <= NEAR else "not reproduced"


def _because(runs: Mapping[str, Row], speed: Mapping[str, float]) -> str:
    measured = {name: fid for name, row in runs.items() if (fid := _fid(row)) is not None}
    if measured:
        return "; ".join(f"{name}: FID {fid:.2f}, published {PUBLISHED[name][0]}" for name, fid in measured.items())
    steps = max(row["step"] for row in runs.values())
    said = f"{steps:,} of {STEPS:,} steps, and no weights of FID's Inception-v3 here to measure the published figure with"
    hours = ", ".join(f"{name} {STEPS * seconds / 3600:,.0f} h" for name, seconds in speed.items())
    return said + (f"; at the published width all steps take {hours} of this machine's core" if hours else "")


def _notes(runs: Mapping[str, Row], speed: Mapping[str, float]) -> list[str]:
    notes = []
    for name, row in runs.items():
        notes.append(
            f"{name}, width {_width(row)}, KID x1000 by step: {_curve(row)}; at the end coverage {row['coverage']:.2f}, "
            f"precision {row['precision']:.2f}, recall {row['recall']:.2f} (efficientnet@96, test images); "
            f"{row['seconds'] / row['step']:.2f} s a step"
        )
    notes += [f"{name} at the published width: {seconds:.1f} s a step" for name, seconds in speed.items()]
    return [
        *notes,
        f"rates fall over {STEPS:,} steps, so that these are beginnings of the published runs, but for the width of the networks",
        f"one seed; computed in {', '.join(sorted({row['computed_in'] for row in runs.values()}))}",
        "all of it needs a GPU: --scale paper --device cuda, with the weights of FID's Inception-v3 in a file named by "
        f"{WEIGHTS}; no GPU was at hand, so its hours were not measured",
        "ours sums features over places in all three discriminators, mimicry takes WGAN-GP's mean; its DCGAN ends in a sigmoid",
    ]


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """The learning curves, and what each generator draws at its end."""
    runs = [row for row in rows if "curve" in row]
    if not runs:
        return
    figure, places = panels(1, 2, width=4.2, height=3.2)
    for panel, name, label in zip(
        places, ("kid", "coverage"), ("KID x1000, lower is better", "coverage, higher is better"), strict=True
    ):
        for row in runs:
            panel.plot([p["step"] for p in row["curve"]], [p[name] for p in row["curve"]], marker=".", label=row["cell"])
        panel.set(xlabel=f"steps, of {STEPS:,}", ylabel=label)
        panel.set_ylim(bottom=0)
    places[0].set_title("the first steps, narrow networks" if _width(runs[0]) < WIDTH else "learning curves")
    places[1].legend()
    save(figure, out / "curves.png")
    sheets = {row["cell"]: sorted((out / "work" / row["cell"] / "samples").glob("*.png")) for row in runs}
    sheets = {name: files for name, files in sheets.items() if files}
    if sheets:
        figure, places = panels(1, len(sheets), width=3, height=3.3)
        for panel, (name, files) in zip(places, sheets.items(), strict=True):
            panel.imshow(np.asarray(Image.open(files[-1])))
            panel.set_title(f"{name}, step {int(files[-1].stem):,}")
            panel.axis("off")
        save(figure, out / "samples.png")
