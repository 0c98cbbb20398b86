"""The local engine: one process a trial, as many at once as the machine has cores or GPUs, each in its own run directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from ganwise import interrupts
from ganwise.artifacts import RunDirectory

Watch = Callable[[list[RunDirectory]], None]
PATIENCE = 30.0
"""Seconds that trials get to save their work after a signal."""


@dataclass(frozen=True)
class Clock:
    """When a race has to end, in monotonic seconds."""

    deadline: float  # what still trains then is asked to score what it has
    least: float  # a trial that would get less than these seconds before the deadline is not begun
    grace: float  # what still runs these seconds after the deadline is killed


@dataclass
class Running:
    trial: RunDirectory
    process: subprocess.Popen[bytes]
    late: bool = False  # killed by us, after the deadline

    def ask(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)


@dataclass
class Stop:
    """The signal that came from outside, 0 for none. It is looked at between two steps; the second one ends all at once."""

    number: int = 0

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        ours = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
        ours = [s for s in ours if s == signal.SIGINT or signal.getsignal(s) != signal.SIG_IGN]  # nohup stays nohup
        previous = {s: signal.signal(s, self._set) for s in ours}
        if ours:  # inherited: a trial asked to score before it listens must not die of it
            previous[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        try:
            interrupts.obey()
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _set(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt
        self.number = number


@dataclass
class Engine:
    """Runs trials until all are done, the clock runs out, or a signal comes."""

    workers: int
    clock: Clock
    watch: Watch
    running: list[Running] = field(default_factory=list, init=False)

    def run(self, trials: Sequence[RunDirectory]) -> int:
        """0 when all were given their time, else the signal that ended them: passed on, so that they save their best."""
        waiting = list(trials)
        with Stop().listening() as stop:
            try:
                while (waiting or self.running) and not stop.number:
                    self._keep_time(waiting)
                    while waiting and len(self.running) < self.workers:
                        self.running.append(_start(waiting.pop(0)))
                    self.watch([one.trial for one in self.running])
                    time.sleep(0.1)
                    self._collect()
                self.watch([one.trial for one in self.running])
                if stop.number:
                    self._save()
            finally:  # nothing outlives us: not after a second signal, nor when watch fails
                for one in self.running:
                    one.process.kill()
                    one.process.wait()
        return stop.number

    def _keep_time(self, waiting: list[RunDirectory]) -> None:
        left = self.clock.deadline - time.monotonic()
        if left < self.clock.least:
            waiting.clear()
        for one in self.running:
            if left < -self.clock.grace:
                one.late = True
                one.ask(signal.SIGKILL)
            elif left < 0:
                one.ask(signal.SIGUSR1)  # again and again: it hears none before it has started

    def _collect(self) -> None:
        for one in [one for one in self.running if one.process.poll() is not None]:
            self.running.remove(one)
            if one.process.returncode:
                one.trial.update(broken=_last_words(one))

    def _save(self) -> None:
        for one in self.running:
            one.ask(signal.SIGINT)
        end = time.monotonic() + PATIENCE
        while self.running and time.monotonic() < end:
            self.running = [one for one in self.running if one.process.poll() is None]
            time.sleep(0.05)


def _last_words(one: Running) -> str:
    if one.late:
        return "killed: it did not end when the budget was spent"
    if one.process.returncode < 0:
        name = signal.Signals(-one.process.returncode).name
        return f"killed by {name}{', as the system does when memory runs out' if name == 'SIGKILL' else ''}"
    lines = [line for line in one.trial.log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"ended with exit status {one.process.returncode}"


def _start(trial: RunDirectory) -> Running:
    # one thread each: small networks gain nothing from more, and results repeat only at a fixed number of threads
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ganwise.study.trial", str(trial.path), str(os.getpid())]
    with trial.log.open("wb") as log:
        # a session of its own: Ctrl-C reaches the trials once, through us, not a second time from the terminal
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | threads, start_new_session=True
        )
    return Running(trial, process)
