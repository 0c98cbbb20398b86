"""The algorithm: one update of one player, one step of both, and the loop. It knows no kind of GAN, only its objectives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ganwise import machine
from ganwise.batches import Batches as Batches
from ganwise.batches import begin
from ganwise.build import GAN, Player
from ganwise.checkpoint import State
from ganwise.data import Dataset
from ganwise.objective import Output, Pass, Signals
from ganwise.probes import Alarm, Watch
from ganwise.types import Record


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for a network's weights meanwhile; gradients still flow through it."""
    flags = [(w, w.requires_grad) for w in network.parameters()]
    for weight, _ in flags:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight, flag in flags:
            weight.requires_grad_(flag)


def forward(gan: GAN, player: Player, real: Tensor, labels: Tensor, z: Tensor, step: int) -> Pass:
    """Both networks' part in one update: what every objective may read."""
    generating, told = player == "generator", real if gan.told_real else labels
    with torch.set_grad_enabled(generating):
        fake = gan.ranks.split(gan.generator, z, told).float()

    def look(x: Tensor, told: Tensor = told) -> Output:  # float32 at the border, whatever precision is inside
        said: Output = gan.ranks.split(gan.discriminator, gan.augment(x), told)
        return said.each(Tensor.float)

    real_out: Output | None = None
    if generating:
        real_out, fake_out = look(real) if gan.pairs else None, look(fake)
    elif gan.together:
        both = look(torch.cat([real, fake]), torch.cat([told, told]))
        real_out, fake_out = both.each(lambda t: t[: len(real)]), both.each(lambda t: t[len(real) :])
    else:
        real_out, fake_out = look(real), look(fake)
    return Pass(step, gan.generator, look, real, fake, z, told, real_out, fake_out, gan.discriminator, *gan.judgment)


def play(gan: GAN, player: Player, batch: tuple[Tensor, Tensor], z: Tensor, step: int) -> tuple[Pass, Tensor]:
    """One player's gradients: forward, the sum of the objectives, backward into this player's weights alone."""
    other = gan.discriminator if player == "generator" else gan.generator
    with frozen(other), parametrize.cached(), torch.autocast(gan.device.type, gan.precision, enabled=gan.precision is not None):
        p = forward(gan, player, *batch, z, step)
        loss = torch.stack([getattr(objective, player)(p) for objective in gan.objectives]).sum()
    torch.autograd.backward(loss)
    return p.detach(), loss.detach()


def move(gan: GAN, player: Player, update: int) -> Tensor:
    """One optimizer step of a player, then its projections; returns the gradient's norm."""
    optimizer = gan.optimizers[player]
    gradients = [w.grad for g in optimizer.param_groups for w in g["params"] if w.grad is not None]
    gan.ranks.average(gradients)
    norm = nn.utils.get_total_norm(gradients)
    for group in optimizer.param_groups:
        group.update(gan.settings(player, update))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for project in gan.projections if player == "discriminator" else ():
        project(gan.discriminator)
    return norm


def step(gan: GAN, batches: Batches, t: int) -> tuple[Pass, Pass, Signals]:
    """Step ``t`` of both players: discriminator steps, generator steps, then whatever has state."""
    schedule, signals = gan.recipe.schedule, Signals()
    first, last = schedule.critic_updates(t), schedule.critic_updates(t + 1) - 1
    for update in range(first, last + 1):
        batch, z = next(batches), gan.generator.draw(batches.size, gan.device)
        d, signals["loss_d"] = play(gan, "discriminator", batch, z, update)
        if not schedule.simultaneous or update < last:
            signals["grad_d"] = move(gan, "discriminator", update)
    for update in range(t * schedule.generator_steps, (t + 1) * schedule.generator_steps):
        batch = next(batches) if gan.pairs and not schedule.simultaneous else batch
        z = z if schedule.shared_latents else gan.generator.draw(batches.size, gan.device)
        g, signals["loss_g"] = play(gan, "generator", batch, z, update)
        signals["grad_g"] = move(gan, "generator", update)
    if schedule.simultaneous:
        signals["grad_d"] = move(gan, "discriminator", last)
    with torch.no_grad():
        for part in gan.parts:
            part.update(d, g, signals)
        gan.ranks.settle(gan.generator, gan.discriminator)
        follow(gan.average, gan.generator, schedule.warm_decay(t))
    return d, g, signals


def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves the averaged weights toward the network's; buffers are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)


def train(
    gan: GAN,
    data: Dataset,
    *,
    steps: int,
    seed: int = 0,
    every: int = 20,
    start: State | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Record]:
    """Trains ``gan`` in place on the training part and yields a record each ``every`` steps: the caller logs, watches, stops.

    Random numbers come from torch's global state, seeded here; a probe or a caller between two records must not draw from it.
    With ``start``, a checkpoint of the same recipe, data and seed, it goes on from there as if it had never stopped.
    ``seconds`` counts this loop alone, not what the caller does meanwhile: CPU time, or wall time on a GPU.

    ``stop`` is asked after each step; between two records it is answered by one without signals, the last: a place to save, which
    an undisturbed run lacks. Losses or gradients that are not finite end it within ten steps, with the first such step's record.
    """
    batches, done = begin(gan, data, seed, start)
    watch, alarm = Watch(gan, batches.values, batches.labels, data, every), Alarm()
    clock = machine.clock(gan.device)
    begun = clock() - done.seconds
    for t in range(done.step, steps):
        due = (t + 1) % every == 0 or t + 1 == steps
        before = watch.before() if due else {}
        d, g, signals = step(gan, batches, t)
        stopping, images = stop(), batches.position * batches.size
        alarm.note(t + 1, images, signals)
        if broken := alarm.look(due or stopping):
            yield broken._replace(seconds=clock() - begun)
            return
        if due:
            numbers = watch.read(t + 1, d, g, signals, before)  # synchronizes with a device, as nothing else but the alarm does
            seconds = clock() - begun
            yield Record(t + 1, images, seconds, numbers)
            begun = clock() - seconds
        elif stopping:
            yield Record(t + 1, images, clock() - begun, {})
            return
