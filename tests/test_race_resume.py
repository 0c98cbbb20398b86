"""Going on with a race: what is refused, in one line, and what may be added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ganwise import catalog
from ganwise.artifacts import alone, read_json, write_json
from ganwise.data import load
from ganwise.study.budget import parse
from ganwise.study.engine import Ended, Task
from ganwise.study.job import Hooks, Request, _gone_on_with, run
from ganwise.study.plan import Entrant, Plan
from ganwise.types import Unusable

ENTRANTS = (Entrant("gan", catalog.named("gan")), Entrant("lsgan", catalog.named("lsgan")))


class Two:
    """Two slots, in which nothing is begun."""

    slots = 2

    def start(self, task: Task) -> None:
        raise AssertionError("nothing was to begin")

    def finished(self, timeout: float) -> list[Ended]:
        return []

    def stop(self, number: int, task: Task | None = None) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The directory of a race that was begun."""
    told: dict[str, Any] = {"seconds": None, "images": 5000, "flops": None, "workers": 2, "n": 300, "draws": 1}
    plan = Plan(ENTRANTS, 2, **told, overhead=0.0, scoring=0.0, wall=None, enough=0.0)
    write_json(tmp_path / "plan.json", {"format": 1, "budget": "images:20k"} | plan.as_json())
    told = {"source": "ring", "content": load("ring").content, "device": "cpu", "command": "ganwise race", "want": []}
    write_json(tmp_path / "request.json", told)
    return tmp_path


def _asked(out: Path, source: str = "ring", **more: Any) -> Plan:
    request = Request(source, out, resume=True, **more)
    return _gone_on_with(request, load(source), 0.0, Two())[0]


def test_a_race_goes_on_as_it_was_planned(out: Path) -> None:
    plan = _asked(out)
    assert (plan.entrants, plan.seeds, plan.images) == (ENTRANTS, 2, 5000)


def test_candidates_and_seeds_can_be_added_and_each_run_keeps_its_budget(out: Path) -> None:
    plan = _asked(out, entrants=(Entrant("rsgan", catalog.named("rsgan")),), seeds=3)
    assert [entrant.name for entrant in plan.entrants] == ["gan", "lsgan", "rsgan"]
    assert (plan.seeds, plan.images) == (3, 5000)


def test_a_larger_budget_is_shared_out_anew(out: Path) -> None:
    plan = _asked(out, budget=parse("images:80k"))
    assert (plan.images, plan.n, plan.draws) == (20_000, 300, 1)
    assert read_json(out / "request.json")["budget"] == "images:80k"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"source": "grid"}, "holds a race on other data .ring."),
        ({"device": "mps"}, "holds a race on cpu, not mps"),
        ({"seeds": 1}, "has 2; seeds can only be added"),
        ({"budget": parse("images:10k")}, "gives a run 2,500 images, less than the 5,000"),
        ({"budget": parse("cpu:10m")}, "cpu:10m: the race in .* counts images"),
        ({"entrants": (Entrant("gan", catalog.named("rsgan")),)}, "gan: the race in .* has another recipe of this name"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_would_take_something_away_is_refused(out: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(Unusable, match=said):
        _asked(out, **more)


def test_a_race_of_another_version_is_refused(out: Path) -> None:
    told = read_json(out / "plan.json")
    write_json(out / "plan.json", told | {"format": 2})
    with pytest.raises(Unusable, match=r"a race of a newer ganwise \(format 2"):
        _asked(out)
    write_json(out / "plan.json", {name: value for name, value in told.items() if name not in ("format", "recipes")})
    with pytest.raises(Unusable, match="no plan that this version can go on with"):
        _asked(out)


def test_where_no_race_is_none_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="no race to go on with"):
        _asked(tmp_path)


def test_two_races_on_one_directory_are_refused(out: Path) -> None:
    with alone(out), pytest.raises(Unusable, match=r"another race runs here by process \d+; wait until it ends"):
        run(Request("ring", out, resume=True), Hooks(), Two())
