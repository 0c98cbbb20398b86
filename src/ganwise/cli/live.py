"""Progress of long work on standard error: bars on a terminal, a line per event elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ganwise.artifacts import RunDirectory
from ganwise.study.race import Plan

errors = Console(stderr=True, highlight=False)
SHOWN = ("loss_d", "loss_g", "spread", "m_global")


def bars() -> Progress:
    return Progress(
        TextColumn("{task.description:22s}"),
        BarColumn(28),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}", style="bright_black"),
        console=errors,
        transient=True,
    )


def numbers(signals: dict[str, float], check: dict[str, float] | None = None) -> str:
    """The numbers that matter, short: losses, spread, and the last validation score."""
    told = [f"{name} {signals[name]:.2f}" for name in SHOWN if name in signals]
    told += [f"{name} {value:.4f}" for name, value in (check or {}).items() if name not in ("step", "seconds")]
    return "  ".join(told)


class RaceView:
    """Shows a race from its run directories alone."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan, self.progress = plan, progress
        self.done: set[Path] = set()
        self.tasks: dict[Path, TaskID] = {}
        self.total = progress.add_task("race", total=len(plan.entrants) * plan.seeds, numbers="")

    def watch(self, running: list[RunDirectory]) -> None:
        now = {run.path for run in running}
        for run in running:
            if run.path not in self.tasks:
                self.tasks[run.path] = self.progress.add_task(run.path.name, total=1.0, numbers="starting")
                self._say(f"{run.path.name}: started")
            self._update(run)
        for path in set(self.tasks) - now - self.done:
            self.done.add(path)
            self.progress.remove_task(self.tasks[path])
            self.progress.advance(self.total)
            self._say(f"{path.name}: {RunDirectory(path).read()['status']}")

    def _update(self, run: RunDirectory) -> None:
        record, check = _last(run.records_file), _last(run.checks_file)
        if not record:
            return
        spent, allowed = ("seconds", self.plan.seconds) if self.plan.seconds else ("images", self.plan.images)
        share = min(1.0, record[spent] / (allowed or 1))
        told = "scoring" if share >= 1 else numbers(record, check)
        self.progress.update(self.tasks[run.path], completed=share, numbers=told)

    def _say(self, line: str) -> None:
        if not errors.is_terminal:
            errors.print(line)


def _last(file: Path) -> dict[str, float]:
    """The last whole line of a file of JSON lines, read from its end."""
    if not file.is_file():
        return {}
    with file.open("rb") as lines:
        lines.seek(max(0, file.stat().st_size - 4096))
        rows = lines.read().split(b"\n")[:-1]
    try:
        return json.loads(rows[-1]) if rows else {}
    except ValueError:
        return {}


@contextmanager
def race(plan: Plan) -> Iterator[RaceView]:
    with bars() as progress:
        yield RaceView(plan, progress)
