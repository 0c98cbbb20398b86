"""Latents of real images, found by descent, and the way between two of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganwise.model import Model
from ganwise.reproduce.began_pictures import keep

STARTS, RATE, PATH = 8, 0.05, 8


def inverted(model: Model, targets: np.ndarray, steps: int = 200, starts: int = STARTS) -> Tensor:
    """Latents (n, d) in [-1, 1] whose images come nearest to ``targets`` (n, H, W, C) in mean absolute error.

    The best of so many starts each, by Adam. Leaves every random state as it was. Source: berthelot2017began, section 4.3.
    """
    x = model.scaling.encode(torch.from_numpy(targets)).repeat_interleave(starts, 0)
    generator = torch.Generator(x.device).manual_seed(0)
    z = model.generator.draw(len(x), x.device, generator).requires_grad_(True)
    adam = torch.optim.Adam([z], RATE)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(_errors(model, z, x).sum(), z)
        z.grad = gradient
        adam.step()
        with torch.no_grad():
            z.clamp_(-1, 1)
    with torch.no_grad():
        best = _errors(model, z, x).view(-1, starts).argmin(1)
    return z.detach().view(len(targets), starts, -1)[torch.arange(len(targets)), best]


def _errors(model: Model, z: Tensor, x: Tensor) -> Tensor:
    errors: Tensor = (model.generator(z) - x).abs().flatten(1).mean(1)
    return errors


def path(first: Tensor, last: Tensor, points: int = PATH) -> Tensor:
    """Latents (points, d) on the straight line between two."""
    at = torch.linspace(0, 1, points, device=first.device)[:, None]
    return (1 - at) * first + at * last


@torch.no_grad()
def images_of(model: Model, z: Tensor) -> np.ndarray:
    """Images (n, H, W, C) as bytes."""
    found: np.ndarray = model.scaling.decode(model.generator(z)).cpu().numpy()
    return found


def ends_and_path(model: Model, targets: np.ndarray, samples: np.ndarray, folder: Path, steps: int) -> dict[str, float]:
    """Inverts three images and the first's mirror image; keeps three strips from real to real; returns how well it went.

    ``inversion`` is the mean absolute error in pixels of [0, 1], ``nearest_sample`` what the best of ``samples`` reaches, and
    ``jump`` the largest step along the paths over the mean step, 1 where images change evenly.
    """
    ends = np.concatenate([targets, targets[:1, :, ::-1]])
    model.eval()
    z = inverted(model, ends, steps)
    strips, jumps = [], []
    for first, last in ((0, 3), (0, 1), (1, 2)):
        between = images_of(model, path(z[first], z[last]))
        strips.append(np.concatenate([ends[first : first + 1], between, ends[last : last + 1]]))
        moves = _distances(between[1:], between[:-1])
        jumps.append(float(moves.max() / max(moves.mean(), 1e-9)))
    keep(folder / "strips.npy", np.stack(strips))
    nearest = [float(_distances(samples, end[None]).min()) for end in ends]
    return {
        "inversion": float(_distances(images_of(model, z), ends).mean()),
        "nearest_sample": float(np.mean(nearest)),
        "jump": float(np.mean(jumps)),
    }


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each pair, pixels in [0, 1]."""
    found: np.ndarray = np.abs(x.astype(np.float32) - y.astype(np.float32)).mean((1, 2, 3)) / 255
    return found
