"""Grids of samples around an alarm."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ganwise.artifacts import RunDirectory


class Shot(NamedTuple):
    """A grid of samples on disk; ``step`` is None for real images."""

    name: str
    step: int | None
    path: Path


def shots(run: RunDirectory, since: int) -> list[Shot]:
    """The grid before a step, the first at or after it, the last, and the real images; those that were drawn."""
    drawn = {int(path.stem): path for path in sorted(run.grids.glob("*.png")) if path.stem.isdigit()}
    steps = sorted(drawn)
    before, after = [step for step in steps if step < since], [step for step in steps if step >= since]
    named = [("before the alarm", s) for s in before[-1:]] + [("at the alarm", s) for s in after[:1]]
    named += [("at the end", s) for s in steps[-1:] if s not in (after[:1] or before[-1:])]
    found = [Shot(name, step, drawn[step]) for name, step in named]
    return found + [Shot("real", None, run.real_grid)] * run.real_grid.is_file()


def caption(shot: Shot) -> str:
    return shot.name if shot.step is None else f"{shot.name}, step {shot.step:,}"
