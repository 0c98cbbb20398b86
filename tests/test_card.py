"""The card of a model says what the run says, runs as it stands, and keeps what its owner has filled in."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganwise import artifacts, card, catalog, export, knowledge, model
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.build import build
from ganwise.model import Model
from ganwise.recipe import Recipe, change
from ganwise.study import job
from ganwise.types import Shape, Unusable

GOLDEN = Path(__file__).parent / "golden" / "format-1"
ONNX = importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxscript") and importlib.util.find_spec("onnxruntime")
with_extra = pytest.mark.skipif(not ONNX, reason="the extra onnx is not installed")
CONTENT = "0123456789abcdef" * 4
SCORE = {"metric": "kid", "value": 0.0123, "low": 0.01, "high": 0.015, "n": 360, "features": "efficientnet-lite0@96-fp32"}
SCORE |= {
    "protocol": "360 test vs 360 generated",
    "seed": 0,
    "direction": "lower",
    "yardsticks": {"real": 0.001, "mixture": 0.02},
}
FINDING = {"problem": "mode_collapse", "severity": "warning", "since_step": 1200, "evidence": "two fakes are alike"}


def asked(name: str = "r1gan", **changes: Any) -> Recipe:
    return change(catalog.named(name), {"architecture.width": 8, **changes})


def trained(
    folder: Path, recipe: Recipe, shape: Shape = (1, 8, 8), classes: int = 0, name: str = "mine"
) -> tuple[RunDirectory, Model]:
    """The directory of a run as training leaves it, but for the training."""
    gan = build(recipe, shape, classes=classes)
    made, run = Model(gan), RunDirectory(folder)
    digest = model.save(made, run.model)
    data = {"name": "photos", "source": "/home/me/photos", "content": CONTENT, "shape": shape, "n": 1000}
    data["parts"] = {"train": 700, "validation": 100, "test": 200}
    told: dict[str, Any] = {"name": name, "seed": 3, "recipe": gan.recipe.model_dump(mode="json"), "data": data, "status": "done"}
    told |= {"steps": 500, "images": 32000, "seconds": 12.5, "best": {"step": 400, "kid": 0.02}, "model_sha256": digest}
    told |= {"versions": {"ganwise": "0.1.0"}, "parameters": {"generator": 12345}, "device": "cpu", "precision": "float32"}
    run.update(**told)
    write_json(run.recipe, recipe.model_dump(mode="json"))
    write_json(run.scores, {"scores": [SCORE]})
    write_json(run.doctor, {"verdict": "warning", "findings": [FINDING]})
    return run, made


def written(run: RunDirectory, made: Model, folder: Path) -> Path:
    return card.write(run, made, export.to_safetensors(made, folder))


def example(page: Path) -> str:
    found = re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert found
    return found[1]


def run_example(page: Path, fresh: bool) -> None:
    """In the card's folder, in a fresh process or, to be quick, in this one."""
    code = example(page)
    assert len(code.splitlines()) <= 12
    if not fresh:
        with contextlib.chdir(page.parent):
            exec(code, {})
        return
    ended = subprocess.run([sys.executable, "-c", code], cwd=page.parent, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr


CASES: dict[str, tuple[Recipe, Shape, int]] = {
    "images": (asked("dcgan"), (1, 8, 8), 0),
    "images of classes": (asked(**{"architecture.name": "dcgan", "conditioning.name": "projection"}), (3, 8, 8), 3),
    "vectors": (asked(), (5,), 0),
}


@pytest.mark.parametrize("case", CASES)
def test_the_example_runs_as_it_stands(case: str, tmp_path: Path) -> None:
    recipe, shape, classes = CASES[case]
    run, made = trained(tmp_path / "run", recipe, shape, classes)
    page = written(run, made, tmp_path / "handed")
    run_example(page, fresh=case == "images")
    if len(shape) == 1:
        table = np.loadtxt(page.with_name("new-samples.csv"), delimiter=",")
        np.testing.assert_allclose(table, made.sample(64), rtol=1e-5)
    else:
        assert page.with_name("new-samples.png").stat().st_size > 100


@with_extra
@pytest.mark.parametrize("case", CASES)
def test_the_example_of_an_onnx_file_needs_its_runtime_alone(case: str, tmp_path: Path) -> None:
    recipe, shape, classes = CASES[case]
    run, made = trained(tmp_path / "run", recipe, shape, classes)
    if len(shape) == 1:
        made.scaling.shift.copy_(made.scaling.shift + 50.0)
    page = card.write(run, made, export.to_onnx(made, tmp_path / "mine.onnx"))
    assert page.name == "mine.onnx.md"
    assert "ganwise" not in example(page)
    run_example(page, fresh=case == "images")
    if len(shape) == 1:
        table = np.loadtxt(page.with_name("new-samples.csv"), delimiter=",")
        assert table.shape == (64, 5)
        assert np.abs(table.mean(0) - made.sample(500).mean(0)).max() < 5, "not in the units of the data"
    else:
        images = np.load(page.with_name("new-samples.npz"))["images"]
        assert (images.shape, images.dtype) == ((64, *shape[1:], shape[0]), np.uint8)


def test_the_front_matter_is_what_hubs_read(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="no reader of YAML here")
    page = written(*trained(tmp_path / "run", asked("dcgan")), tmp_path / "handed").read_text()
    front = yaml.safe_load(page.split("---\n")[1])
    assert front["library_name"] == "ganwise"
    assert front["license"] == "fill in"
    assert {"gan", "dcgan", "image"} <= set(front["tags"])
    result = front["model-index"][0]["results"][0]
    assert result["dataset"] == {"type": "photos", "name": "photos", "split": "test"}
    assert (result["metrics"][0]["type"], result["metrics"][0]["value"]) == ("kid", 0.0123)


def test_the_card_says_what_the_run_says(tmp_path: Path) -> None:
    run, made = trained(tmp_path / "run", catalog.named("dcgan"))
    page = written(run, made, tmp_path / "handed")
    text = page.read_text()
    weights = page.with_name("model.safetensors")
    for said in (
        "The recipe `dcgan` of ganwise's catalog",
        "**loss**: non-saturating",
        f"`{CONTENT}`",
        "1,000: 700 to train on, 100 for validation, 200 for the test",
        "| KID ×1000 | 12.3 | 10.0 to 15.0 | lower | 1.0 | 20.0 | 360 | efficientnet-lite0@96-fp32: 360 test vs 360 generated |",
        "trained alone: no other recipe was compared",
        "of its checkpoints that of step 400",
        "mode collapse (warning) since step 1,200: two fakes are alike",
        f"SHA-256 `{artifacts.sha256(weights)}`",
        "seed 3",
        "12,345 parameters",
    ):
        assert said in text
    assert "/home/me" not in text, "paths of this machine do not belong into a card that is passed on"
    for key in catalog.RECIPES["dcgan"].sources:
        assert knowledge.sources()[key].bibtex.strip() in text


def test_a_changed_recipe_is_not_passed_off_as_the_named_one(tmp_path: Path) -> None:
    text = written(*trained(tmp_path / "run", asked("dcgan")), tmp_path / "handed").read_text()
    assert "The recipe `dcgan`" not in text
    assert "not one of the named GANs as they are" in text


def test_a_run_without_scores_is_said_to_have_none(tmp_path: Path) -> None:
    run, made = trained(tmp_path / "run", asked("dcgan"))
    run.scores.unlink()
    run.doctor.unlink()
    text = written(run, made, tmp_path / "handed").read_text()
    assert "nothing is known of its quality" in text
    assert "model-index" not in text


def test_what_the_owner_filled_in_stays(tmp_path: Path) -> None:
    run, made = trained(tmp_path / "run", asked("dcgan"))
    page = written(run, made, tmp_path / "handed")
    text = page.read_text().replace("license: fill in", "license: cc-by-4.0")
    text = re.sub(r"\*\*license\*\*: .*", "**license**: CC BY 4.0, by me", text)
    page.write_text(text.replace("32,000 samples shown", "something else"))
    assert written(run, made, tmp_path / "handed").read_text() == text


def test_a_page_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    run, made = trained(tmp_path / "run", asked("dcgan"))
    (tmp_path / "README.md").write_text("# My project\n")
    with pytest.raises(Unusable, match="no model card of ours"):
        card.write(run, made, tmp_path / "model.safetensors")
    assert (tmp_path / "README.md").read_text() == "# My project\n"


def raced(tmp_path: Path) -> Path:
    """A race as its directory looks: a winner of two seeds, one that is tied, one that left, one that is sick."""
    out = tmp_path / "race"
    for name, seed, kid in (("first", 0, 0.02), ("first", 1, 0.01), ("second", 0, 0.02)):
        run, _ = trained(out / "runs" / f"{name}-s{seed}", asked("dcgan"), name=name)
        run.update(best={"step": 400, "kid": kid}, seed=seed)
    row: dict[str, Any] = {"rank": 1, "tied_with": [], "scores": [SCORE], "seeds": [0, 1], "verdict": "healthy", "left": None}
    row |= {"summary": {"kid": 0.0123}, "interval": {"mean": 0.0123, "low": 0.01, "high": 0.015}, "error": None}
    gone = {"scores": [], "seeds": [], "summary": {}, "interval": None}
    rows = [
        row | {"recipe": "first", "tied_with": ["second"]},
        row | {"recipe": "second", "tied_with": ["first"]},
        row | gone | {"recipe": "third", "rank": 3, "left": {"rung": 0.4, "place": 3, "of": 4, "why": "rank"}},
        row | {"recipe": "fourth", "rank": 4, "verdict": "failing"},
    ]
    rows = [row | {"runs": [str(path) for path in (out / "runs").glob(f"{row['recipe']}-s*")]} for row in rows]
    ladder = [{"share": share, "order": [{}] * count} for share, count in ((0.1, 4), (0.4, 3), (1.0, 2))]
    result = {"ranking": rows, "metric": "kid", "winner": None, "recommended": "first", "interrupted": False, "ladder": ladder}
    write_json(out / "race.json", result | {"out": "elsewhere"})
    write_json(out / "request.json", {"budget": "10m", "seeds": 2, "data": "photos", "command": "ganwise run /home/me/photos"})
    return out


def test_the_card_of_a_race_says_what_it_beat_and_what_it_is_tied_with(tmp_path: Path) -> None:
    out = raced(tmp_path)
    run = RunDirectory(out / "runs" / "first-s1")
    text = written(run, model.load(run.model), tmp_path / "handed").read_text()
    assert "# first on photos" in text
    assert "4 recipes raced under a budget of 10m for all of it, 2 seeds each." in text
    assert "Of them 4 trained to 10%, 3 trained to 40%, 2 trained to 100% of a run's budget." in text
    assert "No significant winner between first and second" in text
    assert "Of its recipe's runs it was the best on validation." in text
    assert "| 1 | **first** | 12.3 | 10.0 to 15.0 | 2 | second | – |" in text
    assert "| 3 | third | – | – | 0 | – | at 40%, at place 3 of 4 |" in text
    assert "not: it is failing, and can't win" in text
    assert "/home/me" not in text


def test_the_card_of_another_run_of_a_race_says_so(tmp_path: Path) -> None:
    out = raced(tmp_path)
    other = RunDirectory(out / "runs" / "second-s0")
    text = written(other, model.load(other.model), tmp_path / "handed").read_text()
    assert "**The race recommends first, not this model.**" in text
    worse = RunDirectory(out / "runs" / "first-s0")
    text = written(worse, model.load(worse.model), tmp_path / "handed").read_text()
    assert "it was the best on validation" not in text


def test_a_race_hands_its_model_over_with_the_card(tmp_path: Path) -> None:
    out = raced(tmp_path)
    result = job.hand_over(out, read_json(out / "race.json"))
    assert result["card"] == str(out / "model" / "README.md")
    assert read_json(out / "race.json")["card"] == result["card"]
    assert "This run has seed 1" in Path(result["card"]).read_text()


def test_export_writes_the_card_and_refuses_a_folder_that_has_another_page(tmp_path: Path, call: Callable[..., Any]) -> None:
    told = call("export", GOLDEN / "race" / "runs" / "gan-s0", "--out", tmp_path / "handed", "--json").json
    assert told["card"] == str(tmp_path / "handed" / "README.md")
    assert "2 recipes raced" in Path(told["card"]).read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    refused = call("export", GOLDEN / "run", "--out", tmp_path / "mine")
    assert (refused.status, list((tmp_path / "mine").iterdir())) == (2, [tmp_path / "mine" / "README.md"])
    assert "name another place with --out" in refused.err
