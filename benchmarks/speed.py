"""What a whole training step costs: data, both players, optimizers, average and records; ours, the plain step, and the peers.

    OMP_NUM_THREADS=1 python benchmarks/speed.py --peers peers    CPU time of one thread; rows into results/speed.jsonl
    python benchmarks/speed.py --wall --peers peers               wall time, all threads
    python benchmarks/speed.py --device cuda --compile            on a GPU: wall time, images a second, memory
    python benchmarks/speed.py page                               the table of docs/speed.md

All steps of a case are measured in one process in turns, A B C A B C: what else a machine does then hits all alike. Ours runs
through `ganwise.train.train` with its records, in the precision that it chooses here and in float32; the plain step is that of
`speed_plain.py`, the peers' come as `speed_peers.py` says. The floor is the plain step's multiplications and additions
at the speed of large matrix products, measured in the same run. A case whose rows are there already is skipped, unless --again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import speed_page
import speed_peers
import torch
from speed_cases import CASES, Case
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import flop_registry

from ganwise import machine, pace
from ganwise.build import GAN
from ganwise.data import Dataset
from ganwise.train import train

RESULTS = Path(__file__).parent / "results" / "speed.jsonl"
COMPILES = ("mlp", "dcgan", "sngan", "began")  # torch.compile has no second derivatives: no penalties on slopes
EVERY = 20  # steps between two records, as by default
Block = Callable[[], None]


def batches(data: Dataset, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The usual way to batches: images as float32 in memory, shuffled and collated by a DataLoader."""
    images = torch.as_tensor(data.part("train")).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
    loader = DataLoader(TensorDataset(images, torch.zeros(len(images), dtype=torch.long)), batch, shuffle=True, drop_last=True)
    while True:
        yield from loader


