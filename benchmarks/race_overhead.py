"""What a race costs beside training and evaluation, on this machine and on a Ray cluster of this machine.

    OMP_NUM_THREADS=1 python benchmarks/race_overhead.py --engine local
    OMP_NUM_THREADS=1 python benchmarks/race_overhead.py --engine ray

Two candidates race with two seeds, in 12 training tasks and 4 of scoring. Five times a second it looks which of our processes
live and what CPU time they have taken: trials (forks of a nursery), which train and evaluate, and all others, which are overhead.
Slots are idle while no trial lives in them; the end, when fewer tasks are left than there are slots, is not counted. The machine
may be busy otherwise: what others take slows trials and overhead alike. Linux.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from ganwise import catalog
from ganwise.artifacts import RunDirectory
from ganwise.data import load
from ganwise.study.budget import parse
from ganwise.study.cluster import Ray
from ganwise.study.engine import Engine
from ganwise.study.local import Local
from ganwise.study.plan import Entrant, Plan
from ganwise.study.race import race

SLOTS, SEEDS, OFTEN = 2, 2, 0.2
TICK = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    parent: int
    session: int
    cpu: float


def processes() -> dict[int, Process]:
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if told[0] != "Z":
            found[int(stat.parent.name)] = Process(int(told[1]), int(told[3]), (int(told[11]) + int(told[12])) / TICK)
    return found


def below(all_: dict[int, Process]) -> set[int]:
    family = {os.getpid()}
    while more := {pid for pid, one in all_.items() if one.parent in family} - family:
        family |= more
    return family


def is_nursery(pid: int) -> bool:
    try:
        return b"ganwise.study.nursery" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@dataclass
class Clock:
    """Looks at our processes until it is told to end."""

    begun: float = field(default_factory=time.perf_counter)
    trials: dict[int, float] = field(default_factory=dict)  # CPU seconds by process
    others: dict[int, float] = field(default_factory=dict)
    before: dict[int, float] = field(default_factory=dict)
    idle: float = 0.0
    first: float = 0.0  # when the first trial lived
    start: float = 0.0  # CPU seconds of all others by then
    gaps: float = 0.0  # idle slot seconds since the last moment at which all slots worked
    own: float = 0.0  # CPU seconds of looking
    done: bool = False

    def __post_init__(self) -> None:
        all_ = processes()
        self.before = {pid: all_[pid].cpu for pid in below(all_)}
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self) -> None:
        last = time.perf_counter()
        while not self.done:
            time.sleep(OFTEN)
            now, all_ = time.perf_counter(), processes()
            family = below(all_)
            nurseries = {pid for pid in family if is_nursery(pid)}
            # a trial leads its session, as its nursery does, but is the nursery's child
            trials = {pid for pid in nurseries if all_[pid].parent in nurseries}
            for pid in family:
                (self.trials if pid in trials else self.others)[pid] = all_[pid].cpu - self.before.get(pid, 0.0)
            if trials and not self.first:
                self.first, self.start = now, sum(self.others.values()) - self.own
            elif self.first:
                self.gaps += (SLOTS - min(SLOTS, len(trials))) * (now - last)
                if len(trials) >= SLOTS:
                    self.idle, self.gaps = self.idle + self.gaps, 0.0
            last = now
            self.own = time.thread_time()

    def end(self) -> float:
        self.done = True
        self.thread.join()
        return time.perf_counter()


def raced(name: str, images: int) -> None:
    entrants = tuple(Entrant(alias, catalog.named("fcgan")) for alias in ("a", "b"))
    told = {"seconds": None, "images": images, "flops": None, "workers": SLOTS, "n": 300, "draws": 1, "overhead": 0.0}
    made = Plan(entrants, SEEDS, **told, scoring=0.0, wall=None, enough=0.0)
    data = load("digits")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        engine: Engine = Ray(slots=SLOTS) if name == "ray" else Local(SLOTS)
        out, clock = Path(folder) / "out", Clock()
        began = time.perf_counter() - begin
        with closing(engine):
            race(made, data, parse("images:1M"), out, "cpu", lambda running: None, time.monotonic(), engine)
        wall = clock.end() - begin
        runs = [RunDirectory(path.parent).read() for path in out.glob("runs/*/run.json")]
    trained = sum(run["seconds"] for run in runs)
    worked, rest = sum(clock.trials.values()), sum(clock.others.values()) - clock.own
    tasks = sum(len(run["looks"]) for run in runs) + len(runs)
    busy = (wall - (clock.first - begin)) * SLOTS
    print(f"engine {name}: {tasks} tasks of {len(runs)} runs in {wall:.0f} s on {SLOTS} slots; begun after {began:.1f} s,")
    print(f"  the first trial after {clock.first - begin:.1f} s; load {os.getloadavg()[0]:.0f}, torch {torch.__version__}")
    later = rest - clock.start
    print(f"  CPU seconds: trials {worked:.1f}, of which training {trained:.1f}; all others {clock.start:.1f} until then,")
    print(f"  {later:.1f} afterwards: {later / worked:.1%} of the trials', {later / tasks:.2f} a task")
    print(
        f"  slots without a trial while tasks were left: {clock.idle / busy:.1%} of their time, {clock.idle / tasks:.2f} s a task"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["local", "ray"], required=True)
    parser.add_argument("--images", type=int, default=400_000, help="of a run to its end: 15 CPU seconds of fcgan on digits")
    told = parser.parse_args()
    torch.set_num_threads(1)
    raced(told.engine, told.images)


if __name__ == "__main__":
    sys.exit(main())
