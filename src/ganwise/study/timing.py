"""How fast this machine trains: real steps of a few architectures, timed, and kept for the cost of a short list."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ganwise import machine, processor
from ganwise.build import GAN, build
from ganwise.catalog import choice
from ganwise.data.dataset import write_whole
from ganwise.recipe import Recipe, Schedule
from ganwise.select.cost import cost
from ganwise.select.profile import profiles
from ganwise.train import Batches, step
from ganwise.types import Shape, Unusable

TIMED: dict[str, tuple[Shape, str]] = {
    "mlp": ((1, 28, 28), "non-saturating"),
    "dcgan": ((3, 32, 32), "non-saturating"),
    "resnet": ((3, 32, 32), "non-saturating"),
    "autoencoder": ((3, 32, 32), "boundary-equilibrium"),
}
"""One of each kind that selection lists most, on what it is listed for, in the width that suits a laptop."""
BATCHES = (16, 64)
"""Two sizes tell what each update costs from what each operation does."""
_FORMAT = 1


class Measured(NamedTuple):
    """Steps of one architecture at one batch: the median of seconds a step, and operations a second."""

    batch: int
    steps: int
    seconds_per_step: float
    operations_per_step: float
    operations_per_second: float


def measure(device: str = "cpu", seconds: float = 30.0, names: Sequence[str] = tuple(TIMED)) -> dict[str, Any]:
    """The profile as it is kept: the machine in words, and each architecture's timings in every precision that it has.

    About ``seconds`` are shared out evenly. On a processor one thread is timed, as a race gives each run.

    Raises:
        Unusable: No time to measure in.
    """
    if not 0 < seconds < math.inf:
        raise Unusable(f"--seconds {seconds:g}: timing takes more than 0 seconds, and has an end")
    cells = [(name, precision) for name in names for precision in _precisions(device)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [_timing(name, precision, device, seconds / len(cells) / len(BATCHES)) for name, precision in cells]
    finally:
        torch.set_num_threads(threads)
    return {"format": _FORMAT, "machine": about(device), "timings": rows}


def _precisions(device: str) -> list[str]:
    return [name for name in machine.CHOICES if name != "bf16" or device.startswith("cuda") or machine.native_bf16()]


def about(device: str) -> dict[str, str | int]:
    return {
        "platform": platform.platform(),
        "processor": torch.cuda.get_device_name() if device.startswith("cuda") else processor.name(),
        "device": device.split(":")[0],
        "threads": 1,
        "torch": torch.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }


def _timing(name: str, precision: str, device: str, seconds: float) -> dict[str, Any]:
    measured = [_measured(name, precision, device, batch, seconds) for batch in BATCHES]
    overhead, rate = _line(*measured)
    usual = machine.precision("auto", device, _gan(name, BATCHES[0], device).generator) == machine.CHOICES[precision]
    about = {"architecture": name, "precision": precision, "overhead": overhead, "rate": rate, "usual": usual}
    return {**about, "measured": [each._asdict() for each in measured]}


def _line(small: Measured, large: Measured) -> tuple[float, float]:
    """Seconds an update that no operation explains, and operations a second beyond them; two updates are a step."""
    extra = large.seconds_per_step - small.seconds_per_step
    if extra <= 0:
        return 0.0, large.operations_per_second
    rate = (large.operations_per_step - small.operations_per_step) / extra
    overhead = (small.seconds_per_step - small.operations_per_step / rate) / 2
    return (overhead, rate) if overhead > 0 else (0.0, large.operations_per_second)


def _recipe(name: str, batch: int) -> Recipe:
    return Recipe(architecture=choice(name), loss=choice(TIMED[name][1]), schedule=Schedule(batch=batch))


def _gan(name: str, batch: int, device: str) -> GAN:
    return build(_recipe(name, batch), TIMED[name][0], device=device)


def _measured(name: str, precision: str, device: str, batch: int, seconds: float) -> Measured:
    shape, gan = TIMED[name][0], _gan(name, batch, device)
    gan.precision = machine.CHOICES[precision]
    values = np.random.default_rng(0).integers(0, 256, (4 * batch, *shape[1:], shape[0]), dtype=np.uint8)
    taken = list(_steps(gan, Batches(values, np.full(len(values), -1), gan, 0), seconds))
    typical = float(np.median(taken))
    operations = cost(_recipe(name, batch), shape).operations_per_step
    return Measured(batch, len(taken), typical, operations, operations / typical)


def _steps(gan: GAN, batches: Batches, seconds: float) -> Iterator[float]:
    """Seconds of each step after one to warm up, CPU time as in a run's records: four at least, then until time is up."""
    clock = machine.clock(gan.device)
    end = time.perf_counter() + seconds
    for t in range(1_000_000):
        begin = clock()
        step(gan, batches, t)
        if gan.device.type == "cuda":
            torch.cuda.synchronize()
        if t:
            yield clock() - begin
        if t >= 4 and time.perf_counter() > end:
            return


def keep(profile: dict[str, Any]) -> Path:
    """Writes a profile where the cost of a short list finds it, and returns the file.

    Raises:
        OSError: The cache folder can't be written.
    """
    profiles().mkdir(parents=True, exist_ok=True)
    file = profiles() / f"{profile['machine']['date'].replace(' ', 'T').replace(':', '')}.json"
    write_whole(file, json.dumps(profile, indent=1).encode())
    return file
