"""The picture of nearest training images finds copies."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from ganwise import catalog, model
from ganwise.artifacts import RunDirectory
from ganwise.build import build
from ganwise.data import load
from ganwise.study.neighbors import COLUMNS, SHOWN, draw, nearest
from ganwise.study.trial import SCORE_SEED


def test_the_nearest_is_found() -> None:
    draws = np.random.default_rng(0)
    among = draws.normal(size=(57, 3, 2))
    samples = among[[50, 3, 17]] + draws.normal(size=(3, 3, 2)) * 1e-3
    assert nearest(samples, among).tolist() == [50, 3, 17]
    flat = ((samples[:, None] - among[None]) ** 2).sum((2, 3)).argmin(1)
    assert nearest(samples, among).tolist() == flat.tolist()


def test_a_generator_whose_samples_are_training_images_shows_them_twice(tmp_path: Path) -> None:
    data, run = load("digits"), RunDirectory(tmp_path)
    gan = build(catalog.named("gan"), data.shape, seed=0)
    model.save(model.Model(gan, data.classes), run.model)
    fakes = model.load(run.model).sample(SHOWN, SCORE_SEED)
    values = data.values.copy()
    values[data.split.train[:SHOWN]] = fakes
    path = draw(run, dataclasses.replace(data, values=values), tmp_path)
    assert path is not None
    picture = np.asarray(Image.open(path))
    tile = (picture.shape[1] - 4) // COLUMNS
    rows = [picture[4 + i * tile : 4 + i * tile + 32] for i in range(4)]
    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[2], rows[3])
    assert not np.array_equal(rows[0], rows[2])


def test_points_have_no_such_picture(tmp_path: Path) -> None:
    assert draw(RunDirectory(tmp_path), load("ring"), tmp_path) is None
