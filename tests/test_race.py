"""The race: equal shares of the budget, the clock, what becomes of runs that die, and going on where it was killed."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ganwise import catalog
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.cli.show import verdict
from ganwise.data import load, save
from ganwise.recipe import change
from ganwise.study import job
from ganwise.study import plan as plans
from ganwise.study.best import best_run
from ganwise.study.budget import parse
from ganwise.study.halving import work
from ganwise.study.local import NURSERY, Local
from ganwise.study.plan import Entrant, Plan
from ganwise.study.race import Clock, Race, race
from ganwise.study.ranking import rank
from ganwise.types import Halted, Unusable

NAMES = ("gan", "lsgan")
ENTRANTS = tuple(Entrant(name, catalog.named(name)) for name in NAMES)
SIX = tuple(Entrant(f"gan{i}", catalog.named("gan")) for i in range(6))


def _plan(budget: str, entrants: tuple[Entrant, ...] = ENTRANTS, seeds: int = 2, trim: bool = False) -> Plan:
    return plans.plan(entrants, load("ring"), parse(budget), seeds, "cpu", time.monotonic(), trim)


@pytest.mark.parametrize("entrants", [ENTRANTS, SIX], ids=["two", "six"])
def test_images_are_shared_out_over_the_ladder(entrants: tuple[Entrant, ...]) -> None:
    made = _plan("images:60k", entrants)
    assert made.images == int(60_000 / work(made.ladder))
    assert (made.seconds, made.flops, made.wall) == (None, None, None)


def test_operations_are_shared_out_over_the_ladder() -> None:
    made = _plan("flops:1e12")
    assert made.flops == pytest.approx(1e12 / work(made.ladder))
    assert (made.seconds, made.images) == (None, None)


def test_wall_time_pays_for_every_round_start_and_scores_included() -> None:
    made = _plan("3m")
    rounds = math.ceil(4 / made.workers)
    assert made.seconds is not None
    assert made.wall is not None
    assert 150 < made.wall < 180
    assert rounds * made.seconds < made.wall


def test_cpu_time_is_what_all_runs_take_together() -> None:
    made = _plan("cpu:10m")
    assert made.seconds is not None
    assert made.wall is None
    assert 550 < 4 * (made.seconds + made.overhead) < 600


@pytest.mark.parametrize("budget", ["60s", "cpu:60s", "images:90k"])
def test_a_small_budget_races_fewer_candidates_rather_than_shorter_runs(budget: str) -> None:
    assert 2 <= len(_plan(budget, SIX, trim=True).entrants) < 6


@pytest.mark.parametrize(
    ("budget", "needed"),
    [("1s", r"at least \d+0s"), ("cpu:2s", r"at least cpu:\d+0s"), ("images:100", "images:4000"), ("flops:9", r"flops:\d")],
)
def test_a_budget_that_is_too_small_says_how_much_is_needed(budget: str, needed: str) -> None:
    with pytest.raises(Unusable, match=f"too small for 2 candidates with 2 seeds.*{needed}"):
        _plan(budget)


def test_a_plan_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    made = _plan("cpu:10m")
    write_json(tmp_path / "plan.json", made.as_json())
    assert plans.read(read_json(tmp_path / "plan.json"), "") == made


FOUR = tuple(Entrant(name, catalog.named(name)) for name in ("gan", "lsgan", "rsgan", "fgan-kl"))


def _tiny(entrants: tuple[Entrant, ...] = FOUR, images: int = 6000, seeds: int = 2, **more: Any) -> Plan:
    told = {"seconds": None, "images": images, "flops": None, "workers": 2, "n": 300, "draws": 1, "overhead": 0.0}
    return Plan(entrants, seeds, **told | {"scoring": 0.0, "wall": None, "enough": 0.0} | more)


def _watch(running: list[RunDirectory]) -> None:
    pass


def _raced(made: Plan, out: Path) -> dict[str, Any]:
    return race(made, load("ring"), parse("images:1M"), out, "cpu", _watch, time.monotonic())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race of four to its end."""
    out = tmp_path_factory.mktemp("race") / "out"
    _raced(_tiny(), out)
    return out


