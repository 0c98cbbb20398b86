"""The local engine: one process a trial, as many at once as the machine has cores or GPUs, each in its own run directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganwise.artifacts import RunDirectory

Watch = Callable[[list[RunDirectory]], None]


@dataclass
class Running:
    trial: RunDirectory
    process: subprocess.Popen[bytes]
    asked: bool = False

    def ask(self, number: int) -> None:
        """Asks the trial once to save and end."""
        if not self.asked and self.process.poll() is None:
            self.process.send_signal(number)
        self.asked = True


def run_all(trials: Sequence[RunDirectory], workers: int, watch: Watch, deadline: float) -> bool:
    """Runs every trial; True when all were given their time, False after Ctrl-C or SIGTERM.

    ``watch`` is called several times a second with the trials under way. What still trains at ``deadline`` (monotonic seconds) is
    asked to score what it has; what is not begun by then stays undone. A signal is passed on: the trials save their best and end.
    """
    waiting, running = list(trials), list[Running]()
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: both end in KeyboardInterrupt
    try:
        while waiting or running:
            if time.monotonic() > deadline:
                waiting.clear()
                for one in running:
                    one.ask(signal.SIGUSR1)
            while waiting and len(running) < workers:
                running.append(_start(waiting.pop(0)))
            watch([one.trial for one in running])
            time.sleep(0.1)
            running = [one for one in running if one.process.poll() is None]
        return True
    except KeyboardInterrupt:
        for one in running:
            one.ask(signal.SIGINT)
        for one in running:
            one.process.wait()
        return False
    finally:
        signal.signal(signal.SIGTERM, previous)


def _start(trial: RunDirectory) -> Running:
    # one thread each: small networks gain nothing from more, and results repeat only at a fixed number of threads
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ganwise.study.trial", str(trial.path)]
    with trial.log.open("wb") as log:
        # a session of its own: Ctrl-C reaches the trials once, through us, not a second time from the terminal
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | threads, start_new_session=True
        )
    return Running(trial, process)
