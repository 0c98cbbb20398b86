"""The entry point: what was typed goes to its verb, and whatever goes wrong becomes one line and an exit status."""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn, cast

import typer

from ganwise import interrupts
from ganwise.cli.app import app
from ganwise.types import FULL, Halted, Unusable

USAGE = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])
"""What typer raises for a wrong command line; of click or of its own, as its version has it."""


def main() -> None:
    """The entry point: bad input becomes one line and exit status 2, a full disk 1, an interruption 130 or 143."""
    if sys.platform == "win32":
        sys.exit(_refuse(Unusable("Windows lacks signals and forks that trials need; run ganwise in WSL, its Linux subsystem")))
    signal.signal(signal.SIGTERM, _terminate)
    interrupts.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal can't show is no reason to fail
            stream.reconfigure(errors="replace")
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="ganwise", standalone_mode=False)
        sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt):
        status = 130
    except BrokenPipeError:  # the reader, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except (Unusable, Halted, USAGE, OSError, MemoryError) as error:
        status = _refuse(error)
    if status == 130:
        print("ganwise: interrupted", file=sys.stderr)
        # without this Python dies of SIGINT instead, where the interruption fell into code made from text, such as a namedtuple
        atexit.register(os._exit, status)
        sys.stdout.flush()
    sys.exit(status)


def _refuse(error: BaseException) -> int:
    message = str(error)
    if isinstance(error, USAGE):
        message = f"{error.format_message().rstrip('.')}; see ganwise {_verb()}--help"
    elif isinstance(error, OSError):  # a full disk, a file that was taken away
        message = f"{error.filename or 'input or output'}: {error.strerror or error}"
    elif isinstance(error, MemoryError):
        message = f"out of memory: {error or 'ask for less at once'}"
    print(f"ganwise: {' '.join(message.split())}", file=sys.stderr)
    return 1 if isinstance(error, Halted) or getattr(error, "errno", None) in FULL else 2


def _verb() -> str:
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    return f"{sys.argv[1]} " if sys.argv[1:2] and sys.argv[1] in names else ""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    print(f"ganwise: ended by {signal.Signals(number).name}", file=sys.stderr)
    sys.exit(128 + number)
