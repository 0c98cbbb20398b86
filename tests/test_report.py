"""The report is one file that asks nothing of any network, escapes what it shows, and copes with whatever a race left behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganwise import report
from ganwise.artifacts import RunDirectory, append_row, to_json, write_json
from ganwise.audit import audit
from ganwise.data import load
from ganwise.report import curves, grids, words
from ganwise.select import select
from ganwise.select.space import factors
from ganwise.types import Unusable

SCRIPT = "<script>alert('x')</script>"
NAMES = ("r1gan", "lsgan", "began")


def _score(metric: str, value: Any, seed: int, direction: str = "higher") -> dict[str, Any]:
    low, high = (value, value) if isinstance(value, str) else (value * 0.8, value * 1.2)
    sticks = {"real": -0.0003, "mixture": 0.014} if metric == "kid" else {"real": 0.97, "mixture": 0.8}
    told = {"n": 300, "features": "efficientnet-lite0@96-fp32", "protocol": f"300 test vs 300 generated for {metric}"}
    return {
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
        **told,
        "seed": seed,
        "direction": direction,
        "yardsticks": sticks,
    }


def _scores(kid: Any, seed: int) -> list[dict[str, Any]]:
    rest = ("coverage", "recall", "precision", "memorization")
    return [_score("kid", kid, seed, "lower"), *(_score(m, 0.7 + seed / 20, seed) for m in rest)]


def _grid(path: Path, seed: int, tiles: int = 8) -> None:
    """As `ganwise.pictures` draws 8x8 images: tiles of 32 with gaps of 4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (tiles * 9, tiles * 9), dtype=np.uint8)
    Image.fromarray(noise).resize((tiles * 36 + 4, tiles * 36 + 4), Image.Resampling.NEAREST).save(path)


def _run(path: Path, name: str | None, seed: int, kid: Any = 0.01, verdict: str = "healthy") -> RunDirectory:
    run = RunDirectory(path)
    path.mkdir(parents=True)
    data = {"name": "digits", "source": "digits", "content": "ab" * 32, "shape": [1, 8, 8]}
    run.update(name=name, status="done", seed=seed, data=data, device="cpu", precision="float32", threads=1, steps=400)
    run.update(versions={"ganwise": "0.1.0"}, best={"step": 400, "kid": kid}, model_sha256="cd" * 32, seconds=4.0, images=25600)
    if name is None:  # as train writes it
        write_json(run.run, {k: v for k, v in run.read().items() if k != "name"})
    for step in range(20, 420, 20):
        signals = {"loss_d": 1.3, "loss_g": 0.7 + step / 1e3, "grad_d": 1.0, "grad_g": 10.0 ** (-step / 100), "spread": 0.9}
        signals |= {"accuracy_real": 0.7, "accuracy_fake": 0.6, "k": 0.1, "m_global": 0.2}
        append_row(run.records_file, {"step": step, "images": step * 64, "seconds": step / 100, **signals})
    for step in (40, 200, 400):
        append_row(run.checks_file, {"step": step, "seconds": step / 100, "kid": 1 / step, "coverage": 0.5})
        _grid(run.grids / f"{step:08d}.png", step)
    _grid(run.grid, seed)
    _grid(run.real_grid, 9)
    finding = {
        "problem": "mode_collapse",
        "severity": verdict,
        "since_step": 100,
        "evidence": f"spread is {seed}.2",
        "sources": [],
    }
    finding["remedies"] = [
        {"change": {"loss.name": "relativistic"}, "because": "pairs", "sources": ["huang2024r3gan", "unknown"]}
    ]
    sick = verdict in ("failing", "failed")
    write_json(run.doctor, {"verdict": verdict, "findings": [finding] if sick else [], "not_judged": []})
    write_json(run.scores, {"scores": _scores(kid, seed)})
    return run


