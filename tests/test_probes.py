"""Probes: what they say against their definitions written out, and that they leave no trace in the training."""

from __future__ import annotations

import dataclasses
import runpy
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganwise import catalog, checkpoint, losses
from ganwise.build import GAN, build, suited
from ganwise.data import Dataset, load
from ganwise.objective import Objective, Output, Part, Pass
from ganwise.probes import CHEAP, DEAR, PROBES, RARE, STEP, Look, Moment, Reference, Watch, numbers, pooled
from ganwise.probes.readings import top_singular_value
from ganwise.probes.watch import firing, undisturbed
from ganwise.recipe import Recipe, change
from ganwise.train import Batches, step, train
from ganwise.types import Record

ROOT = Path(__file__).parents[1]
NETWORKS = {"discriminator": nn.Linear(3, 1), "generator": nn.Linear(3, 3)}


@cache
def data(source: str) -> Dataset:
    return load(source)


def small(name: str) -> Recipe:
    return change(catalog.named(name), {"architecture.width": 8, "schedule.batch": 16, "schedule.boost.steps": 0})


def made(name: str, source: str = "digits") -> GAN:
    return build(small(name), data(source).shape, classes=len(data(source).classes))


def watched(gan: GAN, source: str) -> tuple[Batches, Watch]:
    own = Batches(data(source).part("train"), data(source).labels[data(source).split.train], gan, 0)
    gan.fit(own.values, own.labels)
    return own, Watch(gan, own.values, own.labels, data(source), 1)


def moment(
    r: list[float], f: list[float], loss: Objective | Part, real: Tensor | None = None, fake: Tensor | None = None
) -> Moment:
    """A step that had these scores."""
    real, fake = (torch.randn(len(r), 3) if x is None else x for x in (real, fake))
    scores = Output(torch.tensor(r)), Output(torch.tensor(f))
    p = Pass(0, nn.Identity(), lambda x: x, real, fake, fake, None, *scores, nn.Identity(), loss.sign, loss.threshold)
    return Moment(p, p, {}, NETWORKS, loss)


def compared(real: Tensor, fake: Tensor, held: Tensor | None = None, labels: Tensor | None = None) -> dict[str, float]:
    now = moment([0.0, 0.0], [0.0, 0.0], losses.hinge())
    now.reference, now.seen = Reference(real, real, held, labels), Look(fake)
    return numbers(DEAR, now)


# the table


def test_the_page_of_signals_is_the_table() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_signals_page.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), "run python scripts/make_signals_page.py"


@pytest.mark.parametrize("name", catalog.RECIPES)
def test_every_recipe_gives_every_signal_that_it_can(name: str) -> None:
    gan = made(name)
    *_, last = train(gan, data("digits"), steps=RARE, every=1)
    found = set(last.signals)
    assert found <= {*STEP, *PROBES}
    optional = {"k", "m_global", "augment_p", "accuracy_class", "saturated", "saturated_d", "dead_d", "dead_g", "grad_ratio"}
    assert {*STEP, *PROBES} - optional <= found


def test_dear_probes_are_read_at_each_fifth_record_alone() -> None:
    records = list(train(made("fcgan"), data("digits"), steps=2 * RARE, every=1))
    assert [r.step for r in records if set(DEAR) & set(r.signals)] == [RARE, 2 * RARE]
    assert all(set(CHEAP) - {"accuracy_class"} <= set(r.signals) for r in records)


# no trace


@pytest.mark.parametrize("name", ["gan", "dcgan", "sngan", "acgan", "lapgan", "stylegan2"])
def test_a_run_with_all_probes_at_every_step_ends_as_one_without(name: str) -> None:
    ends = []
    for looks in (False, True):
        torch.manual_seed(3)
        gan = made(name)
        own, watch = watched(gan, "digits")
        for t in range(3):
            before = watch.before()
            passes = step(gan, own, t)
            if looks:
                mode = [m.training for m in gan.generator.modules()]
                assert set(DEAR) & set(watch.read(RARE, *passes, before))
                assert mode == [m.training for m in gan.generator.modules()]
        ends.append(checkpoint.tensors(gan))
    assert not [name for name, value in ends[0].items() if not torch.equal(value, ends[1][name])]


def test_looking_puts_back_statistics_random_state_and_hooks() -> None:
    network = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout())
    before, state = {k: v.clone() for k, v in network.state_dict().items()}, torch.get_rng_state()
    with undisturbed(torch.device("cpu"), network), firing(network) as fired:
        network(torch.randn(8, 4))
    assert len(fired) == 1
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module._forward_hooks for module in network.modules())
    network(torch.randn(8, 4))
    assert not torch.equal(network.state_dict()["1.running_mean"], before["1.running_mean"]), "it does move outside"


