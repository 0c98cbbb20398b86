"""What the probes cost: of a training run of ours, and of `Monitor` in a loop written by hand, as shares of the training time.

    OMP_NUM_THREADS=1 python benchmarks/probes_cost.py            prints the table
    OMP_NUM_THREADS=1 python benchmarks/probes_cost.py --rounds 9 --only Monitor

CPU time on one thread. Blocks of steps without probes (A) and with them (B) take turns, A B A B. The share is that of the time
spent in the probes themselves inside the B blocks, which a busy machine disturbs little; beside it stands the ratio of the
blocks' medians, B over A, which has the noise of the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

import ganwise as gw
from ganwise import catalog
from ganwise.probes import RARE, Watch
from ganwise.recipe import change
from ganwise.train import Batches, step
from ganwise.types import Value

EVERY, BATCH = 20, 64
RESNET: dict[str, Value] = {"architecture.name": "resnet", "architecture.width": 32}
Clock = Callable[[], float]


class Block(NamedTuple):
    """CPU seconds of a block of steps, those of them that the probes took, and how many steps they were."""

    whole: float
    probes: float
    steps: int


class Case(NamedTuple):
    name: str
    limit: float  # the share that is allowed
    blocks: Iterator[Block]  # without and with probes, in turns


def ours(recipe: str, source: str, **changes: Value) -> Iterator[Block]:
    """Blocks of as many steps as there are between two dear records."""
    data = gw.load(source)
    gan = gw.build(change(catalog.named(recipe), changes), data.shape, classes=len(data.classes))
    batches = Batches(data.part("train"), data.labels[data.split.train], gan, seed=0)
    gan.fit(batches.values, batches.labels)
    watch, t = Watch(gan, batches.values, batches.labels, data, EVERY), 0
    with_probes = False
    while True:
        begin, spent = time.process_time(), 0.0
        for _ in range(RARE * EVERY):
            due, now = with_probes and (t + 1) % EVERY == 0, time.process_time()
            before = watch.before() if due else {}
            spent += time.process_time() - now
            d, g, signals = step(gan, batches, t)
            t, now = t + 1, time.process_time()
            if due:
                watch.read(t, d, g, signals, before)
                spent += time.process_time() - now
        yield Block(time.process_time() - begin, spent if with_probes else 0.0, RARE * EVERY)
        with_probes = not with_probes


def foreign(recipe: str, source: str, *, full: bool) -> Iterator[Block]:
    """Blocks of a loop in plain PyTorch, as in examples/dcgan_monitor.py, with the catalog's networks."""
    data = gw.load(source)
    gan = gw.build(catalog.named(recipe), data.shape)
    images = torch.as_tensor(data.part("train")).permute(0, 3, 1, 2).float() / 127.5 - 1
    optimizers = [torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in (gan.discriminator, gan.generator)]
    monitor = gw.Monitor(gan.generator, gan.discriminator, loss="bce", full=full, quiet=False)
    spent, heard = [0.0], monitor._ear._hear

    def timed(function: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object, **named: object) -> None:
            begin = time.process_time()
            function(*arguments, **named)
            spent[0] += time.process_time() - begin

        return call

    monitor._ear._hear = timed(heard)  # type: ignore[method-assign]
    watch, with_probes = timed(monitor.step), False
    while True:
        begin, spent[0] = time.process_time(), 0.0
        for _ in range(RARE * monitor.every):
            real = images[torch.randint(len(images), (BATCH,))]
            fake = gan.generator(gan.generator.draw(BATCH, torch.device("cpu")))
            optimizers[0].zero_grad()
            r, f = gan.discriminator(real).score, gan.discriminator(fake.detach()).score
            loss_d = bce(r, torch.ones(BATCH)) + bce(f, torch.zeros(BATCH))
            torch.autograd.backward(loss_d)
            optimizers[0].step()
            optimizers[1].zero_grad()
            loss_g = bce(gan.discriminator(fake).score, torch.ones(BATCH))
            torch.autograd.backward(loss_g)
            optimizers[1].step()
            if with_probes:
                watch(r, f, fake, real=real, loss_d=loss_d, loss_g=loss_g)
        yield Block(time.process_time() - begin, spent[0] if with_probes else 0.0, RARE * monitor.every)
        with_probes = not with_probes
        monitor._ear.listening = False


def cases() -> list[Case]:
    return [
        Case("fcgan (mlp), digits, 8 x 8", 0.03, ours("fcgan", "digits")),
        Case("dcgan, mnist-10k, 28 x 28", 0.03, ours("dcgan", "mnist-10k")),
        Case("wgan-gp (mlp), ring", 0.03, ours("wgan-gp", "ring")),
        Case("sngan (resnet, width 32), mnist-10k, 28 x 28", 0.03, ours("sngan", "mnist-10k", **RESNET)),
        Case("Monitor, DCGAN loop on mnist-10k, 28 x 28", 0.01, foreign("dcgan", "mnist-10k", full=False)),
        Case("Monitor, DCGAN loop on digits, 8 x 8", 0.01, foreign("dcgan", "digits", full=False)),
        Case("Monitor in full, DCGAN loop on mnist-10k", 0.03, foreign("dcgan", "mnist-10k", full=True)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| run | ms a step | probes | allowed | B over A |\n|---|---|---|---|---|")
    for case in (case for case in cases() if arguments.only in case.name):
        next(case.blocks), next(case.blocks)  # warm
        plain, probed = [], []
        for _ in range(arguments.rounds):
            plain.append(next(case.blocks))
            probed.append(next(case.blocks))
        share = median(b.probes / (b.whole - b.probes) for b in probed)
        ratio = median(b.whole for b in probed) / median(b.whole for b in plain)
        took = median(b.whole / b.steps for b in plain) * 1000
        print(f"| {case.name} | {took:.2f} | {share:.2%} | {case.limit:.0%} | {ratio:.3f} |", flush=True)


if __name__ == "__main__":
    main()
