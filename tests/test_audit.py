"""The audit finds what was planted, and a second audit only looks it up."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from data_cases import RNG, noise
from PIL import Image

from ganwise.audit import audit, audit_source
from ganwise.data import cache_folder, load
from ganwise.types import Audit, Unusable

pytestmark = pytest.mark.usefixtures("fresh_cache")


def smooth(n: int, side: int = 32) -> np.ndarray:
    """Gray images with structure: small noise, enlarged."""
    small = (Image.fromarray(array) for array in noise(n, 4, 4))
    return np.stack([np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)) for image in small])


def said(result: Audit, text: str) -> bool:
    return any(text in problem.what for problem in result.problems)


def test_facts_of_the_digits() -> None:
    facts = audit(load("digits")).facts
    expected = {
        "kind": "image", "channels": 1, "side": 8, "dimensions": 64, "n": 1797, "n_train": 1257, "n_validation": 180,
        "n_test": 360, "labels": "all", "labeled_share": 1.0, "n_classes": 10, "balanced": True, "value_min": 0.0,
        "value_max": 255.0, "exact_duplicates": 0, "near_duplicates": 0.0, "corrupt_files": 0, "colorful": False,
        "domain": "many", "single_domain": False, "mixed_sizes": False, "resized": False, "cropped": False,
    }  # fmt: skip
    assert {name: facts[name] for name in expected} == expected
    # Facco et al. 2017 and others place handwritten digits between 8 and 15
    assert 7 < facts["intrinsic_dimension"] < 11


def test_facts_are_primitives_and_survive_json() -> None:
    for name in ("digits", "ring"):
        facts = dict(audit(load(name)).facts)
        assert all(type(value) in (bool, int, float, str) for value in facts.values())
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_images_and_vectors_have_the_same_facts_and_tables_a_few_more() -> None:
    image, vector = audit(load("digits")).facts.keys(), audit(load("ring")).facts.keys()
    assert image <= vector
    assert vector - image == {"constant_columns", "discrete_columns", "scale_ratio"}


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_the_intrinsic_dimension_of_an_embedded_gaussian_is_found(dimension: int) -> None:
    values = RNG.normal(size=(2000, dimension)) @ RNG.normal(size=(dimension, 50))
    assert audit(load(values)).facts["intrinsic_dimension"] == pytest.approx(dimension, rel=0.2)


def test_planted_copies_are_counted() -> None:
    images = smooth(500)
    facts = audit(load(np.concatenate([images, images[:50]])))
    assert (facts.facts["exact_duplicates"], facts.facts["near_duplicates"]) == (50, 0.0)
    assert facts.facts["exact_duplicate_share"] == pytest.approx(50 / 550, rel=1e-5)
    assert said(facts, "exact copies")


def test_images_saved_again_as_jpeg_are_near_duplicates() -> None:
    images = smooth(400)

    def again(array: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(array).save(file, "JPEG", quality=75)
        return np.asarray(Image.open(file))

    result = audit(load(np.concatenate([images, [again(array) for array in images[:200]]])))
    # both of a pair must lie in the training part, 7 in 10, to be seen
    assert 0.3 < result.facts["near_duplicates"] < 0.6
    assert result.facts["exact_duplicates"] == 0
    assert said(result, "nearly equal")


def test_near_duplicate_rows_of_a_table_are_found() -> None:
    values = RNG.normal(size=(600, 8))
    clean, planted = audit(load(values)), audit(load(np.concatenate([values, values[:200] + 1e-5])))
    assert clean.facts["near_duplicates"] == 0
    assert 0.2 < planted.facts["near_duplicates"] < 0.5


def test_copies_between_the_user_s_parts_are_reported(tmp_path: Path) -> None:
    images = noise(200, 8, 8)
    np.savez(tmp_path / "a.npz", x_train=images, x_test=np.concatenate([images[:7], noise(43, 8, 8)]))
    result = audit(load(tmp_path / "a.npz"))
    assert result.facts["leaked_duplicates"] == 7
    assert said(result, "also in your training part")


def test_padding_is_measured_and_reported() -> None:
    images = np.zeros((200, 32, 32, 1), np.uint8)
    images[:, 4:28, 2:30] = noise(200, 24, 28, 1)
    result = audit(load(images))
    assert result.facts["padding_share"] == pytest.approx((4 + 4 + 2 + 2) / 64)
    assert result.facts["constant_pixel_share"] == pytest.approx(1 - 24 * 28 / 32**2, rel=1e-5)
    assert result.facts["background_share"] == pytest.approx(1 - 24 * 28 / 32**2, abs=0.01)
    assert said(result, "empty border")


def test_constant_images_are_counted() -> None:
    images = noise(200, 8, 8, 3)
    images[::10] = np.arange(20, dtype=np.uint8)[:, None, None, None]
    result = audit(load(images))
    in_training = int((images[load(images).split.train] == images[load(images).split.train][:, :1, :1]).all((1, 2, 3)).sum())
    assert result.facts["constant_images"] == in_training > 5
    assert said(result, "one color only")


def test_color_is_told_from_gray_in_three_channels() -> None:
    gray = np.repeat(noise(100, 8, 8, 1), 3, axis=3)
    gray[:, 0, 0, 0] ^= 1
    assert audit(load(noise(100, 8, 8, 3))).facts["colorful"] is True
    assert audit(load(gray)).facts["colorful"] is False


def test_class_imbalance_and_rare_classes_are_reported() -> None:
    labels = np.repeat([0, 1, 2], [500, 60, 5])
    result = audit(load((noise(565, 8, 8), labels)))
    facts = result.facts
    assert (facts["n_classes"], facts["balanced"], facts["labels"]) == (3, False, "all")
    assert facts["largest_class_share"] == pytest.approx(500 / 565, rel=1e-5)
    assert said(result, "out of balance")
    assert said(result, "fewer than 10 samples: 2")


@pytest.mark.parametrize(
    ("labels", "kind", "domain"),
    [([-1] * 100, "none", "unknown"), ([0] * 100, "all", "single"), ([0, 1] * 20 + [-1] * 60, "few", "many")],
)
def test_labels_and_domain(labels: list[int], kind: str, domain: str) -> None:
    facts = audit(load((noise(100, 8, 8), np.array(labels)))).facts
    assert (facts["labels"], facts["domain"]) == (kind, domain)


def test_a_single_sample_without_a_label_is_named() -> None:
    labels = np.arange(100) % 2
    assert not said(audit(load((noise(100, 8, 8), labels))), "without a label")
    labels[7] = -1
    assert said(audit(load((noise(100, 8, 8), labels))), "1 of 100 samples without a label")


def test_near_duplicates_are_not_sought_in_a_single_column() -> None:
    one = audit(load(RNG.normal(size=(500, 1))))
    assert one.facts["near_duplicates"] == 0
    assert not said(one, "nearly equal")


def test_troubles_of_a_table_are_reported() -> None:
    values = RNG.normal(size=(200, 4)) * [1, 1000, 0, 1]
    values[:, 3] = np.arange(200) % 3
    result = audit(load(values))
    assert (result.facts["constant_columns"], result.facts["discrete_columns"]) == (1, 1)
    assert result.facts["scale_ratio"] == pytest.approx(1200, rel=0.3)
    assert all(said(result, text) for text in ("never change", "differ in scale", "10 values or fewer"))


def test_data_of_one_value_are_reported_and_do_no_harm() -> None:
    result = audit(load(np.zeros((100, 8, 8), np.uint8)))
    assert result.facts["exact_duplicates"] == 99
    assert result.facts["intrinsic_dimension"] == 0
    assert said(result, "hardly differ")


def picture_folder(where: Path) -> Path:
    where.mkdir()
    for i, array in enumerate(smooth(100)):
        Image.fromarray(array).save(where / f"{i:03d}.png")
    (where / "broken.png").write_bytes(b"broken")
    return where


def test_a_second_audit_of_a_source_decodes_nothing(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "a")
    first = audit_source(folder)
    for file in folder.iterdir():
        # other bytes, but the same size and time: who decodes would fail
        status = file.stat()
        file.write_bytes(b"x" * status.st_size)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert audit_source(folder) == first
    os.utime(folder / "000.png", ns=(1, 1))
    with pytest.raises(Unusable, match="none of the 101 images can be read"):
        audit_source(folder)


def test_strict_refuses_corrupt_files_also_from_the_cache(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "a")
    assert audit_source(folder).facts["corrupt_files"] == 1
    with pytest.raises(Unusable, match=r"broken\.png"):
        audit_source(folder, strict=True)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", None])
def test_damaged_facts_are_measured_again(content: bytes | None) -> None:
    first = audit_source("digits")
    (file,) = cache_folder().glob("contents/*/facts.json")
    file.write_bytes(file.read_bytes().replace(b"0.4", b"0.9") if content is None else content)
    assert audit_source("digits") == first


def test_a_known_source_is_audited_in_a_blink() -> None:
    audit_source("mnist-10k")
    start = time.perf_counter()
    audit_source("mnist-10k")
    assert time.perf_counter() - start < 0.2