def test_a_resumed_run_has_the_records_of_an_undisturbed_one_dear_ones_among_them() -> None:
    def sums(records: list[Record]) -> list[tuple[int, dict[str, float]]]:
        return [(r.step, dict(r.signals)) for r in records]

    whole = list(train(made("sngan"), data("digits"), steps=10, every=1))
    first, second = made("sngan"), made("sngan")
    *_, last = train(first, data("digits"), steps=7, every=1)
    state = checkpoint.state(first, last)
    assert sums(list(train(second, data("digits"), steps=10, every=1, start=state))) == sums(whole[7:])


# what they say


def test_saturation_is_the_share_of_samples_without_a_slope() -> None:
    won = [9.0, 8.0], [-9.0, -2.0]
    assert numbers(CHEAP, moment(*won, losses.minimax()))["saturated"] == 0.5, "slope sigmoid(f): .0001 and .12"
    assert numbers(CHEAP, moment(*won, losses.non_saturating()))["saturated"] == 0.0
    assert numbers(CHEAP, moment(*won, losses.hinge()))["saturated_d"] == 1.0, "all four keep the margin"
    assert numbers(CHEAP, moment([0.5, 8.0], [-9.0, -2.0], losses.hinge()))["saturated_d"] == 0.75
    assert numbers(CHEAP, moment(*won, losses.wasserstein()))["saturated_d"] == 0.0
    assert numbers(CHEAP, moment([9.0, 9.0], [-9.0, 9.0], losses.relativistic()))["saturated_d"] == 0.5, "of a pair both rest"
    assert "saturated" not in numbers(CHEAP, moment(*won, Objective(generator=lambda p: p.fake.mean()))), "it reads no scores"


def test_accuracies_follow_the_way_in_which_scores_point() -> None:
    for loss, r, f in ((losses.hinge(), [1.0, -1.0], [-1.0, -1.0]), (losses.energy_margin(), [1.0, 4.0], [5.0, 5.0])):
        found = numbers(CHEAP, moment(r, f, loss))
        assert (found["accuracy_real"], found["accuracy_fake"]) == (0.5, 1.0), "an energy is low on real samples"


def test_spread_brightness_and_deviation_are_relative_to_real_samples() -> None:
    real = torch.randn(64, 3)
    found = numbers(CHEAP, moment([0.0] * 64, [0.0] * 64, losses.hinge(), real, 0.5 * real + 2))
    assert found["spread"] == pytest.approx(0.5, rel=1e-3)
    assert found["std"] == pytest.approx(0.5, rel=1e-3)
    assert found["brightness"] == pytest.approx(float((0.5 * real + 2 - real).mean() / real.std()), rel=1e-3)


def test_a_quotient_of_zeros_is_absent_and_a_score_that_is_no_number_is_not() -> None:
    found = numbers(CHEAP, moment([0.0, torch.nan], [0.0, 0.0], losses.hinge(), torch.ones(2, 3), torch.ones(2, 3)))
    assert not {"spread", "std", "brightness"} & set(found)
    assert found["score_real"] != found["score_real"]


def test_coverage_precision_and_recall_are_those_of_their_definitions() -> None:
    real, other = torch.randn(40, 2), torch.randn(40, 2)
    found = compared(real, other)
    d, own, theirs = (
        torch.cdist(real, other),
        torch.cdist(real, real).sort(1)[0][:, 5],
        torch.cdist(other, other).sort(1)[0][:, 5],
    )
    assert found["coverage"] == pytest.approx(float((d.amin(1) <= own).float().mean()))
    assert found["precision"] == pytest.approx(float((d <= own[:, None]).any(0).float().mean()))
    assert found["recall"] == pytest.approx(float((d <= theirs[None]).any(1).float().mean()))
    assert compared(real, real + 100)["coverage"] == 0
    assert {compared(real, real)[name] for name in ("coverage", "precision", "recall", "spread_features")} == {1.0}
    assert compared(real, real[:1].expand(40, 2))["spread_features"] == 0


def test_copies_are_near_to_training_samples_and_fresh_samples_are_not() -> None:
    torch.manual_seed(0)
    train_, held, fresh = (torch.randn(n, 16) for n in (400, 100, 100))
    assert compared(train_, train_[:100], held)["near"] < 0.01
    assert compared(train_, train_[:100], held)["novel"] < 0.01
    for name in ("near", "novel"):
        assert compared(train_, fresh, held)[name] == pytest.approx(1.0, abs=0.1)
    blur = 0.1 * fresh
    assert compared(train_, blur, held)["near"] < 0.8
    assert compared(train_, blur, held)["novel"] > 0.8, "an average is near to unseen samples alike"
    assert not {"near", "novel"} & set(compared(train_, fresh))


