"""The main job for an application that somebody describes: its short list is that of `ganwise select`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganwise.audit import audit
from ganwise.data import load
from ganwise.select import Advice, Application, select
from ganwise.study import job
from ganwise.study.budget import parse
from ganwise.study.job import Hooks, Request, run
from ganwise.study.plan import Plan
from ganwise.types import Unusable


def test_the_main_job_races_the_short_list_of_the_application(tmp_path: Path) -> None:
    application = Application(want=("stability", "reconstruction"), memory_gb=0.5)
    found: list[Advice] = []

    def advised(advice: Advice) -> None:
        found.append(advice)
        raise Unusable("seen enough")

    with pytest.raises(Unusable, match="seen enough"):
        run(Request("digits", tmp_path / "out", parse("3m"), application=application), Hooks(advised=advised))
    seen = audit(load("digits"))
    wanted = select(seen, application=application, device="cpu", seconds=180.0)
    assert [c.name for c in found[0].candidates] == [c.name for c in wanted.candidates]
    assert [c.name for c in found[0].candidates] != [c.name for c in select(seen, device="cpu", seconds=180.0).candidates]
    assert not (tmp_path / "out").exists()


def test_data_that_leave_too_few_to_compare_by_are_refused_before_training_with_how_many_are_needed(tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32))
    with pytest.raises(Unusable, match=r"10 samples for validation are too few .*; give 125 different samples or more"):
        run(Request(str(tmp_path / "few.npy"), tmp_path / "out", parse("3m")), Hooks())
    assert not (tmp_path / "out").exists()


def test_a_split_of_ones_own_that_leaves_too_few_is_refused_as_well(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(320, 3)).astype(np.float32)
    np.savez(tmp_path / "own.npz", x_train=values[:300], x_test=values[300:])
    with pytest.raises(Unusable, match=r"20 samples for test are too few .* or 25 in each part of a split of your own"):
        run(Request(str(tmp_path / "own.npz"), tmp_path / "out", parse("3m")), Hooks())


def test_candidates_of_the_advice_that_cant_be_built_for_the_data_are_left_out_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advice = select(audit(load("digits")), ["classes"], device="cpu")
    values = np.random.default_rng(0).integers(0, 256, (300, 8, 8), dtype=np.uint8)
    labels = np.arange(300) % 3
    labels[:30] = -1
    np.savez(tmp_path / "partly.npz", x=values, y=labels)
    monkeypatch.setattr(job, "select", lambda *_, **__: advice)
    said: list[str] = []

    def planned(plan: Plan) -> None:
        assert [e.name for e in plan.entrants] == [c.name for c in advice.candidates if not c.recipe.conditioning]
        raise Unusable("seen enough")

    with pytest.raises(Unusable, match="seen enough"):
        run(Request(str(tmp_path / "partly.npz"), tmp_path / "out", parse("20m")), Hooks(planned=planned, say=said.append))
    assert said
    assert all(line.startswith("left out: ") and "have no label" in line for line in said)
