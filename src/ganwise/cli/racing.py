"""A race while it runs, on standard error: one screen on a terminal, a line per event elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganwise.artifacts import RunDirectory
from ganwise.cli import live
from ganwise.cli.live import CHECKED, clock, last_row, numbers, on_terminal, plain
from ganwise.study.halving import Left, work
from ganwise.study.plan import Plan
from ganwise.study.progress import Row, Standing, standing
from ganwise.types import SICK

OFTEN = 0.25
"""Seconds between two looks at the runs that train: the cores belong to the trials."""
MOST, ALARMS = 12, 3
"""Candidates and alarms that are shown."""
KNOWN = 0.03
"""Share of the work from which on its speed tells the time that is left."""
MARKS = {"waiting": ("·", "bright_black"), "trains": ("▸", "cyan"), "there": ("●", "green"), "scored": ("★", "green")}
MARKS |= {"sick": ("×", "red"), "broken": ("!", "red")}
WORST = {"failed": "red", "failing": "red", "warning": "yellow", "healthy": "green"}


class RaceView:
    """Shows a race from its run directories alone. Rich draws it as it stands whenever it likes."""

    def __init__(self, plan: Plan, console: Console | None = None) -> None:
        self.plan, self.console = plan, console or live.errors
        self.begun, self.looked, self.first = time.monotonic(), -math.inf, -1.0
        self.folder: Path | None = None
        self.begun_runs: set[Path] = set()
        self.under_way: set[Path] = set()
        self.shares: dict[Path, float] = {}
        self.told = 0  # of those that left
        self.stands: Standing | None = None

    def watch(self, running: list[RunDirectory]) -> None:
        """Looks again: at those that train now and then, at all of them when one begins or ends."""
        now = {run.path for run in running}
        if now == self.under_way and time.monotonic() - self.looked < OFTEN:
            return
        self.looked = time.monotonic()
        if running and running[0].path.parent != self.folder:  # a search for settings races elsewhere first
            self.folder, self.told = running[0].path.parent, 0
        for run in running:
            self.shares[run.path] = self._share(run)
            if run.path not in self.begun_runs:
                self.begun_runs.add(run.path)
                self._say(f"{run.path.name}: started")
        if now != self.under_way and self.folder:
            self.stands = standing(self.plan, self.folder, now)
            for path in sorted(self.under_way - now):
                self.shares[path] = self._share(RunDirectory(path))
                self._say(f"{path.name}: {_end(RunDirectory(path))}")
            self._tell_left(self.stands)
        self.under_way = now

    def share(self) -> float:
        """Of the work of the whole ladder, of which fewer runs have more the higher it goes."""
        return min(1.0, sum(self.shares.values()) / work(self.plan.ladder))

    def left(self) -> float | None:
        """Seconds until the answer: what the budget's wall leaves, else by the speed since this view began."""
        spent, share = time.monotonic() - self.begun, self.share()
        if self.plan.wall:
            return self.plan.wall - spent
        self.first = share if self.first < 0 and share else self.first  # a race that goes on has some behind it
        gained = share - max(self.first, 0.0)
        return spent * (1 - share) / gained if gained > KNOWN else None

    def __rich__(self) -> Group:
        parts: list[Table | Text] = [self._head()]
        if self.stands:
            parts += [_table(self.stands, self.console.width), *_left(self.stands.left), *_alarms(self.stands.alarms)]
        return Group(*parts)

    def _head(self) -> Table:
        made, share, left = Table.grid(padding=(0, 2)), self.share(), self.left()
        wide = self.console.width >= 72
        told: list[str | Text | ProgressBar] = ["race", ProgressBar(1.0, share, width=20 if wide else 8), f"{share:.0%}"]
        told.append(Text("" if left is None else f"{clock(left)} left", style="cyan"))
        if self.stands:
            rung = self.plan.ladder.rungs[min(self.stands.rung, len(self.plan.ladder.rungs) - 1)]
            where = f"rung {self.stands.rung + 1} of {len(self.plan.ladder.rungs)} ({rung.share:.0%} of a run)" if wide else ""
            told.append("scoring on the test part" if self.stands.scoring else where)
            told.append(f"{self.stands.there} of {self.stands.runs} runs")
        made.add_row(*told)
        return made

    def _share(self, run: RunDirectory) -> float:
        """Of a run's budget what it has used."""
        record = last_row(run.records_file)
        if not record or self.plan.flops:  # which no record counts: the last rung has to do
            looks = run.read().get("looks", []) if run.run.is_file() else []
            return max((float(look["rung"]) for look in looks), default=0.0)
        used = record["seconds"] / self.plan.seconds if self.plan.seconds else record["images"] / (self.plan.images or 1)
        return min(1.0, used)

    def _tell_left(self, stands: Standing) -> None:
        for one in stands.left[self.told :]:
            self._say(f"{one.name}: left at {self.plan.ladder.rungs[one.rung].share:.0%}, {_why(one)}")
        self.told = len(stands.left)

    def _say(self, line: str) -> None:
        if not on_terminal():
            self.console.print(line, markup=False, soft_wrap=True)