def test_the_share_of_classes_counts_those_that_the_fakes_are_nearest_to() -> None:
    centers = 10 * torch.eye(4)
    labels = torch.arange(4).repeat(25)
    real = centers[labels] + 0.1 * torch.randn(100, 4)
    assert compared(real, real, labels=labels)["class_share"] == pytest.approx(1.0)
    assert compared(real, real[labels == 2], labels=labels)["class_share"] == pytest.approx(0.25)
    assert compared(real, real[labels < 2], labels=labels)["class_share"] == pytest.approx(0.5)
    assert "class_share" not in compared(real, real, labels=torch.full((100,), -1))


def test_the_top_singular_value_is_approached_from_below() -> None:
    network = nn.Sequential(nn.Linear(64, 128), nn.Conv2d(8, 16, 3), nn.BatchNorm1d(9), nn.ConvTranspose2d(16, 8, 4))
    torch.manual_seed(0)
    weights = [network[0].weight, network[1].weight.flatten(1), network[3].weight.transpose(0, 1).flatten(1)]
    exact = max(float(torch.linalg.svdvals(w.detach())[0]) for w in weights)
    assert 0.93 * exact <= float(top_singular_value(network)) <= 1.0001 * exact
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(128, 64) + 5 * torch.ones(128, 64) / (128 * 64) ** 0.5)
    exact = float(torch.linalg.svdvals(network[0].weight.detach())[0])
    assert float(top_singular_value(network)) == pytest.approx(exact, rel=1e-3), "where one stands out"


def test_the_top_singular_value_of_a_transposed_convolution_is_that_of_one_row_an_output() -> None:
    layer = nn.ConvTranspose2d(1, 2, 2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 0, 0] = layer.weight[0, 1, 0, 1] = (
            1.0  # two outputs that read other numbers; one row an input: 2 ** 0.5
        )
    assert float(top_singular_value(layer)) == pytest.approx(1.0)


def test_units_that_never_fire_are_counted() -> None:
    network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2), nn.ReLU())
    with torch.no_grad():
        network[0].bias.copy_(torch.tensor([-100.0, 100, 100, 100]))
        network[2].bias.fill_(-1000.0)
    with firing(network) as fired:
        network(torch.randn(16, 2))
    now = moment([0.0, 0.0], [0.0, 0.0], losses.hinge())
    now.seen = Look(torch.randn(4, 2), fired={"generator": fired, "discriminator": []})
    found = numbers(DEAR, now)
    assert found["dead_g"] == 0.5
    assert "dead_d" not in found


def test_updates_are_those_of_the_optimizer_and_its_projections() -> None:
    gan = made("wgan", "ring")
    own, watch = watched(gan, "ring")
    networks = {"update_d": gan.discriminator, "update_g": gan.generator}
    old = {name: nn.utils.parameters_to_vector(network.parameters()).detach() for name, network in networks.items()}
    before = watch.before()
    found = watch.read(1, *step(gan, own, 0), before)
    for name, network in networks.items():
        moved = nn.utils.parameters_to_vector(network.parameters()).detach() - old[name]
        assert found[name] == pytest.approx(float(moved.norm() / old[name].norm()), rel=1e-4)


def test_held_out_samples_are_those_of_the_validation_part_as_the_discriminator_sees_them() -> None:
    gan = made("fcgan")
    own, watch = watched(gan, "digits")
    held = {x.tobytes() for x in data("digits").part("validation")}
    assert {x.tobytes() for x in gan.scaling.decode(watch.held).numpy()} <= held
    assert len(watch.held) == 128
    before = watch.before()
    found = watch.read(RARE, *step(gan, own, 0), before)
    with torch.no_grad():
        scores = gan.discriminator(watch.held).score
    assert found["score_held"] == pytest.approx(float(scores.mean()), rel=1e-4)
    assert found["accuracy_held"] == pytest.approx(float((scores > 0).float().mean()))
    assert found["ema_gap"] > 0


@pytest.mark.parametrize("name", ["projection", "label-input", "classifier", "semi-supervised"])
@pytest.mark.parametrize("known", [0, 3])
def test_held_out_samples_of_unknown_class_are_left_out_where_the_class_has_to_be_told(name: str, known: int) -> None:
    whole = data("digits")
    labels = whole.labels.copy()
    labels[whole.split.validation[known:]] = -1
    some = dataclasses.replace(whole, labels=labels)
    recipe = change(catalog.named("fcgan"), {"architecture.width": 8, "schedule.batch": 16, "conditioning.name": name})
    found = list(train(build(suited(recipe, some), some.shape, classes=10), some, steps=RARE, every=1))[-1].signals
    told = {"score_held", "accuracy_held"} <= found.keys()
    assert told == (name == "semi-supervised" or known > 0)


def test_images_are_pooled_and_vectors_are_not() -> None:
    assert pooled(torch.ones(2, 3, 32, 20)).shape == (2, 3 * 8 * 8)
    assert pooled(torch.ones(2, 1, 8, 8)).shape == (2, 64)
    assert pooled(torch.ones(2, 5)).shape == (2, 5)
