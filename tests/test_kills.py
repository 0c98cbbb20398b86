"""SIGKILL at any point of a write, a full disk, a second process, a parent that is gone: what was good is found again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Answer
from test_checkpoint import numbered, started, trial

from ganwise import checkpoint, model
from ganwise.artifacts import RunDirectory, alone, read_json
from ganwise.build import build
from ganwise.catalog import choice
from ganwise.recipe import Recipe
from ganwise.study.trial import Stop
from ganwise.types import Halted, Unusable


def forked(work: Callable[[], object]) -> int:
    """Does the work in a child process; returns its wait status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(77)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def killed_before(number: int, folder: Path) -> None:
    """From now on this process dies of SIGKILL before its ``number``-th operation on a file in the folder, or flush."""
    seen = 0

    def note(event: str, arguments: object) -> None:
        nonlocal seen
        if event in ("open", "os.rename", "os.remove", "os.chmod", "fsync") and (
            event == "fsync" or str(folder) in str(arguments)
        ):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    flush = os.fsync
    os.fsync = lambda handle: (note("fsync", ()), flush(handle))[1]  # the one operation that Python audits not
    sys.addaudithook(note)


def steps_left(folder: Path) -> list[int]:
    return [state.record.step for state in checkpoint.before(folder, 10**9)]


@pytest.mark.parametrize("again", [False, True], ids=["a new one", "over a damaged one"])
def test_killed_at_any_point_of_its_write_a_checkpoint_is_the_old_or_the_new_never_half(again: bool, tmp_path: Path) -> None:
    points = 0
    while _one_kill(points + 1, tmp_path / str(points), again):
        points += 1
    assert points >= 10


def _one_kill(number: int, folder: Path, again: bool) -> bool:
    """Whether a save has so many points; what is found after a kill before that one is checked."""
    for step in (100, 200, 300):
        checkpoint.save(folder, numbered(step))
    if again:
        (folder / "000000300.safetensors").write_bytes(b"")
    old, new = (200, 300) if again else (300, 400)
    status = forked(lambda: (killed_before(number, folder), checkpoint.save(folder, numbered(new))))
    state = checkpoint.newest(folder)
    assert state.record.step in (old, new)
    assert torch.equal(state.tensors["weight"], torch.full((3,), float(state.record.step)))
    assert old in steps_left(folder)
    checkpoint.save(folder, numbered(new + 100))
    assert checkpoint.newest(folder).record.step == new + 100
    assert not list(folder.glob(".*")), "what the kill left half-written goes with the next checkpoint"
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_at_any_point_of_its_write_a_model_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    recipe, number, killed = Recipe(architecture=choice("mlp", width=4, latent=4), loss=choice("hinge")), 0, True
    old, new = (model.Model(build(recipe, (2,), seed=seed)) for seed in (0, 1))
    samples = {name: made.sample(8).tolist() for name, made in {"old": old, "new": new}.items()}
    found = []
    while killed:
        number += 1
        path = tmp_path / str(number) / "model.safetensors"
        model.save(old, path)
        killed = os.WIFSIGNALED(forked(lambda at=number, to=path: (killed_before(at, to.parent), model.save(new, to))))
        found.append(next(name for name, values in samples.items() if model.load(path).sample(8).tolist() == values))
    assert found == sorted(found, reverse=True), "once it is new, it stays new"
    assert found.count("old") >= 5
    assert found[-1] == "new"
    assert "replaces" not in read_json(path.with_suffix(".json"))


def test_killed_at_random_moments_while_it_saves_all_the_time_there_is_always_a_whole_one(tmp_path: Path) -> None:
    draw = random.Random(0)
    big = {"weight": torch.zeros(1_000_000)}

    def saving() -> None:
        for step in range(100, 10**6):
            checkpoint.save(tmp_path, numbered(step)._replace(tensors=big))

    checkpoint.save(tmp_path, numbered(99)._replace(tensors=big))
    for _ in range(15):
        child = os.fork()
        if child == 0:
            saving()
            os._exit(0)
        time.sleep(draw.uniform(0.01, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert checkpoint.newest(tmp_path).tensors["weight"].shape == (1_000_000,)


@pytest.mark.parametrize("bad", [(), (400,), (300, 400)])
def test_thinning_never_removes_the_only_good_checkpoint(bad: tuple[int, ...], tmp_path: Path) -> None:
    for step in (100, 200, 300, 400):
        checkpoint.save(tmp_path, numbered(step))
        if step in bad:
            (tmp_path / f"{step:09d}.safetensors").write_bytes(b"damaged")
    last = steps_left(tmp_path)[0]
    checkpoint.save(tmp_path, numbered(last + 50))
    assert steps_left(tmp_path)[0] == last + 50
    assert last in steps_left(tmp_path), "and the one that it came from stays beside it"


def test_the_best_model_outlives_the_checkpoints_of_its_time(tmp_path: Path) -> None:
    trial(tmp_path, steps=60, checkpoint_every=20).go(Stop(), n=64, draws=1)
    run = RunDirectory(tmp_path)
    best, kept = run.read()["model_sha256"], checkpoint.newest(tmp_path / "checkpoints")
    for file in (run.model, run.model.with_suffix(".json")):
        assert kept.files[file.name] == file.read_bytes()
        file.unlink()
    trial(tmp_path, steps=60, checkpoint_every=20, resume=True).go(Stop(), n=64, draws=1)
    assert run.read()["model_sha256"] == best
    assert run.model.read_bytes() == kept.files[run.model.name]


# a full disk


def test_a_disk_that_is_really_full_keeps_the_earlier_checkpoint_and_no_part_of_the_new_one(
    mounted: Callable[[str], Path],
) -> None:
    disk = mounted("300k")
    checkpoint.save(disk, numbered(100)._replace(tensors={"weight": torch.ones(25_000)}))
    checkpoint.save(disk, numbered(200)._replace(tensors={"weight": torch.ones(25_000)}))
    with pytest.raises(Halted, match="No space left"):
        checkpoint.save(disk, numbered(300)._replace(tensors={"weight": torch.ones(25_001)}))
    assert steps_left(disk) == [200, 100]
    assert len(list(disk.iterdir())) == 4


def test_a_full_disk_ends_training_with_one_line_and_exit_status_1(tmp_path: Path) -> None:
    run = (
        "train",
        "r1gan",
        "ring",
        "--steps",
        100,
        "--checkpoint-every",
        20,
        "--set",
        "architecture.width=64",
        "--out",
        tmp_path,
    )
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))"
    code = f"{limit}; import sys; sys.argv = {['ganwise', *map(str, run)]}; from ganwise.cli import main; main()"
    full = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert full.returncode == 1, full.stderr
    assert "can't be written: File too large; earlier ones are whole" in full.stderr
    assert "Traceback" not in full.stderr
    assert not list(tmp_path.glob("checkpoints/.*"))


