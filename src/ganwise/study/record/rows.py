"""From run directories to rows. What a file lacks is None: an index takes runs of every version as they are."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ganwise.artifacts import RunDirectory, read_json, to_json
from ganwise.recipe import from_data
from ganwise.select.evidence import fingerprint
from ganwise.types import FULL, Unusable

ID = "record-id"
"""The file that names a race in every record; a copy of the directory with it is the same race."""
Row = dict[str, Any]


class Found(NamedTuple):
    """A run's row, and the rows of what it has several of."""

    run: Row
    parts: Mapping[str, Sequence[Row]]


def race_of(run: Path) -> Path:
    """The race's directory; a run that stands alone is its own."""
    run = run.resolve()
    return run.parent.parent if run.parent.name == "runs" else run


def runs_in(folder: Path) -> list[RunDirectory]:
    """The runs of a race, or the one run."""
    files = sorted(folder.glob("runs/*/run.json")) or [f for f in [folder / "run.json"] if f.is_file()]
    return [RunDirectory(file.parent) for file in files]


def identity(folder: Path) -> str:
    """The race's id: 32 hexadecimal digits, drawn when the race is first recorded, by whoever is first."""
    file = folder / ID
    if not file.is_file():
        beside = folder / f".{ID}.{uuid.uuid4().hex}"
        try:
            beside.write_text(f"{uuid.uuid4().hex}\n")
            os.link(beside, file)  # unlike a rename, it fails where another process was first
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno in FULL:
                raise
            os.replace(beside, file)  # a file system without links
        finally:
            beside.unlink(missing_ok=True)
    return file.read_text().strip()


def stamp(run: RunDirectory) -> str:
    """Changes whenever a file that the rows are made of does."""
    seen: list[object] = [text(run.path.resolve())]
    for file in (run.run, run.recipe, run.scores, run.doctor, run.checks_file):
        try:
            stat = file.stat()
        except OSError:
            seen.append(None)
        else:
            seen += [stat.st_ino, stat.st_size, stat.st_mtime_ns]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def read(run: RunDirectory) -> Found:
    """Everything of a run that the record holds, but for its key.

    Raises:
        Unusable: No run there, a newer one's, or a damaged file.
    """
    mark = stamp(run)  # before the files: what changes while they are read is then seen as changed
    told = RunDirectory.open(run.path).read()
    diagnosis = read_json(run.doctor) if run.doctor.is_file() else {}
    scores = read_json(run.scores).get("scores", []) if run.scores.is_file() else []
    try:
        found, checks = _findings(diagnosis.get("findings", [])), _checks(run.checks())
        return Found(
            _run(run, told, diagnosis) | {"stamp": mark}, {"scores": _scores(scores), "findings": found, "checks": checks}
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise Unusable(f"{run.path}: damaged: its files are not those of a run ({error!r})") from None
    except OSError as error:
        raise Unusable(f"{run.path}: can't be read: {error.strerror}") from None


def _run(run: RunDirectory, told: Mapping[str, Any], diagnosis: Mapping[str, Any]) -> Row:
    recipe = _part(told, "job").get("recipe") or (read_json(run.recipe) if run.recipe.is_file() else told.get("recipe"))
    return {
        "name": text(told.get("name") or run.path.name),
        "recipe": recipe,
        "hash": _hash(to_json(recipe)) if isinstance(recipe, dict) else None,
        "seed": _whole(told.get("seed", _part(told, "job").get("seed"))),
        "content": text(_part(told, "data").get("content")),
        "device": text(told.get("device")),
        "status": text(told.get("status")),
        "rung": _number(told["looks"][-1].get("rung") if told.get("looks") else None),
        "verdict": text(diagnosis.get("verdict") or told.get("verdict")),
        "broken": text(told.get("broken")),
        "steps": _whole(told.get("steps")),
        "images": _whole(told.get("images")),
        "seconds": _number(told.get("seconds")),
        "flops": _number(told.get("flops")),
        "best_step": _whole(_part(told, "best").get("step")),
        "path": text(run.path.resolve()),
        "parent": text(_part(told, "job").get("parent") or _part(told, "lineage").get("parent")),
    }


@lru_cache(maxsize=1000)
def _hash(recipe: str) -> str | None:
    """That of rows of evidence, so that both can be joined; none for a recipe of another version."""
    try:
        return fingerprint(from_data(json.loads(recipe)))
    except Unusable:
        return None


def _scores(scores: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [
        {
            "part": text(s.get("part", "test")),
            "metric": text(s["metric"]),
            **{side: _float(s.get(side)) for side in ("value", "low", "high")},
            "n": _whole(s.get("n")),
            "features": text(s.get("features")),
            "protocol": text(s.get("protocol")),
            "seed": _whole(s.get("seed")),
            "direction": text(s.get("direction")),
        }
        for s in scores
    ]


def _findings(findings: Sequence[Mapping[str, Any]]) -> list[Row]:
    words = ("problem", "severity", "evidence")
    return [{w: text(f.get(w)) for w in words} | {"since_step": _whole(f.get("since_step"))} for f in findings]


def _checks(checks: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row for each metric of a check on the validation part."""
    return [
        {"step": _whole(c.get("step")), "seconds": _number(c.get("seconds")), "metric": text(metric), "value": _float(value)}
        for c in checks
        for metric, value in c.items()
        if metric not in ("step", "seconds")
    ]


def read_race(folder: Path) -> Row:
    """What the race's own files say: request.json, plan.json, and race.json once it is there.

    Raises:
        Unusable: One of them is damaged.
    """
    names = ("request.json", "plan.json", "race.json")
    request, plan, result = (read_json(folder / n) if (folder / n).is_file() else {} for n in names)
    return {
        "host": text(platform.node()),
        "path": text(folder.resolve()),
        **{w: text(request.get(w)) for w in ("data", "content", "command")},
        "budget": text(request.get("budget", plan.get("budget"))),
        "seeds": _whole(request.get("seeds", plan.get("seeds"))),
        **{w: text(result.get(w)) for w in ("metric", "winner", "recommended")},
        "interrupted": result.get("interrupted") if isinstance(result.get("interrupted"), bool) else None,
    }


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}


def text(value: object) -> str | None:
    """What both databases take: no NUL, and no bytes of a path that are no UTF-8."""
    return None if value is None else str(value).replace("\0", "").encode("utf-8", "replace").decode()


def _float(value: object) -> float:
    """A number as JSON has it here: ``nan`` and ``inf`` are strings. What is none is nan."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _number(value: object) -> float | None:
    number = _float(value)
    return None if math.isnan(number) else number


def _whole(value: object) -> int | None:
    number = _float(value)
    return int(number) if math.isfinite(number) and abs(number) < 2**63 else None
