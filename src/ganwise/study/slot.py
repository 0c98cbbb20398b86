"""One core or GPU of a node of a cluster: an actor there, with a nursery of its own, in directories of that node.

A trial's process is the same as on one machine, a fork that its signals reach and whose end is heard; the actor only brings its
directory, and what has changed in it to the race. It imports no torch: the nursery has it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ganwise.artifacts import RunDirectory
from ganwise.study.engine import Task
from ganwise.study.local import Local
from ganwise.study.parcel import Mark, Parcel, marks, pack, unpack

GLANCE = 0.02


class Shipment(NamedTuple):
    """A folder of data in the cluster's memory: for each file the references of its pieces."""

    name: str
    files: Mapping[str, list[Any]]


class Order(NamedTuple):
    """A task as a slot gets it: its run's directory, and the parent's that a healed run begins from."""

    number: int
    name: str
    until: float | None
    parcels: Mapping[str, Parcel]
    data: Shipment


class News(NamedTuple):
    """Of a task under way, or ended: then with the last words of its process, if they were any."""

    parcel: Parcel
    ended: bool = False
    error: str | None = None


def versions() -> dict[str, str]:
    """What has to be the same everywhere: other versions of these train other weights."""
    return {name: version(name) for name in ("ganwise", "torch", "numpy")}


class Slot:
    """Trains one task at a time. Its methods are called from several threads: a signal does not wait for news."""

    def __init__(self, race: str) -> None:
        self.root = Path(tempfile.gettempdir()) / f"ganwise-{race}-{_node()}"
        self.runs = self.root / f"runs-{os.getpid()}"
        self.local = Local(1)
        self.lock = threading.Lock()
        self.number = 0
        self.task: Task | None = None
        self.sent: dict[str, Mark] = {}
        self.asked: dict[int, int] = {}  # signals that came before their task

    def hello(self) -> dict[str, str]:
        return versions()

    def begin(self, order: Order) -> None:
        """Unpacks a task and starts it."""
        data = self._unloaded(order.data)
        for name, parcel in order.parcels.items():
            unpack(parcel, self.runs / name)
        run = RunDirectory(self.runs / order.name)
        run.update(job=run.read()["job"] | {"data": str(data)})
        with self.lock:
            self.number, self.task, self.sent = order.number, Task(run, order.until), marks(run.path)
            self.local.start(self.task)
            if signal := self.asked.pop(order.number, 0):
                self.local.stop(signal, self.task)

    def news(self, patience: float) -> News:
        """What has changed by the end of the task, or within so many seconds. After the end nothing of it stays here."""
        assert self.task is not None
        run, late = self.task.run.path, time.monotonic() + patience
        while True:
            with self.lock:
                ended = self.local.finished(0)
            if ended:
                news = News(pack(run, self.sent), True, ended[0].error)
                shutil.rmtree(self.runs, ignore_errors=True)
                return news
            if time.monotonic() > late:
                return News(pack(run, self.sent))
            time.sleep(GLANCE)

    def stop(self, number: int, signal: int) -> None:
        """Passes a signal on to the task of this number: to none that came after it."""
        with self.lock:
            if number > self.number:
                self.asked[number] = signal
            elif number == self.number:
                self.local.stop(signal, self.task)

    def end(self) -> None:
        """Ends what runs, without a word, and leaves nothing of the race on the node, where other slots end now too."""
        shutil.rmtree(self.root, ignore_errors=True)  # first: it may be killed before its nursery has ended
        with self.lock:
            self.local.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def _unloaded(self, data: Shipment) -> Path:
        """The folder of data on this node, fetched by whichever slot needs it first."""
        folder = self.root / data.name
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.root / f".{data.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _fetch(data, beside := folder.with_name(f".{data.name}"))
                beside.rename(folder)
        return folder


def _fetch(data: Shipment, folder: Path) -> None:
    import ray

    shutil.rmtree(folder, ignore_errors=True)
    for name, references in data.files.items():
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for reference in references:
                file.write(ray.get(reference))


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())[:12]
