"""Which mode each sample belongs to: by known centers, or by a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ganwise.data import Dataset, toy_modes
from ganwise.features import Array, Extractor, Floats
from ganwise.metrics import classified, nearest_mode
from ganwise.metrics.modes import WITHIN
from ganwise.types import Unusable


class Modes(Protocol):
    """Modes that are known. ``shares`` (K,) is how much of the data each has."""

    @property
    def shares(self) -> Floats: ...

    @property
    def name(self) -> str:
        """As in ``Score.features``."""

    @property
    def rule(self) -> str:
        """As in ``Score.protocol``."""

    def __call__(self, values: Array, /) -> npt.NDArray[np.int64]:
        """Rows (mode, whether the sample lies there) ``(N, 2)``."""


@dataclass(frozen=True, eq=False)
class Centers:
    """Modes of a toy: Gaussians about ``centers`` (K, D), alike in size."""

    centers: Floats
    sd: float
    shares: Floats
    name: str = "known centers"

    @property
    def rule(self) -> str:
        return f"{len(self.centers)} modes, found by 1 sample within {WITHIN:g} sd of {self.sd:g}, divergence from equal shares"

    def __call__(self, values: Array, /) -> npt.NDArray[np.int64]:
        return nearest_mode(values, self.centers, self.sd)


@dataclass(frozen=True, eq=False)
class Classes:
    """Modes that are a classifier's classes."""

    classifier: Extractor
    shares: Floats
    told: str

    @property
    def name(self) -> str:
        return self.classifier.name

    @property
    def rule(self) -> str:
        return f"{len(self.shares)} classes, found by 1 sample, divergence from {self.told} shares"

    def __call__(self, values: Array, /) -> npt.NDArray[np.int64]:
        return classified(self.classifier(values))


def modes_of(dataset: Dataset, classifier: Extractor | None = None) -> Modes | None:
    """The modes of a built-in toy; else the classes of a classifier, if there is one.

    Shares of classes are those of the training part's labels, where they are as many; else the modes are taken as equal.
    """
    if dataset.kind == "vector" and dataset.name == dataset.source:
        try:
            centers, sd = toy_modes(dataset.source)
        except Unusable:
            return None
        return Centers(centers, sd, np.ones(len(centers), np.float32))
    if classifier is None:
        return None
    count = classifier(dataset.values[:1]).shape[1]
    labels = dataset.labels[dataset.split.train]
    held = np.bincount(labels[labels >= 0], minlength=count).astype(np.float32)
    if len(dataset.classes) == count == len(held) and held.min() > 0:
        return Classes(classifier, held / held.sum(), "the training part's")
    return Classes(classifier, np.full(count, 1 / count, np.float32), "equal")


class PerChannel:
    """A classifier of images whose channels are images of their own, such as StackedMNIST's three digits.

    The logits of a combination of classes ``(N, K^C)`` are the sums of the channels', the first channel's class leading.
    """

    def __init__(self, classifier: Extractor) -> None:
        self.classifier = classifier

    @property
    def name(self) -> str:
        return f"{self.classifier.name} per channel"

    @property
    def fingerprint(self) -> str:
        return f"per-channel/{self.classifier.fingerprint}"

    def __call__(self, values: Array, /) -> Floats:
        """Logits of ``uint8`` images ``(N, H, W, C)``."""
        joint = np.zeros((len(values), 1), np.float32)
        for channel in range(values.shape[3]):
            logits = self.classifier(values[..., channel : channel + 1])
            joint = (joint[:, :, None] + logits[:, None]).reshape(len(values), -1)
        return joint
