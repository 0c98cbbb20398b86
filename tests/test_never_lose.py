"""A run ends at any moment, by a signal, a kill or numbers that are none, and what was good stays."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_checkpoint import data, small, trial, whole

from ganwise import checkpoint
from ganwise.artifacts import RunDirectory, read_json
from ganwise.build import build
from ganwise.model import load
from ganwise.probes import alarm
from ganwise.recipe import Recipe, change
from ganwise.study.trial import ENOUGH, Stop
from ganwise.train import train

LOOP = sys.modules[train.__module__]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, object]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("undisturbed")
    trial(folder, steps=60).go(Stop(), n=64, draws=1)
    return whole(folder)


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """Has something happen after a step."""

    def hook(number: int, event: Callable[[], object]) -> None:
        step = LOOP.step

        def stepped(gan: Any, batches: Any, t: int) -> Any:
            done = step(gan, batches, t)
            if t + 1 == number:
                event()
            return done

        monkeypatch.setattr(LOOP, "step", stepped)

    return hook


# signals

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 143}


@pytest.mark.parametrize("number", STATUS)
def test_each_signal_has_its_exit_status_and_leaves_the_handlers_as_they_were(number: signal.Signals) -> None:
    handlers = [signal.getsignal(one) for one in STATUS]
    with Stop().listening() as stop:
        signal.raise_signal(number)
    assert stop.interrupted
    assert stop.status == STATUS[number]
    assert [signal.getsignal(one) for one in STATUS] == handlers


def test_a_signal_between_two_records_is_obeyed_after_the_step_and_leaves_no_trace(
    tmp_path: Path, undisturbed: Mapping[str, object], after: Callable[..., None]
) -> None:
    with Stop().listening() as stop:
        after(27, lambda: signal.raise_signal(signal.SIGUSR1))
        assert trial(tmp_path, steps=60).go(stop) == []
    run = RunDirectory(tmp_path)
    assert checkpoint.newest(tmp_path / "checkpoints").record.step == 27
    assert run.read()["status"] == "interrupted"
    assert run.read()["steps"] == 27
    assert [record.step for record in run.records()] == [20]
    assert [check["step"] for check in run.checks()] == [20], "an undisturbed run has looked no more often by then"
    trial(tmp_path, steps=60, resume=True).go(Stop(), n=64, draws=1)
    assert run.read()["resumed"] == [27]
    assert whole(tmp_path) == undisturbed


def test_an_interruption_takes_no_check_away_from_the_run_that_goes_on(tmp_path: Path, after: Callable[..., None]) -> None:
    """A tenth of 220 steps is 22: the first check is due at record 40, whether or not the run was stopped at 27."""
    with Stop().listening() as stop:
        after(27, lambda: signal.raise_signal(signal.SIGTERM))
        trial(tmp_path, steps=220).go(stop)
    trial(tmp_path, steps=220, resume=True).go(Stop(), n=64, draws=1)
    assert [check["step"] for check in RunDirectory(tmp_path).checks()] == [40, 100, 140, 180, 220]


def test_the_first_signal_is_noted_and_the_second_ends_the_process_at_once() -> None:
    with Stop().listening() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.interrupted
        with pytest.raises(SystemExit) as end:
            signal.raise_signal(signal.SIGINT)
    assert end.value.code == 130


def test_in_a_thread_that_may_not_listen_a_run_goes_on_without() -> None:
    heard: list[int] = []

    def work() -> None:
        with Stop().listening() as stop:
            heard.append(stop.signal)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [0]


def test_a_trial_of_a_race_is_asked_again_and_again_to_score_and_can_still_be_interrupted() -> None:
    with Stop(racing=True).listening() as stop:
        for _ in range(3):
            signal.raise_signal(ENOUGH)
        assert (stop.signal, stop.interrupted, stop.status) == (ENOUGH, False, 0)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(ENOUGH)
        assert (stop.interrupted, stop.status) == (True, 143)


def test_a_run_that_has_enough_scores_what_it_has_after_one_step(tmp_path: Path) -> None:
    scores = trial(tmp_path, steps=1000, checkpoint_every=0).go(Stop(ENOUGH, racing=True), n=64, draws=1)
    assert scores
    assert RunDirectory(tmp_path).read()["steps"] == 1


# not finite


def reckless() -> Recipe:
    """Diverges for real, after the third record: both rates grow without bound."""
    rate = "1e-3 -> 1e30 geometric 600"
    return change(small("r1gan"), {f"schedule.{player}.learning_rate": rate for player in ("discriminator", "generator")})


def broken_at(folder: Path) -> int:
    """The first step of the reckless recipe whose losses or gradients are not finite, looked at one by one."""
    gan = build(reckless(), data("ring").shape, seed=3)
    *_, last = train(gan, data("ring"), steps=200, seed=3, every=1)
    return last.step


def test_numbers_that_are_not_finite_end_training_within_ten_steps_at_the_first_such_step(tmp_path: Path) -> None:
    step, taken = broken_at(tmp_path), []
    gan = build(reckless(), data("ring").shape, seed=3)
    records = list(train(gan, data("ring"), steps=200, seed=3, stop=lambda: bool(taken.append(len(taken)))))
    assert step > 60
    assert [record.step for record in records] == [20, 40, 60, step]
    assert step <= len(taken) <= step + alarm.LOOK
    assert not np.isfinite([records[-1].signals[name] for name in alarm.WATCHED if name in records[-1].signals]).all()


@pytest.mark.parametrize(("every", "good"), [(0, 40), (40, 40), (20, 60)])
def test_a_diverged_run_goes_back_to_its_last_good_state_and_says_so(every: int, good: int, tmp_path: Path) -> None:
    said: list[str] = []
    run, made = RunDirectory(tmp_path), trial(tmp_path, steps=1000, checkpoint_every=every, recipe=reckless(), say=said.append)
    made.go(Stop(), n=64, draws=1)
    told, step = run.read(), run.records()[-1].step
    assert told["rolled_back"] == {"from_step": step, "to_step": good}
    assert said == [f"{tmp_path}: not finite at step {step}; back to the last good state, of step {good}"]
    found = [finding for finding in read_json(run.doctor)["findings"] if finding["problem"] == "not_finite"]
    assert [finding["since_step"] for finding in found] == [step]
    assert told["verdict"] == "failed"
    assert told["best"]["step"] == good, "the first check was not due before the run diverged; the good state is its model"
    assert np.isfinite(load(run.model).sample(64)).all()
    if every:
        assert checkpoint.finite(checkpoint.newest(tmp_path / "checkpoints"))
        assert checkpoint.newest(tmp_path / "checkpoints").record.step == good


def test_a_diverged_run_that_goes_on_diverges_at_the_same_step(tmp_path: Path) -> None:
    steps = []
    for resume in (False, True):
        trial(tmp_path, steps=1000, checkpoint_every=20, recipe=reckless(), resume=resume).go(Stop(), n=64, draws=1)
        steps.append([record.step for record in RunDirectory(tmp_path).records()])
    assert steps[0] == steps[1]


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path, after: Callable[..., None]) -> None:
    """Of them the losses of the step that spoils them know nothing."""
    made = trial(tmp_path, steps=60)
    run, held = RunDirectory(tmp_path), []
    made.show = lambda record, share: None

    def spoil() -> None:
        with torch.no_grad():
            next(held[0].generator.parameters()).fill_(float("inf"))

    begin = made._begin
    made._begin = lambda gan, state: (held.append(gan), begin(gan, state))[1]  # type: ignore[method-assign]
    after(40, spoil)
    made.go(Stop(), n=64, draws=1)
    assert run.read()["rolled_back"] == {"from_step": 40, "to_step": 20}
    assert [state.record.step for state in checkpoint.before(tmp_path / "checkpoints", 100)] == []
    assert read_json(run.doctor)["verdict"] == "failed"


# the best so far


def worsening() -> Recipe:
    """Is best early: its rates grow until it is of no use."""
    rate = "1e-2 -> 1e2 geometric 100"
    return change(small("r1gan"), {f"schedule.{player}.learning_rate": rate for player in ("discriminator", "generator")})


FORGOTTEN: dict[str, Callable[[checkpoint.State], checkpoint.State]] = {
    "its file": lambda state: state._replace(files={}),
    "what is told of it": lambda state: state._replace(notes={**state.notes, "told": {}}),
    "its value": lambda state: state._replace(notes={**state.notes, "best_value": float("inf")}),
    "how far records and checks reach": lambda state: state._replace(notes={**state.notes, "sizes": {}}),
}


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, object]]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("worse")
    trial(folder, recipe=worsening(), checkpoint_every=20).go(Stop(), n=64, draws=1)
    return folder, whole(folder)


@pytest.mark.parametrize("item", ["nothing", *FORGOTTEN])
def test_the_best_so_far_comes_back_and_without_any_part_of_it_the_run_ends_otherwise(
    item: str, tmp_path: Path, worse: tuple[Path, Mapping[str, object]]
) -> None:
    folder, run = Path(shutil.copytree(worse[0], tmp_path / "run")), RunDirectory(tmp_path / "run")
    for file in folder.glob("checkpoints/*"):
        if int(file.stem) > 60:
            file.unlink()
    state = checkpoint.newest(folder / "checkpoints")
    assert run.read()["best"]["step"] < state.record.step < 100
    checkpoint.save(folder / "checkpoints", FORGOTTEN.get(item, lambda state: state)(state))
    trial(folder, recipe=worsening(), checkpoint_every=20, resume=True).go(Stop(), n=64, draws=1)
    same = run.model.is_file() and "best" in run.read() and whole(folder) == worse[1]
    assert same == (item == "nothing")
