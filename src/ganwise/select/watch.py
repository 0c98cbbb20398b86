"""What to watch while a candidate trains: the doctor's problems that a recipe of its kind is prone to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ganwise.knowledge.rule import read_condition
from ganwise.select.space import Tags
from ganwise.types import Problem, Value


class Watch(NamedTuple):
    """A problem that the doctor knows, what shows it, and who found that this kind of recipe has it."""

    problem: Problem
    says: str
    sources: tuple[str, ...]


class Prone(NamedTuple):
    """What has all of ``having`` and none of ``lacking`` is prone to ``watch`` where the facts hold."""

    watch: Watch
    having: Tags = frozenset()
    lacking: Tags = frozenset()
    when: tuple[str, ...] = ()


def _prone(problem: Problem, says: str, sources: str, having: str = "", lacking: str = "", when: str = "") -> Prone:
    watch, conditions = Watch(problem, says, tuple(sources.split())), tuple(when.split(", ")) if when else ()
    return Prone(watch, _tags(having), _tags(lacking), conditions)


def _tags(text: str) -> Tags:
    return frozenset(text.split(" + ")) if text else frozenset()


KINDS: tuple[Prone, ...] = (
    _prone(
        "vanishing_gradient",
        "the generator's gradient, which goes to zero as soon as the discriminator tells everything apart",
        "arjovsky2017principled goodfellow2014gan",
        "loss.minimax",
    ),
    _prone(
        "non_convergence",
        "losses and gradient norms that swing without growing smaller: nothing bounds the discriminator's slope, and the "
        "players may circle each other",
        "mescheder2018converge",
        "regularizers.none",
        "loss.boundary-equilibrium + loss.energy-margin",
    ),
    _prone(
        "mode_collapse",
        "the diversity of a batch and the coverage: fakes are judged one by one, which has stable states that drop modes",
        "sun2020landscape motwani2020selection",
        "regularizers.none",
        "loss.relativistic + loss.relativistic-average + loss.boundary-equilibrium + loss.energy-margin",
    ),
    _prone(
        "instability",
        "weights at the limit of the clipping, and gradients that vanish or explode with it",
        "arjovsky2017wgan gulrajani2017wgangp",
        "regularizers.weight-clipping",
    ),
    _prone(
        "non_convergence",
        "late swings: a slope held at 1 is not 0 where real and fake agree, so that the players keep moving there",
        "mescheder2018converge",
        "regularizers.gradient-penalty",
    ),
    _prone(
        "non_convergence",
        "late swings: a slope held at 1 is not 0 where real and fake agree, so that the players keep moving there",
        "mescheder2018converge",
        "regularizers.dragan",
    ),
    _prone(
        "imbalance",
        "progress a second, not a step: the generator moves once in several updates of the discriminator",
        "gulrajani2017wgangp ganwise2026measurements",
        "schedule.several-steps",
    ),
    _prone(
        "imbalance",
        "k, which may stick at 0 or 1, and the convergence measure, which has to fall; samples that grow alike meanwhile",
        "berthelot2017began kim2017beganpytorch",
        "loss.boundary-equilibrium",
    ),
    _prone(
        "vanishing_gradient",
        "the energy of fakes against the margin: beyond it the discriminator no longer learns from them",
        "zhao2016ebgan",
        "loss.energy-margin",
    ),
    *(
        _prone(
            "not_finite",
            f"scores that run away: the conjugate of {divergence} grows without a bound",
            "nowozin2016fgan",
            f"loss.f-gan + divergence.{divergence}",
        )
        for divergence in ("kl", "pearson", "neyman", "jeffreys", "reverse-kl")
    ),
    _prone(
        "instability",
        "the metric itself: least squares has the widest spread between seeds and may decay late; keep the best checkpoint",
        "lucic2018equal kang2023studiogan",
        "loss.least-squares",
    ),
    _prone(
        "mode_collapse",
        "diversity within each class: a classifier is content with one easy sample of each",
        "odena2017acgan kang2023studiogan",
        "conditioning.classifier",
    ),
    _prone(
        "memorization",
        "scores on held-out real images, which fall away from those on training images when these are learned by heart",
        "karras2020ada",
        lacking="augmentation.ada + augmentation.diffaugment",
        when="kind == image, n_train < 5000",
    ),
    _prone(
        "instability",
        "the size of R1's penalty: too large a gamma washes samples out, too small a one lets the slope grow; it depends on the "
        "resolution",
        "mescheder2018converge karras2020stylegan2",
        "regularizers.r1",
    ),
    _prone(
        "imbalance",
        "real and fake scores that stay together: a discriminator of bounded slope learns slowly at small rates",
        "miyato2018sngan ganwise2026measurements",
        "regularizers.spectral-norm",
    ),
    _prone(
        "not_finite",
        "the precision: bfloat16 is fine, float16 ruins it",
        "huang2024r3gan",
        "architecture.r3gan",
    ),
)
"""In the order in which they are shown."""

ANYBODY = Watch(
    "imbalance",
    "the discriminator's accuracy on real, fake and held-out samples: near 1 for long, it has won, and G learns little",
    ("goodfellow2014gan", "motwani2020selection"),
)
"""Said where nothing more particular is."""


def watch(tags: Tags, facts: Mapping[str, Value]) -> tuple[Watch, ...]:
    """What a GAN with these tags is prone to on data with these facts; an unknown fact warns of nothing."""
    found = [one.watch for one in KINDS if one.having <= tags and not one.lacking & tags and _holds(one.when, facts)]
    return tuple(found) or (ANYBODY,)


def _holds(when: tuple[str, ...], facts: Mapping[str, Value]) -> bool:
    return all(read_condition(text, "watch").holds(facts) for text in when)
