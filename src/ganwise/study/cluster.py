"""The Ray engine: the same race on a Ray cluster. Ray gives slots and carries parcels; who trains, and for how long, is ours.

Run directories and the record are the driver's: what changes in a run's directory on a node comes back every second or so. So a
node that disappears takes little with it, and its tasks begin again elsewhere from their last checkpoints.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from ganwise import interrupts
from ganwise.artifacts import to_json
from ganwise.study.engine import Ended, Task
from ganwise.study.parcel import RUN, Parcel, pieces, unpack, whole
from ganwise.study.slot import News, Order, Shipment, Slot, versions
from ganwise.types import Unusable

OFTEN, EACH = 1.0, 20
"""Seconds between two parcels of a trial, for every so many slots: the driver has to write them all."""
LOOK = 5.0
"""Seconds between two looks at what the cluster has: nodes come and go."""
LOSSES = 5
"""How often a task begins again because its slot has gone, before that counts as its own failure: it may be what kills them."""
PATIENCE = 5.0
"""Seconds for an answer of an address, and for slots to tidy up."""
PIECE = 32 << 20
STORE = 128 << 20
"""Bytes that this machine's own cluster holds in memory; what is more goes to its disk."""
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""With which HTTP/2 (RFC 9113, section 3.4) begins, and gRPC with it; its server answers with a frame of the same type, 4."""


@dataclass(eq=False)
class Place:
    """A slot: ``awaited`` is the answer that is under way. It is not ``ready`` before it has said hello."""

    actor: Any
    awaited: Any
    ready: bool = False
    task: Task | None = None
    number: int = 0


class Ray:
    """An engine: a Ray cluster by its address, or one of this machine's ``slots`` cores or GPUs, bound to loopback.

    Slots are the cluster's CPUs, or its GPUs. A program that has called ``ray.init`` itself keeps what it has.
    """

    def __init__(self, address: str | None = None, gpus: bool = False, slots: int = 1) -> None:
        """Connects, or starts a cluster.

        Raises:
            Unusable: Ray is not installed, nothing answers, or the cluster has no GPU.
        """
        self.slots, self.gpus, self._where = slots, gpus, address or "this machine"
        if address:
            _answers(address)
        self._race, self._ray = uuid4().hex[:12], _ray()
        self._places: list[Place] = []
        self._waiting: list[tuple[int, Task]] = []
        self._over: list[Ended] = []
        self._numbers, self._total, self._unfit, self._looked = 0, 0, 0, 0.0
        self._lost: Counter[tuple[Path, float | None]] = Counter()
        self._data: dict[str, Shipment] = {}
        self._mine = not self._ray.is_initialized()
        try:
            if self._mine:
                _connect(self._ray, address, gpus, slots)
            self._look_around()
            if not self._places:
                raise Unusable(f"--engine ray: the cluster at {self._where} has no {'GPU' if gpus else 'CPU'} to train on")
        except BaseException:
            self.close()
            raise

    def start(self, task: Task) -> None:
        self._numbers += 1
        self._waiting.append((self._numbers, task))
        self._assign()

    def finished(self, timeout: float) -> list[Ended]:
        until = time.monotonic() + timeout
        if time.monotonic() - self._looked > LOOK:
            self._look_around()
        while True:
            answers = {place.awaited: place for place in self._places if place.awaited is not None}
            left = 0.0 if self._over else max(0.0, until - time.monotonic())
            ready: list[Any] = []
            if answers:
                ready, _ = self._ray.wait(list(answers), num_returns=1, timeout=left)
            else:
                time.sleep(left)
            for answer in ready:
                self._hear(answers[answer])
            self._assign()
            if not ready:
                found, self._over = self._over, []
                return found

    def stop(self, number: int, task: Task | None = None) -> None:
        for place in self._places:
            if place.task and task in (None, place.task):
                place.actor.stop.remote(place.number, number)
        for one in [one for one in self._waiting if task in (None, one[1])]:
            self._waiting.remove(one)
            self._over.append(Ended(one[1], "no slot of the cluster was free for it"))

    def close(self) -> None:
        if not self._ray.is_initialized():
            return
        with suppress(self._ray.exceptions.RayError):
            ends = [place.actor.end.remote() for place in self._places if place.ready]
            if ends:
                self._ray.wait(ends, num_returns=len(ends), timeout=PATIENCE)
        for place in self._places:
            self._ray.kill(place.actor)
        self._places, self._waiting = [], []
        if self._mine:
            self._ray.shutdown()

    def _look_around(self) -> None:
        """A slot for each CPU or GPU that the cluster has now; those whose node has gone are heard of."""
        self._looked = time.monotonic()
        total = int(self._ray.cluster_resources().get("GPU" if self.gpus else "CPU", 0))
        if total != self._total:  # other nodes
            self._total, self._unfit = total, 0
        idle = [place for place in self._places if not place.ready]
        for place in idle[: max(0, len(self._places) - total)]:  # asked for in vain: their node has gone
            self._drop(place)
        for _ in range(total - self._unfit - len(self._places)):
            needs = {"num_gpus": 1, "num_cpus": 0} if self.gpus else {"num_cpus": 1}
            # any call of a slot may be under way while it waits for news
            actor = self._ray.remote(Slot).options(**needs, max_concurrency=4).remote(self._race)
            self._places.append(Place(actor, actor.hello.remote()))
        self.slots = max(1, len(self._places))

    def _assign(self) -> None:
        free = [place for place in self._places if place.ready and place.task is None]
        for place, (number, task) in zip(free, self._waiting[: len(free)], strict=False):
            order = Order(number, task.run.path.name, task.until, _parcels(task), self._shipped(task))
            place.task, place.number, place.awaited = task, number, place.actor.begin.remote(order)
        del self._waiting[: len(free)]

    def _shipped(self, task: Task) -> Shipment:
        """The task's data, put into the cluster's memory once: each node fetches it once."""
        path = str(task.run.read()["job"]["data"])
        if path not in self._data:
            files = {
                file.relative_to(path).as_posix(): [self._ray.put(piece) for piece in pieces(file, PIECE)]
                for file in sorted(Path(path).rglob("*"))
                if file.is_file()
            }
            self._data[path] = Shipment(f"data-{len(self._data)}", files)
        return self._data[path]

    def _hear(self, place: Place) -> None:
        try:
            told = self._ray.get(place.awaited)
        except self._ray.exceptions.RayTaskError as error:
            self._failed(place, str(error.cause))
            return
        except self._ray.exceptions.RayError as error:
            self._gone(place, str(error))
            return
        if place.task is None:
            self._greeted(place, told)
        elif told is None or not self._ended(place.task, place, told):
            place.awaited = place.actor.news.remote(max(OFTEN, self.slots / EACH))

    def _greeted(self, place: Place, told: dict[str, str]) -> None:
        ours = versions()
        for name, version in told.items():
            if version != ours[name]:
                raise Unusable(f"--engine ray: a node of {self._where} has {name} {version}, not {ours[name]}; install the same")
        place.ready, place.awaited = True, None

    def _ended(self, task: Task, place: Place, news: News) -> bool:
        _receive(news.parcel, task)
        if news.ended:
            self._over.append(Ended(task, news.error))
            place.task = place.awaited = None
        return news.ended

    def _gone(self, place: Place, words: str) -> None:
        """The slot's process has ended, mostly with its node: the task begins again elsewhere, from what came back of it."""
        self._drop(place)
        if place.task is None:
            if not place.ready:
                self._unborn(words)
            return
        key = (place.task.run.path, place.task.until)
        self._lost[key] += 1
        if self._lost[key] > LOSSES:
            self._over.append(Ended(place.task, f"its slot of the cluster has gone for the {self._lost[key]}th time"))
        else:
            self._waiting.insert(0, (place.number, place.task))

    def _failed(self, place: Place, words: str) -> None:
        """What the slot itself could not do: its node's disk may be full."""
        if place.task:
            self._over.append(Ended(place.task, f"on its node: {_last(words)}"))
            place.task = place.awaited = None
        else:
            self._drop(place)
            self._unborn(words)

    def _unborn(self, words: str) -> None:
        """A slot that could not begin is not tried again before other nodes come."""
        self._unfit += 1
        if not self._places:
            raise Unusable(f"--engine ray: no node of {self._where} can train ({_last(words)}); is ganwise installed there?")

    def _drop(self, place: Place) -> None:
        self._places.remove(place)
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(place.actor)  # it may be only out of reach, and would train on for nobody


