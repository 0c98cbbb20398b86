"""How long one waits: for the package, for help, for the first training step; and the share of a run that is not training.

    OMP_NUM_THREADS=1 python benchmarks/start.py              all of it, each the median of five fresh processes
    OMP_NUM_THREADS=1 python benchmarks/start.py --shares     only what checks, probes and the final score take of a run

Warm: the files have been read before, so that the disk is not measured. Seconds by the clock, and CPU seconds of the process.
The goals: 5 s to the first step, and a tenth of a run for checks, probes and scores (issue 7, point 7).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

STARTS = {
    "import ganwise": "import ganwise",
    "ganwise --help": "import sys; sys.argv = ['ganwise', '--help']\nfrom ganwise.cli import main\nmain()",
    "ganwise select digits": "import sys; sys.argv = ['ganwise', 'select', 'digits']\nfrom ganwise.cli import main\nmain()",
    "first step: fcgan on digits": "{}fcgan{}digits{}",
    "first step: dcgan on mnist-10k": "{}dcgan{}mnist-10k{}",
}
FIRST = (
    "import ganwise as gw\nfrom ganwise import catalog\nfrom ganwise.train import train\nrecipe = catalog.named('",
    "')\ndata = gw.load('",
    "')\ngan = gw.build(recipe, data.shape, classes=len(data.classes))\nnext(train(gan, data, steps=1))",
)
RUNS = {"digits, 60 s": ("digits", "fcgan", 60.0), "mnist-10k, 60 s": ("mnist-10k", "dcgan", 60.0)}


def started(script: str) -> tuple[float, float]:
    """Seconds and CPU seconds of a fresh process that runs the script."""
    begin, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - begin, cpu


def starts(rounds: int) -> None:
    print("| start | seconds | CPU seconds |\n|---|---|---|")
    for name, script in STARTS.items():
        code = script.format(*FIRST) if script.startswith("{") else script
        started(code)
        times = [started(code) for _ in range(rounds)]
        print(f"| {name} | {median(t[0] for t in times):.2f} | {median(t[1] for t in times):.2f} |", flush=True)


@contextmanager
def clocked(owner: Any, name: str, spent: dict[str, float], what: str) -> Iterator[None]:
    """Counts the CPU seconds of a function of ``owner``, those of its calls into other counted ones too."""
    function: Callable[..., Any] = getattr(owner, name)

    def counting(*rest: Any, **named: Any) -> Any:
        begin = time.process_time()
        try:
            return function(*rest, **named)
        finally:
            spent[what] = spent.get(what, 0.0) + time.process_time() - begin

    with patch.object(owner, name, counting):
        yield


def shares(scale: float) -> None:
    import torch

    import ganwise as gw
    from ganwise import catalog
    from ganwise.artifacts import RunDirectory
    from ganwise.probes import Watch
    from ganwise.study import trial

    torch.set_num_threads(1)
    print(
        "| run | steps | whole, CPU s | probes | checks | benches | final score | all of these |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name, (source, recipe, seconds) in RUNS.items():
        spent: dict[str, float] = {}
        data = gw.load(source)
        counted = [(Watch, "read", "probes"), (Watch, "before", "probes"), (trial.Trial, "_check", "checks")]
        counted += [(trial.Trial, "_score", "score"), (trial, "prepare", "prepare")]
        with tempfile.TemporaryDirectory() as folder, ExitStack() as clocks:
            for owner, function, what in counted:
                clocks.enter_context(clocked(owner, function, spent, what))
            run = RunDirectory(Path(folder))
            begin = time.process_time()
            trial.Trial(run, catalog.named(recipe), data, trial.Limit(seconds=seconds * scale)).go(trial.Stop())
            whole = time.process_time() - begin
            steps = len(run.records()) and run.records()[-1].step
        beside = spent["probes"] + spent["checks"] + spent["score"]
        row = " | ".join(f"{spent[what] / whole:.1%}" for what in ("probes", "checks", "prepare", "score"))
        print(f"| {name} | {steps} | {whole:.1f} | {row} | {beside / whole:.1%} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shares", action="store_true", help="leave out the starts")
    parser.add_argument("--starts", action="store_true", help="leave out the shares")
    parser.add_argument("--scale", type=float, default=1.0, help="of the runs' lengths")
    arguments = parser.parse_args()
    if not arguments.shares:
        starts(arguments.rounds)
    if not arguments.starts:
        shares(arguments.scale)


if __name__ == "__main__":
    main()
