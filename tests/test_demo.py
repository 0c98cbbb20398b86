"""The doctor's demo: its parts quickly, and slowly the whole of it for real."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer
from PIL import Image

from ganwise import demo, ramp
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.catalog import check
from ganwise.report import demo as page
from ganwise.study.trial import Stop

Call = Callable[..., Answer]


def test_the_recipe_is_one_of_the_catalog_whose_rates_rise_a_thousandfold() -> None:
    broken = demo.recipe()
    check(broken)
    for player in (broken.schedule.generator, broken.schedule.discriminator):
        low, high = sorted(ramp.ends(player.learning_rate))
        assert high == pytest.approx(1000 * low)


def test_the_alarm_is_that_of_the_collapse_where_it_was_found() -> None:
    findings = [{"problem": "imbalance", "since_step": 40}, {"problem": "mode_collapse", "since_step": 60}]
    assert demo.collapse({"findings": findings}) == 60
    assert demo.collapse({"findings": findings[:1]}) == 40


def _run(path: Path, spread: float, coverage: float) -> dict[str, Any]:
    run = RunDirectory(path)
    run.grids.mkdir(parents=True)
    run.update(data={"shape": [1, 8, 8]}, seconds=1.0)
    for step in (100, 400, 600, 1000):
        Image.new("RGB", (184, 184), (step % 256, 0, 0)).save(run.grids / f"{step:08d}.png")
    Image.new("RGB", (184, 184)).save(run.real_grid)
    for step in range(20, 1001, 20):
        record = {"step": step, "images": 0, "seconds": 0.0, "spread": 0.9 if step < 500 else spread}
        with run.records_file.open("a") as lines:
            lines.write(f"{record}\n".replace("'", '"'))
    run.checks_file.write_text(
        f'{{"step": 100, "seconds": 1, "coverage": 0.1}}\n{{"step": 1000, "seconds": 2, "coverage": {coverage}}}\n'
    )
    verdict = "failing" if spread < 0.25 else "healthy"
    return {"run": str(path), "verdict": verdict, "problems": [], "kid": 0.3, "coverage": coverage, "seconds": 1.0}


def test_the_page_shows_sick_end_and_healed_side_by_side(tmp_path: Path) -> None:
    finding = {"problem": "mode_collapse", "severity": "failing", "since_step": 500, "evidence": "all <alike>"}
    attempt = {"change": {"regularizers.r1": True}, "because": "it bounds", "from_step": 300, "kept": "weights"}
    result = {
        "findings": [finding],
        "steps": 1000,
        "seed": 0,
        "sick": _run(tmp_path / "sick", 0.0, 0.0),
        "healed": _run(tmp_path / "healed", 0.9, 0.7),
        "heal": {"cured": True, "attempts": [{**attempt, "cured": True, "verdict": "healthy"}]},
    }
    page.write(tmp_path / "demo.html", result, 500)
    text = (tmp_path / "demo.html").read_text()
    said = re.sub(r"\s+", " ", unescape(re.sub(r"<style.*?</style>|<[^>]+>", " ", text, flags=re.S)))
    for part in (
        "sick, before the alarm",
        "sick, at the alarm",
        "sick, at the end",
        "healed",
        "coverage 0.70",
        "Add r1",
        "it bounds",
    ):
        assert part in said
    assert text.count("data:image/") == 5
    assert "<alike>" not in text
    assert not re.search(r"<script|src=\"(?!data:)", text)


def test_a_directory_that_is_taken_is_refused_before_anything_is_trained(tmp_path: Path, call: Call) -> None:
    write_json(tmp_path / "taken" / "mine.json", {})
    answer = call("doctor", "--demo", "--out", tmp_path / "taken")
    assert answer.status == 2
    assert "holds files already" in answer.err


def test_an_interrupted_demo_leaves_the_sick_run_and_a_result(tmp_path: Path) -> None:
    result = demo.Demo(tmp_path / "demo").go(Stop(signal=2))
    assert "heal" not in result
    assert RunDirectory(tmp_path / "demo" / "sick").read()["status"] == "interrupted"
    assert result["verdict"] == read_json(tmp_path / "demo" / "sick" / "doctor.json")["verdict"]


@pytest.mark.slow
def test_the_demo_collapses_is_diagnosed_and_healed(tmp_path: Path, call: Call) -> None:
    answer = call("doctor", "--demo", "--json", "--out", tmp_path / "demo")
    told = answer.json
    assert answer.status == 0
    assert told["verdict"] == told["sick"]["verdict"] == "failing"
    assert "mode_collapse" in told["sick"]["problems"]
    assert told["heal"]["cured"]
    assert told["healed"]["verdict"] in ("healthy", "warning")
    assert told["healed"]["kid"] < told["sick"]["kid"] / 3
    assert told["healed"]["coverage"] > told["sick"]["coverage"] + 0.2
    for name in ("page", "picture"):
        assert Path(told[name]).stat().st_size > 10_000
    assert {"sick/doctor.html", "healed/doctor.html"} <= {
        str(p.relative_to(told["out"])) for p in Path(told["out"]).glob("*/*.html")
    }