def ours(case: Case, data: Dataset, device: str, precision: str, compiled: bool = False) -> tuple[Block, str]:
    """Blocks of our loop, and the way in which they compute."""
    gan = case.made().to(device)
    way = pace.choose(case.full(), case.shape, device=device).way if precision == "auto" else precision
    gan.compute(*machine.way(way))
    if compiled:
        for network in (gan.generator, gan.discriminator):
            network.compile()
    every = min(EVERY, case.steps)
    records = train(gan, data, steps=10**9, every=every)

    def block() -> None:
        for _ in range(case.steps // every):
            next(records)

    return block, machine.described(machine.way(way))["precision"] + " contiguous" * way.endswith("nchw")


def plain(case: Case, data: Dataset, device: str) -> Block:
    gan: GAN = case.made().to(device)
    loop, real = case.plain(gan), batches(data, gan.recipe.schedule.batch)
    return repeated(lambda: loop.step(lambda: next(real)[0].to(device)), case.steps)


def peer(name: str, case: Case, data: Dataset, device: str) -> Block:
    batch = case.full().schedule.batch
    return repeated(speed_peers.STEPS[name](batches(data, batch), batch, torch.device(device)), case.steps)


def repeated(step: Callable[[], object], times: int) -> Block:
    def block() -> None:
        for _ in range(times):
            step()

    return block


class Counter(TorchDispatchMode):
    """Counts the operations of products and convolutions, also those of a gradient of a gradient and of groups of channels.

    torch's own `FlopCounterMode` stops at gradients of samples, and counts a gradient of a grouped weight as if it had one group.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out, kind = func(*args, **(kwargs or {})), func._overloadpacket
        if kind == torch.ops.aten.convolution:
            self.total += convolved(args[0] if args[6] else out, args[1])
        elif kind == torch.ops.aten.convolution_backward:
            self.total += convolved(args[1] if args[7] else args[0], args[2]) * sum(args[10][:2])
        elif kind in flop_registry:
            self.total += flop_registry[kind](*args, **(kwargs or {}), out_val=out)
        return out


def convolved(smaller: Tensor, weight: Tensor) -> int:
    """Operations of a convolution, or of one of its gradients: at each place of its smaller side it meets every weight."""
    return 2 * len(smaller) * smaller[0, 0].numel() * weight.numel()


def flops(case: Case, data: Dataset) -> float:
    """Floating point operations of one plain step; a multiplication with its addition counts as two."""
    few, batch = 8, case.full().schedule.batch  # every product grows with the batch
    gan = case.made(**{"schedule.batch": few})
    loop, real = case.plain(gan), batches(data, few)
    with Counter() as counter:
        loop.step(lambda: next(real)[0])
    return counter.total * batch / few


def clock_of(device: str, wall: bool) -> Callable[[], float]:
    """CPU time of this process; or wall time, on a GPU after all of its work."""
    if device.startswith("cuda"):
        return lambda: (torch.cuda.synchronize(), time.perf_counter())[1]  # type: ignore[func-returns-value]
    return time.perf_counter if wall else time.process_time


def peak(dtype: torch.dtype, device: str, clock: Callable[[], float]) -> float:
    """Operations a second: the better of a product of two large matrices and a 3x3 convolution of 256 channels.

    They come from different libraries on a processor, of which one may not know this processor.
    """
    a, b = (torch.randn(2048, 2048, device=device).to(dtype) for _ in range(2))
    maps, kernel = torch.randn(16, 256, 32, 32, device=device).to(dtype), torch.randn(256, 256, 3, 3, device=device).to(dtype)
    maps, kernel = (t.contiguous(memory_format=torch.channels_last) for t in (maps, kernel))
    work: tuple[tuple[Callable[[], Tensor], int], ...] = (
        (lambda: a @ b, 2 * 2048**3),
        (lambda: torch.conv2d(maps, kernel, padding=1), 2 * maps.numel() * 256 * 9),
    )
    fastest = 0.0
    for product, operations in work * 5:
        begin = clock()
        product()
        fastest = max(fastest, operations / (clock() - begin))
    return fastest


def ways(name: str, case: Case, options: argparse.Namespace, peers: bool) -> dict[str, Callable[[], tuple[Block, str]]]:
    """All that a case is measured for: each makes a block of steps, and says its precision."""
    data, device = case.data(), options.device
    found: dict[str, Callable[[], tuple[Block, str]]] = {
        "plain": lambda: (plain(case, data, device), "float32"),
        "ours": lambda: ours(case, data, device, "auto"),
        "ours in float32": lambda: ours(case, data, device, "fp32"),
    }
    if peers and name in speed_peers.STEPS:
        found[case.peer] = lambda: (peer(name, case, data, device), "float32")
    if options.compile and name in COMPILES:
        found["ours compiled"] = lambda: ours(case, data, device, "auto", compiled=True)
    return found


def memory(make: Callable[[], tuple[Block, str]]) -> int:
    """Bytes of a GPU's memory that a way to train takes at most, measured alone."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    make()[0]()
    return torch.cuda.max_memory_allocated() - before


def measure(name: str, case: Case, options: argparse.Namespace, peers: bool) -> Iterator[dict[str, Any]]:
    """One row for each way to make the step: seconds a step of each round."""
    clock, makers, schedule = clock_of(options.device, options.wall), ways(name, case, options, peers), case.full().schedule
    taken_up = {side: memory(make) for side, make in makers.items()} if mode(options) == "gpu" else {}
    sides = {side: make() for side, make in makers.items()}
    counted = flops(case, case.data())
    peaks = {str(t).removeprefix("torch."): peak(t, options.device, clock) for t in (torch.float32, torch.bfloat16)}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(options.rounds + 1):
        for side, (block, _) in sides.items():
            begin = clock()
            block()
            took = (clock() - begin) / case.steps
            if turn:  # the first is to warm up
                seconds[side].append(took)
            print(f"{name:8} {side:16} round {turn} {took * 1000:10.1f} ms a step", flush=True)
    for side, (_, precision) in sides.items():
        yield {
            "case": name,
            "side": side,
            "precision": precision,
            "clock": mode(options),
            "steps": case.steps,
            "seconds": [round(s, 6) for s in seconds[side]],
            "images": schedule.batch * schedule.discriminator_steps,
            "flops": round(counted),
            "peaks": {dtype: round(speed) for dtype, speed in peaks.items()},
            "memory": taken_up.get(side),
        } | conditions(options)


def mode(options: argparse.Namespace) -> str:
    return "gpu" if options.device.startswith("cuda") else "wall" if options.wall else "cpu"


def conditions(options: argparse.Namespace) -> dict[str, Any]:
    """When, where and with what."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=RESULTS.parent)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": hardware(options.device),
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "python": sys.version.split()[0], **speed_peers.VERSIONS},
        "commit": commit.stdout.strip(),
    }


def hardware(device: str) -> str:
    """The machine in words."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    known = {"avx512f": "AVX-512", "avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX"}
    has = ", ".join(word if flag in flags else f"no {word}" for flag, word in known.items())
    return f"{len(models)} cores of {models[0]} ({has})" if models else "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("do", nargs="?", choices=("measure", "page"), default="measure")
    parser.add_argument("--case", action="append", choices=CASES, help="one of the cases; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--wall", action="store_true", help="wall time with all threads")
    parser.add_argument("--compile", action="store_true", help="also with both networks compiled")
    parser.add_argument("--peers", type=Path, help="folder into which the peers are installed")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="measure what is there already")
    options = parser.parse_args()
    if options.do == "page":
        speed_page.write(options.out)
        return
    if mode(options) == "cpu":
        torch.set_num_threads(1)
    peers = speed_peers.installed(options.peers)
    there = {(row["case"], row["clock"]) for row in speed_page.rows(options.out)}
    for name in options.case or CASES:
        if options.again or (name, mode(options)) not in there:
            found = list(measure(name, CASES[name], options, peers))
            with options.out.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in found)
            for row in found:
                print(f"{name:8} {row['side']:16} median {median(row['seconds']) * 1000:10.1f} ms a step", flush=True)
            if options.out == RESULTS:  # a test holds the page to its rows
                speed_page.write(RESULTS)


if __name__ == "__main__":
    main()
