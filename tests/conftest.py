"""Shared by all tests: one thread, a cache of their own, and the data that lies beside the repository."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from ganwise.cli import main

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test computes comes from, or goes to, the user's cache; within one session it is shared, to be quick."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("GANWISE_CACHE", str(folder))


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test alone."""
    monkeypatch.setenv("GANWISE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread_from_the_start() -> None:
    """Toy networks are slower with more threads, and results repeat only at a fixed number; fixtures of modules need it, too."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _interruptions_are_heard() -> None:
    """A shell's background jobs ignore Ctrl-C, and so would every program that a test begins from there."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread_again() -> None:
    """Whatever the last test did."""
    torch.set_num_threads(1)


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared data lie beside the repository only for its developers and CI")
    return SHARED


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a real file system of its own of a size, such as 300k, where this process may."""
    place = tmp_path / "disk"

    def mount(size: str) -> Path:
        place.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True).returncode:
            pytest.skip("a file system of its own can only be mounted by the administrator")
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", place], check=True)


class Answer(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        content = json.loads(self.out, parse_constant=pytest.fail)
        assert isinstance(content, dict)
        return content


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Callable[..., Answer]]:
    """The command line in this process, to be quick, in an empty directory."""
    previous = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)

    def called(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["ganwise", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        status = end.value.code or 0
        assert isinstance(status, int)
        return Answer(status, *capfd.readouterr())

    yield called
    signal.signal(signal.SIGTERM, previous)