def _row(rank: int, name: str, kid: Any, **more: Any) -> dict[str, Any]:
    scores = [s for seed in (0, 1) for s in _scores(kid, seed)]
    mean = kid if isinstance(kid, str) else {"mean": kid, "low": kid / 2, "high": kid * 2}
    row = {"recipe": name, "rank": rank, "tied_with": [], "interval": None if isinstance(kid, str) else mean, "seeds": [0, 1]}
    row |= {"summary": {"kid": kid, "coverage": 0.72}, "scores": scores, "verdict": "healthy", "error": None, "runs": []}
    return row | {"cost": {"seconds": 4.0, "images": 25600.0, "steps": 400.0, "seconds_to_best": 3.0}} | more


def _race(folder: Path, **result: Any) -> Path:
    """A whole race in the true format: real audit and selection, three candidates, two seeds."""
    data = load("digits")
    seen = audit(data)
    write_json(folder / "audit.json", seen._asdict())
    write_json(folder / "select.json", select(seen).as_json())
    command = "ganwise run digits --budget 3m"
    write_json(folder / "request.json", {"source": "digits", "budget": "3m", "command": command, "data": "digits", "want": []})
    write_json(folder / "plan.json", {"entrants": NAMES, "seeds": 2, "seconds": 30.5, "images": None, "workers": 2})
    verdicts = {"r1gan": "healthy", "lsgan": "warning", "began": "failing"}
    kids = {"r1gan": 0.004, "lsgan": 0.009, "began": 0.3}
    for name in NAMES:
        for seed in (0, 1):
            _run(folder / "runs" / f"{name}-s{seed}", name, seed, kids[name], verdicts[name])
    rows = [_row(i, n, kids[n], verdict=verdicts[n]) for i, n in enumerate(NAMES, 1)]
    rows[0]["tied_with"], rows[1]["tied_with"] = ["lsgan"], ["r1gan"]
    whole = {"ranking": rows, "metric": "kid", "winner": None, "recommended": "r1gan", "interrupted": False, "out": "gone"}
    write_json(folder / "race.json", whole | result)
    return folder


def _change(path: Path, **fields: Any) -> None:
    write_json(path, json.loads(path.read_text()) | fields)


def _page(folder: Path) -> str:
    return report.write(folder).read_text(encoding="utf-8")


