"""What both players' samples pass through before the discriminator sees them: differentiable twice, and alike for real and fake.

Images are (B, C, H, W) in [-1, 1]. Each sample draws its own change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from ganwise.objective import Part, Pass, Signals
from ganwise.ramp import Number, at
from ganwise.regularizers import exact


class Augmentation(Part):
    """A random, differentiable change of a batch (B, C, H, W) or (B, D); it may adapt in ``update``."""

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class InstanceNoise(Augmentation):
    """x + sigma N(0, 1); a ramp of sigma counts the discriminator's updates. Source: sonderby2017amortised."""

    def __init__(self, sigma: Number = "0.1 -> 0 linear 10000") -> None:
        super().__init__()
        self.sigma = sigma
        self.register_buffer("scale", torch.tensor(at(sigma, 0)))
        self.scale: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale.to(x.dtype) * torch.randn_like(x)

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        self.scale.fill_(at(self.sigma, d.step + 1))


# pieces


def normal(x: Tensor, *size: int) -> Tensor:
    """Numbers of N(0, 1) for each sample, shape (B, *size)."""
    return torch.randn(len(x), *size, device=x.device, dtype=x.dtype)


def uniform(x: Tensor, *size: int) -> Tensor:
    """Numbers of U[-1, 1) for each sample, shape (B, *size)."""
    return 2 * torch.rand(len(x), *size, device=x.device, dtype=x.dtype) - 1


def either(x: Tensor) -> Tensor:
    """-1 or 1 for each sample, shape (B,)."""
    return 1 - 2 * torch.randint(0, 2, (len(x),), device=x.device).to(x.dtype)


def each(x: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """A number of U[low, high) for each sample, shape (B, 1, 1, 1)."""
    return low + (high - low) * torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype)


def flip(x: Tensor) -> Tensor:
    """Half of the images mirrored, drawn anew."""
    return torch.where(either(x)[:, None, None, None] < 0, x.flip(3), x)


def shift(x: Tensor, share: float, mode: str) -> Tensor:
    """Each image moved by up to ``share`` of its side, in whole pixels both ways; what comes in is padding of ``mode``."""
    n, _, height, width = x.shape
    most = [int(side * share) for side in (height, width)]
    down, across = (torch.randint(0, 2 * m + 1, (n, 1), device=x.device) for m in most)
    rows = (torch.arange(height, device=x.device) + down)[:, :, None]  # (B, H, 1)
    columns = (torch.arange(width, device=x.device) + across)[:, None, :]
    samples = torch.arange(n, device=x.device)[:, None, None]
    padded = pad(x, (most[1], most[1], most[0], most[0]), mode)
    return padded.permute(0, 2, 3, 1)[samples, rows, columns].permute(0, 3, 1, 2)


def cut(x: Tensor, share: float, chance: Tensor | float = 1.0) -> Tensor:
    """A rectangle of ``share`` of each side set to 0, mid gray, around a place anywhere, in images drawn with ``chance``."""
    inside = each(x) < chance
    for axis in (2, 3):
        side = x.shape[axis]
        place = torch.arange(side, device=x.device).view([-1 if a == axis else 1 for a in range(4)])
        first = (each(x) * (side + 1 - int(side * share) % 2)).floor() - int(side * share) // 2
        inside = inside & (place >= first) & (place < first + int(side * share))
    return torch.where(inside, torch.zeros_like(x), x)


# differentiable augmentation


def recolor(x: Tensor) -> Tensor:
    """Brightness + U[-.5, .5), saturation * U[0, 2), contrast * U[.5, 1.5)."""
    x = x + each(x, -0.5, 0.5)
    gray = x.mean(1, keepdim=True)
    x = gray + (x - gray) * each(x, 0, 2)
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (x - middle) * each(x, 0.5, 1.5)


POLICY: dict[str, Callable[[Tensor], Tensor]] = {
    "color": recolor,
    "translation": partial(shift, share=1 / 8, mode="constant"),
    "cutout": partial(cut, share=1 / 2),
}


class DiffAugment(Augmentation):
    """Always on: colors, a shift of up to an eighth of the side, a cut-out of half of each side.

    Source: zhao2020diffaugment, section 3; the ranges are those of the authors' code.
    """

    def __init__(self, policy: str = ",".join(POLICY)) -> None:
        super().__init__()
        self.policy = [name.strip() for name in policy.split(",")]
        if unknown := set(self.policy) - set(POLICY):
            raise ValueError(f"policy is made of {', '.join(POLICY)}, not of {', '.join(sorted(unknown))}")

    def forward(self, x: Tensor) -> Tensor:
        for name in self.policy:
            x = POLICY[name](x)
        return x


# adaptive augmentation


def some(share: Tensor, value: Tensor, neutral: float = 0.0) -> Tensor:
    """``value`` (B,) or (B, 2) in a share of the samples, drawn anew, and ``neutral`` in the others."""
    chosen = torch.rand(len(value), *[1] * (value.dim() - 1), device=value.device) < share
    return torch.where(chosen, value, torch.full_like(value, neutral))


def matrices(*rows: tuple[Tensor | float, Tensor | float, Tensor | float]) -> Tensor:
    """(B, 3, 3) from two rows of numbers and of tensors (B,)."""
    like = next(cell for row in rows for cell in row if isinstance(cell, Tensor))
    whole = (*rows, (0.0, 0.0, 1.0))
    return torch.stack([torch.stack([torch.zeros_like(like) + cell for cell in row], -1) for row in whole], -2)


