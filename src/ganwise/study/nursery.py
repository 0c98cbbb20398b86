"""The process that trials are born from: it has imported everything once, and each trial is a fork of it, there in an instant.

It reads one JSON object a line, ``{"run": path, "until": share, "gpu": index}`` to begin a task and ``{"pid": n, "signal": n}``
to pass a signal on, and answers ``{"began": path, "pid": n}`` and ``{"ended": pid, "status": n}``. When its input ends, because
the race has ended or was killed, it kills what still runs, and ends. Python's own fork server would run the caller's script too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ganwise.study import rungs

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Of a trial. From its birth until it listens they wait (or are lost, where it is no fork): it must not die of one."""
FORKS = sys.platform.startswith("linux")
"""Elsewhere the system's libraries may not outlive a fork: a trial is a new process, and imports for itself."""
SPAWNED: list[subprocess.Popen[bytes]] = []
"""Held: Python collects a process that nobody holds, and its status would be lost."""


def warm() -> None:
    """Has torch import what it imports at the first optimizer, once for all trials."""
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


def main() -> None:
    warm()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    born, ended = os.pipe()
    os.set_blocking(ended, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(ended)
    running: set[int] = set()
    try:
        _serve(born, running)
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)


def _serve(born: int, running: set[int]) -> None:
    import select

    rest = b""
    while True:
        ready, _, _ = select.select([0, born], [], [])
        if born in ready:
            os.read(born, 4096)
            for pid in [pid for pid in running if _collected(pid)]:
                running.discard(pid)
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                _obey(json.loads(line), running)


def _collected(pid: int) -> bool:
    found, status = os.waitpid(pid, os.WNOHANG)
    if found:
        _say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    return bool(found)


def _say(words: Mapping[str, Any]) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def _obey(order: Mapping[str, Any], running: set[int]) -> None:
    if "signal" in order:
        if order["pid"] in running:  # not collected yet, so that the number is still its own
            os.kill(order["pid"], order["signal"])
        return
    pid = _fork(order) if FORKS else _spawn(order)
    running.add(pid)
    _say({"began": order["run"], "pid": pid})


def _fork(order: Mapping[str, Any]) -> int:
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return pid
    status = 1
    try:
        # a session of its own: Ctrl-C reaches trials once, through the race, not a second time from the terminal
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(_log(order), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for handle, place in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(handle, place)
        if order["gpu"] is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = str(order["gpu"])
        status = rungs.main(order["run"], order["until"], parent)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # whatever it was, its last words belong into the log, and this process is not the nursery
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _log(order: Mapping[str, Any]) -> Path:
    return Path(order["run"]) / "log.txt"


def _spawn(order: Mapping[str, Any]) -> int:
    gpu = {} if order["gpu"] is None else {"CUDA_VISIBLE_DEVICES": str(order["gpu"])}
    call = f"main({order['run']!r}, {order['until']!r}, {os.getpid()})"
    command = [sys.executable, "-c", f"import sys; from ganwise.study.rungs import main; sys.exit({call})"]
    with _log(order).open("ab") as log:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        process = subprocess.Popen(command, env=os.environ | gpu, start_new_session=True, **streams)
    SPAWNED.append(process)
    return process.pid


if __name__ == "__main__":
    main()
