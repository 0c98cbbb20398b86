"""The catalog's names as functions. A test compares both sets of names; each function takes the options of its entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ganwise import augmentations, losses, networks, regularizers
from ganwise.networks.labels import Asked
from ganwise.objective import Objective, Part

ARCHITECTURES: dict[str, Callable[..., networks.Networks]] = {
    "mlp": networks.mlp,
    "dcgan": networks.dcgan,
    "autoencoder": networks.autoencoder,
}

LOSSES: dict[str, Callable[..., Objective | Part]] = {
    "minimax": losses.minimax,
    "non-saturating": losses.non_saturating,
    "least-squares": losses.least_squares,
    "wasserstein": losses.wasserstein,
    "hinge": losses.hinge,
    "relativistic": losses.relativistic,
    "f-gan": losses.f_gan,
    "boundary-equilibrium": losses.BoundaryEquilibrium,
}

# regularizers live in four places: beside the loss, after each update of D, in D when it is built, before D
PENALTIES: dict[str, Callable[..., Objective | Part]] = {
    "gradient-penalty": regularizers.gradient_penalty,
    "r1": regularizers.r1,
}
PROJECTIONS: dict[str, Callable[..., regularizers.Projection]] = {"weight-clipping": regularizers.weight_clipping}
TRANSFORMS: dict[str, Callable[..., None]] = {"spectral-norm": regularizers.spectral_normalization}
NOISES: dict[str, Callable[..., augmentations.Augmentation]] = {}

AUGMENTATIONS: dict[str, Callable[..., augmentations.Augmentation]] = {}


class Conditioning(NamedTuple):
    """What the discriminator does with labels, and what the players minimize for it."""

    discriminator: Asked
    objectives: tuple[Objective, ...] = ()


CONDITIONINGS: dict[str, Callable[..., Conditioning]] = {
    "label-input": lambda: Conditioning("input"),
    "projection": lambda: Conditioning("projection"),
    "classifier": lambda real, fake, generator_weight: Conditioning(
        "classifier", (losses.classification(real, fake, generator_weight),)
    ),
    "semi-supervised": lambda weight: Conditioning("open", (losses.classification(weight, 0.0, 0.0),)),
}
