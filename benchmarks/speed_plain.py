"""The training step as papers, tutorials and most repositories write it: the mathematical reference, and the speed to beat.

Float32, images contiguous in memory, D once on real samples and once on fakes, the same loss, optimizer and average as in the
paper, one line each. Nothing here knows ganwise but for the networks: they come from a built GAN and are put back to torch's own
layers, so that `ganwise.train.step` can be held against it from the same weights, data and latents (tests/test_speed.py).
Sources stand with the losses in `ganwise.losses`; r and f are scores of real samples and fakes.

One thing is not as many write it: where D is spectrally normalized, one power iteration is made per update, as in
miyato2018sngan, algorithm 1, and not one per forward pass. `parametrize.cached` is that line.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    avg_pool2d,
    binary_cross_entropy_with_logits,
    conv2d,
    conv_transpose2d,
    interpolate,
    linear,
    relu,
    softplus,
)
from torch.nn.utils import parametrize

from ganwise.build import GAN

USUAL: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "Linear": lambda m, x: linear(x, m.weight, m.bias),
    "Conv2d": lambda m, x: conv2d(x, m.weight, m.bias, m.stride, m.padding, groups=m.groups),
    "ConvTranspose2d": lambda m, x: conv_transpose2d(x, m.weight, m.bias, m.stride, m.padding, m.output_padding, m.groups),
    "DoubledConv": lambda m, x: conv2d(interpolate(x, scale_factor=2.0), m.weight, m.bias, padding=1),
    "HalvedConv": lambda m, x: avg_pool2d(conv2d(x, m.weight, m.bias, padding=1), 2),
    "Double": lambda m, x: conv_transpose2d(x, m.on(x), stride=2, padding=1, groups=x.shape[1]),
    "Halve": lambda m, x: conv2d(x, m.on(x), stride=2, padding=1, groups=x.shape[1]),
}
"""What our own layers in place of torch's compute, in torch's own words."""


def usual(network: nn.Module) -> nn.Module:
    """The network with every layer of weights computed as torch does it, in place; images and weights contiguous in memory."""
    for layer in network.modules():
        ours = [kind.__name__ for kind in type(layer).__mro__ if kind.__module__.startswith("ganwise.")]
        if ours and (ours[0] in USUAL or isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))):
            layer.forward = MethodType(USUAL[ours[0]], layer)  # type: ignore[method-assign]
    plain: nn.Module = network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return plain


Next = Callable[[], Tensor]  # the next batch of real samples, (B, C, H, W) in [-1, 1]


class Loop:
    """One GAN's loop: a subclass says what both players minimize."""

    def __init__(self, gan: GAN) -> None:
        schedule = gan.recipe.schedule
        self.G, self.D, self.average = (usual(network) for network in (gan.generator, gan.discriminator, gan.average))
        self.device, self.batch, self.critic_steps, self.decay = (
            gan.device,
            schedule.batch,
            schedule.discriminator_steps,
            schedule.ema,
        )
        self.optimizer_d, self.optimizer_g = (
            torch.optim.Adam(network.parameters(), float(o.learning_rate), (float(o.beta1), float(o.beta2)))
            for network, o in ((self.D, schedule.discriminator), (self.G, schedule.generator))
        )
        self.options = {pick.name: pick.options for pick in (gan.recipe.loss, *gan.recipe.regularizers)}
        self.t = 0

    def scores(self, x: Tensor) -> Tensor:
        score: Tensor = self.D(x).score
        return score

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        raise NotImplementedError

    def loss_g(self, fake: Tensor, next_real: Next) -> Tensor:
        raise NotImplementedError

    def step(self, next_real: Next) -> tuple[Tensor, Tensor]:
        """One step of both players; their losses."""
        for _ in range(self.critic_steps):
            real, z = next_real(), self.G.draw(self.batch, self.device)
            self.optimizer_d.zero_grad()
            with parametrize.cached():
                loss_d = self.loss_d(real, self.G(z).detach())
            loss_d.backward()
            self.optimizer_d.step()
        z = self.G.draw(self.batch, self.device)
        self.optimizer_g.zero_grad()
        with parametrize.cached():
            loss_g = self.loss_g(self.G(z), next_real)
        loss_g.backward()
        self.optimizer_g.step()
        self.follow()
        return loss_d, loss_g

    @torch.no_grad()
    def follow(self) -> None:
        """The moving average of G's weights, with a short memory at the start."""
        decay = min(self.decay, (1 + self.t) / (10 + self.t))
        for mine, theirs in zip(self.average.parameters(), self.G.parameters(), strict=True):
            mine.mul_(decay).add_(theirs, alpha=1 - decay)
        for mine, theirs in zip(self.average.buffers(), self.G.buffers(), strict=True):
            mine.copy_(theirs)
        self.t += 1


