"""Several small GANs of equal networks trained as one: each layer of all of them is one batched product.

It stands beside the ordinary loop, not inside it, and gives each GAN what `ganwise.train.train` would have given it alone: its
own random numbers, its own order of the data, its own weights. Why and what it saves: docs/why/stacked.md.

Notation: K GANs, B samples of each; what all of them made together has a first axis of K.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganwise import machine
from ganwise.batches import Batches
from ganwise.build import GAN, Player
from ganwise.data import Dataset
from ganwise.objective import Output, Pass, Signals
from ganwise.probes import Watch
from ganwise.stacked.layers import Streams, Who, adopt, equal, generators, scorers
from ganwise.types import Record, Unusable

PLAYERS: tuple[Player, Player] = ("discriminator", "generator")
APART = ("discriminator", "generator")
"""Parts of the schedule in which GANs trained together may differ: the optimizers."""


def train_together(
    gans: Sequence[GAN], data: Dataset, *, steps: int, seeds: Sequence[int], every: int = 20
) -> Iterator[tuple[Record, ...]]:
    """Trains each of ``gans`` in place as ``train(gan, data, steps=steps, seed=seed, every=every)`` would; yields their records.

    Losses, penalties, augmentations, optimizers and seeds may differ; networks, the rest of the schedule and the device may not.
    Between two records every GAN can be sampled and measured; the global random state may be drawn from. A record's ``seconds``
    are a share of this loop's, one over the number of GANs. A GAN whose numbers stop being finite harms no other.

    Raises:
        Unusable: The GANs can't be one model; the first difference is named.
    """
    if len(gans) != len(seeds) or not gans:
        raise Unusable(f"{len(seeds)} seeds for {len(gans)} GANs: give each GAN one seed")
    _alike(gans)
    settings = [[getattr(gan.recipe.schedule, part) for gan in gans] for part in APART]
    order = sorted(range(len(gans)), key=lambda k: [s.index(s[k]) for s in settings])  # one optimizer serves equal neighbors
    rows = _Together([gans[k] for k in order], data, [seeds[k] for k in order], every).run(steps)
    return (tuple(row[order.index(k)] for k in range(len(gans))) for row in rows)


class Asked(Exception):
    """An objective asks for the discriminator's slopes at ``x``; they are found when the others have asked too."""

    def __init__(self, x: Tensor) -> None:
        self.x = x


@dataclass
class Mover:
    """One optimizer for the GANs from ``first`` to ``last``, whose settings are equal; its weights are views of all GANs'."""

    first: int
    last: int
    weights: list[nn.Parameter]
    optimizer: torch.optim.Optimizer


