"""What older versions wrote opens with every reader, newer formats are refused in one line, and nothing read runs code."""

from __future__ import annotations

import ast
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Answer

from ganwise import artifacts, checkpoint, model
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.data import load
from ganwise.evaluate import prepare
from ganwise.inception import load_inception
from ganwise.study.trial import SCORE_SEED
from ganwise.types import Unusable

FORMATS = sorted((Path(__file__).parent / "golden").iterdir())
SOURCES = sorted((Path(__file__).parents[1] / "src" / "ganwise").rglob("*.py"))
Call = Callable[..., Answer]


@pytest.fixture(params=FORMATS, ids=lambda folder: folder.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy that may be written to."""
    return Path(shutil.copytree(request.param, tmp_path / "golden"))


def test_every_released_format_has_its_directory() -> None:
    newest = max(artifacts.FORMAT, checkpoint.FORMAT, model.FORMAT)
    assert [folder.name for folder in FORMATS] == [f"format-{number}" for number in range(1, newest + 1)]


def test_every_reader_opens_an_old_run(golden: Path, call: Call) -> None:
    run = golden / "run"
    before = read_json(run / "scores.json")["scores"]
    assert call("doctor", run, "--json").json["verdict"] == read_json(run / "run.json")["verdict"]
    names = [score["metric"] for score in before]
    assert [score["metric"] for score in call("evaluate", run, "--json").json["scores"]] == names
    bench = prepare(load("ring"), "test")  # as it was scored then: three sets of fakes, where the verb takes one by now
    again = bench.scores(model.load(run / "model.safetensors").sample(bench.n * 3, SCORE_SEED), draws=3)
    assert [score.metric for score in again] == names
    assert [score.value for score in again] == pytest.approx([score["value"] for score in before], rel=1e-3)
    assert call("sample", run, "-n", 8, "--out", "samples.npz", "--json").json["shape"] == [2]
    assert call("report", run).status == 0
    assert call("export", run, "--out", golden / "model").status == 0


def test_an_old_run_is_trained_on(golden: Path, call: Call) -> None:
    run = RunDirectory(golden / "run")
    told = run.read()
    del told["deterministic"], told["recipe"]["schedule"]["stall"]  # as if they had come later
    write_json(run.run, told)
    changes = ("--set", "architecture.width=8", "--set", "schedule.batch=24", "--precision", "fp32", "--seed", 3)
    answer = call("train", "r1gan", "ring", "--steps", 80, *changes, "--out", run.path, "--resume", "--json")
    assert answer.json["steps"] == 80, answer.err
    assert run.read()["resumed"] == [60]
    assert [record.step for record in run.records()] == [20, 40, 60, 80]


def test_every_reader_opens_an_old_race(golden: Path, call: Call) -> None:
    race = golden / "race"
    assert call("report", race).status == 0
    assert (race / "report.html").stat().st_size > 10_000
    named = race / "runs" / "gan-s0"
    assert call("sample", named, "-n", 8, "--out", "samples.npz", "--json").json["n"] == 8
    assert call("evaluate", named, "--json").json["scores"]
    assert call("doctor", named, "--json").json["verdict"] == read_json(named / "doctor.json")["verdict"]


NEWER = {
    "doctor": "run.json",
    "evaluate": "run.json",
    "sample": "model.json",
    "export": "model.json",
    "train": "checkpoints/000000060.json",
}


@pytest.mark.parametrize("verb", NEWER)
def test_a_newer_format_is_refused_in_one_line(verb: str, golden: Path, call: Call) -> None:
    run = golden / "run"
    write_json(run / NEWER[verb], read_json(run / NEWER[verb]) | {"format": 99})
    changes = ("--set", "architecture.width=8", "--set", "schedule.batch=24", "--precision", "fp32", "--seed", 3)
    train = ("train", "r1gan", "ring", "--steps", 80, *changes, "--out", run, "--resume")
    answer = call(*(train if verb == "train" else (verb, run)))
    assert answer.status == 2
    assert answer.err.splitlines()[-1].endswith("made by a newer ganwise (format 99, this one reads up to 1)")
    assert "Traceback" not in answer.err


# nothing that is read runs code


class Bomb:
    """Unpickled it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_legacy_weights_that_carry_code_are_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    weights, left = tmp_path / "weights.pt", tmp_path / "left"
    torch.save({"fc.weight": Bomb(left)}, weights)
    digest = artifacts.sha256(weights)
    with pytest.raises(Unusable, match="can't be read as weights"):
        load_inception(weights, digest)
    assert not left.exists()
    torch.load(weights, weights_only=False)  # the bomb is a real one
    assert left.exists()


def test_no_reader_of_the_package_can_run_what_it_reads() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert safe(ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}), (
                    path,
                    node.lineno,
                )


def safe(function: str, words: dict[str | None, str]) -> bool:
    if function in ("torch.load", "torch.hub.load"):
        return words.get("weights_only") == "True"
    if "shell" in words or words.get("allow_pickle", "False") != "False":
        return False
    module = function.rpartition(".")[0]
    banned = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle", "yaml"}
    return module not in banned and function not in ("eval", "exec", "compile", "__import__", "os.system", "os.popen")


def test_the_search_would_see_what_it_looks_for() -> None:
    bad = ["pickle.loads(x)", "torch.load(x)", "np.load(x, allow_pickle=True)", "eval(x)", "subprocess.run(x, shell=True)"]
    for text in bad:
        node = ast.parse(text, mode="eval").body
        assert isinstance(node, ast.Call)
        assert not safe(ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}), text
