"""The picture that shows whether samples are copies: each above the training image that is nearest to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ganwise import model, pictures
from ganwise.artifacts import RunDirectory
from ganwise.data import Dataset
from ganwise.metrics.estimate import distance_blocks
from ganwise.study.trial import SCORE_SEED

SHOWN, COLUMNS = 16, 8
NAME = "neighbors.png"
PIECE = 5000


def nearest(samples: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The row of ``among`` (m, ...) nearest to each of ``samples`` (n, ...), by Euclidean distance: indices (n,)."""
    x = torch.from_numpy(samples.reshape(len(samples), -1).astype(np.float64))
    least = torch.full((len(x),), torch.inf, dtype=torch.float64)
    found = torch.zeros(len(x), dtype=torch.long)
    for i in range(0, len(among), PIECE):
        piece = torch.from_numpy(np.asarray(among[i : i + PIECE]).reshape(-1, x.shape[1]).astype(np.float64))
        for rows, d2 in distance_blocks(x, piece):
            distance, place = d2.double().min(1)
            closer = distance < least[rows]
            least[rows] = torch.where(closer, distance, least[rows])
            found[rows] = torch.where(closer, place + i, found[rows])
    rows_found: np.ndarray = found.numpy()
    return rows_found


def draw(run: RunDirectory, data: Dataset, out: Path) -> Path | None:
    """Writes `neighbors.png` into ``out``: rows of the run's first samples, below each row the training images; images only.

    Pixels are compared, as `metrics.neighbors.memorization` does.
    """
    if data.kind != "image":
        return None
    fakes = model.load(run.model).sample(SHOWN, SCORE_SEED)
    train = data.part("train")
    near = np.asarray(train[nearest(fakes, train)])
    rows = [side[i : i + COLUMNS] for i in range(0, SHOWN, COLUMNS) for side in (fakes, near)]
    pictures.save(pictures.grid(np.concatenate(rows), COLUMNS), out / NAME)
    return out / NAME