# SIGKILL of the command line


def test_a_run_killed_by_sigkill_goes_on_to_the_model_of_an_undisturbed_one(tmp_path: Path, call: Callable[..., Answer]) -> None:
    plain, killed = tmp_path / "plain", tmp_path / "killed"
    run = ("train", "r1gan", "ring", "--steps", 200, "--checkpoint-every", 40, "--set", "architecture.width=8")
    run += ("--set", "schedule.batch=24", "--precision", "fp32")
    assert call(*run, "--out", plain).status == 0
    command = [sys.executable, "-m", "ganwise", *map(str, run), "--out", str(killed)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(RunDirectory(killed).records()) < 3:
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    run_killed = RunDirectory(killed)
    assert run_killed.read()["status"] == "running"
    assert steps_left(killed / "checkpoints")
    assert call(*run, "--out", killed, "--resume").status == 0
    assert run_killed.read()["resumed"][0] in range(40, 200)
    ours, theirs = (
        {
            "model": run.read()["model_sha256"],
            "records": [(r.step, r.images, r.signals) for r in run.records()],
            "checks": [{k: v for k, v in check.items() if k != "seconds"} for check in run.checks()],
            "last": checkpoint.newest(run.path / "checkpoints").notes["sha256"],
            "scores": read_json(run.scores),
        }
        for run in (run_killed, RunDirectory(plain))
    )
    assert ours == theirs


# one process a run, and none without its race


def test_a_directory_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    trial(tmp_path, steps=20).go(Stop(), n=64, draws=1)
    with alone(tmp_path), pytest.raises(Unusable, match=f"already being trained by process {os.getpid()}"):
        trial(tmp_path, resume=True).go(Stop())
    child = os.fork()
    if child == 0:
        with alone(tmp_path):
            time.sleep(60)
    while (tmp_path / ".lock").read_text() != str(child):
        time.sleep(0.01)
    with pytest.raises(Unusable, match=f"process {child}"), alone(tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with alone(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid()), "a kill has let go of it"


OF_A_RACE = """
import os, sys
from pathlib import Path
from ganwise.artifacts import RunDirectory
from ganwise.catalog import named
from ganwise.data import load
from ganwise.study.trial import Limit, Stop, Trial, outlive_none
outlive_none(os.getppid())
with Stop(racing=True).listening() as stop:
    Trial(RunDirectory(Path(sys.argv[1])), named("r1gan"), load("ring"), Limit(steps=10**9)).go(stop)
sys.exit(stop.status)
"""
RACE = """
import subprocess, sys
trial = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]])
print(trial.pid, flush=True)
trial.wait()
"""


def test_a_trial_ends_when_its_race_is_killed(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    race = subprocess.Popen([sys.executable, "-c", RACE, OF_A_RACE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert race.stdout is not None
    child = int(race.stdout.readline())
    while race.poll() is None and not run.records():
        time.sleep(0.05)
    race.kill()
    race.communicate()
    end = time.monotonic() + 30
    while run.read()["status"] != "interrupted" and time.monotonic() < end:
        time.sleep(0.05)
    assert run.read()["status"] == "interrupted"
    while Path(f"/proc/{child}").exists() and _alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(process: int) -> bool:
    """A process that nobody has waited for yet is no longer alive."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


# what is told of files from elsewhere


def test_a_checkpoint_of_other_layers_names_the_first_and_counts_the_rest() -> None:
    gan, _ = started("wgan/digits")
    other = checkpoint.State(numbered(1).record, checkpoint.tensors(gan))
    name = next(iter(other.tensors))
    wrong = torch.zeros(3, 5)
    changed = {**other.tensors, name: wrong}
    shape = tuple(other.tensors[name].shape)
    with pytest.raises(Unusable) as said:
        other._replace(tensors=changed).restore(gan)
    assert str(said.value) == f"the checkpoint is of another recipe: {name} is (3, 5), this recipe has {shape}"
    strange, _ = started("began/digits")
    with pytest.raises(Unusable, match=r"another recipe: generator\.\S+ (is|this|has).*; and \d+ more$"):
        other.restore(strange)
