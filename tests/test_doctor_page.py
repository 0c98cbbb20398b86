"""The doctor's page: in words and pictures what was seen, why it matters, what to do, and what if nothing is done."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import get_args

import pytest
from conftest import SHARED, Answer
from PIL import Image

from ganwise import catalog, knowledge
from ganwise.artifacts import RunDirectory, append_row
from ganwise.cli.runs import read_recipe
from ganwise.doctor import Diagnosis, Traits, diagnose
from ganwise.doctor.gather import Log
from ganwise.doctor.meaning import MEANINGS, headline, in_words, options
from ganwise.doctor.readers import read
from ganwise.doctor.stop import advise
from ganwise.report import clinic, looks
from ganwise.types import Finding, Problem, Record

TRACES = SHARED / "traces"
Call = Callable[..., Answer]


def _records(**signals: list[float]) -> list[Record]:
    length = len(next(iter(signals.values())))
    return [Record(20 * (i + 1), 0, 0.0, {name: values[i] for name, values in signals.items()}) for i in range(length)]


def _step(before: float, after: float, length: int = 100) -> list[float]:
    return [before] * (length // 2) + [after] * (length - length // 2)


SICK = {
    "Distance of two fakes, real = 1": _records(spread=_step(0.9, 0.1)),
    "Distance of two fakes in features, real = 1": _records(spread_features=_step(0.9, 0.1)),
    "Coverage of a small probe": _records(coverage=_step(0.8, 0.1)),
    "Generator's gradient norm": _records(
        grad_g=_step(1.0, 1e-6), accuracy_real=_step(0.9, 1.0), accuracy_fake=_step(0.9, 1.0), loss_d=_step(1.0, 0.9)
    ),
    "Fakes where G's loss has no slope": _records(saturated=_step(0.1, 0.99)),
    "Units never set off": _records(dead_d=_step(0.1, 1.0)),
    "G's loss over D's": _records(loss_d=_step(1.0, 0.01), loss_g=_step(1.0, 5.0)),
    "Discriminator's accuracy": _records(accuracy_real=_step(0.8, 0.9), accuracy_fake=_step(0.8, 0.01)),
    "BEGAN's controller k": _records(k=_step(0.1, 1.0)),
    "D's pace over G's": _records(update_d=_step(1e-3, 1e-1), update_g=_step(1e-3, 1e-3)),
    "Gradient norms": _records(grad_d=_step(1.0, 5000.0)),
    "Top singular values": _records(sigma_d=_step(1.0, 90.0)),
    "FID": _records(fid=_step(40.0, 190.0, 30)),
    "Losses": _records(loss_d=_step(0.9, float("nan")), loss_g=_step(0.9, 0.9)),
    "Distance to training samples over held-out ones": _records(novel=_step(1.1, 0.5), near=_step(1.1, 0.5)),
}


def _diagnosed(records: list[Record]) -> Diagnosis:
    return diagnose(records, loss="non-saturating")


@pytest.mark.parametrize("title", SICK)
def test_the_first_curve_is_the_one_that_the_evidence_speaks_of(title: str) -> None:
    traits = Traits.of(None, loss="non-saturating")
    firsts = {}
    for finding in _diagnosed(SICK[title]).findings:
        drawn = looks.plots(finding, SICK[title], traits)
        firsts[drawn[0].title] = (finding, drawn[0])
    finding, plot = firsts[title]
    assert plot.since is not None
    assert plot.since.at == pytest.approx(100 * finding.since_step / SICK[title][-1].step, abs=0.1)
    assert plot.rules or title in ("Losses", "BEGAN's controller k")


def test_every_problem_has_words_and_curves_and_sources_that_are_known() -> None:
    assert set(MEANINGS) == set(looks.LOOKS) == set(get_args(Problem))
    for meaning in MEANINGS.values():
        assert len(meaning.why) > 60
        assert len(meaning.if_nothing) > 60
        assert [source.key for source in knowledge.cite(meaning.sources)] == list(meaning.sources)


def test_the_headline_names_the_worst_and_earliest_problem() -> None:
    late = Finding("imbalance", "failing", 900, "", (), ())
    early = Finding("mode_collapse", "failing", 400, "", (), ())
    mild = Finding("instability", "warning", 100, "", (), ())
    said = headline("failing", [late, mild, early])
    assert said == "This run is failing: mode collapse since step 400, and 2 more problems."
    assert headline("healthy", []) == "This run is healthy."


def test_options_are_what_set_reads() -> None:
    plain = catalog.named("fcgan")
    found = _diagnosed(SICK["Distance of two fakes, real = 1"])
    changes = [remedy.change for remedy in diagnose(SICK["Units never set off"], plain).findings[0].remedies]
    assert changes
    assert found.findings[0].remedies
    for change in changes:
        words = shlex.split(shlex.join(options(change)))
        assert read_recipe("fcgan", [word for word in words if word != "--set"]) != plain


def test_a_change_is_said_without_our_names_of_options() -> None:
    assert in_words({"regularizers.r1": True}) == "add r1"
    assert (
        in_words({"loss.name": "hinge", "regularizers.weight-clipping": False})
        == "change the loss: hinge; take out weight-clipping"
    )
    assert in_words({"schedule.generator.learning_rate": 1e-4}) == "set learning rate of the generator to 0.0001"


def _page(records: list[Record], **fields: object) -> str:
    log = Log("log.csv", "CSV", tuple(records), {"loss_d": "<b>D</b>"}, rows=len(records), loss="non-saturating")
    log = log._replace(**fields)  # type: ignore[arg-type]
    return clinic.render(_diagnosed(records), log, advise(records, loss="non-saturating"))


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.S)))


def test_the_page_says_all_five_parts_and_asks_nothing_of_a_network() -> None:
    page = _page(SICK["G's loss over D's"])
    said = _text(page)
    for part in (
        "What was seen",
        "Why it matters",
        "What to do",
        "If nothing is done",
        "What could not be judged",
        "What was read",
    ):
        assert part in said
    assert MEANINGS["imbalance"].why in said
    assert "add" in said.lower()
    assert "mode collapse" in said.lower()
    assert "alarm above" in said
    assert not re.search(r"<(script|link|iframe)|src=\"(?!data:)", page)


def test_names_of_strangers_are_escaped() -> None:
    assert "<b>D</b>" not in _page(SICK["G's loss over D's"], path="<script>alert(1)</script>")
    assert "<script>" not in _page(SICK["G's loss over D's"], path="<script>alert(1)</script>")


def test_of_a_log_from_which_nothing_follows_nothing_is_said() -> None:
    page = _text(_page(_records(loss_d=[1.0, 1.0])))
    assert "Too little was recorded" in page
    assert "Nothing could be judged" in page


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ours, with records that collapse and a grid at each check."""
    made = RunDirectory(tmp_path_factory.mktemp("page") / "sick run")
    made.path.mkdir()
    recipe = catalog.named("fcgan").model_dump(mode="json")
    data = {"name": "digits", "source": "digits", "content": "", "shape": [1, 8, 8]}
    made.update(recipe=recipe, data=data, seed=3, steps=2000, status="done", device="cpu", threads=1, precision="float32")
    for record in SICK["Distance of two fakes, real = 1"]:
        append_row(made.records_file, record.as_json())
    made.grids.mkdir()
    for step in (200, 800, 1200, 2000):
        Image.new("RGB", (184, 184), (step % 256, 0, 0)).save(made.grids / f"{step:08d}.png")
    Image.new("RGB", (184, 184)).save(made.real_grid)
    return made.path


