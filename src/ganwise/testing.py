"""A conformance suite for rows of the catalog: whoever adds a loss, divergence, regularizer, architecture or recipe can prove it.

Each check raises an AssertionError that says in words what is wrong, and returns nothing when all is well.

>>> from ganwise.losses import hinge
>>> check_loss(hinge(), authors=(lambda r, f: (1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean(), lambda r, f: -f.mean()))
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganwise import checkpoint, recipe
from ganwise.build import GAN, build
from ganwise.data import Dataset
from ganwise.divergences import RANGE, Divergence
from ganwise.model import Model
from ganwise.networks import UNLABELED, Labels, Networks
from ganwise.objective import Objective, Output, Part, Pass
from ganwise.recipe import Recipe
from ganwise.train import train
from ganwise.types import Shape

Formula = Callable[[Tensor, Tensor], Tensor]
"""Of scores of real samples r and of fake samples f, (B,) each, to the scalar that a player minimizes."""
Seen = Callable[[Tensor, Tensor], Pass]
PLAYERS = ("discriminator", "generator")
EXTREME = (-1e4, -50.0, -13.0, 0.0, 13.0, 50.0, 1e4)


def scores(r: Tensor, f: Tensor, step: int = 0, **fields: Any) -> Pass:
    """A pass in which only scores matter; ``fields`` replace others."""
    return Pass(step, nn.Identity(), Output, r, f, f, None, Output(r), Output(f))._replace(**fields)


def draw(seed: int = 0, n: int = 50, spread: float = 3.0) -> tuple[Tensor, Tensor]:
    """Scores of real and fake samples, (n,) each, in float64: by default so wide that no hinge is always on or off."""
    generator = torch.Generator().manual_seed(seed)
    r, f = (spread * torch.randn(n, generator=generator, dtype=torch.float64) for _ in range(2))
    return r, f - 0.5


def check_loss(loss: Objective | Part, authors: tuple[Formula, Formula] | None = None, seen: Seen = scores) -> None:
    """Equal to its authors' formulas, differentiable as they are, finite at any score, honest about its sign and pairs.

    ``seen`` makes the pass of scores r and f, with the samples and features that a loss of more than scores reads.
    """
    r, f = draw()
    for player, formula in zip(PLAYERS, authors or (), strict=False):
        ours, theirs = getattr(loss, player)(seen(r, f)), formula(r, f)
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-10), (
            f"{player}: {ours.item()} is not the authors' {theirs.item()}"
        )
    for player in PLAYERS:
        _check_term(lambda r, f, term=getattr(loss, player): term(seen(r, f)), player, r, f)  # type: ignore[misc]
    r, f = draw(spread=0.1)
    slope_r, slope_f = _slopes(lambda r, f: loss.discriminator(seen(r, f)), r, f)
    better = loss.sign * (slope_f.mean() - slope_r.mean())
    assert better > 0, f"sign {loss.sign:+d}: the discriminator's loss does not fall as real and fake scores part that way"
    slope_r, slope_f = _slopes(lambda r, f: loss.generator(seen(r, f)), r, f)
    assert loss.sign * slope_f.mean() < 0, (
        f"sign {loss.sign:+d}: the generator's loss does not fall as its scores become more real"
    )
    reads = bool((slope_r != 0).any())
    assert reads == loss.pairs, (
        f"pairs={loss.pairs}, but the generator's side {'reads' if reads else 'does not read'} real scores"
    )


def _check_term(term: Formula, player: str, r: Tensor, f: Tensor) -> None:
    assert term(r, f).shape == (), f"{player}: the loss is no scalar but of shape {tuple(term(r, f).shape)}"
    _differentiable(term, f"{player} of the loss", r, f)
    for dtype in (torch.float32, torch.bfloat16):
        _finite_at_extremes(term, f"{player} of the loss", dtype)


def _slopes(term: Formula, r: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    r, f = r.clone().requires_grad_(), f.clone().requires_grad_()
    value = term(r, f) + 0 * (r.sum() + f.sum())
    slope_r, slope_f = torch.autograd.grad(value, (r, f))
    return slope_r, slope_f


def _differentiable(function: Callable[..., Tensor], what: str, *inputs: Tensor) -> None:
    """The gradient is that of finite differences."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    linked = lambda *x: function(*x) + 0 * sum(one.sum() for one in x)  # noqa: E731  some sides read one input alone
    try:
        torch.autograd.gradcheck(linked, leaves, eps=1e-6, atol=1e-6, rtol=1e-5)
    except RuntimeError as error:
        raise AssertionError(f"{what}: its gradient is not that of finite differences: {str(error).splitlines()[0]}") from None