def _last(words: str) -> str:
    return next((line.strip() for line in reversed(words.splitlines()) if line.strip()), "without a word")


def _parcels(task: Task) -> dict[str, Parcel]:
    """The run, and the sick one that it is to take the place of."""
    run, job = task.run.path, task.run.read()["job"]
    names = [run.name] + ([job["parent"]] if "parent" in job and not any(run.glob("checkpoints/*.json")) else [])
    return {name: whole(run.with_name(name)) for name in names}


def _receive(parcel: Parcel, task: Task) -> None:
    """Unpacks what came back; the place of the data is the driver's again."""
    files = dict(parcel.files)
    if RUN in files:
        told = json.loads(files[RUN])
        told["job"]["data"] = task.run.read()["job"]["data"]
        files[RUN] = (to_json(told, indent=1) + "\n").encode()
    unpack(parcel._replace(files=files), task.run.path)


def _ray() -> Any:
    """The package, which is not to tell anybody that it is used.

    Raises:
        Unusable: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise Unusable("--engine ray needs the extra: pip install 'ganwise[ray]'") from None
    return ray


def _connect(ray: Any, address: str | None, gpus: bool, slots: int) -> None:
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    if address is None:
        gpu = {"num_gpus": slots if gpus else 0}
        with _loopback(ray):
            ray.init(num_cpus=slots, **gpu, object_store_memory=STORE, _node_ip_address="127.0.0.1", **quiet)
    else:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise Unusable(f"--address {address}: can't join that cluster: {said}; see docs/engines.md") from None
    if main:
        signal.signal(signal.SIGTERM, before)  # which Ray has taken
    ray._private.worker._worker_logs_enabled = False  # else it tells of lost nodes on our standard output
    interrupts.obey()


@contextmanager
def _loopback(ray: Any) -> Iterator[None]:
    """What Ray starts meanwhile listens on loopback alone, as of itself on Windows and macOS, and is no nicer than we are."""
    constants, before = ray._private.ray_constants, dict(os.environ)
    wide, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": before.get("RAY_worker_niceness", "0")}
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = wide
        for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_worker_niceness"):
            os.environ.pop(name)
            os.environ |= {name: before[name]} if name in before else {}


def _answers(address: str) -> None:
    """Makes sure that a cluster is there; Ray itself would wait for a minute.

    Raises:
        Unusable: Not an address, or no Ray answers there within seconds.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise Unusable(f"--address {address}: not an address; expected HOST:PORT, as `ray start --head` tells it")
    advice = "is the cluster running (`ray start --head` tells its address), and is that port open?"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE) as line:
            line.settimeout(PATIENCE)
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                line.sendall(GREETING)
                if line.recv(9)[3:4] != b"\x04":
                    raise Unusable(f"--address {address}: what answers there is no Ray cluster; {advice}")
    except OSError as error:
        raise Unusable(f"--address {address}: no answer ({error.strerror or error}); {advice}") from None
