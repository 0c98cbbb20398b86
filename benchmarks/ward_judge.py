"""Which runs of the ward are sick by their samples, and what the doctor says of each from its records alone."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ward_cases import CELLS, COPIES, HEALED, INJECTIONS, LEARNED, LOST, MEASURED, WORSE, Part

from ganwise.artifacts import RunDirectory, rows, to_json
from ganwise.doctor import diagnose
from ganwise.recipe import Recipe, from_data
from ganwise.types import Finding, Record

RESULTS = Path(__file__).parent / "results" / "ward"
OUTCOMES, RECORDS, HEALING = RESULTS / "runs.jsonl", RESULTS / "records.jsonl.gz", RESULTS / "healing.jsonl"
LOOKS = 50
"""Moments of a run at which the doctor is asked while it goes on."""
ALARMS = ("failed", "failing")
DIGITS = 4
"""Significant ones that are kept of a signal."""
Row = Mapping[str, Any]


class Said(NamedTuple):
    """What the doctor says of one run: findings at its end, and the step of the first right alarm while it went on."""

    row: Row
    standing: str  # healthy, sick, or why the run counts nothing
    findings: tuple[Finding, ...]
    first: int | None

    @property
    def problems(self) -> set[str]:
        return {finding.problem for finding in self.findings if finding.severity in ALARMS}

    @property
    def right(self) -> bool:
        return bool(self.problems & set(INJECTIONS[self.row["injection"]].right))

    @property
    def delay(self) -> float | None:
        """From the onset to the first right alarm, as a share of the run."""
        return None if self.first is None else max(0, self.first - self.row["onset"]) / self.row["planned"]

    @property
    def part(self) -> Part:
        return CELLS[self.row["cell"]].part


def pack(folder: Path) -> int:
    """Outcomes and thinned records of the runs in ``folder`` into the results; returns how many runs there are."""
    from ward_runs import cases

    wanted = {case.content for case in cases()}
    kept = {row["name"]: row for row in rows(folder / "runs.jsonl") if row["content"] in wanted}
    RESULTS.mkdir(parents=True, exist_ok=True)
    OUTCOMES.write_text("".join(to_json(_short(row)) + "\n" for row in kept.values()))
    lines = "".join(to_json(_packed(name, RunDirectory(folder / name))) + "\n" for name in kept)
    RECORDS.write_bytes(gzip.compress(lines.encode(), mtime=0))
    return len(kept)


def _short(value: Any) -> Any:
    """Numbers to so many digits as are kept."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return {key: _short(each) for key, each in value.items()} if isinstance(value, dict) else value


def _packed(name: str, run: RunDirectory) -> dict[str, Any]:
    """Signals as columns, which pack better than rows."""
    records = run.records()
    names = dict.fromkeys(signal for record in records for signal in record.signals)
    columns = {one: [_short(record.signals.get(one)) for record in records] for one in names}
    return {"name": name, "recipe": run.read()["recipe"], "step": [record.step for record in records], "signals": columns}


def unpacked() -> Iterator[tuple[str, Recipe, list[Record]]]:
    """Names, recipes and records of the runs that are in the results."""
    for line in gzip.decompress(RECORDS.read_bytes()).decode().splitlines():
        told = json.loads(line)
        columns = {one: [None if v is None else float(v) for v in values] for one, values in told["signals"].items()}
        signals = [{one: values[i] for one, values in columns.items()} for i in range(len(told["step"]))]
        found = [{k: v for k, v in each.items() if v is not None} for each in signals]
        records = [Record(step, 0, 0.0, each) for step, each in zip(told["step"], found, strict=True)]
        yield told["name"], from_data(told["recipe"]), records


def score(outcome: Mapping[str, float]) -> float:
    """The number by which a run's samples are judged; lower is better, and infinite where nothing could be measured."""
    return outcome.get("kid", outcome.get("sliced_wasserstein", math.inf))


def standings(outcomes: Sequence[Row]) -> dict[str, str]:
    """Of each run whether it is healthy or sick, or why it counts nothing."""
    twins: dict[str, list[Row]] = {}
    for row in outcomes:
        if not row["injection"]:
            twins.setdefault(row["cell"], []).append(row)
    return {row["name"]: _standing(row, twins.get(row["cell"], [])) for row in outcomes}


