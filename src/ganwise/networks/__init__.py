"""The architectures: each a function from the data's shape and labels to a pair (generator, discriminator)."""

from ganwise.networks.autoencoder import autoencoder
from ganwise.networks.dcgan import dcgan
from ganwise.networks.labels import UNLABELED, Labels
from ganwise.networks.mlp import mlp
from ganwise.networks.pair import Generator, Networks

__all__ = ["UNLABELED", "Generator", "Labels", "Networks", "autoencoder", "dcgan", "mlp"]
