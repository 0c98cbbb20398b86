"""Several processes train what one process trains, write one run directory, and none of them outlives the others."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch as safetensors
import torch
from ranks_cases import CASES, MIXED, NOISY, ODD
from torch import Tensor

from ganwise import ranks
from ganwise.artifacts import RunDirectory

TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
RUN = ["--set", "schedule.batch=64", "--checkpoint-every", "40"]
STEPS, SOON = 200, 20.0
"""Steps of a run through the command line; seconds in which the last process has to end, on a busy machine."""

Numbers = dict[str, Tensor]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases by one process and by two at once."""
    folder = tmp_path_factory.mktemp("ranks")
    script = [str(Path(__file__).with_name("ranks_cases.py")), str(folder)]
    with (
        subprocess.Popen([sys.executable, *script]) as one,
        subprocess.Popen([*TOGETHER, *script], stderr=subprocess.PIPE, text=True) as two,
    ):
        said = two.communicate()[1]
    assert (one.returncode, two.returncode) == (0, 0), said
    return folder


def numbers(folder: Path, name: str, label: str) -> tuple[Numbers, dict[str, Any]]:
    path = folder / f"{name}-{label}.safetensors"
    return safetensors.load_file(path), json.loads(path.with_suffix(".json").read_text())


def apart(a: Numbers, b: Numbers) -> float:
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a if a[name].numel())


