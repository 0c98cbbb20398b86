"""EBGAN's networks: an auto-encoder of strided convolutions whose reconstruction error is an energy, and DCGAN's generator."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ganwise.networks.autoencoder import vector_coder, xavier
from ganwise.networks.convolution import Conv2d, ConvTranspose2d
from ganwise.networks.dcgan import Norm, dcgan, initialize
from ganwise.networks.labels import UNLABELED, Labels
from ganwise.networks.mlp import mlp
from ganwise.networks.pair import Networks, Prior
from ganwise.objective import Output
from ganwise.shapes import Shape, halvings_to_eight

Error = Literal["norm", "mean-square"]


class EnergyAutoEncoder(nn.Module):
    """score = |Dec(Enc(x)) - x|, the Euclidean norm over all numbers of a sample, or its square divided by their number.

    The code is the encoder's last map, flat. Source: zhao2016ebgan, equation 4.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, error: Error) -> None:
        super().__init__()
        self.encoder, self.decoder, self.error = encoder, decoder, error

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        code = self.encoder(x)
        difference = (self.decoder(code) - x).flatten(1).float()
        score = difference.norm(dim=1) if self.error == "norm" else difference.square().mean(1)
        return Output(score, code=code.flatten(1))


def _coders(shape: Shape, width: int, norm: Norm) -> tuple[nn.Sequential, nn.Sequential]:
    """Down to a map b x b and up again; the first layer is normalized only where it makes the code; the last is linear."""
    stages = halvings_to_eight(shape[1])
    assert stages is not None, "build refuses other sides"
    channels = [shape[0], *(width * 2**k for k in range(stages[1]))]

    def block(layer: nn.Module, outputs: int, normalize: bool) -> list[nn.Module]:
        return [layer, *([nn.BatchNorm2d(outputs)] if normalize and norm == "batch" else []), nn.LeakyReLU(0.2)]

    down, up = nn.Sequential(), nn.Sequential()
    for inputs, outputs in pairwise(channels):
        is_code = outputs == channels[-1]
        down.extend(block(Conv2d(inputs, outputs, 4, 2, 1), outputs, normalize=is_code or inputs != shape[0]))
    for inputs, outputs in pairwise(channels[:0:-1]):
        up.extend(block(ConvTranspose2d(inputs, outputs, 4, 2, 1), outputs, normalize=True))
    up.append(ConvTranspose2d(width, shape[0], 4, 2, 1))
    return down, up


def energy_autoencoder(
    shape: Shape,
    labels: Labels = UNLABELED,
    *,
    latent: int = 100,
    width: int = 64,
    error: Error = "norm",
    discriminator_norm: Norm = "batch",
    prior: Prior = "normal",
) -> Networks:
    """Images: ``width`` channels after the first halving, doubling to a map b x b. Vectors: two hidden layers, codes doubled.

    Codes are longer than samples, as those of the paper's 64 x 64 images: what keeps the auto-encoder from copying is the energy
    of fakes and not a bottleneck. Source: zhao2016ebgan, sections 2.3 and 4, appendix (which batch-normalizes both networks).
    """
    if error not in ("norm", "mean-square"):
        raise ValueError("error is norm or mean-square")
    if len(shape) == 1:
        generator = mlp(shape, latent=latent, width=width, prior=prior).generator
        code = 2 * shape[0]
        discriminator = EnergyAutoEncoder(vector_coder(shape[0], code, width), vector_coder(code, shape[0], width), error)
        xavier(discriminator)
    else:
        generator = dcgan(shape, latent=latent, width=width, prior=prior).generator
        discriminator = EnergyAutoEncoder(*_coders(shape, width, discriminator_norm), error)
        initialize(discriminator)
    return Networks(generator, discriminator)
