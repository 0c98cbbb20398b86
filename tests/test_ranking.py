"""What a race says at its end: whose scores count, who wins, whom it recommends, and what was short."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ganwise import catalog
from ganwise.artifacts import RunDirectory, append_row, write_json
from ganwise.cli.show import verdict
from ganwise.data import load
from ganwise.report import words
from ganwise.report.gather import gather
from ganwise.study import rungs
from ganwise.study.halving import Look, decide, ladder
from ganwise.study.limit import Limit
from ganwise.study.plan import Entrant
from ganwise.study.ranking import rank
from ganwise.study.trial import Trial
from ganwise.types import Record

NAMES = ("a", "b", "c", "d")
ENTRANTS = tuple(Entrant(name, catalog.named("gan")) for name in NAMES)
LADDER = ladder(NAMES, seeds=2)
VALUES = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}
"""On validation, by which a and b are the finalists."""


def _look(rung: float, short: bool = False) -> dict[str, Any]:
    return {"rung": rung, "value": 0.1, "verdict": "healthy", "findings": [], "short": short}


def _run(out: Path, name: str, seed: int, score: float | None, verdict: str = "healthy", **told: Any) -> RunDirectory:
    """A run with a model; with a score on the test part where one is given."""
    run = RunDirectory(out / "runs" / f"{name}-s{seed}")
    run.path.mkdir(parents=True)
    run.model.touch()
    write_json(run.doctor, {"verdict": verdict})
    if score is not None:
        sides = {"value": score, "low": 0.9 * score, "high": 1.1 * score}
        write_json(run.scores, {"scores": [{"metric": "kid", "direction": "lower", "seed": 0, "yardsticks": {}, **sides}]})
    job = {"limit": {"seconds": 20.0}, "seed": seed}
    cost = {"seconds": 20.0, "steps": 100, "images": 6400, "best": {"kid": 0.1, "seconds": 20.0}}
    run.update(name=name, seed=seed, status="done", verdict=verdict, job=job, **cost, **{"looks": [_look(0.4)], **told})
    return run


def _ranked(out: Path, values: Mapping[str, float] = VALUES, stopped: int = 0) -> dict[str, Any]:
    looks = {(n, s, r): Look(v) for n, v in values.items() for s in range(2) for r in range(len(LADDER.rungs))}
    result = rank(out, ENTRANTS, "image", stopped, LADDER, decide(LADDER, looks))
    json.dumps(result, allow_nan=False)
    write_json(out / "race.json", result)
    return result


def _told(out: Path) -> str:
    """What the report says of who is recommended."""
    return words.verdict(gather(out)).because


def test_who_left_a_race_that_went_on_has_no_score_though_it_was_measured_before(tmp_path: Path) -> None:
    for name, score in {"a": 0.05, "b": 0.051, "c": 0.001, "d": None}.items():
        for seed in range(2):
            _run(tmp_path, name, seed, score and score * (1 + 0.02 * seed))
    result = _ranked(tmp_path)
    assert [row["recipe"] for row in result["ranking"]] == ["a", "b", "c", "d"]
    assert [bool(row["scores"]) for row in result["ranking"]] == [True, True, False, False]
    assert (result["winner"], result["recommended"]) == (None, "a")


@pytest.mark.parametrize("stopped", [0, 2], ids=["scoring failed", "interrupted"])
def test_nobody_wins_while_a_finalist_is_not_measured(stopped: int, tmp_path: Path) -> None:
    looks = dict.fromkeys(NAMES[:3], 0.1)
    for name, score in {"a": 0.5, "b": 0.05, "c": None}.items():
        for seed in range(2):
            _run(tmp_path, name, seed, score and score * (1 + 0.02 * seed))
    three = ladder(NAMES[:3], seeds=2)
    seen = {(n, s, r): Look(v) for n, v in looks.items() for s in range(2) for r in range(len(three.rungs))}
    result = rank(tmp_path, ENTRANTS[:3], "image", stopped, three, decide(three, seen))
    write_json(tmp_path / "race.json", result)
    assert (result["winner"], result["recommended"], result["unscored"]) == (None, "b", ["c"])
    assert verdict(result).endswith("No winner: c was not measured. Recommended: b, it came first.")
    assert "b is the best of those measured; c was not: nobody wins." in _told(tmp_path)


@pytest.mark.parametrize("fate", [{"closed": 1.0}, {"broken": "killed by SIGKILL"}])
def test_a_run_that_did_not_train_to_the_end_counts_only_where_there_is_no_other(fate: dict[str, Any], tmp_path: Path) -> None:
    for name, score in (("a", 0.05), ("b", 0.06)):
        _run(tmp_path, name, 0, score)
    _run(tmp_path, "a", 1, 0.051)
    _run(tmp_path, "b", 1, 0.9, **fate)
    for name in "cd":
        for seed in range(2):
            _run(tmp_path, name, seed, None)
    assert [row["seeds"] for row in _ranked(tmp_path)["ranking"]] == [[0, 1], [0], [], []]
    RunDirectory(tmp_path / "runs" / "b-s0").update(**fate)
    assert [row["seeds"] for row in _ranked(tmp_path)["ranking"]] == [[0, 1], [0, 1], [], []]


def test_where_no_finalist_is_healthy_the_best_of_the_others_is_recommended(tmp_path: Path) -> None:
    for name in NAMES:
        for seed in range(2):
            sick = name in "ab" and seed == 1
            _run(tmp_path, name, seed, 0.05 if name in "ab" else None, "failing" if sick else "healthy")
    result = _ranked(tmp_path)
    assert (result["winner"], result["recommended"], result["unscored"]) == (None, "c", [])
    assert verdict(result) == "No finalist stayed healthy. Recommended: c, the best of the healthy ones on validation."
    assert _told(tmp_path).startswith("No finalist stayed healthy; c is the best of the healthy ones on validation.")


def test_where_all_broke_off_in_training_nothing_is_recommended_but_where_scoring_did_the_best_is(tmp_path: Path) -> None:
    for name in NAMES:
        for seed in range(2):
            _run(tmp_path, name, seed, None, "unknown", broken="killed by SIGKILL")
    result = _ranked(tmp_path)
    assert result["recommended"] is None
    assert verdict(result) == "Every run was sick or broke off: nothing is recommended."
    for name in "ab":
        RunDirectory(tmp_path / "runs" / f"{name}-s0").update(looks=[_look(0.4), _look(1.0)])
    result = _ranked(tmp_path)
    assert (result["recommended"], result["unscored"]) == ("a", ["a", "b"])
    assert verdict(result) == "No finalist was measured. Recommended: a, the best of the healthy ones on validation."


def test_a_finished_race_that_goes_on_and_is_interrupted_keeps_its_answer_until_it_is_decided_anew(tmp_path: Path) -> None:
    for name, score in {"a": 0.05, "b": 0.5, "c": 0.9, "d": None}.items():
        for seed in range(2):
            _run(tmp_path, name, seed, score and score * (1 + 0.02 * seed))
    begun = decide(LADDER, {("a", 0, 0): Look(0.1)})
    assert not begun.done
    result = rank(tmp_path, ENTRANTS, "image", 2, LADDER, begun)
    assert (result["winner"], result["recommended"]) == ("a", "a")


def test_what_was_short_at_a_rung_and_made_up_for_since_is_not_called_short(tmp_path: Path) -> None:
    looks = [_look(rung, short=rung == 0.1) for rung in (0.1, 0.4, 1.0)]
    for name in NAMES:
        _run(tmp_path, name, 0, 0.05, looks=looks)
        _run(tmp_path, name, 1, 0.05, looks=looks[:1])
    row = _ranked(tmp_path)["ranking"][0]
    assert row["short"] == ["a-s1 got 20 of its 2 s"]


def test_a_run_is_healed_of_what_its_look_found_also_for_the_last_rung(tmp_path: Path) -> None:
    parent = RunDirectory(tmp_path / "sick")
    parent.path.mkdir()
    recipe = catalog.named("gan")
    parent.update(recipe=recipe.model_dump(mode="json"))
    for step in range(20, 801, 20):
        sick = {"loss_d": 1e-4, "accuracy": 1.0, "loss_g": 9.0} if step > 500 else {"loss_d": 0.7, "accuracy": 0.6, "loss_g": 0.8}
        signals = {"grad_d": 1.0, "grad_g": 1.0, "spread": 0.1, **sick}
        append_row(parent.records_file, Record(step, step * 64, step * 0.01, signals).as_json())
    trial = Trial(parent, recipe, load("ring"), Limit(steps=2000))
    trial.until = 1.0
    assert rungs._treatment(parent, trial).finding.problem == "imbalance", "as if it had ended: mode collapse, from the start"
