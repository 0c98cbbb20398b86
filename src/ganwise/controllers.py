"""Controllers: parts that read the signals of a step and steer the training, and minimize nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwise.objective import Part, Pass, Signals
from ganwise.types import Unusable


class Plateau(Part):
    """Multiplies the learning rates by ``factor`` when a signal's mean over ``window`` steps is not below the window before.

    Source: berthelot2017began, section 4.1 (halving when M_global stalls); kim2017beganpytorch for comparing windows of means,
    with their tolerance of 1e-4.
    """

    TOLERANCE = 1e-4

    def __init__(self, signal: str, window: int, factor: float = 0.5, floor: float = 0.0) -> None:
        super().__init__()
        self.signal, self.window, self.factor, self.floor = signal, window, factor, floor
        for name, start in (("rate", 1.0), ("total", 0.0), ("count", 0.0), ("before", float("inf"))):
            self.register_buffer(name, torch.tensor(start, dtype=torch.float64))
        self.rate: Tensor
        self.total: Tensor
        self.count: Tensor
        self.before: Tensor

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        if self.signal not in signals:
            raise Unusable(f"schedule.stall.signal: this GAN gives no '{self.signal}'; it gives {', '.join(signals)}")
        self.total.add_(signals[self.signal].double())
        self.count.add_(1)
        if int(self.count) < self.window:
            return
        mean = self.total / self.count
        if mean > (1 - self.TOLERANCE) * self.before:
            self.rate.mul_(self.factor).clamp_(min=self.floor)
        self.before.copy_(mean)
        self.total.zero_()
        self.count.zero_()
