"""Seven known spoilings of real images, each at three strengths. Images are ``uint8`` (N, H, W, C) throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

Images = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Material(NamedTuple):
    """What spoilings are made of: real images that nothing else reads, labeled ones to choose classes from, the training set,
    and as many images of another data set."""

    real: Images
    pool: Images
    labels: Ints
    train: Images
    other: Images


def blurred(images: Images, sd: float) -> Images:
    """By a Gaussian of so many pixels, the borders repeated."""
    reach = int(np.ceil(4 * sd))
    line = torch.exp(-(torch.arange(-reach, reach + 1, dtype=torch.float32) ** 2) / (2 * sd**2))
    line = line / line.sum()
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    planes = F.pad(x.flatten(0, 1)[:, None], [reach] * 4, mode="replicate")
    out = F.conv2d(F.conv2d(planes, line[None, None, :, None]), line[None, None, None, :])
    return _bytes(out.view(x.shape).permute(0, 2, 3, 1).numpy())


def noisy(images: Images, sd: float, rng: np.random.Generator) -> Images:
    """Independent Gaussian noise of so much of the range."""
    return _bytes(images + 255 * sd * rng.standard_normal(images.shape, dtype=np.float32))


def shifted(images: Images, share: float) -> Images:
    """Color: red times 1 + share, blue times 1 - share. Gray: paler by that share."""
    gains = np.array([1 + share, 1.0, 1 - share] if images.shape[3] == 3 else [1 - share], np.float32)
    return _bytes(images * gains)


def _bytes(values: npt.NDArray[np.floating]) -> Images:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def without_classes(material: Material, count: int, n: int) -> Images:
    """n images of the classes but the first ``count``."""
    return material.pool[material.labels >= count][:n]


def repeated(material: Material, unique: float, n: int) -> Images:
    """As many different images as that share of n, each equally often."""
    return material.real[np.arange(n) % max(1, round(unique * n))]


def replaced(material: Material, share: float, by: Images, n: int) -> Images:
    """The first share of n images replaced."""
    count = round(share * n)
    return np.concatenate([by[:count], material.real[count:n]])


class Spoiling(NamedTuple):
    """``make`` takes material, strength, n and a generator of random numbers."""

    says: str
    strengths: tuple[float, float, float]
    form: str
    make: Callable[[Material, float, int, np.random.Generator], Images]

    def told(self) -> str:
        return f"{self.says} {', '.join(self.form.format(each) for each in self.strengths)}"


SPOILINGS: Mapping[str, Spoiling] = {
    "blur": Spoiling("Gaussian blur of", (0.5, 0.8, 1.5), "{:g} px", lambda m, s, n, rng: blurred(m.real[:n], s)),
    "noise": Spoiling("Gaussian noise of", (0.02, 0.05, 0.15), "{:g}", lambda m, s, n, rng: noisy(m.real[:n], s, rng)),
    "dropped classes": Spoiling("classes left out:", (2, 5, 8), "{:g} of 10", lambda m, s, n, rng: without_classes(m, int(s), n)),
    "duplicates": Spoiling("different images:", (0.5, 0.1, 0.02), "{:.0%}", lambda m, s, n, rng: repeated(m, s, n)),
    "training copies": Spoiling(
        "copies of training images:", (0.1, 0.3, 1), "{:.0%}", lambda m, s, n, rng: replaced(m, s, m.train, n)
    ),
    "shifted colors": Spoiling("colors shifted by", (0.05, 0.15, 0.4), "{:.0%}", lambda m, s, n, rng: shifted(m.real[:n], s)),
    "mixed in": Spoiling("another data set:", (0.03, 0.1, 0.3), "{:.0%}", lambda m, s, n, rng: replaced(m, s, m.other, n)),
}