def test_of_our_run_the_page_lies_beside_it_with_the_grids_around_the_alarm(run: Path, call: Call) -> None:
    answer = call("doctor", run, "--json")
    assert answer.status == 1
    told = answer.json
    shown = {p["name"]: p["step"] for p in told["findings"][0]["pictures"]}
    assert shown == {"before the alarm": 800, "at the alarm": 1200, "at the end": 2000, "real": None}
    assert {"why", "if_nothing", "why_sources"} <= set(told["findings"][0])
    page = Path(told["page"])
    assert page == run / "doctor.html"
    assert page.read_text().count("data:image/") == 4
    assert f"ganwise doctor {shlex.quote(str(run))} --heal" in unescape(page.read_text())


def test_the_terminal_says_the_same_in_eighty_columns(run: Path, call: Call) -> None:
    said = " ".join(call("doctor", run).out.split())
    meaning = MEANINGS["mode_collapse"]
    for part in ("This run is failing: mode collapse", meaning.why, meaning.if_nothing, "--set regularizers.r1=true", "--heal"):
        assert part in said
    assert max(map(len, call("doctor", run).out.splitlines()[:12])) <= 80


def test_a_foreign_log_gets_a_page_where_one_is_named(tmp_path: Path, call: Call) -> None:
    log = tmp_path / "log.csv"
    rows = [f"{r.step},{r.signals['loss_d']},{r.signals['loss_g']}" for r in SICK["G's loss over D's"]]
    log.write_text("\n".join(["step,loss_d,loss_g", *rows]))
    told = call("doctor", log, "--json").json
    assert told["page"] is None
    assert told["findings"][0]["pictures"] == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv"]
    page = tmp_path / "page.html"
    assert call("doctor", log, "--json", "--page", page).json["page"] == str(page)
    assert "D has won" in page.read_text()


def test_a_page_that_cannot_be_written_is_one_line_and_status_two(run: Path, call: Call) -> None:
    answer = call("doctor", run, "--page", run / "run.json" / "page.html")
    assert answer.status == 2
    assert "--page" in answer.err
    assert len(answer.err.strip().splitlines()) == 1


@pytest.mark.skipif(not TRACES.is_dir(), reason="needs the published logs in ../shared/data/traces")
def test_every_published_log_has_its_page(tmp_path: Path) -> None:
    for name in ("LSGAN-2020_09_15_23_40_37.csv", "SNGAN-2020_09_18_14_37_00.csv"):
        log = read(TRACES / name)
        found = diagnose(log.records, loss=log.loss)
        page = clinic.write(tmp_path / "page.html", found, log, advise(log.records))
        assert headline(found.verdict, found.findings) in _text(page.read_text())
        assert page.read_text().count('class="plot') >= 1


def test_a_page_of_a_log_never_waits_for_torch(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,loss_d,loss_g\n" + "\n".join(f"{20 * i},0.001,5" for i in range(100)))
    script = (
        "import sys; sys.argv = ['ganwise', 'doctor', *sys.argv[1:]]\n"
        "from ganwise.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 1, end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    told = [sys.executable, "-c", script, str(log), "--page", str(tmp_path / "page.html")]
    done = subprocess.run(told, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").is_file()
