"""BEGAN's networks: an auto-encoder whose reconstruction error is the score, and a generator shaped like its decoder."""

from __future__ import annotations

from torch import Tensor, nn

from ganwise.networks.labels import UNLABELED, Labels, Stack
from ganwise.networks.pair import Generator, Networks, Prior
from ganwise.objective import Output
from ganwise.shapes import Shape, side_stages


class AutoEncoder(nn.Module):
    """Scores a sample by mean |x - decoder(encoder(x))|^eta: an energy, low on real data. Source: berthelot2017began, eq. 1."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, eta: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.eta = encoder, decoder, eta

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        code = self.encoder(x)
        error = (x - self.decoder(code)).abs() ** self.eta
        return Output(error.flatten(1).float().mean(1), code=code)


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ELU(), nn.Conv2d(outputs, outputs, 3, padding=1), nn.ELU()]


def _encoder(shape: Shape, code: int, width: int, bottom: int, halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(shape[0], width, 3, padding=1), nn.ELU()]
    for k in range(halvings):  # channels grow linearly with depth
        inputs, outputs = width * (k + 1), width * (k + 2)
        layers += [*_block(inputs, inputs), nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ELU()]
    last = width * (halvings + 1)
    return nn.Sequential(*layers, *_block(last, last), nn.Flatten(), nn.Linear(last * bottom * bottom, code))


def _decoder(shape: Shape, code: int, width: int, bottom: int, halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(code, width * bottom * bottom), nn.Unflatten(1, (width, bottom, bottom))]
    layers += _block(width, width)
    for _ in range(halvings):
        layers += [nn.Upsample(scale_factor=2, mode="nearest"), *_block(width, width)]
    return nn.Sequential(*layers, nn.Conv2d(width, shape[0], 3, padding=1))


def _vector_coder(inputs: int, outputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.ELU(), nn.Linear(width, width), nn.ELU(), nn.Linear(width, outputs))


def autoencoder(
    shape: Shape, labels: Labels = UNLABELED, *, latent: int = 64, width: int = 64, eta: int = 1, prior: Prior = "uniform"
) -> Networks:
    """Images: 3x3 convolutions with ELU, ``width`` filters growing linearly down to a b x b map. Vectors: two hidden layers.

    Source: berthelot2017began, section 3.6 and figure 1; Xavier initialization, which starts it two to three times faster.
    """
    if len(shape) == 1:
        latent = min(latent, max(1, shape[0] // 2))
        encoder, decoder, synthesis = (
            _vector_coder(*ends, width) for ends in ((shape[0], latent), (latent, shape[0]), (latent, shape[0]))
        )
    else:
        stages = side_stages(shape[1])
        assert stages is not None, "build refuses other sides"
        encoder = _encoder(shape, latent, width, *stages)
        decoder, synthesis = (_decoder(shape, latent, width, *stages) for _ in range(2))
    networks = Networks(Generator(Stack(synthesis), latent, prior), AutoEncoder(encoder, decoder, eta))
    for network in networks[:2]:
        for layer in network.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    return networks
