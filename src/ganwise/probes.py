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
    if (right := named(d)) is not None:
        tensors["accuracy_class"] = right
    names = list(tensors)
    return dict(zip(names, torch.stack([tensors[name].float() for name in names]).tolist(), strict=True))


def named(d: Pass) -> Tensor | None:
    """Share of the batch's labeled real samples whose class the discriminator names; None where it names none."""
    if d.real_out is None or d.real_out.logits is None or d.labels is None or not bool((d.labels >= 0).any()):
        return None
    known = d.labels >= 0
    return (d.real_out.logits.argmax(1)[known] == d.labels[known]).float().mean()


def spread(batch: Tensor) -> Tensor:
    """Mean Euclidean distance between two samples of a batch: near zero when all are alike."""
    return torch.pdist(batch.flatten(1).float()).mean()
