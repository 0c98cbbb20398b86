"""One run of the ward: a cell, broken by an injection or not, trained and judged by its samples."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from ward_cases import CELLS, INJECTIONS, SEEDS, Injection

from ganwise import checkpoint, ramp
from ganwise.artifacts import RunDirectory, append_row
from ganwise.build import GAN, build
from ganwise.catalog import named
from ganwise.data import Dataset, content_hash, load
from ganwise.evaluate import prepare
from ganwise.model import Model
from ganwise.networks import Generator
from ganwise.networks.labels import Stack
from ganwise.objective import Output
from ganwise.recipe import Recipe, change
from ganwise.train import train

MOST_SECONDS = 20.0
CHECKPOINTS = 20  # in a run; thinned as they age
FEW, DUPLICATED, SCALE, DEAD = 32, 8, 2.0**24, -100.0
JUDGED = 500
"""Most samples of the validation part that a run is judged by."""


class Case(NamedTuple):
    """A run to make. Without an injection it is a healthy twin."""

    cell: str
    injection: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.cell}-{self.injection or 'healthy'}-s{self.seed}"

    @property
    def broken(self) -> Injection | None:
        return INJECTIONS[self.injection] if self.injection else None

    @property
    def content(self) -> str:
        """By its hash, everything that the run depends on."""
        told = [self.seed, CELLS[self.cell]._asdict(), recipe(self).to_json()]
        told += [self.broken.hook, self.broken.onset] if self.broken else []
        return hashlib.sha256(json.dumps(told, default=dict).encode()).hexdigest()[:12]


def cases() -> list[Case]:
    """All of them, one seed of everything before the next; of each seed the twins first, then the calibration part."""
    twins = [(cell, "") for cell in CELLS]
    sick = [(cell, name) for name, injection in INJECTIONS.items() for cell in injection.cells]
    sick.sort(key=lambda pair: CELLS[pair[0]].part)
    return [Case(*pair, seed) for seed in SEEDS for pair in twins + sick]


def recipe(case: Case) -> Recipe:
    """The cell's, with the injection's changes."""
    cell = CELLS[case.cell]
    made = change(named(cell.recipe), cell.changes)
    if case.broken:
        told = {path: ramp.scaled(_rate(made, path), factor) for path, factor in case.broken.factors.items()}
        made = change(made, {**told, **case.broken.changes})
    return made


def _rate(made: Recipe, path: str) -> float | str:
    _, player, field = path.split(".")
    rate: float | str = getattr(getattr(made.schedule, player), field)
    return rate


@cache
def _loaded(name: str, size: int | None) -> Dataset:
    return load(name, size=size)


def data_of(case: Case) -> Dataset:
    """The cell's data, with the injection's training part."""
    cell = CELLS[case.cell]
    whole = _loaded(cell.data, cell.size)
    hook = case.broken.hook if case.broken else ""
    if hook == "leak":
        values = whole.values.copy()
        values[:, :, 0] = 255
        return _with(replace(whole, values=values))
    kept = {"few": FEW, "duplicated": DUPLICATED, "constant": 1}.get(hook)
    if kept is None:
        return whole
    chosen = np.random.default_rng(case.seed).permutation(whole.split.train)[:kept]
    return _with(replace(whole, split=whole.split._replace(train=np.sort(np.resize(chosen, len(whole.split.train))))))


def _with(data: Dataset) -> Dataset:
    return replace(data, content=content_hash(data.values, data.labels, data.split))


class Linear(nn.Module):
    """A linear critic, (B, D) to scores (B,)."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.slope = nn.Linear(dimensions, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        return Output(self.slope(x)[:, 0])


class Shift(nn.Module):
    """Adds to noise of the data's shape what it has learned."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.ones(dimensions))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.by


def made(case: Case, data: Dataset, healing: Recipe | None = None) -> GAN:
    """The live GAN, with what the injection does to its networks from the start; of another recipe when it is being healed."""
    gan = build(healing or recipe(case), data.shape, classes=len(data.classes), seed=case.seed)
    if CELLS[case.cell].game:
        size = data.shape[0]
        gan.generator = Generator(Stack(Shift(size)), size, "normal")
        gan.average = Generator(Stack(Shift(size)), size, "normal").requires_grad_(False)
        gan.discriminator = Linear(size)
        gan.to("cpu")
    if case.broken and case.broken.hook == "leak":
        gan.generator.register_forward_hook(_gray_column)
    return gan


def _gray_column(module: nn.Module, told: Any, images: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(images[..., :1]), images[..., 1:]], -1)


def _overflowing(gan: GAN) -> None:
    for weight in gan.discriminator.parameters():
        weight.register_hook(lambda gradient: (gradient * SCALE).half().float() / SCALE)


@torch.no_grad()
def _dead(gan: GAN) -> None:
    """The bias before each ReLU of the generator; that of a normalization where there is one."""
    biases = [module.bias for module in gan.generator.modules() if isinstance(module, (nn.Linear, nn.BatchNorm2d))]
    convolutional = any(isinstance(module, nn.BatchNorm2d) for module in gan.generator.modules())
    for bias in biases[1:] if convolutional else biases[:-1]:
        assert isinstance(bias, Tensor)
        bias.fill_(DEAD)


EVENTS: dict[str, Callable[[GAN], None]] = {"overflow": _overflowing, "dead": _dead}


def go(case: Case, folder: Path) -> dict[str, Any]:
    """Trains and judges one run in ``folder``; returns its row."""
    cell, broken, data = CELLS[case.cell], case.broken, data_of(case)
    gan, run = made(case, data), RunDirectory(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run.records_file.unlink(missing_ok=True)
    onset = round(broken.onset * cell.steps) if broken else 0
    event = EVENTS.get(broken.hook) if broken else None
    finite, saved = True, 0
    start = {} if broken else {"untrained": outcome(Model(gan).sample, data)}
    for record in train(gan, data, steps=cell.steps, seed=case.seed):
        append_row(run.records_file, record.as_json())
        finite = bool(np.isfinite(list(record.signals.values())).all())
        if not finite or record.seconds >= MOST_SECONDS:
            break
        if broken and record.step // (cell.steps // CHECKPOINTS) > saved:
            saved = record.step // (cell.steps // CHECKPOINTS)
            checkpoint.save(folder / "checkpoints", checkpoint.state(gan, record))
        if event and record.step >= onset:
            event(gan)
            event = None
    told = {"name": data.name, "source": data.source, "content": data.content, "shape": data.shape}
    run.update(recipe=gan.recipe.model_dump(mode="json"), seed=case.seed, data=told, planned=cell.steps, status="done")
    run.update(steps=record.step, images=record.images, seconds=round(record.seconds, 2))
    numbers = outcome(Model(gan).sample, data, leak=broken is not None and broken.hook == "leak") if finite else {}
    row = {"name": case.name, **case._asdict(), "content": case.content, "steps": record.step, "planned": cell.steps}
    return row | {"onset": onset, "seconds": round(record.seconds, 2), "finite": finite, "outcome": numbers} | start


def outcome(sample: Callable[..., np.ndarray], data: Dataset, leak: bool = False) -> dict[str, float]:
    """Numbers of the samples against the validation part; with a leak both sides without the column that leaks."""
    if leak:
        values = data.values.copy()
        values[:, :, 0] = 0
        data = _with(replace(data, values=values))
    bench = prepare(data, "validation", n=JUDGED)
    fakes = sample(bench.n, seed=1).copy()
    if leak:
        fakes[:, :, 0] = 0
    if not np.isfinite(fakes).all():
        return {}
    return {name: value for name, value in bench.quick(fakes).items() if math.isfinite(value)}
