"""The page of the doctor's demo: the sick run, its end, and the healed one side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ganwise.artifacts import RunDirectory, write_bytes
from ganwise.doctor.meaning import MEANINGS, in_words
from ganwise.doctor.thresholds import COLLAPSED
from ganwise.report import environment, grids, words
from ganwise.report.curves import Line, Plot, axis, plot
from ganwise.report.gather import Run
from ganwise.report.grids import Picture
from ganwise.report.shots import shots


class Side(NamedTuple):
    """One of the pictures, with what stands above it."""

    name: str
    note: str
    verdict: str
    picture: Picture | None


def write(path: Path, result: Mapping[str, Any], since: int) -> None:
    """Writes the page of a finished demo, all or nothing; ``since`` is the step at which the alarm begins."""
    page = environment().get_template("demo.html.j2").render(context(result, since))
    write_bytes(path, page.encode())


def context(result: Mapping[str, Any], since: int) -> dict[str, Any]:
    """What the template shows."""
    sick, healed = (Run(run, run.read()) for side in ("sick", "healed") for run in [RunDirectory(Path(result[side]["run"]))])
    alarms = [one for one in result["findings"] if one["since_step"] == since]
    worst = min(alarms, key=lambda one: one["problem"] != "mode_collapse")
    return {
        "result": result,
        "since": since,
        "worst": worst,
        "meaning": MEANINGS[worst["problem"]],
        "sides": _sides(result, sick, healed, since),
        "plots": [one for one in (_spread(sick, healed, since), _quality(sick, healed, since)) if one],
        "attempts": [{**one, "words": in_words(one["change"])} for one in result["heal"]["attempts"]],
        "names": {problem: meaning.name for problem, meaning in MEANINGS.items()},
    }


def _sides(result: Mapping[str, Any], sick: Run, healed: Run, since: int) -> list[Side]:
    shape = tuple(sick.told["data"]["shape"])
    ends = {"sick": _scores(result["sick"]), "healed": _scores(result["healed"])}
    sides = [
        Side(f"sick, {shot.name}", f"step {shot.step:,}", "failing" if shot.step >= since else "", _small(shot.path, shape))
        for shot in shots(sick.folder, since)
        if shot.step is not None
    ]
    sides[-1] = sides[-1]._replace(note=f"{sides[-1].note}; {ends['sick']}", verdict=result["sick"]["verdict"])
    last = max(healed.folder.grids.glob("*.png"))
    sides.append(Side("healed", f"step {int(last.stem):,}; {ends['healed']}", result["healed"]["verdict"], _small(last, shape)))
    return [*sides, Side("real", "", "", _small(sick.folder.real_grid, shape))]


def _small(path: Path, shape: tuple[int, ...]) -> Picture | None:
    return grids.picture(path, grids.SMALL, shape, crop=True)


def _scores(side: Mapping[str, Any]) -> str:
    return f"KID ×1000 {words.figure(side['kid'], 1000)}, coverage {words.figure(side['coverage'])}"


def _spread(sick: Run, healed: Run, since: int) -> Plot | None:
    lines = [_line(name, color, _signal(run, "spread")) for color, (name, run) in enumerate((("healed", healed), ("sick", sick)))]
    rules = [("failing below", COLLAPSED)]
    return plot("Distance of two fakes, real = 1", lines, "steps", y=_from_zero(lines), rules=rules, since=since)


def _quality(sick: Run, healed: Run, since: int) -> Plot | None:
    pairs = (("healed", healed), ("sick", sick))
    lines = [_line(name, color, _checks(run), dots=True) for color, (name, run) in enumerate(pairs)]
    return plot("Coverage of the validation part", lines, "steps", y=_from_zero(lines), since=since)


def _line(name: str, color: int, points: list[tuple[float, float]], dots: bool = False) -> Line:
    return Line(name, color, points, dots=dots, smooth=not dots)


def _from_zero(lines: list[Line]) -> Any:
    return axis([0.0, *(value for line in lines for _, value in line.points)])


def _signal(run: Run, name: str) -> list[tuple[float, float]]:
    return [(float(record.step), record.signals[name]) for record in run.records if name in record.signals]


def _checks(run: Run) -> list[tuple[float, float]]:
    return [(float(row["step"]), float(row["coverage"])) for row in run.checks if "coverage" in row]
