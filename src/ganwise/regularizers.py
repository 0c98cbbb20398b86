"""The regularizers: penalties as objectives, clipping as a projection, spectral normalization as a transform.

A penalty makes its own forward pass through ``p.look``, in float32 whatever the run's precision: double backward in bfloat16
errs by percents. The one convention for zero-centered penalties: gamma / 2 times the mean squared gradient norm.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganwise.objective import Objective, Pass, lazy
from ganwise.ramp import at

Projection = Callable[[nn.Module], None]


def slope(p: Pass, x: Tensor) -> Tensor:
    """Gradient of each sample's score with respect to the sample, flattened, shape (B, D); differentiable."""
    with torch.autocast(x.device.type, enabled=False):
        x = x.detach().float().requires_grad_()
        gradient: Tensor = torch.autograd.grad(p.look(x).score.sum(), x, create_graph=True)[0]
        flat: Tensor = gradient.flatten(1)
    return flat


def r1(gamma: float | str = 10.0, every: int = 1) -> Objective:
    """gamma/2 E|grad D(x)|^2 on real samples. Source: mescheder2018converge, equation 9."""
    return lazy(every, Objective(lambda p: at(gamma, p.step) / 2 * slope(p, p.real).square().sum(1).mean()))


def gradient_penalty(weight: float = 10.0, center: float = 1.0) -> Objective:
    """weight E(|grad D(x')| - center)^2 on lines from real to fake. Source: gulrajani2017wgangp, equation 3."""

    def penalty(p: Pass) -> Tensor:
        share = torch.rand(len(p.real), *[1] * (p.real.dim() - 1), device=p.real.device)
        between = torch.lerp(p.fake.detach().float(), p.real.float(), share)
        # vector norm, whose gradient at zero is zero, where the root of a sum of squares has none
        norms: Tensor = torch.linalg.vector_norm(slope(p, between), dim=1)
        return weight * (norms - center).square().mean()

    return Objective(penalty)


def weight_clipping(limit: float = 0.01) -> Projection:
    """Clamps every weight to [-limit, limit] in place. Source: arjovsky2017wgan, algorithm 1."""

    def project(discriminator: nn.Module) -> None:
        with torch.no_grad():
            for weight in discriminator.parameters():
                weight.clamp_(-limit, limit)

    return project


def spectral_normalization(discriminator: nn.Module) -> None:
    """Divides every layer's weight by its spectral norm, one power iteration per update. Source: miyato2018sngan, algorithm 1."""
    for module in list(discriminator.modules()):
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            spectral_norm(module)
