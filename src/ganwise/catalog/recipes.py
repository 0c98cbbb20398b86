"""The named GANs: recipes of the axes' entries with their papers' hyper-parameters."""

from __future__ import annotations

from typing import Any

from ganwise.catalog.entry import AUTO, Entry, closest
from ganwise.recipe import Choice, Optimizer, Recipe, Schedule
from ganwise.types import Unusable, Value


def choice(name: str, **options: Value) -> Choice:
    return Choice(name=name, options=options)


def _adam(rate: float, beta1: float, beta2: float) -> Optimizer:
    return Optimizer(name="adam", learning_rate=rate, beta1=beta1, beta2=beta2)


def _schedule(player: Optimizer, **rest: Any) -> Schedule:
    return Schedule(discriminator=player, generator=player, **rest)


_FITTING = choice(AUTO)

RECIPES: dict[str, Entry] = {
    "gan": Entry(
        "The original GAN: fully connected, maxout discriminator with dropout, non-saturating generator.",
        ("goodfellow2014gan",),
        published={"MNIST Parzen log-likelihood": "225 ± 2 nats, 10,000 samples, sigma chosen on validation [2nd]"},
        recipe=Recipe(
            architecture=choice("mlp", pieces=5, dropout=0.5, prior="uniform"),
            loss=choice("non-saturating"),
            schedule=_schedule(_adam(2e-4, 0.5, 0.999)),
        ),
    ),
    "dcgan": Entry(
        "Convolutions, batch normalization in both players, Adam with low momentum: the first GAN that trained steadily.",
        ("radford2015dcgan",),
        published={"CIFAR-10 FID": "49.0 best of a run, StudioGAN's log [log]"},
        recipe=Recipe(
            architecture=choice("dcgan", discriminator_norm="batch", prior="uniform"),
            loss=choice("non-saturating"),
            schedule=_schedule(_adam(2e-4, 0.5, 0.999)),
        ),
    ),
    "lsgan": Entry(
        "Least squares in place of the log loss.",
        ("mao2017lsgan",),
        published={"CIFAR-10 FID": "66.7 best of a run, StudioGAN's log [log]"},
        recipe=Recipe(
            architecture=_FITTING,
            loss=choice("least-squares"),
            schedule=_schedule(_adam(2e-4, 0.5, 0.999)),
        ),
    ),
    "wgan": Entry(
        "A critic with clipped weights, five critic steps for one of the generator, RMSProp.",
        ("arjovsky2017wgan",),
        published={"CIFAR-10 FID": "55.2 tuned (Lucic et al.) [2nd]; 159.1 in StudioGAN's log [log]"},
        recipe=Recipe(
            architecture=_FITTING,
            loss=choice("wasserstein"),
            regularizers=(choice("weight-clipping", limit=0.01),),
            schedule=_schedule(Optimizer(name="rmsprop", learning_rate=5e-5), discriminator_steps=5),
        ),
    ),
    "wgan-gp": Entry(
        "A critic held to slope one by a gradient penalty, five critic steps, Adam without momentum on the mean.",
        ("gulrajani2017wgangp",),
        published={"CIFAR-10 FID": "25.9 best of a run, ResNet, StudioGAN's log [log]"},
        recipe=Recipe(
            architecture=_FITTING,
            loss=choice("wasserstein"),
            regularizers=(choice("gradient-penalty", weight=10.0),),
            schedule=_schedule(_adam(1e-4, 0.5, 0.9), discriminator_steps=5),
        ),
    ),
    "rsgan": Entry(
        "The standard log loss on differences of paired scores.",
        ("jolicoeur2018relativistic",),
        published={"CIFAR-10 FID": "36.6, standard CNN, 100k steps [2nd]"},
        recipe=Recipe(
            architecture=_FITTING,
            loss=choice("relativistic"),
            schedule=_schedule(_adam(2e-4, 0.5, 0.999), batch=32),
        ),
    ),
    "sngan": Entry(
        "Spectral normalization in every layer of the discriminator, hinge loss.",
        ("miyato2018sngan",),
        published={"CIFAR-10 FID": "21.7 ± .21, unconditional ResNet [mem, unverified]"},
        recipe=Recipe(
            architecture=_FITTING,
            loss=choice("hinge"),
            regularizers=(choice("spectral-norm"),),
            schedule=_schedule(_adam(2e-4, 0.0, 0.9), discriminator_steps=5),
        ),
    ),
    "began": Entry(
        "An auto-encoder as discriminator, its two losses held in a set ratio: sharp on single-domain data such as faces.",
        ("berthelot2017began",),
        published={"CIFAR-10 inception score": "5.62 [mem, unverified]"},
        recipe=Recipe(
            architecture=choice("autoencoder"),
            loss=choice("boundary-equilibrium"),
            schedule=_schedule(_adam(1e-4, 0.5, 0.999), batch=16, simultaneous=True),
        ),
    ),
    "fgan-kl": Entry(
        "The f-GAN with the Kullback-Leibler divergence, which covers all modes.",
        ("nowozin2016fgan",),
        published={"MNIST Parzen log-likelihood": "416 ± 5.6 nats, f-GAN's table [mem, unverified]"},
        recipe=Recipe(
            architecture=_FITTING,
            loss=choice("f-gan"),
            divergence=choice("kl"),
            schedule=_schedule(_adam(2e-4, 0.5, 0.999)),
        ),
    ),
    "r1gan": Entry(
        "Non-saturating loss with R1: the strong default on small data.",
        ("mescheder2018converge", "karras2020stylegan2"),
        recipe=Recipe(
            architecture=_FITTING,
            loss=choice("non-saturating"),
            regularizers=(choice("r1", gamma=0.1, every=4),),
            schedule=_schedule(_adam(1e-3, 0.0, 0.99), ema=0.998),
        ),
    ),
}


def named(name: str) -> Recipe:
    """The recipe of a GAN by its name.

    Raises:
        Unusable: No such recipe; the closest names are given.
    """
    entry = RECIPES.get(name)
    if entry is None or entry.recipe is None:
        raise Unusable(f"unknown recipe '{name}': {closest(name, RECIPES)}")
    return entry.recipe