def _finite_at_extremes(function: Formula, what: str, dtype: torch.dtype) -> None:
    r, f = (torch.tensor(EXTREME, dtype=dtype).requires_grad_() for _ in range(2))
    value = function(r, f)
    gradients = torch.autograd.grad(value + 0 * (r.sum() + f.sum()), (r, f))
    assert value.isfinite(), f"{what}: not finite at scores of 1e4 in {dtype}"
    assert all(g.isfinite().all() for g in gradients), f"{what}: its gradient is not finite at scores of 1e4 in {dtype}"


def check_divergence(row: Divergence) -> None:
    """A row: f convex, g_f increasing, Fenchel-Young with equality at the optimal T, T = f'(1) at the threshold, never dead."""
    u = torch.logspace(-1, 1, 101, dtype=torch.float64)
    second = torch.diff(torch.diff(row.f(u)) / torch.diff(u))
    assert (second > -1e-9).all(), "f is not convex"
    v = torch.linspace(max(row.low, -RANGE), min(row.high, RANGE), 100_001, dtype=torch.float64)
    t, conjugate = row.activation(v), row.conjugate(v)
    assert (torch.diff(t) > 0).all(), "the activation does not increase"
    for ratio in u[::10]:
        gap = row.f(ratio) + conjugate - ratio * t
        assert gap.min() > -1e-9, f"f(u) + f*(T) >= u T fails at u = {ratio:.3f}: the conjugate is not that of f"
        reachable = t.min() <= row.optimal(ratio) <= t.max()
        best = (t - row.optimal(ratio)).abs().argmin()  # total variation has more than one at u = 1
        assert not reachable or gap[best] < 1e-3, f"no equality at the optimal T for u = {ratio:.3f}"
    one = row.activation(torch.tensor(row.threshold, dtype=torch.float64))
    expected = row.optimal(torch.tensor(1.0, dtype=torch.float64))
    assert torch.allclose(one, expected, atol=1e-9), (
        f"T = {one.item()} at the threshold, but the optimal T at u = 1 is {expected.item()}"
    )
    for dtype in (torch.float32, torch.bfloat16):
        for name, function in (("activation", row.activation), ("conjugate", row.conjugate)):
            scores = torch.tensor(EXTREME, dtype=dtype).requires_grad_()
            value = function(scores)
            (gradient,) = torch.autograd.grad(value.sum(), scores)
            assert value.isfinite().all(), f"the {name} is not finite at scores of 1e4 in {dtype}"
            assert gradient.isfinite().all(), f"the {name}'s gradient is not finite at scores of 1e4 in {dtype}"
            assert (gradient != 0).all(), f"the {name}'s gradient vanishes at scores of 1e4 in {dtype}"


def check_regularizer(penalty: Objective | Part, shape: Shape = (1, 8, 8), networks: Networks | None = None) -> None:
    """A penalty: a finite scalar for at least one player, that this player's weights can lower, and no change by looking.

    ``networks`` are what it acts on, small convolutional ones where they are not given.
    """
    made = networks or _networks(shape)
    moved = set()
    for player in PLAYERS:
        own = made.generator if player == "generator" else made.discriminator
        term, p = getattr(penalty, player), _pass(made, shape, generating=player == "generator")
        before = copy.deepcopy(penalty.state_dict()) if isinstance(penalty, Part) else {}
        value = term(p)
        assert value.shape == (), f"{player}: no scalar but of shape {tuple(value.shape)}"
        assert value.isfinite(), f"{player}: not finite"
        if value.requires_grad:
            weights = [w for w in own.parameters() if w.requires_grad]
            gradients = torch.autograd.grad(value, weights, allow_unused=True)
            found = [g for g in gradients if g is not None]
            assert all(g.isfinite().all() for g in found), f"{player}: a gradient is not finite"
            if any((g != 0).any() for g in found):
                moved.add(player)
        for name, held in before.items():
            now = penalty.state_dict()[name]  # type: ignore[union-attr]
            assert torch.equal(held, now), f"{player}: the forward pass changed its state {name}; only update may"
    assert moved, "it moves no weight of either player"


def _networks(shape: Shape) -> Networks:
    from ganwise.networks import dcgan, mlp

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return dcgan(shape, latent=8, width=8) if len(shape) == 3 else mlp(shape, latent=8, width=16)


def _pass(made: Networks, shape: Shape, generating: bool, n: int = 8) -> Pass:
    draws = torch.Generator().manual_seed(1)
    real = torch.rand(n, *shape, generator=draws) * 2 - 1
    z = made.generator.draw(n, torch.device("cpu"), draws)
    with torch.set_grad_enabled(generating):
        fake = made.generator(z)

    def look(x: Tensor, labels: Tensor | None = None) -> Output:
        said: Output = made.discriminator(x, labels)
        return said

    return Pass(1, made.generator, look, real, fake, z, None, look(real), look(fake), made.discriminator)


LABELS = (UNLABELED, *(Labels(3, "input", asked) for asked in ("input", "projection", "classifier")), Labels(3, "none", "open"))


