"""What a directory of a race or of one run holds, read into one shape; what is missing or cut short is left empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from math import inf, isfinite
from pathlib import Path
from typing import Any

from ganwise.artifacts import RunDirectory, read_json
from ganwise.types import SICK, Record, Unusable

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One training run, whatever became of it."""

    folder: RunDirectory
    told: Json

    @property
    def id(self) -> str:
        return self.folder.path.resolve().name

    @property
    def name(self) -> str:
        return str(self.told.get("name") or self.id)

    @property
    def seed(self) -> int:
        return int(self.told.get("seed", self.told.get("job", {}).get("seed", 0)))

    @property
    def status(self) -> str:
        return str(self.told.get("status", "unknown"))

    @cached_property
    def diagnosis(self) -> Json:
        return _optional(self.folder.doctor)

    @property
    def verdict(self) -> str:
        return str(self.diagnosis.get("verdict", "unknown"))

    @cached_property
    def scores(self) -> list[dict[str, Any]]:
        return [{**s, "seed": self.seed} for s in _optional(self.folder.scores).get("scores", [])]

    @cached_property
    def records(self) -> list[Record]:
        return list(self._records())

    def _records(self) -> Iterator[Record]:
        try:
            yield from self.folder.records()
        except (KeyError, TypeError, ValueError, AttributeError, OSError):
            return  # damaged records cost their curves, not the report

    @cached_property
    def checks(self) -> list[dict[str, Any]]:
        return [row for row in self.folder.checks() if isinstance(row, dict) and "seconds" in row]

    @property
    def strip(self) -> list[Path]:
        return sorted(self.folder.grids.glob("*.png"))

    def best(self, metric: str) -> float:
        """The validation score that chose its checkpoint; infinite where there is none."""
        value = number(self.told.get("best", {}).get(metric))
        return inf if value is None else value


@dataclass(frozen=True)
class Candidate:
    """A recipe of the race with its runs, and the row that the ranking has for it."""

    name: str
    row: Json
    runs: list[Run]
    metric: str
    parents: list[Run] = field(default_factory=list)
    """Sick runs whose place healed ones have taken."""

    @property
    def left(self) -> Json:
        """At which rung of a race it left, with its place there and why; empty where it did not."""
        return self.row.get("left") or {}

    @property
    def verdict(self) -> str:
        return str(self.row.get("verdict", "unknown"))

    @property
    def sick(self) -> bool:
        return self.verdict in SICK

    @property
    def scores(self) -> list[dict[str, Any]]:
        return list(self.row.get("scores") or [])

    def values(self, metric: str) -> list[dict[str, Any]]:
        return [s for s in self.scores if s.get("metric") == metric]

    @property
    def shown(self) -> Run | None:
        """The run whose samples stand for the candidate: the best on validation of those that drew any."""
        drawn = [r for r in self.runs if r.folder.grid.is_file() or r.strip]
        return min(drawn, key=lambda r: r.best(self.metric), default=None)


@dataclass(frozen=True)
class Study:
    """A race, or a single run as a race of one."""

    folder: Path
    single: bool
    result: Json
    candidates: list[Candidate]
    audit: Json = field(default_factory=dict)
    advice: Json = field(default_factory=dict)
    request: Json = field(default_factory=dict)
    plan: Json = field(default_factory=dict)

    @property
    def metric(self) -> str:
        return str(self.result.get("metric", "kid"))

    @property
    def runs(self) -> list[Run]:
        return [run for candidate in self.candidates for run in candidate.runs]

    @property
    def finalists(self) -> list[Candidate]:
        """Of a race on a ladder those that did not leave it; of any other all."""
        return [c for c in self.candidates if not c.left]

    @property
    def leavers(self) -> list[Candidate]:
        return [c for c in self.candidates if c.left]

    @property
    def recommended(self) -> Candidate | None:
        name = self.result.get("recommended")
        return next((c for c in self.candidates if c.name == name), None)

    @property
    def featured(self) -> Candidate | None:
        """The candidate shown large: the recommended one, else the first that has something to show."""
        return self.recommended or next((c for c in self.candidates if c.shown), None) or next(iter(self.candidates), None)

    @property
    def interrupted(self) -> bool:
        return bool(self.result.get("interrupted"))

    @property
    def data_name(self) -> str:
        first: Json = next((r.told["data"] for r in self.runs if r.told.get("data")), {})
        return str(self.request.get("data") or first.get("name") or "data")

    @cached_property
    def points(self) -> bool:
        """Whether the samples are points, drawn as dots."""
        return self.metric == "sliced_wasserstein"

    @property
    def finished(self) -> datetime:
        """When the last result was written: the report may be made again later."""
        files = [self.folder / "race.json", *(f for r in self.runs for f in (r.folder.run, r.folder.scores))]
        return datetime.fromtimestamp(max(f.stat().st_mtime for f in files if f.is_file())).astimezone()


