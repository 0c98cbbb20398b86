"""How the probes read: functions of a moment. Each returns one number on its device; not a number where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn

from ganwise.objective import Pass
from ganwise.probes.moment import Moment
from ganwise.probes.points import K, effective, neighbor, spread
from ganwise.regularizers import weighted

FLAT = 0.01
"""A slope under this moves a sample no more: where the catalog's losses are alive, their slopes are about 1."""
ITERATIONS = 4
"""Of the power method. It starts from the same vector each time, so that a record depends on nothing but the weights."""


def share(true: Tensor) -> Tensor:
    return true.float().mean()


def unknown(like: Tensor) -> Tensor:
    return torch.full((), math.nan, device=like.device)


def relative(fake: Tensor, real: Tensor) -> Tensor:
    return spread(fake) / spread(real)


def brightness(m: Moment) -> Tensor:
    return (m.g.fake.float().mean() - m.d.real.float().mean()) / m.d.real.float().std()


def named(m: Moment) -> Tensor:
    """Share of the batch's labeled real samples whose class the discriminator names."""
    assert m.d.real_out is not None
    assert m.d.real_out.logits is not None
    assert m.d.labels is not None
    known = m.d.labels >= 0
    return share(m.d.real_out.logits.argmax(1)[known] == m.d.labels[known])


# slopes of the loss


def saturated_g(m: Moment) -> Tensor:
    assert m.loss is not None
    return _flat(slopes(m.loss.generator, m.g)[-1:], m.g.fake)


def saturated_d(m: Moment) -> Tensor:
    assert m.loss is not None
    return _flat(slopes(m.loss.discriminator, m.d), m.d.fake)


def slopes(term: Callable[[Pass], Tensor], p: Pass) -> tuple[Tensor | None, ...]:
    """B |d term / d score| of real samples, where the pass has them, and of fakes; None where the term reads no such score."""
    with torch.enable_grad():
        fake_out = p.fake_out._replace(score=p.f.detach().float().requires_grad_())
        real_out = p.real_out and p.real_out._replace(score=p.r.detach().float().requires_grad_())
        scores = [fake_out.score] if real_out is None else [real_out.score, fake_out.score]
        value = term(p._replace(real_out=real_out, fake_out=fake_out))
        if not value.requires_grad:
            return (None,)
        found = torch.autograd.grad(value, scores, allow_unused=True)
    return tuple(None if slope is None else len(slope) * slope.abs() for slope in found)


def _flat(found: Sequence[Tensor | None], like: Tensor) -> Tensor:
    known = [slope for slope in found if slope is not None]
    return share(torch.cat(known) < FLAT) if known and len(known) == len(found) else unknown(like)


# weights


def update(m: Moment, player: str) -> Tensor:
    """|W' - W| / |W| over all of a player's weights."""
    assert m.before is not None
    if player not in m.before:
        return unknown(m.d.fake)
    old = list(m.before[player])
    new = [w.detach() for w in m.networks[player].parameters()]
    moved: Tensor = nn.utils.get_total_norm(torch._foreach_sub(new, old)) / nn.utils.get_total_norm(old)
    return moved


def top_singular_value(network: nn.Module) -> Tensor:
    """The largest singular value of any layer's weight as it acts, one row an output; approached from below.

    Source: miyato2018sngan, appendix A (the power method).
    """
    found = [_norm(matrix.detach().float()) for _, matrix in weighted(network)]
    return torch.stack(found).max() if found else torch.tensor(math.nan)


def _norm(matrix: Tensor) -> Tensor:
    v = _start(matrix.shape[1], matrix.device)
    for _ in range(ITERATIONS):
        v = matrix.T @ (matrix @ v)
        v = v / v.norm()
    length: Tensor = (matrix @ v).norm()
    return length


@cache
def _start(size: int, device: torch.device) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(size)).to(device)


def dead(m: Moment, player: str) -> Tensor:
    fired = m.look.fired.get(player, ())
    return 1 - share(torch.cat(list(fired))) if fired else unknown(m.d.fake)


# points


def coverage(m: Moment) -> Tensor:
    """Source: naeem2020density, equation 4."""
    return share((m.real_fake <= m.points.reach[:, None]).any(1))


def precision(m: Moment) -> Tensor:
    """Source: kynkaanniemi2019precision, equation 2."""
    return share((m.real_fake <= m.points.reach[:, None]).any(0))


def recall(m: Moment) -> Tensor:
    """Source: kynkaanniemi2019precision, equation 3."""
    return share((m.real_fake <= neighbor(m.look.fakes, K)[None]).any(1))


def near(m: Moment) -> Tensor:
    return m.nearest[0].median() / m.points.usual[0]


def novel(m: Moment) -> Tensor:
    assert m.points.held is not None
    seen, unseen = m.nearest[0].median(), torch.cdist(m.look.fakes, m.points.held).amin(1).median()
    return (seen / unseen) / (m.points.usual[0] / m.points.usual[1])


def class_share(m: Moment) -> Tensor:
    labels = m.points.labels
    assert labels is not None
    return effective(labels[m.nearest[1]]) / effective(labels)


def average_gap(m: Moment) -> Tensor:
    assert m.look.change is not None
    assert m.look.apart is not None
    return m.look.change / m.look.apart


def held_score(m: Moment) -> Tensor:
    assert m.look.held is not None
    return m.look.held[0].mean()


def held_accuracy(m: Moment) -> Tensor:
    assert m.look.held is not None
    return share(m.look.held[1] > 0)
