"""Running an experiment: its cells one after the other, each kept as soon as it is measured, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, cast

import torch

import ganwise
from ganwise.artifacts import read_json, rows, write_json
from ganwise.reproduce.experiments import Experiment, described
from ganwise.study.trial import Stop
from ganwise.types import Unusable, Value

Scale = Literal["sample", "here", "paper"]
"""``sample`` takes seconds and shows that all of it works; ``here`` fits a machine with two cores; ``paper`` is as published."""
SCALES: tuple[Scale, ...] = ("sample", "here", "paper")
CURVE = "curve.jsonl"
"""What was measured along a long run, a row for each mark."""
Row = dict[str, Any]
Verdict = Literal["reproduced", "close", "not reproduced", "out of reach here", "unjudged"]


class Cell(NamedTuple):
    """One measurement of an experiment: a run, a seed, a setting. The name is that of its file."""

    name: str
    options: Mapping[str, Value] = {}


class Figure(NamedTuple):
    """A number of ours, in words as it is printed beside the published one. ``low`` and ``high`` bound a 95 % interval."""

    what: str
    value: float
    low: float | None = None
    high: float | None = None
    seeds: int = 1
    note: str = ""


class Conclusion(NamedTuple):
    """What the rows say."""

    ours: Sequence[Figure]
    verdict: Verdict
    because: str
    notes: Sequence[str] = ()  # what else was seen: things that went wrong, how settings differ


class Work(NamedTuple):
    """What a cell may ask of the run that it belongs to."""

    experiment: Experiment
    scale: Scale
    source: str | None  # of the data that the user brings
    stop: Stop
    say: Callable[[str], None]
    device: str = "cpu"
    precision: str = "auto"

    @property
    def wanted(self) -> str:
        """The data that the user brings.

        Raises:
            Unusable: None were given.
        """
        if self.source is None:
            raise Unusable(f"{self.experiment.name}: give the data with --data: {self.experiment.data}")
        return self.source


class Module(Protocol):
    """What each module of experiments offers."""

    def cells(self, experiment: str, scale: Scale) -> list[Cell]: ...

    def measure(self, cell: Cell, folder: Path, work: Work) -> Row: ...

    def conclude(self, experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion: ...

    def draw(self, experiment: str, rows: Sequence[Row], out: Path) -> None: ...


class Interrupted(Exception):
    """The run was told to stop and has saved what it had."""


def module_of(experiment: Experiment) -> Module:
    return cast(Module, importlib.import_module(f"ganwise.reproduce.{experiment.module}"))


def reproduce(work: Work, out: Path, only: Sequence[str] = ()) -> dict[str, Any]:
    """Measures the cells that ``out`` lacks (of those named ``only``, where some are), concludes from all that it has.

    ``out/cells/NAME.json`` holds a cell's row, ``out/work/NAME/`` what it needs to go on, ``out/result.json`` the conclusion,
    beside its pictures. A cell of other options than asked for is refused, not mixed in.

    Raises:
        Interrupted: A signal came; all that was measured is kept.
        Unusable: No such cell, or the directory holds one with other options.
    """
    module = module_of(work.experiment)
    cells = _asked(module.cells(work.experiment.name, work.scale), only)
    for number, cell in enumerate(cells, 1):
        file = out / "cells" / f"{cell.name}.json"
        if file.is_file():
            _same(file, cell, work)
            continue
        work.say(f"{work.experiment.name}: {cell.name} ({number} of {len(cells)})")
        begin = time.process_time()
        row = module.measure(cell, out / "work" / cell.name, work)
        row.setdefault("cpu_seconds", round(time.process_time() - begin, 1))
        write_json(file, {"cell": cell.name, "options": dict(cell.options), "scale": work.scale, **row})
    return conclude(work.experiment, out, work.scale)


def conclude(experiment: Experiment, out: Path, scale: Scale) -> dict[str, Any]:
    """Makes ``result.json`` and the pictures from the cells in ``out``, and returns the result."""
    module = module_of(experiment)
    cells = rows_in(out) + (unfinished(out) if getattr(module, "GROWS", False) else [])
    found = module.conclude(experiment.name, cells, scale)
    module.draw(experiment.name, cells, out)
    result = {
        "format": 1,
        "name": experiment.name,
        "scale": scale,
        "ours": [figure._asdict() for figure in found.ours],
        "verdict": found.verdict,
        "because": found.because,
        "notes": list(found.notes),
        "cost": {"cpu_seconds": round(sum(float(row.get("cpu_seconds", 0)) for row in cells), 1), "cells": len(cells)},
        "runs": {row["cell"]: _hash(row) for row in cells},
        "pictures": sorted(file.name for file in out.iterdir() if file.suffix in (".png", ".gif")),
        "versions": {"ganwise": ganwise.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "rows": cells,
    }
    write_json(out / "result.json", result)
    return described(experiment, result)


def rows_in(out: Path) -> list[Row]:
    """The rows of all measured cells, by name."""
    return [read_json(file) for file in sorted((out / "cells").glob("*.json"))]


def unfinished(out: Path) -> list[Row]:
    """A row of each run that is under way: its curve so far, with the last point's numbers. For experiments without an end."""
    found = []
    for folder in sorted((out / "work").glob("*")):
        curve = list(rows(folder / CURVE))
        if curve and not (out / "cells" / f"{folder.name}.json").is_file():
            told = read_json(folder / "run.json")
            about = {"cell": folder.name, "unfinished": True, "seed": told["seed"], "cpu_seconds": round(curve[-1]["seconds"], 1)}
            found.append({**curve[-1], **about, "curve": curve})
    return found


def _asked(cells: list[Cell], only: Sequence[str]) -> list[Cell]:
    names = [cell.name for cell in cells]
    for name in only:
        if name not in names:
            raise Unusable(f"--only {name}: no such part; there are {', '.join(names)}")
    return [cell for cell in cells if not only or cell.name in only]


def _same(file: Path, cell: Cell, work: Work) -> None:
    told = read_json(file)
    if told.get("options") != json.loads(json.dumps(dict(cell.options))) or told.get("scale") != work.scale:
        raise Unusable(f"{file}: measured with other settings ({told.get('scale')}: {told.get('options')}); name another --out")


def _hash(row: Row) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]
