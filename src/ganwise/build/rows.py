"""The catalog's names as functions. A test compares both sets of names; each function takes the options of its entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ganwise import augmentations, consistency, losses, networks, regularizers
from ganwise.networks.labels import Asked
from ganwise.objective import Objective, Part

ARCHITECTURES: dict[str, Callable[..., networks.Networks]] = {
    "mlp": networks.mlp,
    "original": networks.original,
    "original-convolutional": networks.original_convolutional,
    "dcgan": networks.dcgan,
    "autoencoder": networks.autoencoder,
    "energy-autoencoder": networks.energy_autoencoder,
    "laplacian-pyramid": networks.laplacian_pyramid,
    "resnet": networks.resnet,
    "r3gan": networks.r3gan,
    "stylegan2": networks.stylegan2,
}

LOSSES: dict[str, Callable[..., Objective | Part]] = {
    "minimax": losses.minimax,
    "non-saturating": losses.non_saturating,
    "f-gan": losses.f_gan,
    "least-squares": losses.least_squares,
    "hinge": losses.hinge,
    "wasserstein": losses.wasserstein,
    "relativistic": losses.relativistic,
    "relativistic-average": losses.relativistic_average,
    "loss-sensitive": losses.loss_sensitive,
    "generalized-loss-sensitive": losses.generalized_loss_sensitive,
    "energy-margin": losses.energy_margin,
    "boundary-equilibrium": losses.BoundaryEquilibrium,
    "feature-matching": losses.feature_matching,
}

# regularizers live in four places: beside the loss, after each update of D, in D when it is built, before D
PENALTIES: dict[str, Callable[..., Objective | Part]] = {
    "gradient-penalty": regularizers.gradient_penalty,
    "dragan": regularizers.dragan,
    "r1": regularizers.r1,
    "r2": regularizers.r2,
    "orthogonal": regularizers.orthogonal,
    "svm-weight": regularizers.svm_weight,
    "label-smoothing": regularizers.label_smoothing,
    "lecam": regularizers.LeCam,
    "pulling-away": regularizers.pulling_away,
    "path-length": regularizers.PathLength,
    "consistency": consistency.consistency,
    "balanced-consistency": consistency.balanced_consistency,
    "latent-consistency": consistency.latent_consistency,
}
PROJECTIONS: dict[str, Callable[..., regularizers.Projection]] = {"weight-clipping": regularizers.weight_clipping}
TRANSFORMS: dict[str, Callable[..., None]] = {
    "spectral-norm": regularizers.spectral_normalization,
    "dropout": regularizers.dropout,
}
NOISES: dict[str, Callable[..., augmentations.Augmentation]] = {"instance-noise": augmentations.InstanceNoise}

AUGMENTATIONS: dict[str, Callable[..., augmentations.Augmentation]] = {
    "diffaugment": augmentations.DiffAugment,
    "ada": augmentations.AdaptiveAugment,
}


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