def _said(page: str) -> str:
    """The text as a reader sees it, in one line."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return _race(tmp_path / "race")


def test_the_report_loads_nothing_and_forbids_itself_to(folder: Path) -> None:
    page = _page(folder)
    tags = _Tags(page).found
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in tags}
    for tag, attributes in tags:
        assert not any(name.startswith("on") for name in attributes), f"{tag} runs code"
        assert (attributes.get("src") or "data:").startswith("data:"), attributes["src"]
        assert "href" not in attributes or tag == "a", f"{tag} loads {attributes['href']}"
        assert not {"srcset", "poster", "background"} & attributes.keys()
    assert "url(" not in page
    assert "@import" not in page
    policy = next(a["content"] for t, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert len(page) < 3_000_000


def test_every_link_inside_the_page_has_its_target_and_ids_are_unique(folder: Path) -> None:
    tags = _Tags(_page(folder)).found
    ids = [a["id"] for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {str(a["href"])[1:] for t, a in tags if str(a.get("href", "")).startswith("#")} <= set(ids)


def test_the_verdict_comes_first_then_all_parts_in_their_order(folder: Path) -> None:
    page = _page(folder)
    parts = [
        "<h1>",
        'id="samples"',
        'id="ranking"',
        'id="curves"',
        'id="doctor"',
        'id="data"',
        'id="why"',
        'id="how"',
        "Sources</h3>",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)


def test_a_tie_names_its_rivals_and_every_candidate_appears(folder: Path) -> None:
    said = _said(_page(folder))
    assert "Recommended: r1gan" in said
    assert "No significant winner between r1gan and lsgan with 2 seeds each" in said
    for name in NAMES:
        assert said.count(name) >= 3
    assert "began: mode collapse" in said
    assert "--set loss.name=relativistic" in said


def test_a_winner_is_called_significant(tmp_path: Path) -> None:
    assert "Significant winner: r1gan" in _said(_page(_race(tmp_path / "race", winner="r1gan")))


def test_numbers_come_with_their_conditions(folder: Path) -> None:
    said = _said(_page(folder))
    assert "KID ×1000 4.0 3.2 to 4.8" in said
    assert "n = 300; efficientnet-lite0@96-fp32; 300 test vs 300 generated for kid" in said
    assert "mixture 14.0" in said
    assert "real data −0.30" in said
    assert "ganwise run digits --budget 3m" in said
    assert "--steps 400 --seed 0 --device cpu --threads 1 --precision fp32" in said
    assert "{} architectures x {} losses x {} regularizations x {} divergences".format(*factors()) in said
    assert "Motwani and Parmar (2020)" in said


def test_strangers_names_are_escaped(tmp_path: Path) -> None:
    folder = _race(tmp_path / "race")
    _change(
        folder / "audit.json",
        classes=[SCRIPT, "größer & ≠"],
        problems=[{"severity": "warning", "what": SCRIPT, "where": SCRIPT, "fix": SCRIPT}],
    )
    _change(folder / "request.json", data=SCRIPT, command=f"ganwise run '{SCRIPT}'", want=[SCRIPT])
    write_json(folder / "runs" / "r1gan-s0" / "doctor.json", {"verdict": "warning", "findings": [], "not_judged": [SCRIPT]})
    rows = json.loads((folder / "race.json").read_text())["ranking"]
    rows[1]["error"] = SCRIPT
    rows[1]["recipe"] = f'"><img src=x onerror=1>{SCRIPT}'
    _change(folder / "race.json", ranking=rows)
    page = _page(folder)
    assert "<script" not in page
    assert "onerror=1&gt;" in page
    assert "<img src=x" not in page
    assert "größer &amp; ≠" in page


def test_a_race_of_sick_runs_recommends_nothing(tmp_path: Path) -> None:
    rows = [_row(1, "began", 0.3, verdict="failed"), _row(2, "lsgan", 0.4, verdict="failing")]
    said = _said(_page(_race(tmp_path / "race", recommended=None, ranking=rows)))
    assert "Nothing is recommended." in said
    assert "Every run was sick" in said


def test_an_interrupted_race_says_so(tmp_path: Path) -> None:
    rows = [_row(i, name, "nan", scores=[], summary={}, verdict="unknown") for i, name in enumerate(NAMES, 1)]
    said = _said(_page(_race(tmp_path / "race", recommended=None, interrupted=True, ranking=rows)))
    assert "interrupted before any run was measured" in said


def test_a_race_that_was_killed_is_read_from_its_runs(folder: Path) -> None:
    for name in ("race.json", "audit.json", "select.json"):
        (folder / name).unlink()
    (folder / "request.json").write_text('{"source": "dig')
    (folder / "runs" / "r1gan-s1" / "records.jsonl").write_text('{"step": 20, "loss_d": 1.0}\n{"step": 4')
    said = _said(_page(folder))
    assert "The race was interrupted before its runs were compared" in said
    assert all(name in said for name in NAMES)


def test_a_race_without_any_file_of_its_runs_still_reports(folder: Path) -> None:
    for path in (folder / "runs").rglob("*"):
        if path.is_file():
            path.unlink()
    said = _said(_page(folder))
    assert "No samples were drawn" in said
    assert "No run began" in said


def test_a_run_that_broke_off_shows_its_last_words(folder: Path) -> None:
    RunDirectory(folder / "runs" / "lsgan-s1").update(status="running")
    rows = json.loads((folder / "race.json").read_text())["ranking"]
    rows[1]["error"] = "RuntimeError: out of memory"
    _change(folder / "race.json", ranking=rows)
    assert "lsgan-s1 broke off RuntimeError: out of memory" in _said(_page(folder))


def test_scores_that_are_not_finite_or_missing_are_said_not_drawn(folder: Path) -> None:
    rows = [
        _row(1, "r1gan", 0.004),
        _row(2, "lsgan", "nan", summary={"kid": "nan"}),
        _row(3, "began", "inf", scores=[], summary={}),
    ]
    _change(folder / "race.json", ranking=rows)
    run = RunDirectory(folder / "runs" / "r1gan-s0")
    append_row(run.records_file, {"step": 420, "images": 1, "seconds": 4.2, "loss_d": float("nan"), "loss_g": float("inf")})
    append_row(run.checks_file, {"step": 420, "seconds": 4.2, "kid": float("inf")})
    page = _page(folder)
    assert "not finite" in page
    assert "not scored" in page
    assert not re.search(r"[ML ,](nan|inf)\b", page)


def test_a_single_run_gets_the_same_parts(tmp_path: Path) -> None:
    run = _run(tmp_path / "my run", None, 3)
    said = _said(_page(run.path))
    assert "One run: my run" in said
    assert "The doctor found nothing wrong with this run." in said
    assert "Why these candidates" not in said
    run.scores.unlink()
    run.update(status="interrupted")
    assert "interrupted before its end" in _said(_page(run.path))


def test_points_are_reported_like_images(tmp_path: Path) -> None:
    run = _run(tmp_path / "ring", None, 0)
    run.update(data={"name": "ring", "source": "ring", "content": "0", "shape": [2]})
    write_json(run.scores, {"scores": [_score("sliced_wasserstein", 0.08, 0, "lower")]})
    page = _page(run.path)
    assert "Sliced W₂" in page
    assert 'class="pair dots"' in page


def test_a_folder_that_is_no_race_is_refused_in_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(Unusable, match="no race or run here") as error:
            report.write(folder)
        assert "\n" not in str(error.value)


def test_writing_again_changes_nothing_and_leaves_no_other_file(folder: Path) -> None:
    first = _page(folder)
    before = sorted(folder.iterdir())
    assert _page(folder) == first
    assert sorted(folder.iterdir()) == before


def test_reporting_never_imports_torch(folder: Path) -> None:
    script = "import sys, pathlib, ganwise.report as r; r.write(pathlib.Path(sys.argv[1])); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=60)


def test_heavy_grids_are_made_light(tmp_path: Path) -> None:
    path = tmp_path / "grid.png"
    noise = np.random.default_rng(0).integers(0, 255, (1160, 1160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    made = grids.picture(path, grids.SMALL, (3, 128, 128), crop=True)
    assert made is not None
    assert len(made.uri) < grids.SMALL * 1.4
    path.write_bytes(b"no picture")
    assert grids.picture(path, grids.SMALL, (3, 128, 128)) is None


def test_long_curves_are_thinned_and_keep_their_spikes() -> None:
    points = [(float(i), 1000.0 if i == 7_777 else 1.0) for i in range(50_000)]
    kept = curves.thin(points)
    assert len(kept) <= curves.MOST
    assert (7_777.0, 1000.0) in kept
    assert kept == sorted(kept)


@pytest.mark.parametrize("values", [[0.0], [3.0, 3.0], [-5.0, 5.0], [0.0, 1e9], [1e-4, 1.0], [0.1, 0.2, 400.0]])
def test_an_axis_holds_its_values_and_its_ticks_keep_apart(values: list[float]) -> None:
    for scale in (curves.axis(values), curves.axis(values, log=True, shift=0.01)):
        assert all(-0.001 <= scale.at(max(v, 0.0) if scale.shift else v) <= 1.001 for v in values)
        at = [scale.at(tick) for tick in scale.ticks(0.15)]
        assert all(b - a >= 0.149 for a, b in pairwise(at))


def test_figures_keep_the_digits_that_count() -> None:
    shown = [words.figure(v) for v in (None, "nan", 0.123, 12.34, 1234.5, -0.5)]
    assert shown == ["–", "not finite", "0.12", "12.3", "1,234", "−0.50"]
    assert [words.figure(v, 1000) for v in (0.0042, 0.0, -0.0003)] == ["4.2", "0", "−0.30"]


def test_json_of_the_race_is_strict(folder: Path) -> None:
    assert to_json(json.loads((folder / "race.json").read_text()))
