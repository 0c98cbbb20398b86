"""The words that every layer shares: plain data, no torch, no numpy."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Shape = tuple[int, ...]
"""Of one sample: ``(C, H, W)`` for an image, ``(D,)`` for a vector."""

Kind = Literal["image", "vector"]
Value = bool | int | float | str
"""What a fact, an option or a trait may be: one primitive."""

Severity = Literal["info", "warning", "error"]
Direction = Literal["lower", "higher"]
Verdict = Literal["healthy", "warning", "failing", "failed", "unknown"]
SICK: tuple[Verdict, ...] = ("failing", "failed")
"""Verdicts on runs that can't win."""
Problem = Literal[
    "mode_collapse", "vanishing_gradient", "instability", "non_convergence", "imbalance", "not_finite", "memorization"
]


class Unusable(Exception):
    """Input that can't be used. Its text is one line: what is wrong, where, and what would be right. Exit status 2."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk, or our share of it, is full: no fault of the input."""


class Halted(Exception):
    """Work that had begun and can't go on, as on a full disk. Its text is one line, as that of `Unusable`. Exit status 1."""


class Trouble(NamedTuple):
    """One thing that the audit found wrong with the data."""

    severity: Severity
    what: str
    where: str
    fix: str


class Audit(NamedTuple):
    """What the data is. ``facts`` is all that selection reads."""

    kind: Kind
    shape: Shape
    n: int
    classes: tuple[str, ...]
    facts: Mapping[str, Value]
    problems: Sequence[Trouble]


class Record(NamedTuple):
    """What one moment of a run showed. ``step`` counts generator updates; ``seconds`` is CPU or GPU time of training."""

    step: int
    images: int
    seconds: float
    signals: Mapping[str, float]

    def as_json(self) -> dict[str, float]:
        return {"step": self.step, "images": self.images, "seconds": round(self.seconds, 4), **self.signals}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Record:
        signals = {k: float(v) for k, v in row.items() if k not in ("step", "images", "seconds") and v is not None}
        return cls(int(row["step"]), int(row.get("images", 0)), float(row.get("seconds", 0.0)), signals)


class Score(NamedTuple):
    """A measured number together with everything that it depends on.

    ``low`` and ``high`` bound a 95 % interval. ``yardsticks`` holds the same metric under the same protocol for other data
    (``real`` against real, a Gaussian ``mixture`` fitted to the data), because a score alone says little.
    """

    metric: str
    value: float
    low: float
    high: float
    n: int
    features: str
    protocol: str
    seed: int
    direction: Direction
    yardsticks: Mapping[str, float] = {}


class Remedy(NamedTuple):
    """A change to the recipe that may cure a problem: ``change`` maps a path such as ``loss.name`` to its new value."""

    change: Mapping[str, Value]
    because: str
    sources: tuple[str, ...]


class Finding(NamedTuple):
    """One problem that the doctor sees in a run."""

    problem: Problem
    severity: Verdict
    since_step: int
    evidence: str
    remedies: tuple[Remedy, ...]
    sources: tuple[str, ...]