def _why(one: Left) -> str:
    return {"rank": f"place {one.place}", "sick": "sick", "broken": "broke off"}[one.why]


def _table(stands: Standing, width: int) -> Table:
    """The candidates that are still in, best first."""
    short, times = CHECKED[stands.metric]
    made = Table.grid(padding=(0, 2))
    for place, row in enumerate(stands.rows[:MOST], 1):
        seeds = Text.assemble(*(MARKS[state] for state in row.seeds))
        cells = [Text(f"{place:2}", "bright_black"), Text(row.name, WORST.get(row.verdict, "") if row.verdict in SICK else "")]
        cells += [Text(_value(row, short, times, interval=width >= 64)), seeds, Text(_health(row), WORST.get(row.verdict, ""))]
        made.add_row(*cells)
    if len(stands.rows) > MOST:
        made.add_row("", Text(f"and {len(stands.rows) - MOST} more", "bright_black"))
    return made


def _value(row: Row, short: str, times: float, interval: bool) -> str:
    if row.value is None:
        return ""
    reach = f"  {plain(row.low * times)} .. {plain(row.high * times)}" if row.low is not None and row.high is not None else ""
    return f"{short} {plain(row.value * times)}{reach if interval else ''}"


def _health(row: Row) -> str:
    return row.verdict if row.verdict in ("failed", "failing", "warning") else ""


def _left(left: list[Left]) -> list[Text]:
    names = ", ".join(f"{one.name}{'' if one.why == 'rank' else f' ({_why(one)})'}" for one in reversed(left))
    return [Text(f"left: {names}", "bright_black", no_wrap=True, overflow="ellipsis")] if left else []


def _alarms(alarms: list[str]) -> list[Text]:
    return [Text(one, "yellow", no_wrap=True, overflow="ellipsis") for one in alarms[-ALARMS:]]


def _end(run: RunDirectory) -> str:
    """What a run has come to: at a rung its score there, and the doctor's verdict where it is sick."""
    told = run.read()
    if "broken" in told:
        return f"broke off: {told['broken']}"
    looks = told.get("looks", [])
    if told["status"] not in ("paused", "trained") or not looks:
        return f"{told['status']}  {numbers({}, told.get('best'))}".rstrip()
    sick = ", ".join(str(one).replace("_", " ") for one in looks[-1]["findings"])
    verdict = f"  {looks[-1]['verdict']}: {sick}" if looks[-1]["verdict"] in SICK else ""
    return f"at {looks[-1]['rung']:.0%}  {numbers({}, last_row(run.checks_file))}{verdict}"


@contextmanager
def race(plan: Plan) -> Iterator[RaceView]:
    """The view of a race meanwhile; it leaves nothing on a terminal."""
    view = RaceView(plan)
    if not on_terminal():
        yield view
        return
    with Live(get_renderable=view.__rich__, console=live.errors, transient=True, refresh_per_second=4):
        yield view
