"""From tensors to numbers: what a record tells the doctor. Probes draw no random numbers and change nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwise.build import GAN
from ganwise.objective import Pass, Signals


def read(gan: GAN, d: Pass, g: Pass, signals: Signals) -> dict[str, float]:
    """Losses, gradient norms, scores, accuracies and the spread of fakes, from tensors that the step left behind."""
    real, fake = d.realness
    tensors = dict(signals)
    tensors["score_real"], tensors["score_fake"] = d.r.mean(), d.f.mean()
    tensors["accuracy_real"], tensors["accuracy_fake"] = (real > 0).float().mean(), (fake < 0).float().mean()
    tensors["spread"] = spread(g.fake) / spread(d.real)
    names = list(tensors)
    return dict(zip(names, torch.stack([tensors[name].float() for name in names]).tolist(), strict=True))


def spread(batch: Tensor) -> Tensor:
    """Mean Euclidean distance between two samples of a batch: near zero when all are alike."""
    return torch.pdist(batch.flatten(1).float()).mean()