class _Together:
    def __init__(self, gans: Sequence[GAN], data: Dataset, seeds: Sequence[int], every: int) -> None:
        values, labels = data.part("train"), data.labels[data.split.train]
        self.gans, self.every, self.schedule, self.device = list(gans), every, gans[0].recipe.schedule, gans[0].device
        self.streams = Streams(seeds, self.device)
        self.sources = [Batches(values, labels, gan, seed) for gan, seed in zip(gans, seeds, strict=True)]
        for gan, source in zip(gans, self.sources, strict=True):
            gan.fit(source.values, source.labels)
        self.watches = [Watch(gan, s.values, s.labels, data, every) for gan, s in zip(gans, self.sources, strict=True)]
        self.synthesis = generators([g.generator for g in gans], self.streams, "generator")
        self.trunk, self.head = scorers([g.discriminator for g in gans], self.streams)
        average = generators([g.average for g in gans], self.streams, "average").weights
        self.weights: dict[Player, list[nn.Parameter]] = {
            "discriminator": [*self.trunk.weights, *self.head.weights],
            "generator": [*self.synthesis.weights],
        }
        for player in PLAYERS:
            adopt([getattr(g, player) for g in gans], self.weights[player])
        adopt([g.average for g in gans], average)
        self.average: list[Tensor] = [weight.requires_grad_(False) for weight in average]
        self.own = {p: [list(getattr(g, p).parameters()) for g in gans] for p in PLAYERS}
        self.movers = {p: _movers(self.gans, p, self.weights[p]) for p in PLAYERS}
        self.pairs = [k for k, gan in enumerate(gans) if gan.pairs]
        self.augmented = any(len(gan.augment) for gan in gans)  # type: ignore[arg-type]
        self.parts = any(gan.parts for gan in gans)

    def run(self, steps: int) -> Iterator[tuple[Record, ...]]:
        clock = machine.clock(self.device)
        seconds, begin = 0.0, clock()
        try:
            for t in range(steps):
                due = (t + 1) % self.every == 0 or t + 1 == steps
                before = [w.before() for w in self.watches] if due else []
                passes = self.step(t, due)
                if due:
                    found = [self.read(k, t + 1, told, old) for k, (told, old) in enumerate(zip(passes, before, strict=True))]
                    seconds += (clock() - begin) / len(self.gans)
                    images = [s.position * s.size for s in self.sources]
                    yield tuple(Record(t + 1, n, seconds, numbers) for n, numbers in zip(images, found, strict=True))
                    begin = clock()
        finally:
            self.release()

    def read(
        self, k: int, step: int, told: tuple[Pass, Pass, Signals], before: Mapping[str, Sequence[Tensor]]
    ) -> dict[str, float]:
        """The numbers of GAN k's record; a probe that draws, as dropout in a discriminator does, draws what it would alone."""
        with self.streams.of(k):
            return self.watches[k].read(step, *told, before)

    # one step: the ordinary one, line by line, for all GANs

    def step(self, t: int, due: bool) -> list[tuple[Pass, Pass, Signals]]:
        schedule, signals = self.schedule, [Signals() for _ in self.gans]
        first, last = schedule.critic_updates(t), schedule.critic_updates(t + 1) - 1
        for update in range(first, last + 1):
            batches, z = [next(source) for source in self.sources], self.draw()
            d = self.play("discriminator", batches, z, update, signals)
            if not schedule.simultaneous or update < last:
                self.move("discriminator", update, signals, due)
        for update in range(t * schedule.generator_steps, (t + 1) * schedule.generator_steps):
            for k in () if schedule.simultaneous else self.pairs:
                batches[k] = next(self.sources[k])
            z = z if schedule.shared_latents else self.draw()
            g = self.play("generator", batches, z, update, signals)
            self.move("generator", update, signals, due)
        if schedule.simultaneous:
            self.move("discriminator", last, signals, due)
        passes = [(a.detach(), b.detach(), c) for a, b, c in zip(d, g, signals, strict=True)] if due or self.parts else []
        with torch.no_grad():
            for gan, told in zip(self.gans, passes, strict=True) if self.parts else ():
                for part in gan.parts:
                    part.update(*told)
            torch._foreach_lerp_(self.average, [*self.weights["generator"]], 1 - schedule.warm_decay(t))
        return passes

    def draw(self) -> Tensor:
        """Latents of each GAN from its own stream, (K, B, latent)."""
        size, streams = self.sources[0].size, self.streams.generators
        return torch.stack([g.generator.draw(size, self.device, stream) for g, stream in zip(self.gans, streams, strict=True)])

    def play(
        self, player: Player, batches: Sequence[tuple[Tensor, Tensor]], z: Tensor, update: int, signals: Sequence[Signals]
    ) -> list[Pass]:
        """One player's gradients for all GANs: no GAN's loss reads another's numbers, so one backward pass serves them all."""
        other: Player = "discriminator" if player == "generator" else "generator"
        for weight in self.weights[other]:
            weight.requires_grad_(False)
        passes = self.forward(player, batches, z, update)
        losses = self.losses(player, passes)
        torch.autograd.backward(torch.stack(losses).sum())
        for weight in self.weights[other]:
            weight.requires_grad_(True)
        self.gather(player)
        for told, loss in zip(signals, losses, strict=True):
            told[f"loss_{player[0]}"] = loss.detach()
        return passes

    def forward(self, player: Player, batches: Sequence[tuple[Tensor, Tensor]], z: Tensor, update: int) -> list[Pass]:
        generating, size = player == "generator", z.shape[1]
        with torch.set_grad_enabled(generating):
            fake = self.synthesis(z, None).float()
        real_out: list[Output | None] = [None] * len(self.gans)
        if generating:
            if self.pairs:
                said = _apart(self.look(torch.stack([batches[k][0] for k in self.pairs]), self.pairs))
                for k, out in zip(self.pairs, said, strict=True):
                    real_out[k] = out
            fake_out = _apart(self.look(fake, None))
        else:
            both = self.look(torch.cat([torch.stack([real for real, _ in batches]), fake], 1), None)
            halves = _apart(both.each(lambda t: t.view(-1, size, *t.shape[2:])))
            real_out, fake_out = [*halves[::2]], halves[1::2]
        rows = zip(self.gans, batches, fake.unbind(), z.unbind(), real_out, fake_out, strict=True)
        return [
            Pass(update, g.generator, _look(g, told), real, x, latent, told, r, f, g.discriminator, *g.judgment)
            for g, (real, told), x, latent, r, f in rows
        ]

    def look(self, x: Tensor, who: Who) -> Output:
        """The discriminators of ``who`` on (K, B, ...), as trained."""
        if self.augmented:
            parts = []
            for k, part in zip(range(len(self.gans)) if who is None else who, x.unbind(), strict=True):
                with self.streams.of(k):
                    parts.append(self.gans[k].augment(part))
            x = torch.stack(parts)
        features = self.trunk(x, who)
        return Output(self.head(features, who).flatten(1).float(), features=features.float())

    # what the players minimize

    def losses(self, player: Player, passes: Sequence[Pass]) -> list[Tensor]:
        """Each GAN's sum of objectives. Those that ask for slopes wait for each other, and get them by one backward pass."""
        turns = [Turn(gan, player, p) for gan, p in zip(self.gans, passes, strict=True)]
        waiting = list(range(len(turns)))
        while waiting:
            asked: dict[int, Tensor] = {}
            for k in waiting:
                with self.streams.of(k):
                    x = turns[k].go(self.streams.state)
                if x is not None:
                    asked[k] = x
            waiting = list(asked)
            if asked:
                for k, slope in zip(waiting, self.slopes(asked), strict=True):
                    turns[k].answers.append((slope, self.streams.generators[k].get_state()))
                    self.streams.generators[k].set_state(turns[k].start)
        return [turn.loss() for turn in turns]

    def slopes(self, asked: Mapping[int, Tensor]) -> Sequence[Tensor]:
        """Gradients of scores with respect to samples as `ganwise.regularizers.slope` gives them, (B, D) for each who asked."""
        x = torch.stack(list(asked.values())).detach()
        x = x.to(torch.promote_types(x.dtype, torch.float32)).requires_grad_()
        score = self.look(x, None if len(asked) == len(self.gans) else list(asked)).score
        gradient: Tensor = torch.autograd.grad(score.sum(), x, create_graph=True)[0]
        return gradient.flatten(2).unbind()

    def gather(self, player: Player) -> None:
        """Adds what an objective told a GAN's own weights: by a pass of its own, or by reading them, as orthogonality does."""
        for name in PLAYERS:
            for k, weights in enumerate(self.own[name]):
                for place, weight in enumerate(weights):
                    if weight.grad is not None:
                        if name == player:
                            _add(self.weights[player][place], k, weight.grad)
                        weight.grad = None

    def move(self, player: Player, update: int, signals: Sequence[Signals], due: bool) -> None:
        """One step of a player's optimizers, each GAN's projections, and the gradients' norms where somebody reads them."""
        weights = self.weights[player]
        if due or self.parts:
            for told, norm in zip(signals, _norms(weights, len(self.gans)), strict=True):
                told[f"grad_{player[0]}"] = norm
        for mover in self.movers[player]:
            for view, weight in zip(mover.weights, weights, strict=True):
                view.grad = None if weight.grad is None else weight.grad[mover.first : mover.last]
            for group in mover.optimizer.param_groups:
                group.update(self.gans[mover.first].settings(player, update))
            mover.optimizer.step()
        for weight in weights:
            weight.grad = None
        for gan in self.gans if player == "discriminator" else ():
            for project in gan.projections:
                project(gan.discriminator)

    def release(self) -> None:
        """Gives each GAN weights and optimizer states of its own, which were views of all GANs' until now."""
        for gan in self.gans:
            for network in (gan.generator, gan.discriminator, gan.average):
                for weight in network.parameters():
                    weight.data = weight.data.clone()
        for player in PLAYERS:
            for mover in self.movers[player]:
                for k in range(mover.first, mover.last):
                    state = self.gans[k].optimizers[player].state
                    for own, shared in zip(self.own[player][k], mover.weights, strict=True):
                        told = mover.optimizer.state[shared]
                        state[own] = {
                            n: v[k - mover.first].clone() if v.shape == shared.shape else v.clone() for n, v in told.items()
                        }


