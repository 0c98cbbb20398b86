"""The inception score, of any classifier's logits."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganwise.metrics.estimate import Array, Estimate, around, tensors

SPLITS = 10
LEAST = 100


def inception_score(logits: Array, splits: int = SPLITS) -> Estimate:
    """Mean over splits of ``exp(mean_x KL(p(y|x) || p(y)))``, p(y) the mean of p(y|x) within the split.

    Logits ``(N, K)`` of fakes, split in their order into ``splits`` parts as even as can be. From 1 to K. It sees whether the
    classifier is sure and whether classes vary, never the real data: one perfect image of each class has the highest score.
    Biased downwards at few samples a class; compare under one classifier, N and number of splits only.

    The interval is the delta method's: that p(y) is estimated, too, has no first-order effect. `inception_splits` has the
    spread between splits, which papers print behind the sign ±.

    Source: salimans2016improved, section 4.
    """
    each, errors = _splits(logits, splits)
    return around(float(each.mean()), sqrt(float(np.square(errors).sum())) / splits, least=1.0)


def inception_splits(logits: Array, splits: int = SPLITS) -> npt.NDArray[np.float64]:
    """The score of each split, shape (splits,): papers print ``mean() ± std()``."""
    return _splits(logits, splits)[0]


def _splits(logits: Array, splits: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Score and standard error of each split."""
    (rows,) = tensors(LEAST, fake=logits)
    found = [_one(part) for part in rows.log_softmax(1).tensor_split(splits)]
    return np.array([value for value, _ in found]), np.array([error for _, error in found])


def _one(log_p: Tensor) -> tuple[float, float]:
    marginal = log_p.logsumexp(0) - np.log(len(log_p))
    # a class that no sample may have: 0 log 0 is 0
    divergence = torch.where(log_p > -torch.inf, log_p.exp() * (log_p - marginal), 0.0).sum(1)
    score = max(float(divergence.mean().exp()), 1.0)  # rounding may take it below what no distribution has
    return score, score * sqrt(float(divergence.var()) / len(log_p))
