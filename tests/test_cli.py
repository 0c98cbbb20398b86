"""The command line as its users meet it: real processes, real data, small budgets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

from ganwise import catalog
from ganwise.artifacts import write_json
from ganwise.cli import entry

SCORE = {"metric", "value", "low", "high", "n", "features", "protocol", "seed", "direction", "yardsticks"}
ROW = {"recipe", "rank", "tied_with", "scores", "seeds", "cost", "verdict", "error"}
PROGRAM = [sys.executable, "-m", "ganwise"]


def _run(folder: Path, cache: Path, *arguments: object) -> Answer:
    environment = os.environ | {"GANWISE_CACHE": str(cache)}
    command = [*PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=580)
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "cache"


SMALL = ("--budget", "images:24k", "--seeds", "2")


@pytest.fixture(scope="session")
def raced(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, Answer]:
    """A race of two recipes on digits: its directory, and what it printed."""
    folder = tmp_path_factory.mktemp("ünder a räce")
    answer = _run(folder, cache, "race", "digits", "gan", "b=lsgan", *SMALL, "--out", "my race", "--json")
    return folder / "my race", answer


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, Answer]:
    folder = tmp_path_factory.mktemp("trained")
    return folder / "out", _run(folder, cache, "train", "gan", "ring", "--steps", "200", "--out", "out", "--json")


# what it answers


def test_a_race_answers_as_the_contract_has_it(raced: tuple[Path, Answer]) -> None:
    _, answer = raced
    result = answer.json
    assert answer.status == (0 if result["recommended"] else 1)
    assert {"ranking", "winner", "recommended", "out", "model", "report", "interrupted"} <= result.keys()
    assert [row["rank"] for row in result["ranking"]] == [1, 2]
    for row in result["ranking"]:
        assert row.keys() >= ROW
        assert row["seeds"] == [0, 1]
        assert row["verdict"] in ("healthy", "warning", "failing", "failed", "unknown")
        assert row["cost"]["images"] >= 6000
        assert all(score.keys() >= SCORE and score["yardsticks"].keys() == {"real", "mixture"} for score in row["scores"])
    assert result["winner"] in (None, result["ranking"][0]["recipe"])


def test_a_race_leaves_report_result_and_model(raced: tuple[Path, Answer]) -> None:
    folder, answer = raced
    assert (folder / "report.html").read_text().startswith("<!")
    assert json.loads((folder / "race.json").read_text())["ranking"] == answer.json["ranking"]
    if answer.json["model"]:
        assert (folder / "model" / "model.safetensors").is_file()


def test_progress_without_a_terminal_is_a_line_per_event(raced: tuple[Path, Answer]) -> None:
    lines = raced[1].err.splitlines()
    told = {name: [line for line in lines if line.startswith(f"{name}: ")] for name in ("gan-s0", "gan-s1", "b-s0", "b-s1")}
    assert sum(map(len, told.values())) == len(lines)
    assert all("started" in of_one[0] and "done" in of_one[-1] for of_one in told.values())
    assert all("\x1b" not in line and line.strip() for line in lines)


def test_training_answers_as_the_contract_has_it(trained: tuple[Path, Answer]) -> None:
    folder, answer = trained
    result = answer.json
    assert all(score.keys() >= SCORE for score in result["scores"])
    assert result["steps"] == 200
    assert answer.status == (1 if result["verdict"] in ("failing", "failed") else 0)
    assert answer.err == ""
    assert (folder / "model.safetensors").is_file()


def test_every_verb_reads_a_race_or_a_run(
    raced: tuple[Path, Answer], trained: tuple[Path, Answer], call: Callable[..., Answer], tmp_path: Path
) -> None:
    for run in (raced[0] / "runs" / "gan-s0", trained[0]):
        evaluated = call("evaluate", run, "--json")
        assert evaluated.json["scores"][0].keys() >= SCORE
        diagnosed = call("doctor", run, "--json")
        assert diagnosed.json.keys() >= {"verdict", "findings", "not_judged"}
        assert diagnosed.status == (1 if diagnosed.json["verdict"] in ("failing", "failed") else 0)
        assert call("sample", run, "-n", "9", "--out", "grün.npz", "--json").json["n"] == 9
        assert len(np.load(tmp_path / "grün.npz")["samples"]) == 9
        assert call("sample", run, "-n", "9", "--out", "a b.png").out == "a b.png\n"
        assert call("export", run, "--out", "model", "--json").json["sha256"]
        assert call("cite", run).out.startswith("@")
        assert "goodfellow2014gan" in call("cite", run, "--json").json["sources"]
    assert Path(call("report", raced[0], "--json").json["report"]).is_file()


def test_a_run_finds_its_data_from_another_directory(
    call: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32))
    begin = ("train", "gan", "rows.npy", "--steps", "20", "--checkpoint-every", "10", "--out", "run")
    assert call(*begin).status == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["source"] == str(tmp_path / "rows.npy")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert call("evaluate", "../run", "--json").json["scores"]
    more = ("train", "gan", "../rows.npy", "--steps", "30", "--checkpoint-every", "10", "--out", "../run", "--resume")
    assert call(*more).status == 0


def test_an_exported_onnx_is_the_model(trained: tuple[Path, Answer], call: Callable[..., Answer], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    exported = call("export", trained[0], "--format", "onnx", "--out", "g.onnx", "--json")
    assert exported.status == 0, exported.err
    assert exported.json["format"] == "onnx"
    assert (tmp_path / "g.onnx").is_file()


def test_audit_select_and_catalog_answer_as_the_contract_has_it(call: Callable[..., Answer]) -> None:
    audit = call("audit", "digits", "--json").json
    assert audit.keys() >= {"kind", "shape", "n", "classes", "facts", "problems"}
    assert (audit["kind"], audit["shape"], audit["n"]) == ("image", [1, 8, 8], 1797)
    select = call("select", "digits", "--want", "diversity,quality", "--json").json
    assert select.keys() >= {"questions", "before", "valid", "after", "candidates", "excluded", "disagreements"}
    assert select["before"] > select["valid"] > select["after"] >= 1
    assert select["questions"][0].keys() >= {"question", "answer", "because", "sources"}
    assert select["candidates"][0].keys() >= {"name", "recipe", "rank", "score", "reasons"}
    table = call("catalog", "--json").json
    assert table.keys() >= {"architectures", "losses", "regularizers", "divergences", "recipes"}
    assert all(row.keys() >= {"name", "says", "sources", "traits"} for rows in table.values() for row in rows)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_tables_fit_the_terminal_without_cut_words(raced: tuple[Path, Answer], columns: int, cache: Path) -> None:
    script = "import json, sys; from ganwise.cli import show; show.outcome(json.load(sys.stdin))"
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", script], input=raced[1].out, capture_output=True, text=True, env=environment)
    text, _, places = done.stdout.partition("Where things are")
    assert done.stderr == ""
    assert "…" not in text
    assert "\x1b" not in text
    assert all(len(line) <= columns for line in text.splitlines())
    if raced[1].json["model"]:
        assert "ganwise export 'my race' --format onnx" in places


def test_bare_ganwise_and_help_show_the_verbs(call: Callable[..., Answer]) -> None:
    for arguments in ([], ["--help"]):
        answer = call(*arguments)
        assert answer.status == 0
        assert all(verb in answer.out for verb in ("run", "race", "audit", "select", "train", "doctor", "export"))
    assert call("--version").out.count(".") == 2


def test_on_windows_one_line_says_where_it_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit, match="2"):
        entry.main()
    assert "run ganwise in WSL" in (said := capsys.readouterr().err)
    assert said.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(f"{' '.join(PROGRAM)} catalog | head -1", shell=True, capture_output=True, text=True)
    assert done.stderr == ""


# what it refuses


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    draws = np.random.default_rng(0)
    for folder in ("empty", "no images", "corrupt", "few", "full"):
        (tmp_path / folder).mkdir()
    (tmp_path / "no images" / "a.txt").write_text("text")
    (tmp_path / "full" / "a.txt").write_text("text")
    for i in range(70):
        (tmp_path / "corrupt" / f"{i}.png").write_bytes(b"no image")
    for i in range(20):
        Image.fromarray(draws.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / "few" / f"{i}.png")
    np.savez(tmp_path / "pickled.npz", x=np.array([{"a": 1}] * 100, dtype=object))
    (tmp_path / "text.csv").write_text("a,b\n" + "1,word\n" * 100)
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "typing.toml").write_text("labls = 'none'\n")
    (tmp_path / "others.toml").write_text("image = '64x64x3'\n")
    return tmp_path


def _refused(answer: Answer, inputs: Path, *words: str) -> None:
    """One line that says what is wrong, status 2, and no directory left behind."""
    assert answer.status == 2, answer
    assert answer.err.count("\n") == 1, answer.err
    assert answer.err.startswith("ganwise: ")
    assert all(word in answer.err for word in words), answer.err
    assert not list(inputs.glob("ganwise-*"))


DATA = {
    "nowhere": "does not exist",
    "empty": "empty folder",
    "no images": "no image",
    "corrupt": "none of the 70 images can be read",
    "few": "at least 64",
    "pickled.npz": "pickled objects",
    "text.csv": "'word'",
    "list.json": "of no known kind",
    "": "does not exist",
}


@pytest.mark.parametrize("verb", ["run", "race", "audit", "select", "train"])
def test_data_that_can_not_be_used_are_refused_in_one_line(verb: str, call: Callable[..., Answer], inputs: Path) -> None:
    for data, words in DATA.items():
        answer = call("train", "gan", data) if verb == "train" else call(verb, data)
        _refused(answer, inputs, words)
        assert answer.out == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "No such command 'nonsense'; see ganwise --help"),
        ("run", "Missing argument"),
        ("run digits --zzz", "--zzz; see ganwise run --help"),
        ("run digits --nope", "--nope"),  # some versions of typer go on: did you mean --tune?
        ("run digits --seeds 0", "--seeds"),
        ("run digits --seeds many", "--seeds"),
        ("run digits --budget 0s", "nothing to spend"),
        ("run digits --budget soon", "not a budget"),
        ("run digits --budget flops:1e6", "give at least flops:"),
        ("run digits --budget 1e999m", "more than there is"),
        ("run digits --budget 1s", "give at least"),
        ("run digits --budget images:10", "give at least images:"),
        ("run digits --want luck", "unknown need"),
        ("run digits --application missing.toml", "missing.toml"),
        ("run digits --application typing.toml", "labels"),
        ("run digits --application others.toml", "64"),
        ("run digits --device cuda:99", "not on this machine; here: cpu"),
        ("run digits --device toaster", "not on this machine; here: cpu"),
        ("run digits --out full", "holds files already"),
        ("run digits --out list.json", "holds files already"),
        ("run digits --out list.json/below", "can't be written to: Not a directory"),
        ("race digits gna lsgan", "did you mean gan"),
        ("race digits gan", "two candidates"),
        ("race digits gan gan", "entered twice"),
        ("race digits a/b=gan c=gan", "alias"),
        ("race digits list.json gan", "not a recipe"),
        ("race digits broken.json gan", "not JSON"),
        ("race digits missing.json gan", "missing.json"),
        ("race ring dcgan gan", "dcgan: architecture: dcgan makes images"),
        ("race digits gan lsgan --engine spark", "known: local, ray"),
        ("race digits gan lsgan --address 127.0.0.1:6379", "add --engine ray"),
        ("train dcgna digits", "did you mean dcgan"),
        ("train gan digits --set nonsense", "PART=VALUE"),
        ("train gan digits --set =", "no such part"),
        ("train gan digits --set loss.margin=2", "unknown option 'margin'"),
        ("train gan digits --set loss.name=luck", "unknown name 'luck'"),
        ("train gan digits --set schedule.batch=many", "integer"),
        ("train gan digits --steps 0", "--steps"),
        ("train gan digits --precision fp8", "fp8"),
        ("train gan digits --out full", "holds files already"),
        ("train dcgan ring", "makes images"),
        ("sample empty -n 0", "-n"),
        ("sample empty --out a.gif", "expected a .png"),
        ("export empty --format pt", "safetensors or onnx"),
        ("audit ring --size 16", "no size"),
        ("catalog nosuch", "unknown name"),
        ("select digits --limit 0", "--limit"),
        *(
            (f"{verb} {path}", path)
            for verb in ("evaluate", "doctor", "sample", "export", "cite", "report")
            for path in ("nowhere", "empty")
        ),
    ],
)
def test_a_mistake_is_answered_in_one_line(line: str, words: str, call: Callable[..., Answer], inputs: Path) -> None:
    _refused(call(*line.split()), inputs, words)
    assert [p.name for p in (inputs / "full").iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_directory_without_write_permission_is_refused(call: Callable[..., Answer], inputs: Path) -> None:
    (inputs / "empty").chmod(0o500)
    _refused(call("run", "digits", "--out", "empty/out"), inputs, "Permission denied")


def _cut(run: Path) -> None:
    (run / "run.json").write_text('{"format": 1,')


def _empty(run: Path) -> None:
    (run / "run.json").write_text("{}")


def _no_model(run: Path) -> None:
    (run / "model.safetensors").unlink()


def _flipped(run: Path) -> None:
    content = bytearray((run / "model.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (run / "model.safetensors").write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "words", "verbs"),
    [
        (_cut, "not JSON", ("evaluate", "doctor", "sample", "export", "cite", "report")),
        (_empty, "damaged", ("evaluate", "doctor", "sample", "export", "cite", "report")),
        (_no_model, "missing", ("evaluate", "sample", "export")),
        (_flipped, "SHA-256", ("evaluate", "sample", "export")),
    ],
)
def test_a_damaged_run_is_named(
    damage: Callable[[Path], None],
    words: str,
    verbs: tuple[str, ...],
    trained: tuple[Path, Answer],
    call: Callable[..., Answer],
    tmp_path: Path,
) -> None:
    import shutil

    run = tmp_path / "damaged run"
    shutil.copytree(trained[0], run)
    damage(run)
    for verb in verbs:
        _refused(call(verb, run), tmp_path, words)


def test_where_every_candidate_is_sick_nothing_is_recommended(cache: Path, tmp_path: Path) -> None:
    recipe = catalog.named("gan").model_dump(mode="json")
    for player in ("discriminator", "generator"):
        recipe["schedule"][player]["learning_rate"] = 1e6
    for name in ("a", "b"):
        write_json(tmp_path / f"{name}.json", recipe)
    answer = _run(tmp_path, cache, "race", "ring", "a.json", "b.json", "--budget", "images:40k", "--seeds", "1", "--json")
    assert answer.status == 1, answer
    assert answer.json["recommended"] is None
    assert (tmp_path / "ganwise-ring" / "report.html").is_file()
