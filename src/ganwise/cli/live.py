"""Progress of long work on standard error: bars on a terminal, a line per event elsewhere."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from ganwise.artifacts import RunDirectory
from ganwise.study.halving import work
from ganwise.study.plan import Plan

errors = Console(stderr=True, highlight=False)
SHOWN = {"loss_d": ("D", 1), "loss_g": ("G", 1), "m_global": ("M", 1)}
CHECKED = {"kid": ("KID", 1000), "sliced_wasserstein": ("W1", 1), "coverage": ("coverage", 1)}
RANKING = ("kid", "sliced_wasserstein")
OFTEN = 0.25
"""Seconds between two looks at the run directories: the cores belong to the trials."""


def on_terminal() -> bool:
    return errors.is_terminal and not errors.is_dumb_terminal


class Left(ProgressColumn):
    """The time left: as told in the task's ``left``, else by the speed so far."""

    def render(self, task: Task) -> Text:
        left = task.fields.get("left", task.time_remaining)
        return Text("" if left is None else f"{clock(left)} left", style="cyan")


def clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def bars() -> Progress:
    """Bars that fit the terminal: the numbers, last, are cut first."""
    columns = [Column(no_wrap=True, overflow="ellipsis") for _ in range(5)]
    return Progress(
        TextColumn("{task.description}", table_column=columns[0]),
        BarColumn(20 if errors.width >= 100 else 10 if errors.width >= 72 else 5, table_column=columns[1]),
        TextColumn("{task.percentage:3.0f}%", table_column=columns[2]),
        Left(columns[3]),
        TextColumn("{task.fields[numbers]}", style="bright_black", table_column=columns[4]),
        console=errors,
        transient=True,
        refresh_per_second=4,
        disable=not on_terminal(),
    )


def numbers(signals: dict[str, float], check: dict[str, float] | None = None) -> str:
    """The numbers that matter, short: the last validation scores, and the losses."""
    told = [f"{short} {_number(check[name] * times)}" for name, (short, times) in CHECKED.items() if check and name in check]
    told += [f"{short} {_number(signals[name] * times)}" for name, (short, times) in SHOWN.items() if name in signals]
    return "  ".join(told)


def _number(value: float | str) -> str:
    value = float(value)  # what is not finite comes as a word
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0e}"


class RaceView:
    """Shows a race from its run directories alone."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan, self.progress = plan, progress
        self.begun, self.looked = time.monotonic(), -math.inf
        self.tasks: dict[Path, TaskID] = {}
        self.under_way: set[Path] = set()
        self.work = work(plan.ladder)
        self.shares: dict[Path, float] = {}
        self.best, self.leader = math.inf, ""
        self.total = progress.add_task("race", total=1.0, numbers="", left=plan.wall)

    def watch(self, running: list[RunDirectory]) -> None:
        now = {run.path for run in running}
        if now == self.under_way and time.monotonic() - self.looked < OFTEN:
            return
        self.looked = time.monotonic()
        for run in running:
            if run.path not in self.tasks:
                self.tasks[run.path] = self.progress.add_task(run.path.name, total=1.0, numbers="starting")
                self._say(f"{run.path.name}: started")
            self.progress.update(self.tasks[run.path], visible=True)
            self.shares[run.path] = self._update(run)
        for path in sorted(self.under_way - now):
            self.shares[path] = self._update(RunDirectory(path))
            self.progress.update(self.tasks[path], visible=False)
            self._say(f"{path.name}: {_end(RunDirectory(path))}")
        self.under_way = now
        self._race(len(self.tasks) - len(now))

    def _race(self, paused: int) -> None:
        """By the work of the whole ladder, of which fewer runs have more the higher it goes."""
        share, spent = min(1.0, sum(self.shares.values()) / self.work), time.monotonic() - self.begun
        left = self.plan.wall - spent if self.plan.wall else spent * (1 - share) / share if share > 0.03 else None
        best = f"  best {self.leader} {_number(self.best)}" if self.leader else ""
        self.progress.update(
            self.total, completed=share, left=left, numbers=f"{len(self.tasks)} runs begun, {paused} wait or are done{best}"
        )

    def _update(self, run: RunDirectory) -> float:
        """Shows what a run has written; returns the share of its budget that it has used."""
        record, check = _last(run.records_file), _last(run.checks_file)
        if not record:
            return 0.0
        share = min(1.0, self._share(run, record))
        told = numbers({} if share >= 1 else record, check)
        self.progress.update(self.tasks[run.path], completed=share, numbers=f"scoring  {told}" if share >= 1 else told)
        self._lead(run, check)
        return share

    def _share(self, run: RunDirectory, record: dict[str, float]) -> float:
        if self.plan.flops:  # which no record counts: the last rung has to do
            return max((float(look["rung"]) for look in run.read().get("looks", [])), default=0.0)
        return record["seconds"] / self.plan.seconds if self.plan.seconds else record["images"] / (self.plan.images or 1)

    def _lead(self, run: RunDirectory, check: dict[str, float]) -> None:
        for name in RANKING:
            if name in check and float(check[name]) * CHECKED[name][1] < self.best:
                self.best, self.leader = float(check[name]) * CHECKED[name][1], f"{run.path.name} {CHECKED[name][0]}"

    def _say(self, line: str) -> None:
        if not on_terminal():
            errors.print(line, markup=False, soft_wrap=True)


def _end(run: RunDirectory) -> str:
    told = run.read()
    if "broken" in told:
        return f"broke off: {told['broken']}"
    return f"{told['status']}  {numbers({}, told.get('best'))}".rstrip()


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