def _facts(out: Path) -> dict[str, Any]:
    """All of a race that does not depend on the clock or the place."""
    result = read_json(out / "race.json")
    rows = [
        {k: row[k] for k in ("recipe", "rank", "tied_with", "summary", "verdict", "rung", "left")} for row in result["ranking"]
    ]
    runs = {path.parent.name: json.loads(path.read_text()) for path in sorted((out / "runs").glob("*/run.json"))}
    told = {name: (t.get("model_sha256"), t["steps"], [look["value"] for look in t["looks"]]) for name, t in runs.items()}
    return {"rows": rows, "ladder": result["ladder"], "runs": told, "winner": result["winner"]}


def test_half_leave_at_the_second_rung_and_only_finalists_are_scored(undisturbed: Path) -> None:
    result = read_json(undisturbed / "race.json")
    first, second, third, fourth = result["ranking"]
    assert all(row["scores"] and row["left"] is None and row["rung"] == 1.0 for row in (first, second))
    assert all(not row["scores"] and row["left"]["rung"] == 0.4 for row in (third, fourth))
    for row in result["ranking"]:
        runs = [undisturbed / "runs" / Path(path).name for path in row["runs"]]
        assert all((run / "scores.json").is_file() == bool(row["scores"]) for run in runs)


def test_all_who_train_to_a_rung_train_equally_long(undisturbed: Path) -> None:
    result = read_json(undisturbed / "race.json")
    for place, share in enumerate((0.1, 0.4, 1.0)):
        told = [read_json(path) for path in (undisturbed / "runs").glob("*/run.json")]
        pairs = [(one["recipe"]["schedule"]["batch"], look) for one in told for look in one["looks"] if look["rung"] == share]
        assert pairs
        assert all(6000 * share <= look["cost"]["images"] < 6000 * share + 2 * batch for batch, look in pairs)
        assert len(result["ladder"][place]["order"]) == (4, 4, 2)[place]


KILLED = """
import sys, time
sys.path.insert(0, {here!r})
from pathlib import Path
from test_race import _raced, _tiny
_raced(_tiny(), Path({out!r}))
"""