class Turn:
    """One GAN's objectives one after the other, until one asks for slopes that are not there yet."""

    def __init__(self, gan: GAN, player: Player, p: Pass) -> None:
        self.terms = [getattr(objective, player) for objective in gan.objectives]
        self.p, self.done = p._replace(slopes=self.slopes), list[Tensor]()
        self.answers: list[tuple[Tensor, Tensor]] = []  # to this objective: slopes, and the random state after them
        self.used = 0

    def go(self, state: torch.Generator) -> Tensor | None:
        """Goes on; returns at what samples the slopes are asked for, or None when all objectives have said their number.

        An objective that asked begins anew, with the random state that it had, and finds its answers.
        """
        while len(self.done) < len(self.terms):
            if not self.answers:
                self.start = state.get_state()
            self.used, self.state = 0, state
            try:
                self.done.append(self.terms[len(self.done)](self.p))
            except Asked as question:
                return question.x
            self.answers = []
        return None

    def slopes(self, x: Tensor) -> Tensor:
        if self.used == len(self.answers):
            raise Asked(x)
        slope, state = self.answers[self.used]
        self.used += 1
        self.state.set_state(state)
        return slope

    def loss(self) -> Tensor:
        return self.done[0] if len(self.done) == 1 else torch.stack(self.done).sum()


