"""The order in which a run sees its data, and where in it a run begins."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganwise.build import GAN
from ganwise.checkpoint import State
from ganwise.data import Dataset
from ganwise.types import Record


class Batches:
    """Endless shuffled batches of the training part, held on the device; the order is a function of seed and position."""

    def __init__(self, values: np.ndarray, labels: np.ndarray, gan: GAN, seed: int) -> None:
        self.values = torch.as_tensor(values, device=gan.device)
        self.labels = torch.as_tensor(labels, device=gan.device)
        self.layout = gan.layout
        self.scaling, self.size = gan.scaling, min(gan.recipe.schedule.batch, len(values))
        self.seed, self.position = seed, 0
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def __next__(self) -> tuple[Tensor, Tensor]:
        per_epoch = len(self.values) // self.size
        epoch, place = divmod(self.position, per_epoch)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed((self.seed << 32) + epoch)
            self._epoch, self._order = epoch, torch.randperm(len(self.values), generator=generator).to(self.values.device)
        rows = self._order[place * self.size : (place + 1) * self.size]
        self.position += 1
        encoded = self.scaling.encode(self.values[rows])
        if encoded.dim() == 4:  # maps as the networks see them, which may be flat where the data is not
            encoded = encoded.contiguous(memory_format=self.layout)
        return encoded, self.labels[rows]


def begin(gan: GAN, data: Dataset, seed: int, start: State | None = None) -> tuple[Batches, Record]:
    """The batches of the training part from where ``gan`` is to go on, and the record of that moment.

    Fresh, it is fitted to the data, and torch's random state is seeded; or it becomes what it was at ``start``.
    """
    batches = Batches(data.part("train"), data.labels[data.split.train], gan, seed)
    if start:
        done = start.restore(gan)
    else:
        done = Record(0, 0, 0.0, {})
        torch.manual_seed(seed)
        gan.fit(batches.values, batches.labels)
    gan.ranks.check(batches.size)
    batches.position = done.images // batches.size
    return batches, done
