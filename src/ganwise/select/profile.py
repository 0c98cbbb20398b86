"""How fast this machine trains, as ``ganwise bench`` has left it. Read by the cost of a short list, by no rank and no score."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

from ganwise.cache import cache_folder

_DENSE = ("mlp", "original")  # fully connected; everything else convolves


class Timing(NamedTuple):
    """One architecture's training: ``overhead`` seconds an update, and ``rate`` operations a second beyond that."""

    architecture: str
    precision: str
    overhead: float
    rate: float
    usual: bool = True  # the precision that a run takes by itself here


class Profile(NamedTuple):
    """``machine`` is platform, processor, threads, version of torch and date, in words."""

    machine: str
    timings: tuple[Timing, ...]
    device: str = "cpu"

    def seconds(self, architecture: str, operations: float, updates: float) -> float:
        """Expected seconds for so many operations in so many updates of either player.

        An architecture that was not timed counts as the slowest of its kind that was: fully connected, or convolutional.
        """
        usual = [one for one in self.timings if one.usual]
        own = [one for one in usual if one.architecture == architecture]
        kind = [one for one in usual if (one.architecture in _DENSE) == (architecture in _DENSE)]
        return max(updates * one.overhead + operations / one.rate for one in own or kind or usual)


def profiles() -> Path:
    return cache_folder() / "bench"


def newest(device: str | None = None) -> Profile | None:
    """The last profile of this machine, and of the device where one is named; None where there is none that can be read."""
    for file in sorted(profiles().glob("*.json"), reverse=True):
        try:
            found = read(file)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if device in (None, found.device):
            return found
    return None


def read(path: Path) -> Profile:
    content = json.loads(path.read_text(encoding="utf-8"))
    about = content["machine"]
    rows = tuple(Timing(**{field: row[field] for field in Timing._fields}) for row in content["timings"])
    sound = (0 < row.rate < math.inf and 0 <= row.overhead < math.inf for row in rows)
    if not all(sound) or not any(row.usual for row in rows):
        raise ValueError(f"{path}: no timings")
    words = f"{about['processor']}, torch {about['torch']}, {about['date'][:10]}"
    return Profile(words, rows, about["device"])