@pytest.mark.parametrize("name", CASES)
def test_one_process_and_two_train_the_same(name: str, trained: Path) -> None:
    (one, about), (two, about_two) = (numbers(trained, name, label) for label in ("1-0", "2-0"))
    assert about["moved"] > 1e-2, "else equality says little"
    assert apart(one, two) < 1e-8
    for mine, theirs in zip(about["records"], about_two["records"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", [*CASES, *NOISY])
def test_both_processes_hold_the_same_bits(name: str, trained: Path) -> None:
    (first, about), (second, about_second) = (numbers(trained, name, f"2-{rank}") for rank in (0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert about == about_second


@pytest.mark.parametrize("rank", [0, 1])
def test_several_scores_of_a_sample_stand_where_one_process_has_them_also_in_an_odd_batch(rank: int, trained: Path) -> None:
    one, two = (json.loads((trained / f"odd-{label}.json").read_text()) for label in ("1-0", f"2-{rank}"))
    assert len(one["scores"]) == 2 * ODD
    assert two["scores"] == pytest.approx(one["scores"], rel=1e-9)
    assert two["gradients"] == pytest.approx(one["gradients"], rel=1e-9)


@pytest.mark.parametrize("name", [*MIXED, "hinge"])
def test_where_a_loss_reads_the_batch_means_over_processes_would_be_another_loss(name: str, trained: Path) -> None:
    (one, _), (ordinary, _) = (numbers(trained, name, label) for label in ("1-0", "ordinary-0"))
    assert (apart(one, ordinary) > 1e-5) == (name in MIXED)


def test_the_states_that_are_compared_are_away_from_where_they_began(trained: Path) -> None:
    began, lecam, ada = (numbers(trained, name, "2-1")[0] for name in ("BEGAN", "LeCam", "ADA"))
    assert began["part0.k"] > 0
    assert began["part1.rate"] < 1
    assert lecam["part0.real"].abs() > 0.01
    assert ada["augment.0.p"] > 0


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux names the threads of a process")
@pytest.mark.parametrize("rank", [0, 1])
def test_none_of_the_threads_that_carried_messages_is_left_to_abort_a_process_that_ends(rank: int, trained: Path) -> None:
    left = json.loads((trained / f"threads-2-{rank}.json").read_text())
    assert [name for name in left if "gloo" in name] == []


# the command line


def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def pair(*arguments: object) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes without torchrun, which would end the second when the first dies, and say so in many lines."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port()), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ganwise", *map(str, arguments)]
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def wait(until: Callable[[], bool], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So few that scoring takes no time."""
    path = tmp_path_factory.mktemp("points") / "points.npy"
    np.save(path, np.random.default_rng(0).standard_normal((400, 2)).astype(np.float32))
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, points: Path) -> RunDirectory:
    """A run by torchrun that nothing disturbs."""
    out = tmp_path_factory.mktemp("torchrun") / "run"
    command = [
        *TOGETHER,
        "-m",
        "ganwise",
        "train",
        "fcgan",
        str(points),
        *RUN,
        "--steps",
        str(STEPS),
        "--out",
        str(out),
        "--json",
    ]
    environment = {**os.environ, "GANWISE_CACHE": str(out.with_name("cache"))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == STEPS, "one process speaks"
    return RunDirectory.open(out)


def test_two_processes_leave_the_run_directory_of_one(
    whole: RunDirectory, points: Path, call: Callable[..., Any], tmp_path: Path
) -> None:
    assert call("train", "fcgan", points, *RUN, "--steps", STEPS, "--out", "alone").status == 0
    alone = RunDirectory.open(tmp_path / "alone")
    files = [sorted(str(f.relative_to(run.path)) for f in run.path.rglob("*") if f.is_file()) for run in (alone, whole)]
    assert files[0] == files[1]
    mine, theirs = alone.read(), whole.read()
    assert mine.keys() == theirs.keys()
    assert (mine["processes"], theirs["processes"]) == (1, 2)
    assert [r.step for r in alone.records()] == [r.step for r in whole.records()]
    assert [c["step"] for c in alone.checks()] == [c["step"] for c in whole.checks()]
    assert alone.records()[0].signals == pytest.approx(whole.records()[0].signals, rel=1e-3)


def test_the_death_of_one_ends_the_other_and_a_restart_ends_where_nothing_had_happened(
    whole: RunDirectory, points: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = ["train", "fcgan", points, *RUN, "--steps", STEPS, "--out", out]
    with pair(*arguments) as (first, second):
        wait(lambda: (out / "checkpoints" / "000000040.json").is_file())
        second.kill()
        begin = time.monotonic()
        said = first.communicate(timeout=SOON)[1]
    assert time.monotonic() - begin < SOON
    assert first.returncode == 1
    assert said.count("\n") == 1, said
    assert "another process of this run has died" in said
    with pair(*arguments, "--resume") as both:
        told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert told[1] == ("", ""), "one process speaks"
    again, undisturbed = RunDirectory.open(out), whole
    assert again.read()["model_sha256"] == undisturbed.read()["model_sha256"]
    assert [dict(r.signals) for r in again.records()] == [dict(r.signals) for r in undisturbed.records()]
    last = f"checkpoints/{STEPS:09d}.safetensors"
    mine, theirs = (safetensors.load_file(run.path / last) for run in (again, undisturbed))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs if not name.startswith("file."))


def test_another_number_of_processes_goes_on_too_and_says_so(
    whole: RunDirectory, points: Path, call: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole.path, out)
    last = f"checkpoints/{STEPS:09d}"
    for suffix in (".json", ".safetensors"):
        (out / last).with_suffix(suffix).unlink()
    done = call("train", "fcgan", points, *RUN, "--steps", STEPS, "--out", out, "--resume")
    assert done.status == 0
    assert "begun with 2 processes, goes on with 1" in done.err
    mine, theirs = (safetensors.load_file((path / last).with_suffix(".safetensors")) for path in (out, whole.path))
    assert 0 < apart(*({k: v for k, v in found.items() if k.startswith("generator.")} for found in (mine, theirs))) < 1e-4


def test_a_batch_that_can_not_be_shared_out_is_refused_once(points: Path, tmp_path: Path) -> None:
    with pair("train", "fcgan", points, "--set", "schedule.batch=63", "--steps", 5, "--out", tmp_path / "run") as both:
        said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [2, 2]
    assert said == ["ganwise: schedule.batch: 63 samples can't be shared out to 2 processes; take 62\n", ""]
    assert not (tmp_path / "run").exists()


def test_one_process_shares_nothing() -> None:
    with ranks.joined() as ours:
        assert ours is ranks.ALONE
    with pytest.raises(ranks.Dismissed):
        ours.hear()
