"""Ctrl-C before training has begun. The exception alone is not enough: numpy swallows it while its parts are imported."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

_asked = False


def listen() -> None:
    """From now on an interruption is noted and raised, unless it is ignored, as under nohup."""
    global _asked
    _asked = False
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _note)


def _note(number: int, frame: FrameType | None) -> NoReturn:
    global _asked
    _asked = True
    raise KeyboardInterrupt


def obey() -> None:
    """Raises what was asked for and swallowed."""
    if _asked:
        raise KeyboardInterrupt
