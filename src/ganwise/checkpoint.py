"""The whole state of a run as two files: tensors in safetensors, numbers in JSON with the tensors' SHA-256. No pickle.

From a checkpoint training goes on bit for bit: weights, buffers, averaged weights, controllers, both optimizers' memories,
torch's random state, and the place in the data, whose order is a function of seed and place. Rates and lazy terms are
functions of the step and need no saving.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch as safetensors
import torch
from safetensors import SafetensorError
from torch import Tensor

from ganwise.artifacts import RunDirectory, flush, read_json, write_bytes, write_json
from ganwise.build import GAN
from ganwise.types import Halted, Record, Unusable

FORMAT = 1
KEPT = 2
"""Checkpoints that always stay on disk: the last, and the one before it in case the last is damaged. Older ones are thinned."""
BEST = ("best", "model_sha256", "rolled_back")
"""What run.json tells of the best model so far, and of what a run came to that is not at its end."""


class State(NamedTuple):
    """A run at a record: what `train` takes to go on from there."""

    record: Record  # images divided by the batch is the place in the data
    tensors: Mapping[str, Tensor]
    files: Mapping[str, bytes] = {}  # of the run's directory, as they were
    notes: Mapping[str, Any] = {}

    def restore(self, gan: GAN) -> Record:
        """Puts the tensors back into ``gan`` and into torch's random state.

        Raises:
            Unusable: They are those of another recipe.
        """
        if said := differences(self.tensors, _networks(gan)):
            raise Unusable(f"the checkpoint is of another recipe: {said}")
        try:
            for name, module in gan.modules().items():
                module.load_state_dict(_under(self.tensors, name))
            for player, optimizer in gan.optimizers.items():
                memory = _memory(_under(self.tensors, f"optimizer.{player}"), optimizer)
                optimizer.load_state_dict({"state": memory, "param_groups": optimizer.state_dict()["param_groups"]})
            _restore_random(self.tensors, gan.device)
        except (KeyError, IndexError, RuntimeError, ValueError) as error:
            raise Unusable(f"the checkpoint is of another recipe: {' '.join(str(error).split())}") from None
        return self.record


def differences(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """In what the layers of a file are not those that a recipe has: the first one, and how many more; empty where they agree.

    Only names whose first part, such as ``generator``, the recipe has are compared.
    """
    said = []
    for name, value in wanted.items():
        if name not in found:
            said.append(f"{name} is missing")
        elif found[name].shape != value.shape:
            said.append(f"{name} is {tuple(found[name].shape)}, this recipe has {tuple(value.shape)}")
    groups = {name.partition(".")[0] for name in wanted}
    strange = [name for name in found if name not in wanted and name.partition(".")[0] in groups]
    said += [f"this recipe has no {name}" for name in strange]
    return "" if not said else said[0] + (f"; and {len(said) - 1} more" if len(said) > 1 else "")


def tensors(gan: GAN) -> dict[str, Tensor]:
    """Everything that the next step depends on, by name; copies, since a state dict is live."""
    found = _networks(gan)
    for player, optimizer in gan.optimizers.items():
        for row, memory in optimizer.state_dict()["state"].items():
            values = {f"optimizer.{player}.{row}.{key}": value for key, value in memory.items() if value is not None}
            found |= values
    found["random.cpu"] = torch.get_rng_state()
    if gan.device.type == "cuda":
        found["random.cuda"] = torch.cuda.get_rng_state(gan.device)
    elif gan.device.type == "mps":
        found["random.mps"] = torch.mps.get_rng_state()
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in found.items()}


def _networks(gan: GAN) -> dict[str, Tensor]:
    """Weights and buffers of everything that has any, live."""
    return {f"{name}.{key}": value for name, module in gan.modules().items() for key, value in module.state_dict().items()}


def state(gan: GAN, record: Record) -> State:
    """The state of ``gan`` at ``record``, which `train` has just yielded."""
    return State(record._replace(signals={}), tensors(gan))


def finite(now: State) -> bool:
    """Whether the weights and what the optimizers remember of them are numbers; controllers may begin with infinity."""
    names = ("generator.", "discriminator.", "average.", "optimizer.")
    return all(bool(value.isfinite().all()) for name, value in now.tensors.items() if name.startswith(names))


def with_run(now: State, run: RunDirectory, notes: Mapping[str, Any]) -> State:
    """The state together with the run's directory: its best model, whose file a later check may replace before the run breaks
    off, and how far its growing files reach."""
    told = {key: value for key, value in run.read().items() if key in BEST}
    growing = [file for file in (run.records_file, run.checks_file) if file.is_file()]
    for file in growing:  # the checkpoint counts on their rows
        flush(file)
    sizes = {file.name: file.stat().st_size for file in growing}
    files = {file.name: file.read_bytes() for file in _model(run) if file.is_file()}
    return now._replace(files=files, notes={**notes, "told": told, "sizes": sizes})


def put_back(then: State, run: RunDirectory) -> None:
    """Makes the run's directory what it was at the checkpoint: nothing later stays, so that nothing is doubled."""
    for file in (run.records_file, run.checks_file):
        if file.is_file():
            write_bytes(file, file.read_bytes()[: then.notes["sizes"].get(file.name, 0)])
    for file in _model(run):
        if file.name in then.files:
            write_bytes(file, then.files[file.name])
        else:
            file.unlink(missing_ok=True)
    checked = {f"{check['step']:08d}" for check in run.checks()}
    later = [grid for grid in run.grids.glob("*.png") if grid.stem not in checked]
    for file in (run.scores, run.doctor, run.grid, *later):
        file.unlink(missing_ok=True)
    write_json(run.run, {key: value for key, value in run.read().items() if key not in BEST} | then.notes["told"])


