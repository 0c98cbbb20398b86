"""Progress of long work on standard error: bars on a terminal, a line per event elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

errors = Console(stderr=True, highlight=False)
SHOWN = {"loss_d": ("D", 1), "loss_g": ("G", 1), "m_global": ("M", 1)}
CHECKED = {"kid": ("KID", 1000), "sliced_wasserstein": ("W2", 1), "coverage": ("coverage", 1)}


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
    told = [f"{short} {plain(check[name] * times)}" for name, (short, times) in CHECKED.items() if check and name in check]
    told += [f"{short} {plain(signals[name] * times)}" for name, (short, times) in SHOWN.items() if name in signals]
    return "  ".join(told)


def plain(value: float | str) -> str:
    """Few digits: it changes all the time."""
    value = float(value)  # what is not finite comes as a word
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0e}"


def last_row(file: Path) -> dict[str, float]:
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