def turn(angle: Tensor) -> Tensor:
    return matrices((angle.cos(), -angle.sin(), 0.0), (angle.sin(), angle.cos(), 0.0))


def stretch(x: Tensor, y: Tensor | float) -> Tensor:
    return matrices((x, 0.0, 0.0), (0.0, y, 0.0))


def move(by: Tensor) -> Tensor:
    return matrices((1.0, 0.0, by[:, 0]), (0.0, 1.0, by[:, 1]))


def placements(x: Tensor, p: Tensor) -> Tensor:
    """From pixels of the result to pixels of the image, (B, 3, 3), the center at 0; each kind of change in a share p.

    Whole pixels: mirrored, turned by quarters, moved by up to an eighth. In general: scaled by 2^N(0, .2^2), turned by any angle,
    one side stretched against the other alike, moved by N(0, .125^2) of a side.
    """
    sides = x.new_tensor([x.shape[3], x.shape[2]])
    half = 1 - (1 - p.clamp(max=1)).sqrt()  # turned before or after the stretch: in a share p altogether
    size, shape = (some(p, torch.exp2(0.2 * normal(x)), 1.0) for _ in range(2))
    return (
        stretch(some(p, either(x), 1.0), 1.0)
        @ turn(some(p, math.pi / 2 * (2 * uniform(x) + 2).floor()))
        @ move((some(p, uniform(x, 2)) / 8 * sides).round())
        @ stretch(size, size)
        @ turn(some(half, math.pi * uniform(x)))
        @ stretch(shape, 1 / shape)
        @ turn(some(half, math.pi * uniform(x)))
        @ move(some(p, normal(x, 2)) / 8 * sides)
    )


def warp(x: Tensor, placed: Tensor) -> Tensor:
    """The images at ``placements``, bilinear, mirrored beyond their edges."""
    half = (x.new_tensor([x.shape[3], x.shape[2], 3]) - 1) / 2  # pixels in a grid's unit
    grid = affine_grid((placed * half / half[:, None])[:, :2], list(x.shape), align_corners=True)
    return grid_sample(x, grid, padding_mode="reflection", align_corners=True)


def tint(x: Tensor, p: Tensor) -> Tensor:
    """Brightness + N(0, .2^2), contrast * 2^N(0, .5^2), gray inverted, hue turned, saturation * 2^N(0, 1), each in a share p.

    All five leave the gray axis where it is, so that they act on an image's gray and on its colors apart.
    """
    draws = (
        some(p, 0.2 * normal(x)),
        some(p, torch.exp2(0.5 * normal(x)), 1.0),
        some(p, either(x), 1.0),
        some(p, math.pi * uniform(x)),
        some(p, torch.exp2(normal(x)), 1.0),
    )
    brightness, contrast, sign, angle, saturation = (value[:, None, None, None] for value in draws)
    gray = x.mean(1, keepdim=True)
    colors = x - gray
    if x.shape[1] == 3:
        colors = angle.cos() * colors + angle.sin() * (colors.roll(1, 1) - colors.roll(-1, 1)) / 3**0.5  # around (1, 1, 1)
    return contrast * (sign * (gray + brightness) + saturation * colors)


class AdaptiveAugment(Augmentation):
    """A pipeline whose changes each happen with probability p, which rises while D is too sure of real samples.

    p += sign(r_t - target) * every * B / images, r_t the mean sign of real samples' realness over ``every`` calls. Below p = .8
    the pipeline leaks nothing into the generator: each change leaves enough samples alone. ``colors`` and ``cutout`` multiply p.
    Without ``adapt`` p is a number or ramp. Source: karras2020ada, section 3 and appendix B, pipeline bgc;
    sampled bilinearly instead of through their wavelets, and mirrored without end beyond the edges.
    """

    def __init__(
        self,
        p: Number = 0.0,
        adapt: bool = True,
        target: float = 0.6,
        every: int = 4,
        images: int = 500_000,
        colors: float = 1.0,
        cutout: float = 0.0,
    ) -> None:
        super().__init__()
        self.ramp, self.target, self.every, self.images = None if adapt else p, target, every, images
        self.colors, self.cutout = colors, cutout
        self.register_buffer("p", torch.tensor(at(p, 0)))
        self.register_buffer("total", torch.zeros(()))
        self.register_buffer("calls", torch.zeros(()))
        self.p: Tensor
        self.total: Tensor
        self.calls: Tensor

    def forward(self, x: Tensor) -> Tensor:
        with exact(x):  # in bfloat16 places are parts of a pixel off, also in images that are to stay as they are
            y = tint(warp(x, placements(x, self.p)), self.colors * self.p)
            if self.cutout:
                y = cut(y, 1 / 2, self.cutout * self.p)
            return torch.where(self.p > 0, y, x)

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        if self.ramp is None:
            self.adapt(d.realness[0].sign().mean(), len(d.real))
        else:
            self.p.fill_(at(self.ramp, d.step + 1))
        signals["augment_p"] = self.p.clone()

    def adapt(self, sign: Tensor, batch: int) -> None:
        """One call of the controller, without a branch on a number that a device holds."""
        self.total.add_(sign)
        self.calls.add_(1)
        due = (self.calls == self.every).float()
        direction = (self.total / self.calls - self.target).sign()
        self.p.add_(due * direction * self.every * batch / self.images).clamp_(0, 1)
        self.total.mul_(1 - due)
        self.calls.mul_(1 - due)