def _look(gan: GAN, told: Tensor) -> Any:
    """A GAN's discriminator alone, for objectives and probes that look at samples of their own."""

    def look(x: Tensor, told: Tensor = told) -> Output:
        said: Output = gan.discriminator(gan.augment(x), told)
        return said.each(Tensor.float)

    return look


def _apart(said: Output) -> list[Output]:
    """What all GANs' discriminators said, for each of them."""
    parts = [[None] * len(said.score) if part is None else part.unbind() for part in said]
    return [Output(*row) for row in zip(*parts, strict=True)]


def _add(weight: nn.Parameter, k: int, gradient: Tensor) -> None:
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    weight.grad[k] += gradient


def _norms(weights: Sequence[nn.Parameter], n: int) -> Sequence[Tensor]:
    """Each GAN's norm of the gradient over all its weights."""
    norms = [torch.linalg.vector_norm(w.grad.flatten(1), dim=1) for w in weights if w.grad is not None]
    return torch.linalg.vector_norm(torch.stack(norms), dim=0).unbind() if norms else [weights[0].new_zeros(())] * n


def _movers(gans: Sequence[GAN], player: Player, weights: Sequence[nn.Parameter]) -> list[Mover]:
    """An optimizer for each run of neighbors with equal settings."""
    settings = [getattr(gan.recipe.schedule, player) for gan in gans]
    starts = [k for k in range(len(gans)) if k == 0 or settings[k] != settings[k - 1]]
    movers = []
    for first, last in zip(starts, [*starts[1:], len(gans)], strict=True):
        views = [nn.Parameter(w.detach()[first:last]) for w in weights]
        like = gans[first].optimizers[player]
        movers.append(Mover(first, last, views, type(like)(views, **like.defaults)))
    return movers


def _alike(gans: Sequence[GAN]) -> None:
    """Refuses GANs that can't be one model, before anything is changed."""
    first = gans[0]
    for k, gan in enumerate(gans):
        if gan.recipe.conditioning is not None or gan.told_real:
            raise Unusable(f"GAN {k}: its networks are told labels or samples; only unconditional GANs are trained together")
        if gan.precision is not None:
            raise Unusable(f"GAN {k}: precision is {gan.precision}; GANs trained together compute in float32")
        if gan.ranks.count > 1:
            raise Unusable(f"GAN {k}: is trained by {gan.ranks.count} processes; GANs are trained together by one")
        if gan.controllers:
            raise Unusable(f"GAN {k}: schedule.stall steers its learning rates; GANs trained together have fixed schedules")
        if any(optimizer.state for optimizer in gan.optimizers.values()):
            raise Unusable(f"GAN {k}: has been trained before; build it anew")
        for what, mine, theirs in _facts(gan, first):
            if mine != theirs:
                raise Unusable(f"GAN {k}: {what} is {mine}, that of GAN 0 is {theirs}; GANs trained together are equal there")
    for player in PLAYERS:
        equal([getattr(gan, player) for gan in gans], player)


def _facts(gan: GAN, first: GAN) -> Iterator[tuple[str, Any, Any]]:
    yield "the data's shape", gan.shape, first.shape
    yield "the device", gan.device, first.device
    for field in type(gan.recipe.schedule).model_fields:
        if field not in APART:
            yield f"schedule.{field}", getattr(gan.recipe.schedule, field), getattr(first.recipe.schedule, field)
    yield "the architecture", _named(gan), _named(first)


def _named(gan: GAN) -> str:
    pick = gan.recipe.architecture
    return f"{pick.name} {dict(pick.options)}"
