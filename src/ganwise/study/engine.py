"""What a race asks of whatever runs its trials: this machine's processes, or a cluster."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NamedTuple, Protocol

from ganwise import interrupts
from ganwise.artifacts import RunDirectory


class Task(NamedTuple):
    """Train a run until this share of its budget, from wherever it stands; or score it on the test part, where that is None."""

    run: RunDirectory
    until: float | None


class Ended(NamedTuple):
    """A task's end. Its ``error`` is None where it did what was asked, else the last words of its process."""

    task: Task
    error: str | None


class Engine(Protocol):
    """Runs tasks, at most ``slots`` at once: whoever starts more has not counted.

    A trial lives in its run directory alone, so that an engine moves no results; one that runs elsewhere brings the directory.
    """

    slots: int

    def start(self, task: Task) -> None:
        """Begins a task and returns at once."""

    def finished(self, timeout: float) -> list[Ended]:
        """Tasks that have ended since the last call; waits for the first so many seconds at most."""

    def stop(self, number: int, task: Task | None = None) -> None:
        """Sends a signal to a task, or to all of them: SIGINT to save its work and end, `trial.ENOUGH` to end with a look."""

    def close(self) -> None:
        """Ends whatever still runs, without a word."""


@dataclass
class Stop:
    """The signal that came from outside, 0 for none. It is looked at between two steps; the second one ends all at once."""

    number: int = 0

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        nohup = [s for s in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) == signal.SIG_IGN]
        ours = [s for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if s not in nohup]
        with interrupts.heard(ours, self._set):
            yield self

    def _set(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt
        self.number = number