def _model(run: RunDirectory) -> tuple[Path, Path]:
    return run.model, run.model.with_suffix(".json")


def save(folder: Path, now: State) -> str:
    """Writes ``<step>.safetensors`` and then its JSON, each all or nothing, and removes old ones; returns the tensors' SHA-256.

    Raises:
        Halted: The disk is full or read-only. Earlier checkpoints are whole.
    """
    contents = {f"file.{name}": torch.frombuffer(bytearray(content), dtype=torch.uint8) for name, content in now.files.items()}
    content = safetensors.save({**now.tensors, **contents})
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{now.record.step:09d}.safetensors"
    try:
        write_bytes(path, content)
        numbers = {"step": now.record.step, "images": now.record.images, "seconds": now.record.seconds}
        write_json(path.with_suffix(".json"), {"format": FORMAT, **numbers, **now.notes, "sha256": digest})
    except OSError as error:
        raise Halted(f"{path}: the checkpoint can't be written: {error.strerror}; earlier ones are whole") from None
    _tidy(folder, now.record.step)
    return digest


def newest(folder: Path, say: Callable[[str], None] = lambda line: None) -> State:
    """The last checkpoint that is whole. Damaged ones are passed over and told to ``say``.

    Raises:
        Unusable: There is none, or the last was written by a newer version.
    """
    for step in reversed(_steps(folder)):
        path = folder / f"{step:09d}.safetensors"
        try:
            return _read(path)
        except (OSError, ValueError, SafetensorError, KeyError) as error:
            say(f"{path}: passed over: {error}")
    raise Unusable(f"{folder}: holds no whole checkpoint; train anew into another directory")


def before(folder: Path, step: int) -> Iterator[State]:
    """Whole checkpoints of steps before ``step``, the newest first."""
    for found in reversed(_steps(folder)):
        if found < step:
            with suppress(OSError, ValueError, SafetensorError, KeyError):
                yield _read(folder / f"{found:09d}.safetensors")


def _read(path: Path) -> State:
    try:
        notes = read_json(path.with_suffix(".json"))
    except Unusable as error:
        raise ValueError(error) from None
    if not isinstance(notes.get("format"), int):
        raise ValueError("damaged: its JSON has no format number")
    if notes["format"] > FORMAT:
        raise Unusable(f"{path}: made by a newer ganwise (format {notes['format']}, this one reads up to {FORMAT})")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != notes["sha256"]:
        raise ValueError("damaged: its SHA-256 is not the one in its JSON")
    found = safetensors.load(content)
    files = {name.removeprefix("file."): found.pop(name).numpy().tobytes() for name in list(found) if name.startswith("file.")}
    record = Record(int(notes["step"]), int(notes["images"]), float(notes["seconds"]), {})
    return State(record, found, files, notes)


def _steps(folder: Path) -> list[int]:
    """Steps of the checkpoints, half-written ones among them, ascending."""
    return sorted({int(file.stem) for file in folder.glob("*") if file.stem.isdigit()})


def _tidy(folder: Path, last: int) -> None:
    """Thins the old ones, and removes those after ``last``, damaged or of a future that was given up, and what kills left."""
    steps = _steps(folder)
    for step in set(steps) - set(thinned([step for step in steps if step <= last])):
        _remove(folder, step)
    for partial in folder.glob(".*.safetensors.*"), folder.glob(".*.json.*"):
        for file in partial:
            file.unlink(missing_ok=True)


def thinned(steps: Sequence[int]) -> list[int]:
    """Of ascending steps those to keep: the newest, and older ones as far apart as they are old, 10 of 100 and 11 of 200.

    Healing goes back to one of them: what was right before a run fell sick may be long ago.
    """
    last, kept = steps[-1], [0]
    for step, following in pairwise(steps[: 1 - KEPT]):
        if following - kept[-1] > last - following:
            kept.append(step)
    return [*kept[1:], *steps[-KEPT:]]


def _remove(folder: Path, step: int) -> None:
    for suffix in (".json", ".safetensors"):
        (folder / f"{step:09d}{suffix}").unlink(missing_ok=True)


def _under(found: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


def _memory(flat: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """What an optimizer remembers of each weight: ``3.exp_avg`` becomes ``{3: {"exp_avg": ...}}``.

    Each laid out in memory as its weight is: fused Adam walks both by address, and would pair wrong elements without a word.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    nested: dict[int, dict[str, Tensor]] = {}
    for name, value in flat.items():
        row, _, key = name.partition(".")
        weight = weights[int(row)]
        copy = torch.empty_like(weight, dtype=value.dtype) if value.shape == weight.shape else torch.empty_like(value)
        nested.setdefault(int(row), {})[key] = copy.copy_(value)
    return nested


def _restore_random(found: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(found["random.cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(found["random.cuda"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(found["random.mps"])
