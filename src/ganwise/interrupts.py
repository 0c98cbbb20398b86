"""Signals: whom they go to while something long runs, and Ctrl-C before that."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_asked = False


def listen() -> None:
    """From now on an interruption is noted and raised, unless it is ignored, as under nohup.

    The exception alone is not enough: numpy swallows it while its parts are imported.
    """
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


@contextmanager
def heard(numbers: Iterable[int], hear: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Meanwhile ``hear`` gets these signals, where this is the main thread: Python lets no other listen. Then they are as before.

    Raises:
        KeyboardInterrupt: One was asked for before.
    """
    main = threading.current_thread() is threading.main_thread()
    previous = {number: signal.signal(number, hear) for number in numbers if main}
    try:
        obey()
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
