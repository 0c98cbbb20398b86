"""Samples as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganwise import pictures


def test_a_grid_shows_every_tile_with_gaps_of_paper_between() -> None:
    images = np.full((5, 32, 32, 3), 10, np.uint8)
    sheet = np.asarray(pictures.grid(images))
    tiles = (sheet == 10).all(-1)
    assert tiles.sum() == 5 * 32 * 32
    assert tuple(sheet[0, 0]) == pictures.PAPER
    assert not tiles.all(0).any()


def test_small_images_are_enlarged_without_blur() -> None:
    image = np.random.default_rng(0).integers(0, 2, (1, 8, 8, 1)).astype(np.uint8) * 255
    sheet = np.asarray(pictures.grid(image).convert("L"))
    tile = sheet[4:36, 4:36]
    assert (tile[::4, ::4] == image[0, :, :, 0]).all()
    assert set(np.unique(tile)) <= {0, 255}


def test_each_class_has_a_row_of_its_own() -> None:
    labels = np.array([4, 2, 4, 4])
    images = np.stack([np.full((32, 32, 1), 10 * label, np.uint8) for label in labels])
    sheet = np.asarray(pictures.by_class(images, labels).convert("L"))
    assert sheet.shape == (2 * 36 + 4, 3 * 36 + 4)
    assert [(sheet[4:36] == 20).sum(), (sheet[40:72] == 40).sum()] == [32 * 32, 3 * 32 * 32]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_either_kind_become_rgb(channels: int) -> None:
    assert pictures.picture(np.zeros((4, 16, 16, channels), np.uint8)).mode == "RGB"


@pytest.mark.parametrize("columns", [1, 2, 7])
def test_points_are_drawn_on_the_scale_of_the_real_ones(columns: int) -> None:
    real = np.random.default_rng(0).normal(size=(200, columns)).astype(np.float32)
    far = real + 1e6
    assert (np.asarray(pictures.picture(real, real)) != pictures.PAPER).any()
    assert (np.asarray(pictures.picture(far, real)) == pictures.PAPER).all()


def test_points_that_are_not_finite_are_left_out() -> None:
    real = np.zeros((3, 2), np.float32)
    fake = np.array([[np.nan, 0], [np.inf, 1], [0, -np.inf]], np.float32)
    assert (np.asarray(pictures.picture(fake, real)) == pictures.PAPER).all()


def test_a_saved_picture_is_a_png(tmp_path: Path) -> None:
    pictures.save(pictures.picture(np.zeros((1, 8, 8, 1), np.uint8)), tmp_path / "deep" / "a.png")
    with Image.open(tmp_path / "deep" / "a.png") as image:
        assert image.format == "PNG"
