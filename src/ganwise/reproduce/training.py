"""One long training run of an experiment: resumable to the bit, measured at marks, whatever its caller measures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ganwise import checkpoint, machine, model
from ganwise.artifacts import append_row, rows, to_json, write_bytes, write_json
from ganwise.build import GAN, build
from ganwise.data import Dataset
from ganwise.recipe import Recipe
from ganwise.reproduce.work import CURVE, Interrupted, Row, Work
from ganwise.train import train
from ganwise.types import Record, Unusable

Measure = Callable[[GAN, Record], Mapping[str, Any]]
RECORDS = "records.jsonl"
CHECKPOINT_SECONDS = 60.0
"""CPU seconds of training between two checkpoints."""


def run(
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    work: Work,
    *,
    steps: int,
    marks: Sequence[int],
    measure: Measure,
    seed: int = 0,
    every: int = 20,
    begin: checkpoint.State | None = None,
) -> list[Row]:
    """Trains to ``steps`` and measures at each of ``marks``, a multiple of ``every`` each; returns the rows of the curve.

    ``folder`` gets the recipe, `RECORDS`, `CURVE`, checkpoints and at the end the model. A longer run than before goes on where
    it ended, a new one from ``begin`` where that is given. Measuring draws from no random state of the training.

    Raises:
        Interrupted: The run was told to stop; its state is saved.
        Unusable: The folder holds a run of another recipe or seed.
    """
    if missed := [mark for mark in marks if mark % every]:
        raise ValueError(f"marks {missed} are no multiples of {every}, at which records are made")
    gan, state = _begun(recipe, data, folder, work, seed, begin)
    saved, record = state.record.seconds if state else 0.0, None
    for record in train(gan, data, steps=steps, seed=seed, every=every, start=state, stop=lambda: work.stop.interrupted):
        if record.signals:
            append_row(folder / RECORDS, record.as_json())
        if record.step in marks or record.step == steps:
            with torch.random.fork_rng(devices=[]):
                append_row(folder / CURVE, {"step": record.step, "seconds": record.seconds, **measure(gan, record)})
        if work.stop.interrupted or record.step == steps or record.seconds - saved > CHECKPOINT_SECONDS:
            checkpoint.save(folder / "checkpoints", checkpoint.state(gan, record))
            saved = record.seconds
        if work.stop.interrupted:
            raise Interrupted
    if record is not None:
        model.save(model.Model(gan, data.classes), folder / "model.safetensors")
    return list(rows(folder / CURVE))


def _begun(
    recipe: Recipe, data: Dataset, folder: Path, work: Work, seed: int, begin: checkpoint.State | None
) -> tuple[GAN, checkpoint.State | None]:
    """The GAN, and the state that it goes on from, after which nothing is left in the folder."""
    gan = build(recipe, data.shape, classes=len(data.classes), seed=seed, device=work.device)
    gan.precision = machine.precision(work.precision, work.device, gan.generator)
    state = _opened(folder, gan, data, seed) or begin
    for name in (RECORDS, CURVE):
        _cut(folder / name, state.record.step if state else 0)
    return gan, state


def _opened(folder: Path, gan: GAN, data: Dataset, seed: int) -> checkpoint.State | None:
    """The newest state in the folder, if it holds one; else the folder is begun."""
    about = {"recipe": gan.recipe.model_dump(mode="json"), "seed": seed, "data": data.content, "precision": str(gan.precision)}
    told = folder / "run.json"
    if not told.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(told, about)
        return None
    if json.loads(told.read_text(encoding="utf-8")) != json.loads(json.dumps(about)):
        raise Unusable(f"{folder}: holds a run of another recipe, seed, data or precision; name another --out")
    try:
        return checkpoint.newest(folder / "checkpoints")
    except Unusable:
        return None


def _cut(file: Path, step: int) -> None:
    """Takes away what was written after the checkpoint that the run goes on from."""
    if file.is_file():
        whole = [row for row in rows(file) if row["step"] <= step]
        write_bytes(file, "".join(to_json(row) + "\n" for row in whole).encode())