def test_a_race_whose_driver_is_killed_goes_on_and_equals_an_undisturbed_one(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = KILLED.format(here=str(Path(__file__).parent), out=str(out))
    driver = subprocess.Popen([sys.executable, "-c", code])
    while driver.poll() is None and sum('"rung": 0.1' in p.read_text() for p in out.glob("runs/*/run.json")) < 3:
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    assert not (out / "race.json").exists()
    _raced(_tiny(), out)
    assert _facts(out) == _facts(undisturbed)


def test_a_finished_race_repeats_nothing_and_a_candidate_can_join_it(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    before = {path: path.read_text() for path in out.glob("runs/*/records.jsonl")}
    joined = (*FOUR, Entrant("again", catalog.named("gan")))
    result = _raced(_tiny(joined), out)
    assert {row["recipe"] for row in result["ranking"]} == {e.name for e in joined}
    assert all(path.read_text().startswith(rows) for path, rows in before.items())
    twin = [read_json(out / "runs" / f"{name}-s0" / "run.json")["looks"][0]["value"] for name in ("gan", "again")]
    assert twin[0] == twin[1]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    save(load("ring"), tmp_path / "data")
    return tmp_path


def _race(out: Path, made: Plan, clock: Clock | None = None, watch: Any = _watch) -> Race:
    return Race(made, "vector", out, out / "data", "cpu", clock or Clock(), Local(made.workers), watch)


class Enough(Exception):
    """The test has seen what it wanted."""


def test_a_worker_that_is_killed_goes_on_from_its_checkpoint_once_and_is_then_reported(out: Path) -> None:
    killed: list[int] = []
    run = RunDirectory(out / "runs" / "gan-s0")

    def watch(running: list[RunDirectory]) -> None:
        told = run.read()
        pid = one.engine._pids.get(str(run.path))  # type: ignore[attr-defined]
        far = list((run.path / "checkpoints").glob("*.json"))
        if pid and pid not in killed and far and len(told.get("resumed", [])) == len(killed):
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)
        if "broken" in told:
            raise Enough

    one = _race(out, _tiny(ENTRANTS, images=1_500_000, seeds=1), watch=watch)
    with pytest.raises(Enough):
        one.go()
    told = run.read()
    assert len(killed) == 2
    assert told["resumed"] == [json.loads(path.read_text())["step"] for path in (run.path / "checkpoints").glob("*.json")]
    assert told["retried"].startswith("killed by SIGKILL")
    error = rank(out, ENTRANTS, "vector", 0, one.ladder, one.halving.decision())["ranking"][-1]["error"]
    assert error == "gan-s0: killed by SIGKILL, as the system does when memory runs out"


def test_a_run_that_raises_carries_its_last_words(out: Path) -> None:
    recipe = catalog.named("gan")
    broken = recipe.model_copy(update={"architecture": recipe.architecture.model_copy(update={"name": "no-such-network"})})
    entrants = (Entrant("gan", broken), ENTRANTS[1])
    one = _race(out, _tiny(entrants, seeds=1))
    one.go()
    row = rank(out, entrants, "vector", 0, one.ladder, one.halving.decision())["ranking"][-1]
    assert row["recipe"] == "gan"
    assert "no-such-network" in row["error"]
    assert "\n" not in row["error"]


def test_at_a_deadline_runs_are_looked_at_as_they_are_and_what_was_not_begun_is_left_out(out: Path) -> None:
    begin = time.monotonic()
    made = _tiny(ENTRANTS, seeds=1, images=None, seconds=1000.0, wall=1000.0, workers=1)
    one = _race(out, made, Clock(begin + 12, (4.0, 2.0, 2.0), 4.0, 60.0))
    one.go()
    assert time.monotonic() - begin < 90
    rows = {row["recipe"]: row for row in rank(out, ENTRANTS, "vector", 0, one.ladder, one.halving.decision())["ranking"]}
    assert "of its" in rows["gan"]["short"][0]
    assert rows["lsgan"]["short"] == ["lsgan-s0 was not begun"]


def test_a_rung_that_ends_late_takes_nothing_but_time_from_the_next(out: Path) -> None:
    begin = time.monotonic()
    made = _tiny(ENTRANTS, seeds=1, images=None, seconds=3.0, wall=1000.0)
    one = _race(out, made, Clock(begin + 1000, (0.001, 400.0, 400.0), 100.0, 60.0))
    one.go()
    rows = {row["recipe"]: row for row in rank(out, ENTRANTS, "vector", 0, one.ladder, one.halving.decision())["ranking"]}
    assert {name: (row["rung"], row["left"]) for name, row in rows.items()} == dict.fromkeys(NAMES, (1.0, None))
    assert all(row["scores"] for row in rows.values())


SPAWNING = (sys.executable, "-c", "from ganwise.study import nursery; nursery.FORKS = False; nursery.main()")


@pytest.mark.slow
def test_where_the_system_may_not_fork_trials_are_new_processes_and_the_race_is_the_same(tmp_path: Path) -> None:
    made, killed = _tiny(ENTRANTS, images=3000, seeds=1), []

    def watch(running: list[RunDirectory]) -> None:
        for run in [run for run in running if list(run.path.glob("checkpoints/*.json"))][: 1 - len(killed)]:
            killed.append(run)
            for task in list(engine._running.values()):
                engine.stop(signal.SIGKILL, task)

    facts = []
    for place, nursery in (("new", SPAWNING), ("forked", NURSERY)):
        engine = Local(2, nursery=nursery)
        race(made, load("ring"), parse("images:1M"), tmp_path / place, "cpu", watch, time.monotonic(), engine)
        facts.append(_facts(tmp_path / place))
    assert len(killed) == 1
    assert facts[0] == facts[1]


def test_a_race_whose_disk_is_full_stops_with_all_it_has_and_goes_on_when_there_is_room(
    mounted: Callable[[str], Path], tmp_path: Path
) -> None:
    disk = mounted("40m")

    def fill(running: list[RunDirectory]) -> None:
        if any(list((run.path / "checkpoints").glob("*.json")) for run in running):
            with suppress(OSError), (disk / "other").open("wb", buffering=0) as other:
                while other.write(bytes(1 << 16)):
                    pass

    asked = {"budget": parse("images:60k"), "entrants": ENTRANTS, "seeds": 1}
    with pytest.raises(Halted, match=r"No space left on device; what was finished is kept: make room, then .* --resume. goes on"):
        job.run(job.Request("ring", disk / "out", **asked), job.Hooks(watch=fill))
    assert not list((disk / "out").glob("**/.record-id.*"))
    (disk / "other").unlink()
    job.run(job.Request("ring", disk / "out", resume=True), job.Hooks())
    job.run(job.Request("ring", tmp_path / "undisturbed", **asked), job.Hooks())
    assert _facts(disk / "out") == _facts(tmp_path / "undisturbed")


def test_when_watching_fails_no_process_stays(out: Path) -> None:
    def watch(running: list[RunDirectory]) -> None:
        raise BrokenPipeError

    one = _race(out, _tiny(ENTRANTS, images=10**9), watch=watch)
    with pytest.raises(BrokenPipeError):
        one.go()
    assert one.engine._nursery is None  # type: ignore[attr-defined]


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
    result = rank(out, ENTRANTS, "image")
    json.dumps(result, allow_nan=False)
    return result


def test_a_tie_has_no_winner_and_recommends_the_cheaper(tmp_path: Path) -> None:
    for seed, kid in enumerate((0.010, 0.014)):
        _done(tmp_path, "gan", seed, kid, best=20.0)
        _done(tmp_path, "lsgan", seed, kid + 0.001, best=8.0)
    result = _ranked(tmp_path)
    assert (result["winner"], result["recommended"]) == (None, "lsgan")
    undecided = result["undecided"]
    assert isinstance(undecided, dict)
    assert undecided["pair"] == ["gan", "lsgan"]
    assert ("would settle it" in verdict(result)) == (undecided["more_seeds"] is not None)
    found = {**result, "undecided": {"pair": ["gan", "lsgan"], "more_seeds": 4, "more_seconds": 160.0}}
    assert verdict(found).endswith("About 4 more seeds of gan and lsgan (160 s of training) would settle it.")
    ranks = {row["recipe"]: (row["rank_low"], row["rank_high"]) for row in result["ranking"]}  # type: ignore[attr-defined]
    assert ranks == {"gan": (1, 2), "lsgan": (1, 2)}


def test_a_clear_difference_has_a_winner_and_it_is_recommended(tmp_path: Path) -> None:
    for seed, kid in enumerate((0.010, 0.0102)):
        _done(tmp_path, "gan", seed, kid, best=20.0)
        _done(tmp_path, "lsgan", seed, kid * 20, best=8.0)
    result = _ranked(tmp_path)
    assert (result["winner"], result["recommended"], result["undecided"]) == ("gan", "gan", None)
    assert [(row["rank_low"], row["rank_high"]) for row in result["ranking"]] == [(1, 1), (2, 2)]  # type: ignore[attr-defined]


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


def test_a_sick_run_is_healed_once_and_its_parents_cost_is_its_own(tmp_path: Path) -> None:
    rates = dict.fromkeys(("schedule.generator.learning_rate", "schedule.discriminator.learning_rate"), 50.0)
    sick = Entrant("sick", change(catalog.named("gan"), rates))
    out = tmp_path / "out"
    result = _raced(_tiny((sick, ENTRANTS[1]), images=40_000, seeds=1), out)
    row = next(row for row in result["ranking"] if row["recipe"] == "sick")
    (healed,) = row["healed"]
    assert (healed["parent"], healed["run"]) == ("sick-s0", "sick-s0-healed")
    assert set(healed["change"]) == set(rates)
    assert row["runs"] == [str(out / "runs" / "sick-s0-healed")]
    parent, child = (read_json(out / "runs" / name / "run.json") for name in ("sick-s0", "sick-s0-healed"))
    assert parent["looks"][-1]["verdict"] in ("failing", "failed")
    for look in child["looks"]:
        assert 40_000 * look["rung"] <= look["cost"]["images"] < 40_000 * look["rung"] + 2 * 128
    assert child["job"]["lost"]["images"] > 0
    assert math.isfinite(child["looks"][-1]["value"])
