"""Train, validation and test, chosen by a hash of the content.

A sample's part depends on nothing but its own bytes and those of its class: neither on the order of the files nor on a seed.
Equal samples always fall into one part, so no test image was ever trained on. Where their shares of few samples
would be too small to rank by, validation and test get 25.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt

from ganwise.data.dataset import Array, Index, Split, raw
from ganwise.parts import AWAY_AT_MOST, LEAST, SMALL, TEST_MOST, TEST_SHARE, VALIDATION_MOST, VALIDATION_SHARE

TRAIN, VALIDATION, TEST = 0, 1, 2
_ENOUGH_FOR_ALL = 10


def distinct(values: Array) -> tuple[Index, int]:
    """A number for each row, shared by equal rows and ascending with the hash of the content; and how many there are."""
    digests = np.frombuffer(b"".join(hashlib.blake2b(raw(row), digest_size=16).digest() for row in values), dtype=">u8").reshape(
        -1, 2
    )
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    changes = np.any(digests[order[1:]] != digests[order[:-1]], axis=1)
    number = np.empty(len(values), np.int64)
    number[order] = np.concatenate([[0], np.cumsum(changes)])
    return number, int(number.max()) + 1


def quotas(sizes: Sequence[int], share: float, most: int, least: int = 0) -> list[int]:
    """How many of each class go into a part: the shares by largest remainder, at least 1 of a class of 10 or more.

    What small classes keep for training the others give where a part would have less than ``least``.
    """
    total = sum(sizes)
    target = max(min(ceil(share * total), most), least)
    while sum(counts := _apportioned(sizes, target)) < least and target < total:
        target += 1
    return counts


def _apportioned(sizes: Sequence[int], target: int) -> list[int]:
    total = sum(sizes)
    exact = [target * size / total for size in sizes]
    counts = [int(part) for part in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda c: (counts[c] - exact[c], -sizes[c], c))
    for c in by_remainder[: target - sum(counts)]:
        counts[c] += 1
    # a class of one or two samples is worth more to training than to a score
    return [max(count, 1) if size >= _ENOUGH_FOR_ALL else min(count, size // 3)
            for count, size in zip(counts, sizes, strict=True)]  # fmt: skip


def split(values: Array, labels: Index, parts: npt.NDArray[np.int8] | None = None) -> Split:
    """Split rows by class; where ``parts`` is the user's own split, only what it lacks is carved from its training rows."""
    number, n_distinct = distinct(values)
    part_of_row = np.zeros(len(values), np.int8) if parts is None else parts.copy()
    wanted = [part for part in (TEST, VALIDATION) if not np.any(part_of_row == part)]
    # equal samples may carry different labels: the group goes by one of them, or it would straddle two parts
    label = np.full(n_distinct, -1, np.int64)
    np.maximum.at(label, number, labels)
    free = np.zeros(n_distinct, bool)
    free[number[part_of_row == TRAIN]] = True
    # what the user also has elsewhere stays in training, where the audit reports it
    free[number[part_of_row != TRAIN]] = False
    part_of_group = np.full(n_distinct, TRAIN, np.int8)
    classes = [np.flatnonzero(free & (label == c)) for c in np.unique(label[free])]
    _assign(part_of_group, _strata(classes), wanted)
    few = [part for part in wanted if int((part_of_group[number] == part).sum()) < LEAST]
    if few and len(values) <= SMALL and LEAST * len(wanted) <= AWAY_AT_MOST * int(free.sum()):
        part_of_group[:] = TRAIN
        _assign(part_of_group, _strata(classes), wanted, few)
    moved = (part_of_row == TRAIN) & (part_of_group[number] != TRAIN)
    part_of_row[moved] = part_of_group[number[moved]]
    return Split(*(np.flatnonzero(part_of_row == part).astype(np.int64) for part in (TRAIN, VALIDATION, TEST)))


def _strata(classes: list[Index]) -> list[Index]:
    """The classes; in one, where most samples are of classes too small to be in every part."""
    small = sum(len(members) for members in classes if len(members) < _ENOUGH_FOR_ALL)
    return classes if 2 * small <= sum(map(len, classes)) else [np.sort(np.concatenate(classes))]


def _assign(part_of_group: npt.NDArray[np.int8], classes: list[Index], wanted: list[int], few: Sequence[int] = ()) -> None:
    """Give the first groups of each class, in the order of their hashes, to the parts wanted; at least `LEAST` to ``few``."""
    limits = {TEST: (TEST_SHARE, TEST_MOST), VALIDATION: (VALIDATION_SHARE, VALIDATION_MOST)}
    sizes = [len(members) for members in classes]
    taken = [0] * len(classes)
    for part in wanted:
        for c, count in enumerate(quotas(sizes, *limits[part], least=LEAST if part in few else 0)):
            part_of_group[classes[c][taken[c] : taken[c] + count]] = part
            taken[c] += count


def leaked(number: Index, division: Split) -> int:
    """How many validation and test rows equal a training row; ``number`` is from ``distinct``. Not 0 only in a user's split."""
    trained = np.zeros(int(number.max()) + 1, bool)
    trained[number[division.train]] = True
    return int(trained[number[np.concatenate([division.validation, division.test])]].sum())