def _standing(row: Row, twins: Sequence[Row]) -> str:
    if not twins:
        return "no twin was made"
    if not all(score(twin["outcome"]) <= LEARNED * score(twin["untrained"]) for twin in twins):
        return "a healthy twin did not learn"
    if not row["injection"]:
        return "healthy"
    return "sick" if _sick(row, twins) else "not sick by its samples"


def _sick(row: Row, twins: Sequence[Row]) -> bool:
    mine, theirs = row["outcome"], [twin["outcome"] for twin in twins]
    covered = min(one.get("coverage", 0.0) for one in theirs)
    lost = covered >= MEASURED and mine.get("coverage", 0.0) <= LOST * covered
    copied = copies(mine) and not any(copies(one) for one in theirs)
    return not row["finite"] or score(mine) >= WORSE * max(map(score, theirs)) or lost or copied


def copies(outcome: Mapping[str, float]) -> bool:
    return max(outcome.get(name, 1.0) for name in ("memorization", "novelty")) < COPIES


def judge() -> list[Said]:
    """What the doctor says of every run in the results."""
    outcomes = {row["name"]: row for row in rows(OUTCOMES)}
    found = standings(list(outcomes.values()))
    return [_said(outcomes[name], found[name], recipe, records) for name, recipe, records in unpacked()]


def _said(row: Row, standing: str, recipe: Recipe, records: list[Record]) -> Said:
    wanted = set(INJECTIONS[row["injection"]].right) if row["injection"] else set()
    first = None
    for look in range(1, LOOKS + 1):
        until = look * row["planned"] / LOOKS
        seen = [record for record in records if record.step <= until]
        alarms = {f.problem for f in diagnose(seen, recipe, running=True).findings if f.severity in ALARMS} if seen else set()
        if alarms & wanted if wanted else alarms:
            first = seen[-1].step
            break
    return Said(row, standing, diagnose(records, recipe).findings, first)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """A 95 % interval of a share."""
    if not n:
        return 0.0, 1.0
    z, share = 1.96, hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def share(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{hits} of {n} ({hits / n:.0%}, 95 % interval {low:.0%} to {high:.0%})" if n else "none"


class Summary(NamedTuple):
    """Of one part: right alarms among the sick, alarms among the healthy (at the end, at any moment), and the delays.

    A sick run without a right alarm has the longest delay: 1.
    """

    sick: int
    right: int
    healthy: int
    alarmed: int
    ever: int
    delays: tuple[float, ...]

    @property
    def delay(self) -> float | None:
        return median(self.delays) if self.delays else None


def summary(said: Sequence[Said], part: Part) -> Summary:
    mine = [one for one in said if one.part == part]
    sick = [one for one in mine if one.standing == "sick"]
    healthy = [one for one in mine if one.standing == "healthy"]
    delays = tuple(1.0 if one.delay is None else one.delay for one in sick)
    alarmed, ever = (sum(bool(one.problems) for one in healthy), sum(one.first is not None for one in healthy))
    return Summary(len(sick), sum(one.right for one in sick), len(healthy), alarmed, ever, delays)


class Healed(NamedTuple):
    """What became of one healing. ``undone``: it ended exactly as its twin, since the remedy took the injection back."""

    row: Row
    well: bool
    undone: bool


def healed(healing: Sequence[Row], outcomes: Sequence[Row]) -> list[Healed]:
    """A healed run is no longer sick, and its score is within `HEALED` times that of the twin with the same seed.

    Runs that turn out not to have been sick, now that all twins are made, are left out.
    """
    standing = standings(outcomes)
    twins: dict[str, list[Row]] = {}
    for row in outcomes:
        if not row["injection"]:
            twins.setdefault(row["cell"], []).append(row)
    found = []
    for row in healing:
        if standing.get(row["name"]) != "sick":
            continue
        twin = next(one for one in twins[row["cell"]] if one["seed"] == row["seed"])
        mine, theirs = score(row["outcome"]), score(twin["outcome"])
        sick = _sick({**row, "finite": bool(row["outcome"])}, twins[row["cell"]])
        found.append(Healed(row, mine <= HEALED * theirs and not sick, math.isclose(mine, theirs, rel_tol=1e-3)))
    return found
