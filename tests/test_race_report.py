"""The report of a race on its ladder: who ran how long and left where and why, what it cost, what would be tried next."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_report import _grid, _page, _row, _run, _said, _Tags

from ganwise import catalog, report
from ganwise.artifacts import RunDirectory, write_json
from ganwise.report import costs, lanes
from ganwise.report.gather import gather
from ganwise.report.page import palette

SHARES = (0.1, 0.4, 1.0)
IMAGES = 25_600
KIDS = {"r1gan": 0.004, "lsgan": 0.006, "cured": 0.02, "rank": 0.05, "late": 0.06, "ill": 0.3, "broken": math.inf}
"""A race of seven, as test_report builds its runs; the finalists are the first two."""


def _look(share: float, value: float, verdict: str = "healthy") -> dict[str, Any]:
    cost = {"steps": 400 * share, "images": IMAGES * share, "seconds": 4 * share, "flops": 1e9 * share}
    found = ["mode_collapse"] if verdict == "failing" else []
    return {"rung": share, "value": value, "verdict": verdict, "findings": found, "short": False, "cost": cost}


def _trained(path: Path, name: str, seed: int, share: float, verdict: str = "healthy", **told: Any) -> RunDirectory:
    run = _run(path, name, seed, KIDS.get(name, 0.01), verdict)
    job = {"limit": {"seconds": None, "images": IMAGES, "flops": None, "wall": None}}
    recipe = catalog.named("lsgan").model_dump(mode="json")
    looks = [_look(s, KIDS.get(name, 0.01) / s, verdict) for s in SHARES if s <= share]
    run.update(job=job, recipe=recipe, images=int(IMAGES * share), flops=1e9 * share, looks=looks, **told)
    if share < 1:
        run.scores.unlink()
        run.grid.unlink()
    return run


def _left(share: float, place: int, of: int, why: str = "rank") -> dict[str, Any]:
    return {
        "rung": share,
        "left": {"rung": share, "place": place, "of": of, "why": why},
        "scores": [],
        "summary": {},
        "interval": None,
    }


def _ladder(names: list[str], second: list[str], last: list[str]) -> list[dict[str, Any]]:
    def rung(share: float, order: list[str], on: list[str]) -> dict[str, Any]:
        ordered = [{"recipe": name, "mean_log": math.log(KIDS.get(name, 0.01) / share)} for name in order]
        return {"share": share, "places": len(on), "spare": 0, "order": ordered, "on": on, "protected": []}

    return [rung(0.1, names, second), rung(0.4, second, last), rung(1.0, last, last)]


def _write(folder: Path, rows: list[dict[str, Any]], ladder: list[dict[str, Any]], **result: Any) -> Path:
    for place, row in enumerate(rows, 1):
        row |= {"rank": place, "looks": [_look(row.get("rung", 1.0), 0.1, row["verdict"])]}
        row["cost"] = row["cost"] | {"flops": 2.5e9}
    command = "ganwise race digits --budget images:330k"
    write_json(folder / "request.json", {"source": "digits", "budget": "images:330k", "command": command, "data": "digits"})
    write_json(folder / "plan.json", {"entrants": [r["recipe"] for r in rows], "seeds": 2, "images": IMAGES, "workers": 2})
    total = {"seconds": 97.7, "images": 331_608.0, "steps": 6608.0, "flops": 1.6e12, "wall": 205.0}
    whole = {"ranking": rows, "metric": "kid", "winner": None, "recommended": rows[0]["recipe"], "interrupted": False}
    write_json(folder / "race.json", whole | {"ladder": ladder, "cost": total, "out": "my race"} | result)
    return folder


def _race(folder: Path, **result: Any) -> Path:
    runs = folder / "runs"
    for seed in (0, 1):
        for name in ("r1gan", "lsgan", "cured"):
            if (name, seed) != ("cured", 0):
                _trained(runs / f"{name}-s{seed}", name, seed, 1.0)
        for name, share, verdict in (("rank", 0.1, "healthy"), ("late", 0.4, "healthy"), ("ill", 0.4, "failing")):
            _trained(runs / f"{name}-s{seed}", name, seed, share, verdict)
        RunDirectory(runs / f"broken-s{seed}").update(name="broken", seed=seed, status="broken", broken="killed by SIGKILL")
    _trained(runs / "cured-s0", "cured", 0, 0.1, "failing", healed="cured-s0-healed")
    change = {"loss.name": "relativistic"}
    lineage = {"parent": "gone/cured-s0", "from_step": 100, "problem": "mode_collapse", "change": change, "because": "pairs"}
    _trained(runs / "cured-s0-healed", "cured", 0, 1.0, lineage=lineage)
    healed = [{"seed": 0, "parent": "cured-s0", "run": "cured-s0-healed"} | {k: v for k, v in lineage.items() if k != "parent"}]
    rows = [_row(i, name, KIDS[name], left=None, healed=[], protected=False) for i, name in enumerate(KIDS, 1)]
    rows[0] |= {"tied_with": ["lsgan"], "rank_low": 1, "rank_high": 2}
    rows[1] |= {"tied_with": ["r1gan"], "rank_low": 1, "rank_high": 2}
    rows[2] |= {"healed": healed, "rank_low": 3, "rank_high": 3}
    rows[3] |= _left(0.1, 6, 7)
    rows[4] |= _left(0.4, 4, 5) | {"protected": True}
    rows[5] |= _left(0.4, 5, 5, "sick") | {"verdict": "failing"}
    rows[6] |= _left(0.1, 7, 7, "broken") | {"verdict": "unknown", "error": "broken-s0: killed by SIGKILL"}
    names = [name for name in KIDS if name != "broken"]
    ladder = _ladder(names, [n for n in names if n != "rank"], ["r1gan", "lsgan", "cured"])
    undecided = {"pair": ["r1gan", "lsgan"], "more_seeds": 4, "more_seconds": 32.0}
    return _write(folder, rows, ladder, **{"undecided": undecided} | result)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return _race(tmp_path / "race")


def _course(folder: Path) -> dict[str, lanes.Lane]:
    study = gather(folder)
    made = lanes.course(study, palette(study))
    assert made is not None
    return {lane.name: lane for lane in made.lanes}


def test_a_lane_is_as_long_as_what_its_run_has_spent(folder: Path) -> None:
    course = _course(folder)
    ends = {name: [track.end for track in lane.tracks] for name, lane in course.items()}
    assert ends["r1gan"] == [100.0, 100.0]
    assert ends["late"] == [40.0, 40.0]
    assert ends["rank"] == [10.0, 10.0]
    assert ends["broken"] == [0.0, 0.0]


def test_each_lane_says_where_its_candidate_left_and_why(folder: Path) -> None:
    why = {name: lane.why for name, lane in _course(folder).items()}
    assert why["r1gan"] == "in the final"
    assert why["rank"] == "left at 10%, place 6 of 7"
    assert why["late"].endswith("kept once as a late bloomer")
    assert why["ill"] == "sick at 40%: mode collapse"
    assert why["broken"] == "broke off by 10%"
    assert why["cured"] == "in the final; healed of mode collapse"


def test_a_healed_run_takes_the_place_of_the_sick_one_and_shows_where(folder: Path) -> None:
    tracks = _course(folder)["cured"].tracks
    assert [(t.end, t.healed) for t in tracks] == [(100.0, 10.0), (100.0, None)]
    said = _said(_page(folder))
    assert "cured: mode collapse" in said, "the doctor's words about the sick run stay"
    assert "Enter cured as it was healed" in said


def test_a_run_that_broke_off_is_not_among_those_without_a_finding(folder: Path) -> None:
    said = _said(_page(folder))
    assert "broken-s1 broke off killed by SIGKILL" in said
    assert "broken" not in said[said.index("Nothing found") : said.index("What would be tried next")]


def test_those_that_left_are_listed_apart_with_their_score_on_validation(folder: Path) -> None:
    page = _page(folder)
    said = _said(page)
    assert "4 candidates left before, by validation or by the doctor" in said
    assert "late healthy 40% 4 of 5 150 4.00" in said
    board = page[page.index('class="board"') : page.index("Left before the test part")]
    assert "cured" in board
    assert ">late<" not in board


def test_ranks_carry_what_they_may_have_been(folder: Path) -> None:
    assert "1 1–2 r1gan" in _said(_page(folder))


def test_what_would_be_tried_next_names_commands_that_go_on_with_this_race(folder: Path) -> None:
    said = _said(_page(folder))
    assert "Tell r1gan from lsgan : 4 seeds more each, some 32 s of training together" in said
    assert "ganwise race digits --out &#39;my race&#39; --resume --seeds 6" in said
    assert "--resume --budget images:660k" in said, "the best checkpoints are the last ones"
    assert "Heal ill" in said
    assert "ganwise doctor &#39;my race/runs/ill-s0&#39; --heal" in said


def test_no_number_of_seeds_is_promised_where_none_would_do(tmp_path: Path) -> None:
    undecided = {"pair": ["r1gan", "lsgan"], "more_seeds": None, "more_seconds": None}
    said = _said(_page(_race(tmp_path / "race", undecided=undecided)))
    assert "Leave r1gan and lsgan tied" in said
    assert "--seeds" not in said


def test_all_four_costs_are_told(folder: Path) -> None:
    said = _said(_page(folder))
    assert "All runs together 14 97.7 331,608 6,608 1,600" in said
    assert "The race took 205 s of wall time" in said


def test_score_against_cost_draws_finalists_and_those_that_left(folder: Path) -> None:
    study = gather(folder)
    made = costs.scatter(study, palette(study))
    assert made is not None
    assert sum("hollow" in stroke.classes for stroke in made.strokes) == 3
    assert sum("strong" in stroke.classes for stroke in made.strokes) == 3
    assert any(label.text == "1 r1gan" for label in made.ends)


def test_samples_stand_side_by_side_and_above_their_nearest_training_images(folder: Path) -> None:
    _grid(folder / "neighbors.png", 3)
    page = _page(folder)
    sheets = page[page.index("All candidates") : page.index("Samples of the other seeds")]
    assert sheets.count("<figure>") == len(KIDS)
    assert "seed 0, left at 10%" in sheets
    assert "Are they copies?" in page


def test_the_page_stays_one_small_file_whose_links_all_lead_somewhere(folder: Path) -> None:
    page = _page(folder)
    tags = _Tags(page).found
    ids = [a["id"] for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {str(a["href"])[1:] for _, a in tags if str(a.get("href", "")).startswith("#")} <= set(ids)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags}
    assert not re.search(r"[ML ,](nan|inf)\b", page)
    assert len(page) < 3_000_000


@pytest.mark.parametrize("count", [2, 18])
def test_few_and_many_candidates_are_drawn(tmp_path: Path, count: int) -> None:
    names = [f"candidate-{i}" for i in range(count)]
    last = names[:3]
    rows = [_row(i, name, 0.01 * i, left=None, healed=[]) for i, name in enumerate(names, 1)]
    for place, row in enumerate(rows[3:], 4):
        row |= _left(0.1, place, count)
    for name in names:
        _trained(tmp_path / "runs" / f"{name}-s0", name, 0, 1.0 if name in last else 0.1)
    page = _page(_write(tmp_path, rows, _ladder(names, last, last)))
    assert page.count('class="lane ') == count + 1
    assert ("11 others" in page) == (count == 18)
    assert ("Left before the test part" in page) == (count == 18)


def test_a_race_that_was_killed_shows_how_far_its_runs_came(folder: Path) -> None:
    (folder / "race.json").unlink()
    plan = json.loads((folder / "plan.json").read_text())
    write_json(folder / "plan.json", {**plan, "ladder": [{"share": share, "places": 3} for share in SHARES]})
    course = _course(folder)
    assert [track.end for track in course["late"].tracks] == [40.0, 40.0]
    assert course["late"].places == []
    assert 'id="race"' in _page(folder)


def test_a_race_without_a_ladder_has_no_such_picture(folder: Path) -> None:
    told = json.loads((folder / "race.json").read_text())
    write_json(folder / "race.json", {**told, "ladder": []})
    assert 'id="race"' not in _page(folder)


def test_reporting_a_race_never_imports_torch(folder: Path) -> None:
    script = "import sys, pathlib, ganwise.report as r; r.write(pathlib.Path(sys.argv[1])); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=60)
    assert report.write(folder).is_file()
