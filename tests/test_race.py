"""The race: equal shares, the clock, and what becomes of runs that break off."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from pathlib import Path

import pytest

from ganwise import catalog
from ganwise.artifacts import RunDirectory, write_json
from ganwise.data import load
from ganwise.study import race
from ganwise.study.best import best_run
from ganwise.study.budget import parse
from ganwise.study.local import Clock, Engine
from ganwise.study.race import Entrant, Plan
from ganwise.types import Unusable

NAMES = ("gan", "lsgan")
ENTRANTS = tuple(Entrant(name, catalog.named(name)) for name in NAMES)
FOREVER = Clock(math.inf, 0.0, math.inf)


def _plan(budget: str, entrants: tuple[Entrant, ...] = ENTRANTS, seeds: int = 2, trim: bool = False) -> Plan:
    return race.plan(entrants, load("ring"), parse(budget), seeds, "cpu", time.monotonic(), trim)


def test_images_are_shared_out_equally() -> None:
    made = _plan("images:60k")
    assert (made.images, made.seconds, made.wall) == (15_000, None, None)


def test_wall_time_pays_for_every_round_start_and_scores_included() -> None:
    made = _plan("3m")
    rounds = math.ceil(4 / made.workers)
    assert made.seconds is not None
    assert 160 < rounds * (made.seconds + made.overhead) < 180


def test_cpu_time_is_what_all_runs_take_together() -> None:
    made = _plan("cpu:10m")
    assert made.seconds is not None
    assert made.wall is None
    assert 580 < 4 * (made.seconds + made.overhead) < 600


@pytest.mark.parametrize("budget", ["60s", "cpu:100s", "images:130k"])
def test_a_small_budget_races_fewer_candidates_rather_than_shorter_runs(budget: str) -> None:
    six = tuple(Entrant(f"gan{i}", catalog.named("gan")) for i in range(6))
    assert 2 <= len(_plan(budget, six, trim=True).entrants) < 6


@pytest.mark.parametrize(
    ("budget", "needed"), [("1s", r"at least \d+0s"), ("cpu:2s", r"at least cpu:\d+0s"), ("images:100", "images:4000")]
)
def test_a_budget_that_is_too_small_says_how_much_is_needed(budget: str, needed: str) -> None:
    with pytest.raises(Unusable, match=f"too small for 2 candidates with 2 seeds.*{needed}"):
        _plan(budget)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    from ganwise.data import save

    save(load("ring"), tmp_path / "data")
    return tmp_path


def _trial(out: Path, name: str, seed: int = 0, **limit: float) -> RunDirectory:
    """A run as the race prepares it; ``limit`` is in images or seconds."""
    share = {"seconds": limit.get("seconds"), "images": int(limit.get("images", 0)) or None}
    made = Plan(**dict.fromkeys(Plan._fields) | {"entrants": ENTRANTS, "seeds": 1, "n": 300, "draws": 1} | share)
    return race._prepare(made, Entrant(name, catalog.named(name)), seed, out / "data", out, "cpu")


def test_a_run_that_is_killed_carries_its_error_and_the_others_are_ranked(out: Path) -> None:
    victim, other = _trial(out, "gan", images=10**9), _trial(out, "lsgan", images=6000)
    engine = Engine(2, FOREVER, lambda running: None)

    def kill() -> None:
        while not victim.records_file.is_file():
            time.sleep(0.05)
        next(one for one in engine.running if one.trial is victim).process.send_signal(signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    assert engine.run([victim, other]) == 0
    result = race.rank(out, ENTRANTS, "vector")
    first, last = result["ranking"]
    assert (first["recipe"], first["error"]) == ("lsgan", None)
    assert last["error"].startswith("gan-s0: killed by SIGKILL")
    assert result["recommended"] == "lsgan"
    assert not result["interrupted"]


def test_a_run_that_raises_carries_its_last_words(out: Path) -> None:
    broken = _trial(out, "gan", images=6000)
    job = broken.read()["job"]
    job["recipe"]["architecture"]["name"] = "no-such-network"
    broken.update(job=job)
    Engine(1, FOREVER, lambda running: None).run([broken])
    error = race.rank(out, ENTRANTS, "vector")["ranking"][0]["error"]
    assert "no-such-network" in error
    assert "\n" not in error


def test_at_the_deadline_runs_score_what_they_have_and_no_more_are_begun(out: Path) -> None:
    trials = [_trial(out, "gan", seconds=1000), _trial(out, "lsgan", seconds=1000)]
    begin = time.monotonic()
    Engine(1, Clock(begin + 8, 4.0, 60), lambda running: None).run(trials)
    assert time.monotonic() - begin < 60
    rows = {row["recipe"]: row for row in race.rank(out, ENTRANTS, "vector")["ranking"]}
    assert rows["gan"]["scores"]
    assert "of its 1000 s" in rows["gan"]["short"][0]
    assert rows["lsgan"]["short"] == ["lsgan-s0 was not begun"]


def test_a_run_that_does_not_end_after_the_deadline_is_killed(out: Path) -> None:
    stuck = _trial(out, "gan", seconds=1000)
    begin = time.monotonic()
    Engine(1, Clock(begin + 0.2, 0.0, 0.5), lambda running: None).run([stuck])
    assert time.monotonic() - begin < 20
    assert "did not end when the budget was spent" in stuck.read()["broken"]


def test_when_watching_fails_no_process_stays(out: Path) -> None:
    def watch(running: list[RunDirectory]) -> None:
        raise BrokenPipeError

    engine = Engine(1, FOREVER, watch)
    with pytest.raises(BrokenPipeError):
        engine.run([_trial(out, "gan", images=10**9)])
    assert all(one.process.poll() is not None for one in engine.running)


def _done(out: Path, name: str, seed: int, kid: float | str, best: float = 10.0, verdict: str = "healthy") -> RunDirectory:
    """What a finished trial leaves behind."""
    run = RunDirectory(out / "runs" / f"{name}-s{seed}")
    run.path.mkdir(parents=True)
    score = {"metric": "kid", "value": kid, "low": 0.004, "high": 0.016, "direction": "lower", "seed": 0, "yardsticks": {}}
    write_json(run.scores, {"scores": [score]})
    write_json(run.doctor, {"verdict": verdict})
    run.model.touch()
    job = {"limit": {"seconds": 20.0, "images": None, "wall": None}}
    cost = {"seconds": 20.0, "steps": 100, "images": 6400, "best": {"kid": kid, "seconds": best}}
    run.update(name=name, status="done", seed=seed, verdict=verdict, job=job, **cost)
    return run


def _ranked(out: Path) -> dict[str, object]:
    result = race.rank(out, ENTRANTS, "image")
    json.dumps(result, allow_nan=False)
    return result


def test_a_tie_has_no_winner_and_recommends_the_cheaper(tmp_path: Path) -> None:
    for seed, kid in enumerate((0.010, 0.014)):
        _done(tmp_path, "gan", seed, kid, best=20.0)
        _done(tmp_path, "lsgan", seed, kid + 0.001, best=8.0)
    result = _ranked(tmp_path)
    assert (result["winner"], result["recommended"]) == (None, "lsgan")


def test_a_clear_difference_has_a_winner_and_it_is_recommended(tmp_path: Path) -> None:
    for seed, kid in enumerate((0.010, 0.0102)):
        _done(tmp_path, "gan", seed, kid, best=20.0)
        _done(tmp_path, "lsgan", seed, kid * 20, best=8.0)
    result = _ranked(tmp_path)
    assert (result["winner"], result["recommended"]) == ("gan", "gan")


def test_a_sick_candidate_stands_last_and_can_not_win(tmp_path: Path) -> None:
    for seed in (0, 1):
        _done(tmp_path, "gan", seed, 0.001, verdict="failing" if seed else "healthy")
        _done(tmp_path, "lsgan", seed, 0.5)
    result = _ranked(tmp_path)
    assert [row["recipe"] for row in result["ranking"]] == ["lsgan", "gan"]  # type: ignore[attr-defined]
    assert result["recommended"] == "lsgan"


def test_where_all_are_sick_nothing_is_recommended(tmp_path: Path) -> None:
    for name in NAMES:
        _done(tmp_path, name, 0, 0.1, verdict="failed")
    assert _ranked(tmp_path)["recommended"] is None


def test_single_seeds_tie_and_a_score_that_is_no_number_is_left_out(tmp_path: Path) -> None:
    _done(tmp_path, "gan", 0, 0.01)
    _done(tmp_path, "lsgan", 0, 0.9)
    _done(tmp_path, "lsgan", 1, "nan")
    result = _ranked(tmp_path)
    assert result["winner"] is None
    assert all(row["tied_with"] for row in result["ranking"])  # type: ignore[attr-defined]


def test_the_best_run_is_found_after_the_directory_has_moved(tmp_path: Path) -> None:
    out = tmp_path / "before"
    for name in NAMES:
        for seed, kid in enumerate((0.02, 0.01)):
            _done(out, name, seed, kid)
    result = _ranked(out)
    out.rename(tmp_path / "after")
    best = best_run(result, tmp_path / "after")
    assert best is not None
    assert best.path == tmp_path / "after" / "runs" / f"{result['recommended']}-s1"
