"""LAPGAN: the pyramid is one-to-one, its levels train as separate GANs would, and samples chain them."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from ganwise import catalog, model
from ganwise.build import GAN, build
from ganwise.catalog import choice
from ganwise.data import load
from ganwise.model import Model
from ganwise.networks.labels import UNLABELED
from ganwise.networks.pyramid import Pyramid, enlarged, laplacian_pyramid, shrunk
from ganwise.recipe import Optimizer, Recipe, Schedule, change
from ganwise.testing import check_architecture
from ganwise.train import forward, move, play, train
from ganwise.types import Shape, Unusable, Value

SHAPE: Shape = (1, 28, 28)
LOSSES = ["minimax", "non-saturating", "least-squares", "wasserstein", "hinge", "relativistic", "f-gan"]


def recipe(loss: str = "non-saturating", **changes: Value) -> Recipe:
    architecture = choice("laplacian-pyramid", width=4, units=16, latent=8, dropout=0.0)
    player = Optimizer(learning_rate=1e-3)
    made = Recipe(
        architecture=architecture,
        loss=choice(loss),
        regularizers=(choice("r1"),) if loss == "wasserstein" else (),
        divergence=choice("kl") if loss == "f-gan" else None,
        schedule=Schedule(batch=6, discriminator=player, generator=player),
    )
    return change(made, changes) if changes else made


def batch(gan: GAN, n: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand(n, *gan.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return gan.scaling.view.encode(images), torch.zeros(n, dtype=torch.long)


# the pyramid


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 10, 10), (1, 28, 28), (3, 32, 32), (3, 96, 96)], ids=str)
def test_images_and_their_coefficients_are_one_to_one(shape: Shape) -> None:
    view, images = Pyramid(shape), torch.rand(3, *shape, dtype=torch.float64) * 2 - 1
    seen = view.encode(images)
    assert 4 <= view.shapes[0][1] <= 8
    torch.testing.assert_close(view.decode(seen), images, rtol=0, atol=1e-14)
    torch.testing.assert_close(view.encode(view.decode(seen)), seen, rtol=0, atol=1e-14)


def test_coefficients_are_the_coarsest_image_and_what_each_level_adds() -> None:
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    half = images.unflatten(3, (16, 2)).unflatten(2, (16, 2)).mean((3, 5))
    quarter = half.unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean((3, 5))
    view = Pyramid((3, 32, 32))
    parts = view.unpack(view.encode(images))
    for part, expected in zip(parts, [quarter, half - enlarged(quarter), images - enlarged(half)], strict=True):
        torch.testing.assert_close(part, expected)
    torch.testing.assert_close(shrunk(images), half)
    row = torch.tensor([[[[0.0, 1.0]]]]).expand(1, 1, 2, 2)
    torch.testing.assert_close(enlarged(row)[0, 0, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]))


def test_every_image_comes_back_from_the_scaling_to_the_byte() -> None:
    data, gan = load("digits"), build(recipe(), (1, 8, 8))
    values = torch.as_tensor(data.part("train")[:64])
    assert torch.equal(gan.scaling.decode(gan.scaling.encode(values)), values)


# levels are separate


def level(name: str) -> str:
    """Which level a weight belongs to: ``coarsest`` or ``levels.k``."""
    parts = name.removeprefix("synthesis.").split(".")
    return ".".join(parts[:2]) if parts[0] == "levels" else parts[0]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_no_gradient_of_one_level_depends_on_another(player: str, loss: str) -> None:
    plain, changed = build(recipe(loss), SHAPE), build(recipe(loss), SHAPE)
    with torch.no_grad():
        for network in (changed.generator, changed.discriminator):
            for name, weight in network.named_parameters():
                if level(name) == "levels.0":
                    weight.add_(0.3 * torch.randn_like(weight))
    gradients = []
    for gan in (plain, changed):
        z = gan.generator.draw(6, gan.device, torch.Generator().manual_seed(1))
        play(gan, player, batch(gan), z, 0)  # type: ignore[arg-type]
        gradients.append({name: weight.grad for name, weight in getattr(gan, player).named_parameters()})
    assert {level(name) for name in gradients[0]} == {"coarsest", "levels.0", "levels.1"}
    for name, gradient in gradients[0].items():
        same = torch.allclose(gradient, gradients[1][name], atol=1e-7)
        assert same == (level(name) != "levels.0") or gradient.abs().max() == 0, name


def test_the_joint_run_equals_a_run_of_each_level() -> None:
    """Adam takes no notice of the mean over levels, which divides each gradient by their number, but in its epsilon."""
    gan = build(recipe(), SHAPE)
    view, alone = Pyramid(SHAPE), copy.deepcopy((gan.generator.synthesis, gan.discriminator))
    draws = [gan.generator.draw(6, gan.device, torch.Generator().manual_seed(s)) for s in range(10)]
    for t in range(5):
        real = batch(gan, seed=t)
        for player, z in (("discriminator", draws[2 * t]), ("generator", draws[2 * t + 1])):
            play(gan, player, real, z, t)  # type: ignore[arg-type]
            move(gan, player, t)  # type: ignore[arg-type]
    for k in range(3):
        _run_alone(view, alone, k, [batch(gan, seed=t)[0] for t in range(5)], draws)
    ours = (gan.generator.synthesis, gan.discriminator)
    for mine, theirs in zip(ours, alone, strict=True):
        for (name, weight), other in zip(mine.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(weight, other, rtol=0, atol=2e-5, msg=name)


def _run_alone(
    view: Pyramid, players: tuple[nn.Module, nn.Module], k: int, reals: list[torch.Tensor], draws: list[torch.Tensor]
) -> None:
    """The non-saturating GAN of one level, written out."""
    G, D = ((p.coarsest, *p.levels)[k] for p in players)
    adam_g, adam_d = (torch.optim.Adam(network.parameters(), 1e-3, (0.5, 0.999), eps=3e-8) for network in (G, D))

    def make(z: torch.Tensor, coarser: torch.Tensor) -> torch.Tensor:
        if k == 0:
            return G(z[:, :8])
        plane = z[:, 8:204] if k == 1 else z[:, 204:]
        return coarser + G(plane.reshape(-1, 1, *view.shapes[k][1:]), coarser)

    for t, seen in enumerate(reals):
        real = view.unpack(seen)[k]
        coarser = view.coarser(seen)[k - 1] if k else torch.zeros(())
        loss = softplus(-D(real + coarser)).mean() + softplus(D(make(draws[2 * t], coarser).detach())).mean()
        adam_d.zero_grad(), loss.backward(), adam_d.step()
        adam_g.zero_grad(), softplus(-D(make(draws[2 * t + 1], coarser))).mean().backward(), adam_g.step()


def test_scores_are_as_many_as_levels_for_each_sample_and_their_mean_is_the_mean_over_levels() -> None:
    gan = build(recipe(), SHAPE)
    seen, labels = batch(gan)
    p = forward(gan, "discriminator", seen, labels, gan.generator.draw(6, gan.device), 0)
    assert p.r.shape == p.f.shape == (18,)
    (coarsest, middle, _), under = gan.scaling.view.unpack(seen), gan.scaling.view.coarser(seen)
    torch.testing.assert_close(p.r[:6], gan.discriminator.coarsest(coarsest).flatten())
    torch.testing.assert_close(p.r[6:12], gan.discriminator.levels[0](middle + under[0]).flatten())


def test_r1_sums_the_squared_slopes_of_the_levels() -> None:
    gan = build(recipe(**{"regularizers.r1.gamma": 2.0}), SHAPE)
    seen, labels = batch(gan)
    p = forward(gan, "discriminator", seen, labels, gan.generator.draw(6, gan.device), 0)
    x = seen.clone().requires_grad_()
    scores = gan.discriminator(x, seen).score.reshape(3, 6)
    squares = sum(torch.autograd.grad(row.sum(), x, retain_graph=True)[0].square().sum(1).mean() for row in scores)
    torch.testing.assert_close(gan.objectives[1].discriminator(p), squares)


# samples


def test_in_training_each_level_adds_to_the_real_coarser_image_and_in_sampling_to_its_own() -> None:
    gan = build(recipe(), SHAPE)
    seen, _ = batch(gan)
    z, network = gan.generator.draw(6, gan.device), gan.generator.synthesis
    coarsest, first, _ = gan.scaling.view.unpack(gan.generator(z, seen))
    plane = z[:, 8:204].reshape(6, 1, 14, 14)
    torch.testing.assert_close(first, network.levels[0](plane, gan.scaling.view.coarser(seen)[0]))
    own, chained, last = gan.scaling.view.unpack(gan.generator(z))
    torch.testing.assert_close(own, coarsest)
    torch.testing.assert_close(chained, network.levels[0](plane, enlarged(own)))
    half = enlarged(own) + chained
    torch.testing.assert_close(last, network.levels[1](z[:, 204:].reshape(6, 1, 28, 28), enlarged(half)))
    torch.testing.assert_close(gan.scaling.view.decode(gan.generator(z)), enlarged(half) + last)


def test_a_model_draws_images_and_is_the_same_from_its_file(tmp_path: Path) -> None:
    data = load("digits")
    gan = build(change(recipe(), {"architecture.dropout": 0.5}), data.shape)
    records = list(train(gan, data, steps=4, every=2))
    assert all(np.isfinite(list(r.signals.values())).all() for r in records)
    ours = Model(gan)
    images = ours.sample(5, seed=3)
    assert images.shape == (5, 8, 8, 1)
    assert images.dtype == np.uint8
    model.save(ours, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(model.load(tmp_path / "model.safetensors").sample(5, seed=3), images)


def test_the_pyramid_learns_digits_at_every_level() -> None:
    data = load("digits")
    sizes = {"architecture.width": 16, "architecture.units": 128, "schedule.batch": 32, "schedule.ema": 0.95}
    faster = {f"schedule.{player}.learning_rate": 2e-3 for player in ("generator", "discriminator")}
    gan = build(change(recipe(), sizes | faster), data.shape)
    view, real = gan.scaling.view, gan.scaling.encode(torch.as_tensor(data.part("train")[:400]))
    z, fresh = gan.generator.draw(400, gan.device, torch.Generator().manual_seed(0)), copy.deepcopy(gan.average)
    list(train(gan, data, steps=250))
    missing = []
    for network in (fresh, gan.average):
        parts = zip(view.unpack(network(z).detach()), view.unpack(real), strict=True)
        missing.append([float((mine.std(0) - theirs.std(0)).norm() / theirs.std(0).norm()) for mine, theirs in parts])
    assert min(missing[0]) > 0.9, "of the spread of each level's coefficients an untrained generator has next to nothing"
    assert max(missing[1]) < 0.75
    drawn = view.decode(gan.average(z)).detach()
    assert (drawn.mean(0) - view.decode(real).mean(0)).norm() < 0.5 * (
        view.decode(fresh(z)).mean(0) - view.decode(real).mean(0)
    ).norm()


# what does not fit


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"loss.name": "relativistic-average"}, "a GAN of its own"),
        ({"loss.name": "boundary-equilibrium"}, "auto-encoder|a GAN of its own"),
        ({"regularizers.gradient-penalty": True}, "joins levels"),
        ({"regularizers.lecam": True}, "joins levels"),
        ({"conditioning.name": "label-input"}, "coarser image instead of a class"),
        ({"augmentation.name": "diffaugment"}, "coefficients and not pixels"),
    ],
    ids=str,
)
def test_what_joins_levels_is_refused(changes: dict[str, Value], why: str) -> None:
    with pytest.raises(Unusable, match=why):
        catalog.check(change(recipe(), changes))


def test_it_passes_the_conformance_suite() -> None:
    check_architecture(laplacian_pyramid, ((1, 8, 8), (3, 28, 28)), (UNLABELED,), width=4, units=8, dropout=0.0)


def test_level_networks_are_the_papers_layers() -> None:
    made = laplacian_pyramid((3, 32, 32), width=128)
    kernels = [m.kernel_size for m in made.generator.synthesis.levels[1].modules() if isinstance(m, nn.Conv2d)]
    judged = [(m.kernel_size, m.stride) for m in made.discriminator.levels[1].modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(7, 7), (7, 7), (5, 5)]
    assert judged == [((5, 5), (1, 1)), ((5, 5), (2, 2))]
    assert made.told_real
