"""The probes of a training run of ours: what is kept through the run, and what is drawn beside it. Nothing is disturbed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import isfinite

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ganwise.build import GAN
from ganwise.data import Dataset
from ganwise.objective import Pass, Signals
from ganwise.probes.moment import Look, Moment
from ganwise.probes.points import Reference, pooled, spread
from ganwise.probes.table import CHEAP, PROBES, Probe

RARE = 5
"""Dear probes are read at each fifth record."""
DRAWN, KNOWN, APART = 128, 2048, 32
"""Fakes and real samples of a look; training samples that a fake may be near to; fakes compared pixel by pixel."""

PLAYERS = ("discriminator", "generator")


def numbers(probes: Mapping[str, Probe], moment: Moment) -> dict[str, float]:
    """The step's own signals, finite or not, and all probes that can be had; one synchronization with the device."""
    found = {name: p.read(moment) for name, p in probes.items() if all(moment.has(need) for need in p.needs)}
    whole = {**moment.signals, **found}
    device = moment.d.fake.device
    values = torch.stack([value.detach().float().to(device) for value in whole.values()]).tolist() if whole else []
    always = {*moment.signals, *RAW}
    return {name: value for name, value in zip(whole, values, strict=True) if isfinite(value) or name in always}


RAW = ("score_real", "score_fake")
"""Probes that are recorded even where they are not finite. That a quotient of others is not says nothing about the run."""


class Watch:
    """The probes of one run. What they need of it is fixed before its first step and depends on the data alone.

    ``values`` and ``labels`` are the training part on the GAN's device; ``every`` is the number of steps between two records.
    """

    def __init__(self, gan: GAN, values: Tensor, labels: Tensor, data: Dataset, every: int) -> None:
        self.gan, self.every = gan, every
        rows = _some(len(values), KNOWN).to(values.device)
        train, n = gan.scaling.encode(values[rows]), min(DRAWN, len(rows))
        self.told = train[:n] if gan.told_real else labels[rows[:n]]
        self.z = gan.generator.draw(n, gan.device, torch.Generator(gan.device).manual_seed(0))
        unseen = gan.held_out(data)
        held = unseen[_some(len(unseen), DRAWN).sort().values.numpy()]
        self.held = gan.scaling.encode(torch.as_tensor(data.values[held], device=gan.device))
        self.held_told = self.held if gan.told_real else torch.as_tensor(data.labels[held], device=gan.device)
        points = pooled(train)
        self.reference = Reference(points[:n], points, pooled(self.held) if len(held) > 1 else None, labels[rows])

    def before(self) -> dict[str, list[Tensor]]:
        """Copies of both networks' weights."""
        return {player: [w.detach().clone() for w in getattr(self.gan, player).parameters()] for player in PLAYERS}

    def read(self, step: int, d: Pass, g: Pass, signals: Signals, before: Mapping[str, Sequence[Tensor]]) -> dict[str, float]:
        """The numbers of the record after ``step``; ``before`` are the weights before it."""
        gan, rare = self.gan, step % (RARE * self.every) == 0
        networks = {player: getattr(gan, player) for player in PLAYERS}
        moment = Moment(d, g, signals, networks, gan.objectives[0], before, self.reference)
        if not rare:
            with torch.no_grad():
                return numbers(CHEAP, moment)
        with undisturbed(gan.device, gan.generator, gan.discriminator, gan.average, gan.augment):
            moment.seen = self._look(d)
            return numbers(PROBES, moment)

    def _look(self, d: Pass) -> Look:
        gan = self.gan
        with torch.autocast(gan.device.type, gan.precision, enabled=gan.precision is not None):
            with firing(gan.generator) as units_g:
                own = gan.generator(self.z, self.told).float()
            averaged = gan.average(self.z, self.told).float()
            with firing(gan.discriminator) as units_d:
                scores = d.look(self.held, self.held_told).score if len(self.held) else None
        change = (averaged - own).flatten(1).norm(dim=1).mean()
        held = None if scores is None else (scores, d.side(scores))
        units = {"discriminator": units_d, "generator": units_g}
        return Look(pooled(own), change, spread(own[:APART]), held, units if units_d or units_g else {})


def _some(n: int, most: int) -> Tensor:
    """At most so many of n rows, always the same ones."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:most]


@contextmanager
def undisturbed(device: torch.device, *networks: nn.Module) -> Iterator[None]:
    """Whatever networks do inside leaves no trace: random state, running statistics and all other buffers are put back.

    Their mode stays as it is, and there are no gradients.
    """
    buffers = [buffer for network in networks for buffer in network.buffers()]
    kept = [buffer.clone() for buffer in buffers]
    kind, devices = ("cuda", []) if device.type == "cpu" else (device.type, [device.index or 0])
    try:
        with torch.random.fork_rng(devices=devices, device_type=kind), torch.no_grad(), parametrize.cached():
            yield
    finally:
        with torch.no_grad():
            for buffer, old in zip(buffers, kept, strict=True):
                buffer.copy_(old)


@contextmanager
def firing(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collects, of each rectifier that is a module, which units or channels fire for at least one sample inside."""
    fired: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        fired.append((output > 0).transpose(0, 1).flatten(1).any(1))

    with ExitStack() as hooks:
        for module in network.modules():
            if isinstance(module, nn.ReLU):
                hooks.callback(module.register_forward_hook(note).remove)
        yield fired
