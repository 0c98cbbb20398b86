"""The tables of docs/speed.md, from the rows that `speed.py` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from speed_cases import CASES

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
BEGIN, END = "<!-- measured -->\n", "<!-- /measured -->"
Row = dict[str, Any]
CLOCKS = {
    "cpu": "CPU time of one thread",
    "wall": "Wall time with all threads",
    "gpu": "On a GPU, wall time",
}


def rows(path: Path) -> list[Row]:
    """All rows, the oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def latest(path: Path, clock: str) -> dict[str, dict[str, Row]]:
    """Of each case the rows of its last run, by side."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows(path):
        if row["clock"] == clock:
            if row["side"] == "plain":  # the first of a run
                found[row["case"]] = {}
            found[row["case"]][row["side"]] = row
    return {name: found[name] for name in CASES if name in found}


def milliseconds(row: Row | None) -> str:
    """Median, and the half of the range of all rounds."""
    if row is None:
        return ""
    seconds = row["seconds"]
    middle, spread = median(seconds) * 1000, (max(seconds) - min(seconds)) * 500
    digits = 1 if middle < 100 else 0
    return f"{middle:,.{digits}f} ± {spread:,.{digits}f}"


def ratio(case: str, sides: dict[str, Row], side: str) -> float | None:
    """How many times as fast as the faster of plain step and peer."""
    others = [median(row["seconds"]) for name, row in sides.items() if name in ("plain", CASES[case].peer)]
    return min(others) / median(sides[side]["seconds"]) if side in sides else None


def reached(found: float | None, goal: float | None) -> str:
    return "" if found is None else f"{found:.2f}" + (f" ({goal:g})" if goal else "")


def line(name: str, sides: dict[str, Row]) -> str:
    case, fast, plain = CASES[name], sides["ours"], sides["plain"]
    floors = {dtype: plain["flops"] / speed * 1000 for dtype, speed in plain["peaks"].items()}
    took = median(fast["seconds"]) * 1000
    cells = [
        case.words,
        milliseconds(plain),
        milliseconds(sides.get(case.peer)),
        milliseconds(sides["ours in float32"]),
        f"{milliseconds(fast)} {fast['precision']}",
        reached(ratio(name, sides, "ours in float32"), case.goal_fp32),
        reached(ratio(name, sides, "ours"), case.goal),
        f"{plain['flops'] / 1e9:,.1f}",
        " / ".join(f"{speed / 1e9:,.0f}" for speed in plain["peaks"].values()),
        f"{floors['float32']:,.1f} / {floors['bfloat16']:,.1f}",
        f"{took / floors[fast['precision']]:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = [
    "GAN",
    "plain",
    "peer",
    "ours, float32",
    "ours, its choice",
    "times as fast, float32 (goal)",
    "times as fast, its choice (goal)",
    "GFLOP a step",
    "peak, float32 / bfloat16, GFLOP/s",
    "floor, float32 / bfloat16",
    "ours over its floor",
]


def table(path: Path, clock: str) -> list[str]:
    found = latest(path, clock)
    if not found:
        return []
    said = sorted({about(row) for sides in found.values() for row in sides.values()})
    lines = [f"### {CLOCKS[clock]}, milliseconds a step", "", *said, ""]
    lines += ["| " + " | ".join(HEAD) + " |", "|---|" + "---:|" * (len(HEAD) - 1)]
    return [*lines, *(line(name, sides) for name, sides in found.items()), ""]


def about(row: Row) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
    return f"- {row['date']}, {row['machine']}, threads: {row['threads']}, commit {row['commit']}; {versions}."


def gpu(path: Path) -> list[str]:
    """Images of real samples a second, memory, and the ratio to the plain step."""
    found = latest(path, "gpu")
    if not found:
        return [
            "### On a GPU",
            "",
            "Not measured yet: no GPU was at hand. `speed.py --device cuda --compile` measures it.",
            "",
        ]
    lines = [*table(path, "gpu"), "| GAN | step | steps a second | images a second | memory, GiB | over the plain step |"]
    lines += ["|---|---|---:|---:|---:|---:|"]
    for name, sides in found.items():
        for side, row in sides.items():
            rate = 1 / median(row["seconds"])
            times = median(sides["plain"]["seconds"]) * rate
            cells = [CASES[name].words, side, f"{rate:.1f}", f"{rate * row['images']:,.0f}"]
            lines += [f"| {' | '.join(cells)} | {row['memory'] / 2**30:.2f} | {times:.2f} |"]
    return [*lines, ""]


def written(page: str, path: Path) -> str:
    """The page with the tables of the rows in ``path`` between its marks, and the rest as it was."""
    before, rest = page.split(BEGIN)
    lines = [*table(path, "cpu"), *table(path, "wall"), *gpu(path)]
    return before + BEGIN + "\n".join(lines) + END + rest.split(END)[1]


def write(path: Path) -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), path), encoding="utf-8")
