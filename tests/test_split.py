"""The split depends on contents alone, keeps classes in proportion, and never lets copies straddle it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from ganwise.data import Dataset, load
from ganwise.data.split import distinct, quotas, split
from ganwise.metrics import METRICS, ranking_metric
from ganwise.parts import LEAST, TEST_MOST, VALIDATION_MOST, to_train_on
from ganwise.types import Kind

pytestmark = pytest.mark.usefixtures("fresh_cache")
RNG = np.random.default_rng(0)
UNLABELED = -1
FIRST_TEST_ROWS = [1, 2, 5, 9, 14]


def vectors(n: int) -> np.ndarray:
    return RNG.normal(size=(n, 3)).astype(np.float32)


def contents(data: Dataset) -> dict[str, set[bytes]]:
    return {which: {row.tobytes() for row in data.part(which)} for which in ("train", "validation", "test")}


@pytest.mark.parametrize("name", ["digits", "mnist-10k", "ring", "spiral"])
def test_the_parts_are_disjoint_and_cover_everything(name: str) -> None:
    data = load(name)
    assert np.array_equal(np.sort(np.concatenate(data.split)), np.arange(len(data)))
    assert all(np.all(np.diff(part) > 0) and part.dtype == np.int64 for part in data.split)


def test_digits_keep_exactly_360_for_the_test() -> None:
    assert [len(part) for part in load("digits").split] == [1257, 180, 360]


def test_classes_keep_their_proportion_in_each_part() -> None:
    data = load("mnist-10k")
    whole = np.bincount(data.labels) / len(data)
    for part in data.split:
        assert np.abs(np.bincount(data.labels[part]) - whole * len(part)).max() <= 1


def test_shuffling_the_rows_changes_no_part() -> None:
    values, labels = vectors(500), RNG.integers(0, 4, 500)
    order = RNG.permutation(500)
    assert contents(load((values, labels))) == contents(load((values[order], labels[order])))


def test_the_split_is_the_same_in_every_process() -> None:
    values = np.arange(300, dtype=np.float32).reshape(100, 3)
    division = split(values, np.full(100, UNLABELED))
    assert division.test[:5].tolist() == FIRST_TEST_ROWS


def test_copies_never_straddle_two_parts_whatever_their_labels() -> None:
    values = vectors(300)[RNG.integers(0, 300, 1000)]
    data = load((values, RNG.integers(0, 3, 1000)))
    parts = list(contents(data).values())
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert all(len(part) > 10 for part in parts)


def test_every_class_of_ten_has_members_in_each_part() -> None:
    sizes = [10, 11, 2000, 3, 1]
    labels = np.repeat(np.arange(len(sizes)), sizes)
    division = load((vectors(len(labels)), labels)).split
    for part in division:
        assert {0, 1, 2} <= set(labels[part])
    assert {3, 4} <= set(labels[division.train])


def test_test_and_validation_parts_are_capped() -> None:
    assert sum(quotas([70_000] * 10, 0.2, TEST_MOST)) == 10_000
    assert sum(quotas([70_000] * 10, 0.1, VALIDATION_MOST)) == 5_000
    # a rare class still has its member
    assert quotas([1_000_000, 10], 0.2, TEST_MOST)[1] == 1


def test_equal_rows_share_a_number_and_others_do_not() -> None:
    values = vectors(50)[np.arange(200) % 50]
    number, n_distinct = distinct(values)
    assert n_distinct == 50
    assert np.array_equal(number[:50], number[150:])


def test_the_user_s_test_part_is_respected_and_validation_comes_from_training(tmp_path: Path) -> None:
    train, test = vectors(200), vectors(50)
    np.savez(tmp_path / "a.npz", x_train=train, x_test=test, y_train=np.arange(200) % 2, y_test=np.arange(50) % 2)
    data = load(tmp_path / "a.npz")
    assert [len(part) for part in data.split] == [175, 25, 50]
    assert contents(data)["test"] == {row.tobytes() for row in test}


def test_the_user_s_validation_part_is_respected_and_the_test_comes_from_training(tmp_path: Path) -> None:
    train, validation = vectors(200), vectors(50)
    np.savez(tmp_path / "a.npz", train_images=train, val_images=validation)
    data = load(tmp_path / "a.npz")
    assert [len(part) for part in data.split] == [160, 50, 40]
    assert contents(data)["validation"] == {row.tobytes() for row in validation}


def test_folders_named_train_val_and_test_are_the_user_s_split(tmp_path: Path) -> None:
    for part, n in (("train", 60), ("val", 20), ("test", 10)):
        for name in ("cat", "dog"):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for i in range(n):
                Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    data = load(tmp_path / "pets")
    assert data.classes == ("cat", "dog")
    assert [np.bincount(data.labels[part]).tolist() for part in data.split] == [[60, 60], [20, 20], [10, 10]]


def test_classes_too_small_for_every_part_are_split_as_one() -> None:
    values = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    division = split(values, np.arange(300, dtype=np.int64))
    assert [len(part) for part in division] == [210, 30, 60]


@pytest.mark.parametrize("n", [125, 130, 200, 240])
@pytest.mark.parametrize("classes", [1, 3, 10, 40])
def test_few_samples_still_give_validation_and_test_enough_to_rank_by(n: int, classes: int) -> None:
    division = split(vectors(n), np.arange(n, dtype=np.int64) % classes)
    assert min(len(division.validation), len(division.test)) >= LEAST
    assert len(division.train) >= n / 2


def test_enough_to_rank_by_is_what_the_ranking_metrics_need() -> None:
    assert {METRICS[ranking_metric(kind)].least for kind in get_args(Kind)} == {LEAST}


@pytest.mark.parametrize("n", [10, 64, 124, 125, 249, 250, 251, 1_797, 60_000])
def test_how_many_are_left_for_training_is_known_before_there_are_data(n: int) -> None:
    parts = split(np.arange(n, dtype=np.float32)[:, None], np.full(n, -1))
    assert to_train_on(n) == len(parts.train)


def test_classes_that_keep_their_samples_for_training_let_the_others_give_more() -> None:
    labels = np.concatenate([np.arange(60) // 2, np.full(70, 99)]).astype(np.int64)
    division = split(vectors(130), labels)
    assert min(len(division.validation), len(division.test)) >= LEAST
    assert (labels[division.train] < 99).sum() == 60


def test_the_split_of_more_than_250_samples_is_what_it_always_was() -> None:
    values = np.arange(753, dtype=np.float32).reshape(251, 3)
    division = split(values, np.arange(251, dtype=np.int64) % 2)
    assert [len(part) for part in division] == [174, 26, 51]
    assert division.test[:5].tolist() == [1, 2, 9, 14, 17]
    assert division.validation[:5].tolist() == [5, 11, 21, 22, 24]


def test_too_few_samples_to_rank_by_keep_their_shares() -> None:
    assert [len(part) for part in split(vectors(124), np.full(124, UNLABELED))] == [86, 13, 25]
