"""The view of a race: one screen on a terminal, a line per event elsewhere, both from the run directories alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ganwise import catalog
from ganwise.artifacts import RunDirectory, append_row, write_json
from ganwise.cli import live, racing
from ganwise.cli.racing import RaceView
from ganwise.metrics import METRICS
from ganwise.study.looks import run_of
from ganwise.study.plan import Entrant, Plan
from ganwise.study.progress import standing

NAMES = ("good", "fair", "weak", "poor", "ill", "last")


def _plan(names: tuple[str, ...] = NAMES, **more: Any) -> Plan:
    told = {"seconds": None, "images": 1000, "flops": None, "workers": 2, "n": 300, "draws": 1, "overhead": 0.0}
    entrants = tuple(Entrant(name, catalog.named("gan")) for name in names)
    return Plan(entrants, 2, **told | {"scoring": 0.0, "wall": None, "enough": 0.0} | more)


def _look(rung: float, value: float, verdict: str = "healthy", curable: bool = False, limit: Any = None) -> dict[str, Any]:
    cost = {"steps": 10, "images": 1000 * rung, "seconds": 1.0, "flops": 0}
    found = ["mode_collapse"] if verdict == "failing" else []
    told = {"rung": rung, "limit": limit, "value": value, "verdict": verdict, "findings": found, "curable": curable}
    return told | {"late": True, "short": False, "cost": cost}


def _reach(plan: Plan, folder: Path, name: str, seed: int, rung: float, value: float, verdict: str = "healthy") -> RunDirectory:
    """What a run leaves that has come to a rung."""
    run = run_of(folder, name, seed)
    run.path.mkdir(parents=True, exist_ok=True)
    before = run.read().get("looks", []) if run.run.is_file() else []
    looks = [*before, _look(rung, value, verdict, limit=plan.limit)]
    data = {"shape": [1, 8, 8]}
    run.update(name=name, seed=seed, status="paused", verdict=verdict, data=data, looks=looks, best={"step": 10, "kid": value})
    append_row(run.records_file, {"step": 10, "images": 1000 * rung, "seconds": 1.0, "loss_d": 1.0})
    append_row(run.checks_file, {"step": 10, "seconds": 1.0, "kid": value, "coverage": 0.5})
    return run


def _first_rung(plan: Plan, folder: Path) -> list[RunDirectory]:
    values = dict(zip(NAMES, (0.01, 0.02, 0.03, 0.04, 0.001, 0.06), strict=True))
    return [
        _reach(plan, folder, name, seed, 0.1, value * (1 + seed / 10), "failing" if name == "ill" else "healthy")
        for name, value in values.items()
        for seed in (0, 1)
    ]


def _console(width: int = 100) -> Console:
    return Console(record=True, width=width, file=io.StringIO())


def _text(view: RaceView) -> str:
    view.console.print(view)
    return view.console.export_text()


def test_a_rung_is_decided_as_the_race_decides_it(tmp_path: Path) -> None:
    plan = _plan()
    _first_rung(plan, tmp_path)
    stands = standing(plan, tmp_path)
    assert [row.name for row in stands.rows] == ["good", "fair", "weak", "poor"]
    assert {one.name: one.why for one in stands.left} == {"ill": "sick", "last": "rank"}
    assert (stands.rung, stands.there, stands.runs) == (1, 0, 8)
    assert all(row.low is not None and row.low < row.value < row.high for row in stands.rows)  # type: ignore[operator]
    assert "ill-s0: failing: mode collapse" in stands.alarms


def test_a_healed_run_stands_in_the_place_of_the_sick_one(tmp_path: Path) -> None:
    plan = _plan()
    _first_rung(plan, tmp_path)
    sick = RunDirectory(tmp_path / "ill-s0")
    told = sick.read()
    told["looks"][0]["curable"] = True
    write_json(sick.run, told | {"healed": "ill-s0-healed"})
    healed = RunDirectory(tmp_path / "ill-s0-healed")
    healed.update(name="ill", seed=0, status="waiting", job={"parent": "ill-s0", "rung": 1}, lineage={"problem": "mode_collapse"})
    other = RunDirectory(tmp_path / "ill-s1")
    write_json(other.run, other.read() | {"looks": [_look(0.1, 0.0011, limit=plan.limit)]})
    stands = standing(plan, tmp_path)
    assert stands.rows[0].name == "ill"
    assert any("healed of mode collapse" in alarm for alarm in stands.alarms)


def test_a_healed_run_that_broke_off_holds_no_rung_up(tmp_path: Path) -> None:
    plan = _plan(("good", "fair", "ill"))
    runs = [(name, seed) for name in ("good", "fair", "ill") for seed in (0, 1)]
    for name, seed in runs:
        _reach(plan, tmp_path, name, seed, 0.1, 0.01)
    sick = RunDirectory(tmp_path / "ill-s0")
    sick.update(looks=[_look(0.1, 0.01, "failing", curable=True, limit=plan.limit)])
    for name, seed in runs:
        if (name, seed) != ("ill", 0):
            _reach(plan, tmp_path, name, seed, 0.4, 0.008)
    assert standing(plan, tmp_path).rung == 1
    healed = RunDirectory(tmp_path / "ill-s0-healed")
    healed.path.mkdir()
    healed.update(name="ill", seed=0, status="broken", broken="out of memory", job={"parent": "ill-s0", "rung": 1})
    assert standing(plan, tmp_path).rung == 2


def test_a_terminal_shows_rung_ranking_alarms_and_time_in_few_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "on_terminal", lambda: True)
    plan = _plan(wall=600.0, seconds=60.0, images=None)
    view = RaceView(plan, _console())
    runs = _first_rung(plan, tmp_path)
    view.watch(runs[:2])
    view.watch([runs[0]])
    text = _text(view)
    assert "rung 2 of 3 (40% of a run)" in text
    assert "left" in text.splitlines()[0]
    assert "KID 10.5" in text
    assert text.index("good") < text.index("fair") < text.index("weak")
    assert "left: last, ill (sick)" in text or "left: ill (sick), last" in text
    assert "failing: mode collapse" in text
    assert len(text.splitlines()) <= 10


@pytest.mark.parametrize("width", [40, 64, 100])
def test_many_candidates_fit_a_small_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr(racing, "on_terminal", lambda: True)
    plan = _plan(tuple(f"candidate-{i}" for i in range(18)))
    runs = [_reach(plan, tmp_path, f"candidate-{i}", 0, 0.1, 0.01 * (i + 1)) for i in range(18)]
    view = RaceView(plan, _console(width))
    view.watch(runs[:2])
    text = _text(view)
    assert "and 6 more" in text
    assert len(text.splitlines()) <= 18
    assert all(len(line) <= width for line in text.splitlines())


def test_elsewhere_each_event_is_a_line(tmp_path: Path) -> None:
    plan = _plan()
    view = RaceView(plan, _console())
    first = RunDirectory(tmp_path / "good-s0")
    first.update(name="good", seed=0, status="running")
    view.watch([first])
    runs = _first_rung(plan, tmp_path)
    view.watch([])
    view.watch([runs[2]])
    lines = view.console.export_text().splitlines()
    assert lines[0] == "good-s0: started"
    assert lines[1] == "good-s0: at 10%  KID 10.0  coverage 0.50"
    assert "last: left at 10%, place 5" in lines
    assert "ill: left at 10%, sick" in lines
    assert lines[-1] == "fair-s0: started"


def test_a_race_that_broke_off_everywhere_still_shows(tmp_path: Path) -> None:
    plan = _plan(("good", "fair"))
    for name in ("good", "fair"):
        for seed in (0, 1):
            RunDirectory(tmp_path / f"{name}-s{seed}").update(name=name, seed=seed, status="broken", broken="out of memory")
    stands = standing(plan, tmp_path)
    assert stands.rows[0].seeds == ("broken", "broken")
    assert stands.alarms[0].endswith("broke off: out of memory")


def test_the_sliced_distance_goes_by_the_order_that_it_has() -> None:
    assert live.CHECKED["sliced_wasserstein"][0] == "W2"
    assert "Wasserstein-2" in str(METRICS["sliced_wasserstein"].function.__doc__)