def number(value: Any) -> float | None:
    """A finite number, or None for what is missing, not finite, or no number."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if isfinite(found) else None


def gather(folder: Path) -> Study:
    """The race in a directory, or the run as a race of one.

    Raises:
        Unusable: The directory holds neither.
    """
    if (folder / "race.json").is_file() or (folder / "plan.json").is_file():
        return _race(folder)
    if (folder / "run.json").is_file():
        return _single(folder)
    raise Unusable(f"{folder}: no race or run here (race.json and run.json are missing); name the --out of run, race or train")


def _race(folder: Path) -> Study:
    files = {name: _optional(folder / f"{name}.json") for name in ("audit", "request", "plan")}
    runs = _runs(folder / "runs")
    # race.json is written last: without it the race was killed, and what its runs wrote stands alone
    path = folder / "race.json"
    result = read_json(path) if path.is_file() else _broken(files["plan"], runs)
    metric = str(result.get("metric", "kid"))
    candidates = [_candidate(row, runs.get(str(row["recipe"]), []), metric) for row in result.get("ranking", [])]
    return Study(folder, False, result, candidates, advice=_optional(folder / "select.json"), **files)


def _candidate(row: Json, runs: list[Run], metric: str) -> Candidate:
    standing = [run for run in runs if "healed" not in run.told]
    return Candidate(str(row["recipe"]), row, standing, metric, [run for run in runs if run not in standing])


def _runs(folder: Path) -> dict[str, list[Run]]:
    """Runs by the name of their candidate. Paths in race.json are those of the machine that raced, and are not used."""
    found: dict[str, list[Run]] = {}
    for path in sorted(folder.glob("*/run.json")):
        directory = RunDirectory.open(path.parent)
        run = Run(directory, directory.read())
        found.setdefault(run.name, []).append(run)
    return {name: sorted(runs, key=lambda r: r.seed) for name, runs in found.items()}


def _broken(plan: Json, runs: Mapping[str, list[Run]]) -> Json:
    names = [str(name) for name in plan.get("entrants", [])] or list(runs)
    first = next((run for several in runs.values() for run in several), None)
    rows = [_row(name, runs.get(name, []), None) for name in names]
    return {"ranking": rows, "metric": _metric(first), "winner": None, "recommended": None, "interrupted": True}


def _single(folder: Path) -> Study:
    directory = RunDirectory.open(folder)
    run = Run(directory, directory.read())
    row = _row(run.name, [run], 1)
    well = bool(run.scores) and run.verdict not in SICK
    result = {
        "ranking": [row],
        "metric": _metric(run),
        "recommended": run.name if well else None,
        "interrupted": run.status == "interrupted",
    }
    return Study(folder, True, result, [Candidate(run.name, row, [run], _metric(run))])


def _metric(run: Run | None) -> str:
    shape = run.told.get("data", {}).get("shape", (1, 1, 1)) if run else (1, 1, 1)
    return "kid" if len(shape) == 3 else "sliced_wasserstein"


def _row(name: str, runs: list[Run], rank: int | None) -> Json:
    """A row as race.json has it, from the runs alone."""
    scores = [s for run in runs for s in run.scores]
    values: dict[str, list[float]] = {}
    for score in scores:
        if (value := number(score["value"])) is not None:
            values.setdefault(score["metric"], []).append(value)
    verdicts = [run.verdict for run in runs]
    order = ("failed", "failing", "warning", "healthy")
    told = [run.told for run in runs]
    keys = ("seconds", "images", "steps")
    cost = {key: sum(t.get(key, 0) for t in told) / len(told) if told else 0 for key in keys}
    return {
        "recipe": name,
        "rank": rank,
        "tied_with": [],
        "interval": None,
        "summary": {metric: sum(v) / len(v) for metric, v in values.items()},
        "scores": scores,
        "seeds": [run.seed for run in runs],
        "cost": cost,
        "verdict": next((v for v in order if v in verdicts), "unknown"),
        "error": None,
    }


def _optional(path: Path) -> Json:
    """A JSON file, or nothing where it is missing or cut short."""
    try:
        return read_json(path)
    except Unusable:
        return {}
