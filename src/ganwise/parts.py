"""How large the parts of the data are: known before there are data, and without loading an array library."""

from __future__ import annotations

from math import ceil

TEST_SHARE, TEST_MOST = 0.2, 10_000
VALIDATION_SHARE, VALIDATION_MOST = 0.1, 5_000
LEAST, AWAY_AT_MOST, SMALL = 25, 0.4, 250
"""Samples below which a part has no ranking metric. Validation and test get them where their shares are less and not more than so
much of all is taken from training, which 125 samples allow. Above 250 samples splits stay what published results rest on."""


def to_train_on(n: int) -> int:
    """How many of ``n`` different samples of one class are left for training; more classes and copies move it by a few."""
    least = LEAST if n <= SMALL and 2 * LEAST <= AWAY_AT_MOST * n else 0
    test = max(min(ceil(TEST_SHARE * n), TEST_MOST), least)
    validation = max(min(ceil(VALIDATION_SHARE * n), VALIDATION_MOST), least)
    return max(n - test - validation, 1)
