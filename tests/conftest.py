"""Shared by all tests: one thread, a cache of their own, and the data that lies beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test computes comes from, or goes to, the user's cache; within one session it is shared, to be quick."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("GANWISE_CACHE", str(folder))


@pytest.fixture(autouse=True, scope="session")
def _one_thread_from_the_start() -> None:
    """Toy networks are slower with more threads, and results repeat only at a fixed number; fixtures of modules need it, too."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread_again() -> None:
    """Whatever the last test did."""
    torch.set_num_threads(1)


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared data lie beside the repository only for its developers and CI")
    return SHARED
