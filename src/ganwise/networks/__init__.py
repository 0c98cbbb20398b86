"""The architectures: each a function from the data's shape and labels to a pair (generator, discriminator)."""

from ganwise.networks.autoencoder import autoencoder
from ganwise.networks.dcgan import dcgan
from ganwise.networks.energy import energy_autoencoder
from ganwise.networks.labels import UNLABELED, Labels
from ganwise.networks.mlp import mlp
from ganwise.networks.original import original, original_convolutional
from ganwise.networks.pair import Generator, Networks
from ganwise.networks.pyramid import laplacian_pyramid
from ganwise.networks.r3gan import r3gan
from ganwise.networks.resnet import resnet
from ganwise.networks.stylegan2 import stylegan2

__all__ = [
    "UNLABELED",
    "Generator",
    "Labels",
    "Networks",
    "autoencoder",
    "dcgan",
    "energy_autoencoder",
    "laplacian_pyramid",
    "mlp",
    "original",
    "original_convolutional",
    "r3gan",
    "resnet",
    "stylegan2",
]
