"""Numbers that change while a GAN trains, written as text: ``"2e-4 -> 0 linear 50000"``. No torch.

A ramp goes from its start to its end over so many updates and stays there. The shapes are linear, cosine (slow at both ends) and
geometric (the same factor at each update).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

Number = float | str
"""A number, or a ramp over the updates of a player."""
SHAPES = ("linear", "cosine", "geometric")
SYNTAX = "a number, or a ramp such as '2e-4 -> 0 linear 50000' (start -> end, linear, cosine or geometric, number of updates)"


class Ramp(NamedTuple):
    """From ``start`` to ``end`` over ``updates``."""

    start: float
    end: float
    shape: str
    updates: int

    def at(self, update: int) -> float:
        share = min(1.0, update / self.updates)
        if self.shape == "geometric":
            return float(self.start * (self.end / self.start) ** share)
        if self.shape == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        return self.start + (self.end - self.start) * share


@lru_cache
def parse(text: str) -> Ramp:
    """The ramp that ``text`` describes.

    Raises:
        ValueError: It describes none.
    """
    start, arrow, rest = text.partition("->")
    words = rest.split()
    try:
        if not arrow or len(words) != 3 or words[1] not in SHAPES:
            raise ValueError
        ramp = Ramp(float(start), float(words[0]), words[1], int(words[2]))
    except ValueError:
        raise ValueError(f"'{text}' is neither {SYNTAX.replace(', or', ' nor')}") from None
    if ramp.updates < 1 or not (math.isfinite(ramp.start) and math.isfinite(ramp.end)):
        raise ValueError(f"'{text}': a ramp takes at least one update between two finite numbers")
    if ramp.shape == "geometric" and ramp.start * ramp.end <= 0:
        raise ValueError(f"'{text}': a geometric ramp needs two numbers of one sign, neither of them 0")
    return ramp


def at(number: float | str, update: int) -> float:
    """The number at an update, counted from 0: itself, or a ramp's value."""
    return parse(number).at(update) if isinstance(number, str) else float(number)


def ends(number: float | str) -> tuple[float, float]:
    """The smallest and the largest value that it takes."""
    if isinstance(number, str):
        ramp = parse(number)
        return min(ramp.start, ramp.end), max(ramp.start, ramp.end)
    return float(number), float(number)


def scaled(number: float | str, factor: float, most: float = math.inf) -> float | str:
    """The number, or both ends of a ramp, times a factor and at most ``most``: a ramp that this makes flat is a number."""
    if isinstance(number, str):
        ramp = parse(number)
        start, end = (min(factor * side, most) for side in (ramp.start, ramp.end))
        return start if start == end else f"{start:g} -> {end:g} {ramp.shape} {ramp.updates}"
    return min(factor * number, most)
