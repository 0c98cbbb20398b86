"""A budget as people write it: ``3m`` of wall time, ``cpu:10m``, ``images:2M``, ``flops:1e15``."""

from __future__ import annotations

import math
import re
from typing import Literal, NamedTuple

from ganwise.types import Unusable

Unit = Literal["wall", "cpu", "images", "flops"]
_TIME = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_COUNT = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15}
_FORMS = "as in 90s, 3m, 2h (wall time), cpu:10m (CPU or GPU time), images:2M (training images shown), flops:1e15 (operations)"


class Budget(NamedTuple):
    """The total for a whole race, evaluation included: seconds for times, a number for images and operations."""

    unit: Unit
    amount: float
    text: str


def parse(text: str) -> Budget:
    """The budget that ``text`` says.

    Raises:
        Unusable: Not a budget, or nothing to spend.
    """
    unit, _, rest = text.strip().rpartition(":")
    match = re.fullmatch(r"(\d+(?:\.\d+)?(?:e\d+)?)\s*([a-z]*)", rest.strip().lower())
    scale = (_COUNT if unit in ("images", "flops") else _TIME).get(match[2]) if match else None
    if unit not in ("", "cpu", "images", "flops") or match is None or scale is None:
        raise Unusable(f"--budget {text}: not a budget; write it {_FORMS}")
    amount = float(match[1]) * scale
    if not math.isfinite(amount):
        raise Unusable(f"--budget {text}: more than there is; write it {_FORMS}")
    if amount <= 0:
        raise Unusable(f"--budget {text}: nothing to spend; give a positive amount, {_FORMS}")
    return Budget(unit or "wall", amount, text.strip())  # type: ignore[arg-type]
