"""Samples as points: what fakes are compared with through a whole run, and how sets of points lie among each other."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

SIDE = 8
"""Pixels on a side that images are averaged to before they are compared: blind to noise and to sharp edges, and quick."""
K = 5
"""Neighbors of coverage, precision and recall, as in the metrics of these names."""


class Reference:
    """Real samples as points: ``real`` (n, D) to lie among, ``train`` (m, D) to be near to, ``held`` (h, D) not trained on.

    ``labels`` (m,) are those of ``train``, -1 unknown, or None where all are.
    """

    def __init__(self, real: Tensor, train: Tensor, held: Tensor | None = None, labels: Tensor | None = None) -> None:
        self.real, self.train, self.held = real, train, held
        self.labels = labels if labels is not None and bool((labels >= 0).any()) else None

    @cached_property
    def reach(self) -> Tensor:
        """Distance of each real point to its ``K``-th neighbor, (n,)."""
        return neighbor(self.real, K)

    @cached_property
    def spread(self) -> Tensor:
        return spread(self.real)

    @cached_property
    def usual(self) -> tuple[Tensor, Tensor]:
        """Median distance of a held-out sample to its nearest training sample, and to its nearest other held-out one."""
        assert self.held is not None
        return torch.cdist(self.held, self.train).amin(1).median(), neighbor(self.held, 1).median()


def pooled(x: Tensor) -> Tensor:
    """Samples as points (B, D): images averaged to at most 8 x 8 pixels, vectors as they are."""
    x = x.detach().float()
    if x.dim() == 4 and max(x.shape[2:]) > SIDE:
        x = adaptive_avg_pool2d(x, (min(SIDE, x.shape[2]), min(SIDE, x.shape[3])))
    return x.flatten(1)


def spread(batch: Tensor) -> Tensor:
    """Mean Euclidean distance between two samples of a batch: near zero when all are alike."""
    return torch.pdist(batch.flatten(1).float()).mean()


def neighbor(points: Tensor, k: int) -> Tensor:
    """Distance of each point to its k-th nearest other one, (n,)."""
    distances: Tensor = torch.cdist(points, points).kthvalue(min(k + 1, len(points)), dim=1).values
    return distances


def effective(labels: Tensor) -> Tensor:
    """Effective number of classes among known labels: exp of the entropy of their shares."""
    known = labels[labels >= 0]
    number: Tensor = torch.special.entr(torch.bincount(known).float() / max(len(known), 1)).sum().exp()
    return number
