"""The conformance suite that ships: the catalog passes it, and it finds what is broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganwise import catalog, losses, regularizers
from ganwise.build import ARCHITECTURES
from ganwise.data import Dataset, load
from ganwise.divergences import DIVERGENCES
from ganwise.networks import UNLABELED, Networks, mlp
from ganwise.objective import Objective, Part, Pass
from ganwise.recipe import change
from ganwise.testing import check_architecture, check_divergence, check_loss, check_recipe, check_regularizer


@cache
def data(source: str) -> Dataset:
    return load(source)


@pytest.mark.parametrize("name", catalog.RECIPES)
def test_every_recipe_passes(name: str) -> None:
    small = {"architecture.width": 8, "schedule.batch": 16, "schedule.boost.steps": 0}
    check_recipe(change(catalog.named(name), small), data("digits"), steps=2)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_every_divergence_passes(name: str) -> None:
    check_divergence(DIVERGENCES[name])


@pytest.mark.parametrize("name", ["mlp", "dcgan", "resnet", "r3gan", "stylegan2"])
def test_every_architecture_that_takes_labels_passes(name: str) -> None:
    options = {key: value for key, value in catalog.ARCHITECTURES[name].options.items() if value != catalog.AUTO}
    sizes = {"latent": 8, "width": 8} if name != "r3gan" else {"latent": 8, "width": 8, "full_side": 8, "blocks": 1}
    mixes = name == "stylegan2"
    check_architecture(ARCHITECTURES[name], ((1, 8, 8), (3, 16, 16)), mixes_samples=mixes, **{**options, **sizes})


BROKEN_LOSSES: dict[str, Objective] = {
    "sign": losses.wasserstein()._replace(sign=-1),
    "generator's loss does not fall": losses.hinge()._replace(generator=lambda p: p.f.mean()),
    "pairs=False, but the generator's side reads": losses.relativistic()._replace(pairs=False),
    "pairs=True, but the generator's side does not read": losses.hinge()._replace(pairs=True),
    "not finite at scores of 1e4": Objective(lambda p: (p.f - p.r).exp().mean(), lambda p: (-p.f).exp().mean()),
    "no scalar": Objective(lambda p: p.f - p.r, lambda p: -p.f),
    "its gradient is not that of finite differences": Objective(
        lambda p: p.f.mean() - p.r.mean() + (p.f.detach() ** 2).mean(), lambda p: -p.f.mean()
    ),
}


@pytest.mark.parametrize("complaint", BROKEN_LOSSES)
def test_a_broken_loss_is_found(complaint: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        check_loss(BROKEN_LOSSES[complaint])


def test_a_loss_that_is_not_its_authors_is_found() -> None:
    authors = (lambda r, f: (1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean(), lambda r, f: -f.mean())
    check_loss(losses.hinge(), authors)
    with pytest.raises(AssertionError, match=r"discriminator: .* is not the authors'"):
        check_loss(losses.hinge(margin=2.0), authors)


@pytest.mark.parametrize(
    ("change_", "complaint"),
    [
        ({"conjugate": lambda v: v**2 / 2}, "no equality at the optimal T"),
        ({"conjugate": lambda v: v**2 / 4 + v - 1}, "the conjugate is not that of f"),
        ({"activation": lambda v: -v}, "does not increase"),
        ({"f": lambda u: -((u - 1) ** 2)}, "not convex"),
        ({"threshold": 1.0}, "at the threshold"),
        ({"activation": lambda v: v.clamp(-5, 5) + v * 1e-30}, "vanishes|does not increase|no equality|fails"),
    ],
)
def test_a_broken_divergence_is_found(change_: dict[str, Any], complaint: str) -> None:
    check_divergence(DIVERGENCES["pearson"])
    with pytest.raises(AssertionError, match=complaint):
        check_divergence(DIVERGENCES["pearson"]._replace(**change_))


class Counting(Part):
    """Changes itself when it is only looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def discriminator(self, p: Pass) -> Tensor:
        self.calls.add_(1)
        return p.r.mean()


BROKEN_PENALTIES: dict[str, Objective | Part] = {
    "moves no weight": Objective(),
    "no scalar": Objective(lambda p: p.r),
    "not finite": Objective(lambda p: p.r.mean() / 0),
    "the forward pass changed its state calls": Counting(),
}


@pytest.mark.parametrize("complaint", BROKEN_PENALTIES)
def test_a_broken_penalty_is_found(complaint: str) -> None:
    check_regularizer(regularizers.r1(1.0))
    with pytest.raises(AssertionError, match=complaint):
        check_regularizer(BROKEN_PENALTIES[complaint])


def _spoiled(spoil: Callable[[Networks], None]) -> Callable[..., Networks]:
    def make(*arguments: Any, **options: Any) -> Networks:
        made = mlp(*arguments, **options)
        spoil(made)
        return made

    return make


def _idle(made: Networks) -> None:
    made.generator.register_parameter("idle", nn.Parameter(torch.zeros(3)))


def _flat(made: Networks) -> None:
    made.discriminator.head = nn.Linear(16, 2)


def _mixing(made: Networks) -> None:
    made.discriminator.trunk.append(nn.BatchNorm1d(16))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [(_idle, "no gradient reaches generator.idle"), (_flat, "one for each sample"), (_mixing, "mixes_samples")],
)
def test_a_broken_architecture_is_found(spoil: Callable[[Networks], None], complaint: str) -> None:
    check_architecture(mlp, latent=8, width=16)
    with pytest.raises(AssertionError, match=complaint):
        check_architecture(_spoiled(spoil), labels=(UNLABELED,), latent=8, width=16)


def test_a_recipe_whose_resume_forgets_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganwise.losses import BoundaryEquilibrium

    def forgetful(self: BoundaryEquilibrium, d: Pass, g: Pass, signals: dict[str, Tensor]) -> None:
        self.hidden = getattr(self, "hidden", 0.0) + 0.1  # state that no checkpoint sees
        self.k.fill_(self.hidden)
        signals["k"] = signals["m_global"] = self.k.clone()

    monkeypatch.setattr(BoundaryEquilibrium, "update", forgetful)
    with pytest.raises(AssertionError, match="not the same after a resume"):
        check_recipe(change(catalog.named("began"), {"architecture.width": 8}), data("digits"))
