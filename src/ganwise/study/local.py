"""The local engine: one process a task, as many at once as the machine has cores or GPUs, each in its own run directory."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ganwise.study.engine import Ended, Task

NURSERY = (sys.executable, "-m", "ganwise.study.nursery")
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Small networks gain nothing from more, and results repeat only at a fixed number of threads."""


@dataclass
class Local:
    """This machine's cores or GPUs. Trials are forks of one process that has imported everything (see `nursery`)."""

    slots: int
    gpus: bool = False
    nursery: Sequence[str] = NURSERY
    _running: dict[str, Task] = field(default_factory=dict, init=False)  # by the run's directory
    _pids: dict[str, int] = field(default_factory=dict, init=False)
    _asked: dict[str, int] = field(default_factory=dict, init=False)  # signals for what has not begun yet
    _nursery: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _heard: queue.SimpleQueue[dict[str, Any]] = field(default_factory=queue.SimpleQueue, init=False)
    _gpu: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._open()  # while the race is planned it imports

    def start(self, task: Task) -> None:
        path = str(task.run.path)
        if self._nursery is None or self._nursery.poll() is not None:
            self._open()
        if self.gpus:
            self._gpu[path] = min(set(range(self.slots)) - set(self._gpu.values()))
        self._running[path] = task
        self._tell({"run": path, "until": task.until, "gpu": self._gpu.get(path)})

    def finished(self, timeout: float) -> list[Ended]:
        found: list[Ended] = []
        until = time.monotonic() + timeout
        while True:
            try:
                heard = self._heard.get(timeout=0 if found else max(0.0, until - time.monotonic()))
            except queue.Empty:
                return found
            found += self._hear(heard)

    def stop(self, number: int, task: Task | None = None) -> None:
        for path in [str(task.run.path)] if task else list(self._running):
            if path in self._pids:
                self._tell({"pid": self._pids[path], "signal": number})
            elif path in self._running:
                self._asked[path] = number

    def close(self) -> None:
        if self._nursery is not None and self._nursery.stdin is not None:
            with suppress(BrokenPipeError):
                self._nursery.stdin.close()  # it kills what still runs, and ends
            self._nursery.wait()
        self._nursery = None

    def _open(self) -> None:
        # a session of its own: Ctrl-C is for the race, which tells its trials
        self._nursery = subprocess.Popen(
            self.nursery, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | THREADS, start_new_session=True
        )
        threading.Thread(target=_listen, args=(self._nursery, self._heard), daemon=True).start()

    def _tell(self, words: dict[str, Any]) -> None:
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        with suppress(BrokenPipeError):  # its end is heard from its other pipe
            self._nursery.stdin.write(json.dumps(words).encode() + b"\n")
            self._nursery.stdin.flush()

    def _hear(self, heard: dict[str, Any]) -> list[Ended]:
        if "began" in heard:
            path = heard["began"]
            self._pids[path] = heard["pid"]
            if number := self._asked.pop(path, 0):
                self._tell({"pid": heard["pid"], "signal": number})
            return []
        if "ended" in heard:
            path = next(path for path, pid in self._pids.items() if pid == heard["ended"])
            return [self._end(path, heard["status"])]
        return [self._end(path, -signal.SIGKILL) for path in list(self._running)] if heard["of"] is self._nursery else []

    def _end(self, path: str, status: int) -> Ended:
        self._pids.pop(path, None)
        self._gpu.pop(path, None)
        self._asked.pop(path, None)
        task = self._running.pop(path)
        return Ended(task, _last_words(task, status) if status else None)


def _listen(nursery: subprocess.Popen[bytes], heard: queue.SimpleQueue[dict[str, Any]]) -> None:
    assert nursery.stdout is not None
    for line in nursery.stdout:
        heard.put(json.loads(line))
    heard.put({"of": nursery})


def _last_words(task: Task, status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        return f"killed by {name}{', as the system does when memory runs out' if name == 'SIGKILL' else ''}"
    text = task.run.log.read_text(errors="replace") if task.run.log.is_file() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else f"ended with exit status {status}"
