"""The verbs over one run: train, evaluate, sample, export."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ganwise import card, machine, model, pictures, ranks
from ganwise import export as exports
from ganwise.artifacts import RunDirectory, claim, sha256, write_bytes, write_json
from ganwise.build import suited
from ganwise.cli import live, runs, show
from ganwise.data import Dataset, load, located, open_saved
from ganwise.evaluate import prepare
from ganwise.features import extractor_named
from ganwise.protocols import OWN, emulate
from ganwise.recipe import Recipe
from ganwise.study.follower import follow
from ganwise.study.job import free_directory
from ganwise.study.limit import Limit
from ganwise.study.trial import CHECKPOINTS, SCORE_SEED, Stop, Trial, drawn
from ganwise.tensorboard import Board, required
from ganwise.types import SICK, Record, Score, Unusable

MOST_TILES = 10_000
"""Samples in one picture; more would be hundreds of megabytes."""


class Settings(NamedTuple):
    """How `train` was asked to train."""

    steps: int
    seed: int
    device: str
    precision: str
    threads: int
    deterministic: bool
    checkpoint_every: int
    resume: bool
    tensorboard: bool = False


def train(
    recipe: str,
    data: str,
    out: Path | None,
    size: int | None,
    strict: bool,
    changes: Sequence[str],
    settings: Settings,
    json: bool,
) -> int:
    """Exit status: 0 done, 1 the doctor found a failing run, 130 and 143 after a signal. Under torchrun, this process's part."""
    with ranks.joined() as ours:
        try:
            chosen, dataset = ours.together(lambda: _chosen(recipe, data, size, strict, changes, settings))
            ours.alike("the data", dataset.content)
            ours.check(min(chosen.schedule.batch, len(dataset.split.train)))  # refused before anything is written, too
            if not ours.first:
                return _follow(ours, chosen, dataset, settings)
            run = _directory(out, f"{dataset.name}-{Path(recipe).stem}", settings.resume)
            return _train(ours, run, chosen, dataset, settings, json)
        except Unusable:
            if ours.first:
                raise
            return 2  # the first process says why
        except ranks.Lost as lost:
            live.errors.print(f"ganwise: {lost}; start all again, with --resume", markup=False, soft_wrap=True)
            return 1


def _chosen(
    recipe: str, data: str, size: int | None, strict: bool, changes: Sequence[str], settings: Settings
) -> tuple[Recipe, Dataset]:
    """What can be refused before anything is written is refused here."""
    if settings.tensorboard:
        required()
    chosen = runs.read_recipe(recipe, changes)
    runs.device(settings.device)
    if settings.precision != "auto":
        machine.way(settings.precision)
    dataset = load(data, size=size, strict=strict)
    suited(chosen, dataset)
    return chosen, located(dataset)  # `evaluate` may be called from elsewhere


def _follow(ours: ranks.Ranks, recipe: Recipe, data: Dataset, settings: Settings) -> int:
    _repeatable(settings)
    with Stop().listening() as stop, suppress(ranks.Dismissed):
        follow(ours, recipe, data, settings.steps, settings.seed, runs.device(settings.device), stop)
    return stop.status


def _repeatable(settings: Settings) -> None:
    torch.set_num_threads(settings.threads)
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
        torch.use_deterministic_algorithms(True)


def _train(ours: ranks.Ranks, run: RunDirectory, chosen: Recipe, dataset: Dataset, settings: Settings, json: bool) -> int:
    _repeatable(settings)
    device = runs.device(settings.device)
    trial = Trial(run, chosen, dataset, Limit(steps=settings.steps), settings.seed, device, settings.precision)
    trial.checkpoint_every, trial.resume, trial.ranks = settings.checkpoint_every, settings.resume, ours
    with live.bars() as progress, Stop().listening() as stop, ExitStack() as stack:
        task = progress.add_task(run.path.name, total=1.0, numbers="starting")
        board = stack.enter_context(closing(Board(run))) if settings.tensorboard else None

        def show_progress(record: Record, share: float) -> None:
            if board:
                board.follow()
            progress.update(task, completed=share, numbers=live.numbers(dict(record.signals)))

        trial.show, trial.say = show_progress, live.errors.print
        scores = trial.go(stop)
    return _outcome(run, scores, stop, json)


def _directory(out: Path | None, name: str, resume: bool) -> RunDirectory:
    if not resume:
        out = out or free_directory(name)
        claim(out)
        return RunDirectory(out)
    if out is None:
        raise Unusable("--resume: which run? name its directory with --out")
    return RunDirectory.open(out)


def _outcome(run: RunDirectory, scores: Sequence[Score], stop: Stop, json: bool) -> int:
    told = run.read()
    result = {"scores": [s._asdict() for s in scores], "verdict": told["verdict"], "out": str(run.path)}
    result |= {k: told.get(k) for k in ("steps", "images", "seconds", "best", "model_sha256", "status")}
    show.result(result, json, lambda: _trained(result, run))
    if stop.interrupted:
        saved = f"the best model so far is saved: {run.model}" if run.model.is_file() else "there is no model yet"
        again = "; --resume goes on from there" if (run.path / CHECKPOINTS).is_dir() else ""
        live.errors.print(f"interrupted at step {told['steps']}; {saved}{again}", markup=False, soft_wrap=True)
        return stop.status
    return 1 if told["verdict"] in SICK else 0


