"""Whether losses and gradients are still numbers, asked without waiting for the device at each step."""

from __future__ import annotations

from math import isfinite

import torch

from ganwise.objective import Signals
from ganwise.types import Record

LOOK = 10
"""Steps of which losses and gradients are read together: each reading waits until the device has come so far."""
WATCHED = ("loss_d", "loss_g", "grad_d", "grad_g")
"""What is not a number here has spoiled the weights, or comes of spoiled ones. Weights themselves are not walked over."""


class Alarm:
    """Keeps the signals of the last steps where they are, on the device, until they are looked at."""

    def __init__(self) -> None:
        self._unread: list[tuple[int, int, Signals]] = []

    def note(self, step: int, images: int, signals: Signals) -> None:
        """The signals after ``step``, which has come through so many images."""
        self._unread.append((step, images, signals))

    def look(self, now: bool) -> Record | None:
        """The first step whose losses or gradients are not finite, with its signals; asked each `LOOK` steps, or ``now``."""
        if not now and len(self._unread) < LOOK:
            return None
        unread, self._unread = self._unread, []
        watched = [signals[name].float() for _, _, signals in unread for name in WATCHED if name in signals]
        if bool(torch.stack(watched).isfinite().all()):
            return None
        for step, images, signals in unread:
            told = {name: float(value) for name, value in signals.items()}
            if not all(isfinite(told[name]) for name in WATCHED if name in told):
                return Record(step, images, 0.0, told)
        return None
