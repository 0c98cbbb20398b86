"""One update, one step, the loop: against loops written out by hand, over the whole catalog, and through its failures."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from ganwise import catalog, checkpoint
from ganwise.artifacts import RunDirectory
from ganwise.build import ARCHITECTURES, GAN, build
from ganwise.catalog import AXES, RECIPES, choice
from ganwise.data import Dataset, load
from ganwise.model import Model
from ganwise.model import load as load_model
from ganwise.objective import Objective, Part, Pass
from ganwise.recipe import Optimizer, Recipe, Schedule, change
from ganwise.study.limit import Limit
from ganwise.study.trial import Stop, Trial
from ganwise.train import Batches, forward, frozen, move, play, step, train
from ganwise.types import Shape, Unusable, Value

DIGITS: Shape = (1, 8, 8)
CLASSES = 10
MARGINS = ("hinge", "relativistic", "relativistic-average", "loss-sensitive", "energy-margin")
RING: Shape = (2,)


@cache
def data(source: str) -> Dataset:
    return load(source)


def sgd(rate: float) -> Optimizer:
    return Optimizer(name="sgd", learning_rate=rate)


def plain(schedule: Schedule | None = None, **changes: Value) -> Recipe:
    recipe = Recipe(architecture=choice("mlp", width=8), loss=choice("non-saturating"), schedule=schedule or Schedule(batch=16))
    return change(recipe, changes) if changes else recipe


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for w in network.parameters()])


def batches(gan: GAN, source: str) -> Batches:
    dataset = data(source)
    return Batches(dataset.part("train"), dataset.labels[dataset.split.train], gan, seed=0)


# the algorithm knows no kind of GAN


def test_the_step_has_no_branch_on_the_kind_of_gan() -> None:
    tree = ast.parse(Path(inspect.getfile(train)).read_text())
    names = {name for entries in AXES.values() for name in entries} | set(RECIPES)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            assert node.id not in ("isinstance", "issubclass", "type", "hasattr")
        if isinstance(node, ast.Constant):
            assert node.value not in names
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("loss", "regularizers", "divergence", "architecture", "conditioning")


def test_the_algorithm_fits_on_one_screen() -> None:
    assert len(Path(inspect.getfile(train)).read_text().splitlines()) <= 160


def pairings() -> list[tuple[str, str, str]]:
    """Every recipe of the catalog on every architecture that it may have, on images and on vectors."""
    found = []
    for name in RECIPES:
        for architecture in ARCHITECTURES:
            for source, shape in (("digits", DIGITS), ("ring", RING)):
                try:
                    build(on(name, architecture), shape, classes=CLASSES)
                except Unusable:
                    continue
                found.append((name, architecture, source))
    return found


def on(name: str, architecture: str) -> Recipe:
    recipe = catalog.named(name)
    own = recipe.architecture if recipe.architecture.name == architecture else choice(architecture)
    small: dict[str, Value] = {"architecture.width": 8, "schedule.boost.steps": 0, "schedule.batch": 16}
    return change(recipe.model_copy(update={"architecture": own}), small)


@pytest.mark.parametrize(("name", "architecture", "source"), pairings())
def test_every_recipe_trains_on_every_architecture_that_fits(name: str, architecture: str, source: str) -> None:
    gan = build(on(name, architecture), data(source).shape, classes=len(data(source).classes))
    before = [weights(gan.generator), weights(gan.discriminator)]
    records = list(train(gan, data(source), steps=3, every=1))
    assert [r.step for r in records] == [1, 2, 3]
    for record in records:
        assert np.isfinite(list(record.signals.values())).all(), record
    # a player whose loss asks for a margin rests where every sample keeps it, as untrained ones may by chance
    rests = [gan.recipe.loss.name in MARGINS and not any(r.signals[g] for r in records) for g in ("grad_g", "grad_d")]
    assert not all(rests)
    for old, network, rest in zip(before, (gan.generator, gan.discriminator), rests, strict=True):
        assert torch.equal(old, weights(network)) == rest
        assert all(weight.grad is None for weight in network.parameters())


def test_every_recipe_of_the_catalog_is_among_them() -> None:
    assert {name for name, _, _ in pairings()} == set(RECIPES)


# one update


def test_frozen_restores_the_flags_that_it_found_also_after_an_error() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[0].weight.requires_grad_(False)
    flags = [w.requires_grad for w in network.parameters()]
    with frozen(network):
        assert not any(w.requires_grad for w in network.parameters())
    with pytest.raises(ZeroDivisionError), frozen(network):
        raise ZeroDivisionError
    assert [w.requires_grad for w in network.parameters()] == flags == [False, True, True, True]


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_an_update_leaves_gradients_in_its_own_player_alone(player: str) -> None:
    gan = build(plain(), RING)
    play(gan, player, next(batches(gan, "ring")), gan.generator.draw(16, gan.device), 0)  # type: ignore[arg-type]
    for name in ("discriminator", "generator"):
        assert all((w.grad is not None) == (name == player) for w in getattr(gan, name).parameters())


def test_real_and_fake_scored_together_or_apart_are_the_same_where_samples_do_not_mix() -> None:
    gan = build(plain(), RING)
    batch, z = next(batches(gan, "ring")), gan.generator.draw(16, gan.device)
    together = forward(gan, "discriminator", *batch, z, 0)
    gan.together = False
    apart = forward(gan, "discriminator", *batch, z, 0)
    torch.testing.assert_close(together.r, apart.r)
    torch.testing.assert_close(together.f, apart.f)


def test_the_generators_pass_reads_real_samples_only_for_losses_of_pairs() -> None:
    for recipe, reads in ((plain(), False), (plain(**{"loss.name": "relativistic"}), True)):
        gan = build(recipe, RING)
        p = forward(gan, "generator", *next(batches(gan, "ring")), gan.generator.draw(16, gan.device), 0)
        assert (p.real_out is not None) == reads


def test_a_batch_comes_once_an_epoch_and_every_epoch_has_its_own_order() -> None:
    gan = build(plain(), RING)
    source = Batches(np.arange(32, dtype=np.float32)[:, None] * [[1, 1]], np.zeros(32, np.int64), gan, seed=0)
    epochs = [torch.cat([next(source)[0][:, 0] for _ in range(2)]) for _ in range(2)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(32))
    assert not torch.equal(*epochs)


def test_a_pass_hides_its_graph_after_the_update() -> None:
    gan = build(plain(), RING)
    d, g, _ = step(gan, batches(gan, "ring"), 0)
    assert not any(t.requires_grad for t in (d.fake, d.r, d.f, g.fake, g.f))


# one step, against the formulas


def by_hand(gan: GAN, source: Batches, simultaneous: bool) -> None:
    """One step of the non-saturating GAN with plain gradient descent at rate .1."""

    def descend(network: nn.Module, gradients: tuple[torch.Tensor, ...]) -> None:
        with torch.no_grad():
            for weight, gradient in zip(network.parameters(), gradients, strict=True):
                weight -= 0.1 * gradient

    (x, _), G, D = next(source), gan.generator, gan.discriminator
    fake = G(gan.generator.draw(16, gan.device)).detach()
    loss_d = softplus(-D(x).score).mean() + softplus(D(fake).score).mean()
    grad_d = torch.autograd.grad(loss_d, list(D.parameters()))
    if not simultaneous:
        descend(D, grad_d)
    loss_g = softplus(-D(G(gan.generator.draw(16, gan.device))).score).mean()
    descend(G, torch.autograd.grad(loss_g, list(G.parameters())))
    if simultaneous:
        descend(D, grad_d)


@pytest.mark.parametrize("simultaneous", [True, False])
def test_a_step_is_the_one_written_out_by_hand(simultaneous: bool) -> None:
    recipe = plain(Schedule(batch=16, simultaneous=simultaneous, discriminator=sgd(0.1), generator=sgd(0.1)))
    ours, theirs = build(recipe, RING), build(recipe, RING)
    a, b = batches(ours, "ring"), batches(theirs, "ring")
    torch.manual_seed(5)
    for t in range(5):
        step(ours, a, t)
    torch.manual_seed(5)
    for _ in range(5):
        by_hand(theirs, b, simultaneous)
    for player in ("generator", "discriminator"):
        torch.testing.assert_close(weights(getattr(ours, player)), weights(getattr(theirs, player)), atol=1e-6, rtol=1e-6)


def test_simultaneous_and_alternating_steps_move_the_discriminator_alike_and_the_generator_otherwise() -> None:
    moved = {}
    for simultaneous in (True, False):
        gan = build(plain(Schedule(batch=16, simultaneous=simultaneous, discriminator=sgd(0.1), generator=sgd(0.1))), RING)
        torch.manual_seed(5)
        step(gan, batches(gan, "ring"), 0)
        moved[simultaneous] = weights(gan.discriminator), weights(gan.generator)
    torch.testing.assert_close(moved[True][0], moved[False][0])
    assert not torch.allclose(moved[True][1], moved[False][1])


def test_training_the_non_saturating_gan_with_r1_gives_the_weights_of_a_plain_loop() -> None:
    adam = Optimizer(name="adam", learning_rate=2e-3, beta1=0.0, beta2=0.99)
    recipe = plain(Schedule(batch=16, discriminator=adam, generator=adam, ema=0.9), **{"regularizers.r1.gamma": 0.5})
    ours, theirs = build(recipe, RING), build(recipe, RING)
    list(train(ours, data("ring"), steps=30, seed=7))

    x_all = torch.tensor(data("ring").part("train"))
    mean, deviation = x_all.double().mean(0).float(), x_all.double().std(0).float()
    source = Batches(data("ring").part("train"), data("ring").labels[data("ring").split.train], theirs, seed=7)
    source.scaling = lambda: None  # type: ignore[assignment]
    source.scaling.encode = lambda x: (x - mean) / deviation  # type: ignore[method-assign]
    G, D, latent = theirs.generator, theirs.discriminator, theirs.generator.latent
    adam_g, adam_d = (torch.optim.Adam(n.parameters(), 2e-3, (0.0, 0.99)) for n in (G, D))
    torch.manual_seed(7)
    for _ in range(30):
        x = next(source)[0].requires_grad_()
        real, fake = D(x).score, D(G(torch.randn(16, latent)).detach()).score
        slope = torch.autograd.grad(real.sum(), x, create_graph=True)[0]
        loss = softplus(-real).mean() + softplus(fake).mean() + 0.5 / 2 * slope.square().sum(1).mean()
        adam_d.zero_grad(), loss.backward(), adam_d.step()
        loss = softplus(-D(G(torch.randn(16, latent))).score).mean()
        adam_g.zero_grad(), loss.backward(), adam_g.step()
    for player in ("generator", "discriminator"):
        torch.testing.assert_close(weights(getattr(ours, player)), weights(getattr(theirs, player)), atol=1e-6, rtol=0)


def test_the_average_follows_its_formula() -> None:
    gan = build(plain(Schedule(batch=16, ema=0.7)), RING)
    expected = weights(gan.generator)
    for record in train(gan, data("ring"), steps=8, every=1):
        t = record.step - 1
        decay = min(0.7, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * weights(gan.generator)
        torch.testing.assert_close(weights(gan.average), expected)
    assert not any(w.requires_grad for w in gan.average.parameters())


def test_an_average_without_memory_is_the_generator_with_its_statistics() -> None:
    gan = build(change(catalog.named("dcgan"), {"architecture.width": 4, "schedule.ema": 0.0, "schedule.batch": 8}), DIGITS)
    list(train(gan, data("digits"), steps=2))
    for (name, ours), theirs in zip(gan.average.state_dict().items(), gan.generator.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)


def test_clipped_weights_are_within_the_limit_after_every_update() -> None:
    small: dict[str, Value] = {"architecture.width": 8, "regularizers.weight-clipping.limit": 0.02, "schedule.boost.steps": 0}
    gan = build(change(catalog.named("wgan"), small), RING)
    seen: list[float] = []

    class Watch(Part):
        def discriminator(self, p: Pass) -> torch.Tensor:
            seen.append(float(weights(gan.discriminator).abs().max()))
            return super().discriminator(p)

    gan.objectives.append(Watch())
    list(train(gan, data("ring"), steps=3))
    assert len(seen) == 15
    assert max(seen[1:]) <= 0.02 < seen[0]


def test_spectral_normalization_iterates_once_an_update() -> None:
    recipe = plain(**{"regularizers.spectral-norm": True, "regularizers.gradient-penalty.weight": 1.0})
    gan = build(recipe, RING)
    layer = gan.discriminator.trunk[1]
    normalization = layer.parametrizations.weight[0]
    matrix, v = layer.parametrizations.weight.original.detach(), normalization._v.clone()
    play(gan, "discriminator", next(batches(gan, "ring")), gan.generator.draw(16, gan.device), 0)
    u = nn.functional.normalize(matrix @ v, dim=0)
    torch.testing.assert_close(normalization._v, nn.functional.normalize(matrix.T @ u, dim=0))


def test_the_critic_moves_as_often_as_the_schedule_says_on_fresh_batches() -> None:
    gan = build(plain(Schedule(batch=16, discriminator_steps=3, generator_steps=2)), RING)
    steps: list[tuple[str, int]] = []

    def note(player: str) -> Callable[[Pass], torch.Tensor]:
        return lambda p: (steps.append((player, p.step)), p.f.sum() * 0)[1]

    gan.objectives.append(Objective(note("d"), note("g")))
    record = list(train(gan, data("ring"), steps=2))[-1]
    assert steps == [(p, t) for s in (0, 1) for p, n in (("d", 3), ("g", 2)) for t in range(s * n, s * n + n)]
    assert record.images == 2 * 3 * 16


def test_move_returns_the_norm_of_the_gradient_and_forgets_it() -> None:
    gan = build(plain(), RING)
    for weight in gan.generator.parameters():
        weight.grad = torch.ones_like(weight)
    assert move(gan, "generator", 0).item() == pytest.approx(weights(gan.generator).numel() ** 0.5)
    assert all(w.grad is None for w in gan.generator.parameters())


# precision


def test_in_bfloat16_networks_run_low_and_penalties_and_scores_are_float32() -> None:
    recipe = plain(**{"regularizers.r1.gamma": 1.0, "regularizers.gradient-penalty.weight": 1.0})
    gan, full = build(recipe, RING), build(recipe, RING)
    gan.precision = torch.bfloat16
    seen: list[torch.dtype] = []
    gan.discriminator.trunk.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    records = list(train(gan, data("ring"), steps=3, every=1))
    # each step: real and fake together, then two penalties in full precision, then the generator's pass
    assert seen == [torch.bfloat16, torch.float32, torch.float32, torch.bfloat16] * 3
    assert np.isfinite([value for r in records for value in r.signals.values()]).all()
    assert all(w.dtype == torch.float32 for w in gan.generator.parameters())
    other = list(train(full, data("ring"), steps=3, every=1))
    assert records[0].signals["loss_d"] == pytest.approx(other[0].signals["loss_d"], rel=0.02)
    assert records[-1].signals != other[-1].signals


# the random state


def test_probes_checks_and_samples_in_between_change_nothing(tmp_path: Path) -> None:
    recipe = change(catalog.named("gan"), {"architecture.width": 8})  # dropout, and uniform latents
    quiet = build(recipe, DIGITS)
    list(train(quiet, data("digits"), steps=60, seed=2, every=60))
    looked_at = build(recipe, DIGITS)
    for record in train(looked_at, data("digits"), steps=60, seed=2, every=10):
        Model(looked_at).sample(10, seed=record.step)
        checkpoint.save(tmp_path, checkpoint.state(looked_at, record))
    run = RunDirectory(tmp_path / "run")
    trial = Trial(run, recipe, data("digits"), Limit(steps=60), seed=2, checkpoint_every=20)
    trial.go(Stop(), n=64, draws=1)
    ours, theirs = checkpoint.tensors(quiet), checkpoint.tensors(looked_at)
    tried = checkpoint.newest(run.path / "checkpoints").tensors
    built = build(recipe, DIGITS, seed=2)
    list(train(built, data("digits"), steps=60, seed=2, every=60))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert all(torch.equal(value, tried[name]) for name, value in checkpoint.tensors(built).items())
    assert len(run.checks()) == 3


def test_the_weights_follow_from_the_seed() -> None:
    ends = []
    for seed in (1, 1, 2):
        gan = build(plain(), RING, seed=1)
        torch.rand(seed + len(ends))  # what the caller drew before
        list(train(gan, data("ring"), steps=5, seed=seed))
        ends.append(weights(gan.generator))
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_building_and_looking_do_not_touch_the_callers_random_state() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    gan = build(catalog.named("sngan"), DIGITS, seed=5)
    next(batches(gan, "digits"))
    Model(gan).sample(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_two_runs_of_one_command_end_in_one_model(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    np.savetxt(table, data("ring").values[:600], delimiter=",", header="first,second", comments="")
    hashes = set()
    for name in ("a", "b"):
        command = [
            "train",
            "wgan-gp",
            str(table),
            "--steps",
            "40",
            "--seed",
            "4",
            "--deterministic",
            "--out",
            str(tmp_path / name),
        ]
        subprocess.run([sys.executable, "-m", "ganwise", *command, "--json"], check=True, capture_output=True)
        told = json.loads((tmp_path / name / "run.json").read_text())
        assert told["deterministic"] is True
        hashes.add(told["model_sha256"])
    assert len(hashes) == 1


# what is not finite


def run(folder: Path, recipe: Recipe, steps: int) -> RunDirectory:
    directory = RunDirectory(folder)
    Trial(directory, recipe, data("ring"), Limit(steps=steps), checkpoint_every=20).go(Stop(), n=64, draws=1)
    return directory


def test_an_absurd_rate_ends_the_run_as_failed_without_a_model_and_the_broken_step_is_told(tmp_path: Path) -> None:
    recipe = plain(Schedule(batch=16, discriminator=sgd(1e6), generator=sgd(1e6)), **{"loss.name": "least-squares"})
    directory = run(tmp_path, recipe, 1000)
    told = directory.read()
    assert (told["verdict"], told["status"], told["steps"]) == ("failed", "done", 1)
    assert [record.step for record in directory.records()] == [1]
    assert not directory.model.is_file()
    assert "best" not in told
    assert [row["problem"] for row in json.loads(directory.doctor.read_text())["findings"]] == ["not_finite"]


def test_a_run_that_diverges_later_keeps_its_last_good_model(tmp_path: Path) -> None:
    schedule = Schedule(batch=16, discriminator=sgd(0.2), generator=sgd(0.2))
    directory = run(tmp_path, plain(schedule, **{"loss.name": "wasserstein", "regularizers.r1.gamma": 0.001}), 400)
    told = directory.read()
    assert told["verdict"] == "failed"
    assert told["best"]["step"] < told["steps"] < 400
    assert np.isfinite(load_model(directory.model).sample(20)).all()
    assert checkpoint.newest(tmp_path / "checkpoints").record.step < told["steps"]