def _trained(result: dict[str, Any], run: RunDirectory) -> None:
    show.heading(f"{result['steps']:,} steps, {result['images']:,} images, {result['seconds']:.0f} s; {result['verdict']}")
    if result["scores"]:
        show.scores(result["scores"])
    if run.model.is_file():
        show.console.print(f"  model   {run.model}\n  samples {run.grid}")
    else:
        show.console.print("  no model: the run diverged before its first record")


def evaluate(path: Path, n: int | None, device: str, features: str, protocol: str, json: bool) -> None:
    if protocol != OWN and n is not None:
        raise Unusable(f"-n {n}: protocol {protocol} has its own sample sizes; leave -n out")
    run = RunDirectory.open(runs.find(path))
    told = runs.told(run)
    device = runs.device(device)
    data, generator = data_of(run, told), model.load(run.model, device)
    if protocol == OWN:
        extractor = extractor_named(features, data.kind, device=device) if features else None
        bench = prepare(data, "test", n=n, device=device, extractor=extractor)
        draws = drawn(bench.n)
        found = bench.scores(generator.sample(bench.n * draws, SCORE_SEED), draws=draws)
    else:
        found = emulate(data, protocol, features, device).scores(generator.sample, SCORE_SEED)
    scores = [s._asdict() for s in found]
    if n is None and not features and protocol == OWN and "job" not in told:  # those of a race stay as they were compared
        with suppress(OSError):  # a run on a read-only disk can be scored all the same
            write_json(run.scores, {"scores": scores})
    show.result({"scores": scores, "out": str(run.path)}, json, lambda: show.scores(scores))


def data_of(run: RunDirectory, told: Mapping[str, Any]) -> Dataset:
    """The very data that the run was trained on: its copy in the race's directory, or the source with the same content."""
    kept = run.path.parent.parent / "data"  # beside the run, wherever the race's directory is by now
    if "job" in told and (kept / "values.npy").is_file():
        return open_saved(kept)
    source, shape = told["data"]["source"], told["data"]["shape"]
    dataset = load(source, size=shape[-1] if len(shape) == 3 else None)
    if dataset.content != told["data"]["content"]:
        raise Unusable(f"{source}: has changed since {run.path} was trained on it; its test part is another one")
    return dataset


def sample(path: Path, n: int, out: Path, seed: int, label: str | None, device: str, json: bool) -> None:
    """Of a conditional model a grid has a row for each class, and arrays as many of each class as the training data."""
    if out.suffix not in (".png", ".npz"):
        raise Unusable(f"--out {out}: expected a .png (a grid) or a .npz (arrays)")
    if out.suffix == ".png" and n > MOST_TILES:
        raise Unusable(f"-n {n}: a grid holds {MOST_TILES:,} samples at most; write more to a .npz with --out samples.npz")
    run = RunDirectory.open(runs.find(path))
    generator = model.load(run.model, runs.device(device))
    labels = generator.draw_labels(n, seed)
    if label is not None:
        labels = np.full(n, generator.label(label))
    elif labels is not None and out.suffix == ".png":
        labels = np.sort(np.arange(n) % len(generator.classes))
    samples = generator.sample(n, seed, labels=labels)
    with _writing(out):
        _write(samples, labels, generator.classes, out)
    told = {"out": str(out), "n": n, "shape": samples.shape[1:], "seed": seed}
    if labels is not None:
        told["classes"] = [generator.classes[i] for i in sorted(set(labels.tolist()))]
    show.result(told, json, lambda: print(out))


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unusable(f"--out {out}: can't be written: {error.strerror}; name another place with --out") from None


def _write(samples: np.ndarray, labels: np.ndarray | None, classes: Sequence[str], out: Path) -> None:
    if out.suffix == ".png":
        rows = labels is not None and samples.ndim == 4 and 1 < len(set(labels.tolist())) <= len(labels) // 2
        pictures.save(pictures.by_class(samples, labels) if rows and labels is not None else pictures.picture(samples), out)
        return
    buffer = io.BytesIO()
    told = {} if labels is None else {"labels": labels, "classes": np.array(classes)}
    np.savez_compressed(buffer, samples=samples, **told)  # type: ignore[arg-type]  # numpy's stub takes **kwds for allow_pickle
    write_bytes(out, buffer.getvalue())


def export(path: Path, format: str, out: Path | None, json: bool) -> None:
    if format not in ("safetensors", "onnx"):
        raise Unusable(f"--format {format}: choose safetensors or onnx")
    run = RunDirectory.open(runs.find(path))
    generator = model.load(run.model)
    name = str(run.read().get("name", run.path.name))
    out = out or Path(f"{name}-model" if format == "safetensors" else f"{name}.onnx")
    card.place(out / "model.safetensors" if format == "safetensors" else out)
    with _writing(out):
        written = exports.to_safetensors(generator, out) if format == "safetensors" else exports.to_onnx(generator, out)
        page = card.write(run, generator, written)
    told = {"out": str(written), "card": str(page), "format": format, "sha256": sha256(written), "run": str(run.path)}
    show.result(told, json, lambda: print(f"{written}\n{page}"))
