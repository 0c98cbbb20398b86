"""The data of the experiments, divided as their texts divide them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ganwise.data import Dataset, Split, content_hash, load
from ganwise.types import Unusable


def divided(data: Dataset, train: int, validation: int, test: int, first_test: int) -> Dataset:
    """``data`` with its first ``train`` rows for training, the next for validation, and ``test`` rows from ``first_test``."""
    if len(data) < first_test + test:
        raise Unusable(f"{data.source}: {len(data)} samples; this experiment needs {first_test + test}")
    split = Split(np.arange(train), np.arange(train, train + validation), np.arange(first_test, first_test + test))
    return replace(data, split=split, content=content_hash(data.values, data.labels, split))


def mnist_of_2014(source: str, side: int = 28) -> Dataset:
    """MNIST as the 2014 configuration has it: train[:50000], train[50000:60000] for validation, the test set of 10,000.

    Raises:
        Unusable: The source does not hold 60,000 + 10,000 images of 28 x 28, which are reduced to ``side`` pixels.
    """
    data = load(source, size=None if side == 28 else side)
    if data.shape != (1, side, side) or len(data) != 70_000:
        raise Unusable(f"{source}: not MNIST: {len(data)} samples of {data.shape}; expected 60,000 and 10,000 of (1, 28, 28)")
    return divided(data, 50_000, 10_000, 10_000, 60_000)


def small_mnist(side: int = 28) -> Dataset:
    """The built-in 10,000 images, divided alike: 8,000, 1,000 and 1,000."""
    return divided(load("mnist-10k", size=None if side == 28 else side), 8_000, 1_000, 1_000, 9_000)


def colored_digits(n: int) -> Dataset:
    """``n`` color images of 32x32, a built-in digit in each channel: a stand-in where the user's images are not at hand."""
    digits = load("mnist-10k").values[: 3 * n, :, :, 0].reshape(n, 3, 28, 28).transpose(0, 2, 3, 1)
    return load(np.pad(digits, ((0, 0), (2, 2), (2, 2), (0, 0))))


def mixture(weights: Sequence[float], means: Sequence[float], deviations: Sequence[float], n: int, seed: int) -> Dataset:
    """``n`` samples of a mixture of Gaussians on a line, (n, 1), all of them for training."""
    rng = np.random.default_rng(seed)
    of = rng.choice(len(weights), n, p=weights)
    values = rng.normal(np.array(means)[of], np.array(deviations)[of]).astype(np.float32)[:, None]
    return divided(load(values, name="mixture"), n, 0, 0, n)