def check_architecture(
    make: Callable[..., Networks],
    shapes: Sequence[Shape] = ((1, 8, 8), (3, 32, 32)),
    labels: Sequence[Labels] = LABELS,
    mixes_samples: bool = False,
    **options: Any,
) -> None:
    """A pair for every shape and way of telling labels: samples of the shape, one score each, gradients everywhere, twice."""
    for shape in shapes:
        for told in labels:
            where = f"shape {shape}, {told}"
            with torch.random.fork_rng():
                torch.manual_seed(0)
                made = make(shape, told, **options)
                _check_pair(made, shape, told, where)
            if not mixes_samples:
                _check_alone(made, shape, told, where)


def _about(made: Networks, told: Labels, images: Tensor) -> Tensor:
    """What both players are told in training: the samples' classes, or the samples themselves."""
    return made.view.encode(images) if made.told_real else torch.arange(len(images)) % max(told.classes, 1)


def _check_pair(made: Networks, shape: Shape, told: Labels, where: str) -> None:
    y = _about(made, told, torch.rand(6, *shape) * 2 - 1)
    z = made.generator.draw(6, torch.device("cpu"))
    fake = made.generator(z, y)
    samples = made.view.decode(fake)
    assert samples.shape == (6, *shape), f"{where}: samples are of shape {tuple(samples.shape)}"
    x = fake.detach().requires_grad_()
    said: Output = made.discriminator(x, y)
    one = said.score.dim() == 1 and (len(said.score) == 6 or (made.told_real and len(said.score) % 6 == 0))
    assert one, f"{where}: scores are of shape {tuple(said.score.shape)}, one for each sample (and level) is needed"
    assert said.features is None or said.features.shape[0] == 6, f"{where}: features are of shape {tuple(said.features.shape)}"
    assert (said.logits is None) == (told.discriminator not in ("classifier", "open")), (
        f"{where}: class logits missing or unasked"
    )
    (slope,) = torch.autograd.grad(said.score.sum(), x, create_graph=True)
    assert slope.square().sum().requires_grad, f"{where}: no double backward, which gradient penalties need"
    said = made.discriminator(fake, y)
    total = said.score.sum() + sum(part.float().square().sum() for part in said[1:] if part is not None)
    torch.autograd.backward(total)
    for name, network in zip(PLAYERS, (made.discriminator, made.generator), strict=True):
        for weight, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{where}: no gradient reaches {name}.{weight}"
            assert parameter.grad.isfinite().all(), f"{where}: the gradient of {name}.{weight} is not finite"


def _check_alone(made: Networks, shape: Shape, told: Labels, where: str) -> None:
    images = torch.rand(4, *shape) * 2 - 1
    x, y = made.view.encode(images), _about(made, told, images)
    with torch.no_grad():
        together = made.discriminator(x, y).score.reshape(-1, 4)
        halves = [made.discriminator(x[half], y[half]).score.reshape(-1, 2) for half in (slice(0, 2), slice(2, 4))]
    alone = torch.cat(halves, 1)
    assert torch.allclose(together, alone, atol=1e-4), f"{where}: a sample's score depends on its batch: declare mixes_samples"


def check_recipe(choices: Recipe, data: Dataset, steps: int = 4) -> None:
    """A recipe: its JSON is itself, it builds, both players move and stay finite, and a checkpoint goes on bit for bit."""
    assert recipe.from_json(choices.to_json()) == choices, "it is not what its JSON says"
    whole, first, second = (build(choices, data.shape, classes=len(data.classes), seed=1) for _ in range(3))
    start = checkpoint.tensors(whole)
    with torch.random.fork_rng():
        records = list(train(whole, data, steps=2 * steps, every=1))
        for record in records:
            bad = [name for name, value in record.signals.items() if not torch.tensor(value).isfinite()]
            assert not bad, f"not finite at step {record.step}: {', '.join(bad)}"
        end = checkpoint.tensors(whole)
        for player in PLAYERS:
            moved = [
                not torch.equal(start[k], end[k]) for k in start if k.startswith(f"{player}.") and start[k].is_floating_point()
            ]
            assert any(moved), f"the {player} does not move"
        *_, last = train(first, data, steps=steps, every=1)
        with tempfile.TemporaryDirectory() as folder:
            checkpoint.save(Path(folder), checkpoint.state(first, last))
            state = checkpoint.newest(Path(folder))
        torch.manual_seed(99)
        list(train(second, data, steps=2 * steps, every=1, start=state))
        again = checkpoint.tensors(second)
    lost = [name for name, value in end.items() if not torch.equal(value, again[name])]
    assert not lost, f"not the same after a resume: {', '.join(lost[:3])}"
    _check_samples(whole, data)


def _check_samples(gan: GAN, data: Dataset) -> None:
    samples = Model(gan).sample(5)
    assert samples.shape == (5, *data.values.shape[1:]), f"samples are of shape {samples.shape}"
    assert samples.dtype == data.values.dtype, f"samples are {samples.dtype}, the data {data.values.dtype}"