class Logistic(Loop):
    """The non-saturating log loss as cross entropy. Source: goodfellow2014gan, section 3; radford2015dcgan."""

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        r, f = self.scores(real), self.scores(fake)
        return binary_cross_entropy_with_logits(r, torch.ones_like(r)) + binary_cross_entropy_with_logits(f, torch.zeros_like(f))

    def loss_g(self, fake: Tensor, next_real: Next) -> Tensor:
        f = self.scores(fake)
        return binary_cross_entropy_with_logits(f, torch.ones_like(f))


class Hinge(Loop):
    """Source: miyato2018sngan, equations 16 and 17; the spectral norms are in D's layers."""

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - self.scores(real)).mean() + relu(1 + self.scores(fake)).mean()

    def loss_g(self, fake: Tensor, next_real: Next) -> Tensor:
        return -self.scores(fake).mean()


class Wasserstein(Loop):
    """With the gradient penalty on lines from fake to real. Source: gulrajani2017wgangp, algorithm 1."""

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        difference = self.scores(fake).mean() - self.scores(real).mean()
        share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.scores(between).sum(), between, create_graph=True)
        penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
        return difference + float(self.options["gradient-penalty"]["weight"]) * penalty

    def loss_g(self, fake: Tensor, next_real: Next) -> Tensor:
        return -self.scores(fake).mean()


class Relativistic(Loop):
    """Pairs of real and fake, with R1 and R2; G's step takes real samples of its own. Source: huang2024r3gan, section 2."""

    def slope(self, x: Tensor) -> Tensor:
        """E|grad D(x)|^2."""
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.scores(x).sum(), x, create_graph=True)
        return slope.square().sum((1, 2, 3)).mean()

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        gamma1, gamma2 = (float(self.options[name]["gamma"]) for name in ("r1", "r2"))
        penalty = gamma1 / 2 * self.slope(real) + gamma2 / 2 * self.slope(fake)
        return softplus(self.scores(fake) - self.scores(real)).mean() + penalty

    def loss_g(self, fake: Tensor, next_real: Next) -> Tensor:
        return softplus(self.scores(next_real()) - self.scores(fake)).mean()


class BoundaryEquilibrium(Loop):
    """Scores are reconstruction errors; both gradients are taken before either moves. Source: berthelot2017began, section 3.3."""

    def __init__(self, gan: GAN) -> None:
        super().__init__(gan)
        self.k = torch.zeros((), device=gan.device)

    def step(self, next_real: Next) -> tuple[Tensor, Tensor]:
        gamma, rate = (float(self.options["boundary-equilibrium"][name]) for name in ("gamma", "rate"))
        real, z_d = next_real(), self.G.draw(self.batch, self.device)
        self.optimizer_d.zero_grad()
        energy = self.scores(real).mean()
        loss_d = energy - self.k * self.scores(self.G(z_d).detach()).mean()
        loss_d.backward()
        z_g = self.G.draw(self.batch, self.device)
        self.optimizer_g.zero_grad()
        loss_g = self.scores(self.G(z_g)).mean()
        loss_g.backward(inputs=list(self.G.parameters()))
        self.optimizer_g.step()
        self.optimizer_d.step()
        self.k = (self.k + rate * (gamma * energy.detach() - loss_g.detach())).clamp(0, 1)
        self.follow()
        return loss_d, loss_g
