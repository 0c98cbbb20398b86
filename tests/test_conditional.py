"""GANs that are told classes, from the data to the model file; and data whose labels don't suffice for them."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganwise import catalog, model
from ganwise.artifacts import RunDirectory
from ganwise.build import build, suited
from ganwise.cli import main
from ganwise.data import load, save
from ganwise.recipe import Recipe, change
from ganwise.study import trial
from ganwise.train import train
from ganwise.types import Unusable, Value

Call = Callable[..., tuple[int, dict[str, Any], str]]
TOLD = ("label-input", "projection", "classifier")


def told(conditioning: str, **more: Value) -> Recipe:
    parts: dict[str, Value] = {
        "architecture.name": "mlp",
        "architecture.width": 64,
        "schedule.batch": 32,
        "schedule.ema": 0.95,
        **more,
    }
    return change(catalog.named("r1gan"), {"conditioning.name": conditioning, **parts})


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Call]:
    """The command line in this process, in an empty directory: exit status, what it printed as JSON, its errors."""
    previous = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)

    def called(*arguments: object) -> tuple[int, dict[str, Any], str]:
        monkeypatch.setattr(sys, "argv", ["ganwise", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), json.loads(out or "{}"), err

    yield called
    signal.signal(signal.SIGTERM, previous)


def colors(folder: Path, unlabeled: int = 0) -> Path:
    """An archive of 8x8 images, four reds to one blue; some of them without a label."""
    draws, n = np.random.default_rng(0), 400
    labels = (np.arange(n) % 5 == 0).astype(int)
    images = draws.integers(0, 60, (n, 8, 8, 3), dtype=np.uint8)
    images[labels == 0, ..., 0] += 180
    images[labels == 1, ..., 2] += 180
    names = np.array(["red", "blue"])[labels]
    names[draws.permutation(n)[:unlabeled]] = ""
    np.savez(folder / "colors.npz", images=images, labels=names)
    return folder / "colors.npz"


def blue(images: np.ndarray) -> np.ndarray:
    found: np.ndarray = images[..., 2].mean((1, 2), dtype=float) > images[..., 0].mean((1, 2), dtype=float)
    return found


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("conditioning", "architecture"), [("projection", "mlp"), ("label-input", "mlp"), ("projection", "dcgan")]
)
def test_a_model_that_is_told_classes_makes_the_class_it_is_told(conditioning: str, architecture: str, tmp_path: Path) -> None:
    data = load(colors(tmp_path))
    recipe = told(conditioning, **{"architecture.name": architecture, "architecture.width": 32})
    gan = build(recipe, data.shape, classes=2)
    list(train(gan, data, steps=500))
    made = model.Model(gan, data.classes)
    for name in ("red", "blue"):
        samples = made.sample(100, labels=np.full(100, made.label(name)))
        assert (blue(samples) == (name == "blue")).mean() > 0.9
    assert abs(blue(made.sample(200)).mean() - 0.2) < 0.1, "by default the classes have their shares of the data"


def test_every_verb_takes_a_conditional_run(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(told("projection").to_json())
    status, said, _ = call("train", "mine.json", colors(tmp_path), "--steps", 150, "--checkpoint-every", 40, "--out", "run")
    assert (status, said["status"]) == (0, "done")
    assert json.loads(Path("run/model.json").read_text())["classes"] == ["blue", "red"]

    assert call("sample", "run", "--label", "red", "-n", 20, "--out", "red.npz")[1]["classes"] == ["red"]
    with np.load("red.npz") as file:
        assert (file["labels"] == 1).all()
        assert not blue(file["samples"]).all()
    assert call("sample", "run", "-n", 50, "--out", "all.npz")[0] == 0
    with np.load("all.npz") as file:
        assert list(file["classes"]) == ["blue", "red"]
        assert (file["labels"] == 0).sum() == 10
    assert call("sample", "run", "-n", 10)[1]["classes"] == ["blue", "red"]
    with Image.open("samples.png") as grid:
        assert grid.size == (5 * 36 + 4, 2 * 36 + 4)
    status, _, err = call("sample", "run", "--label", "green")
    assert (status, err.count("\n")) == (2, 1)
    assert "blue, red" in err

    assert call("evaluate", "run")[0] == 0
    assert call("export", "run", "--out", "handed")[0] == 0
    assert model.load(tmp_path / "handed" / "model.safetensors").classes == ("blue", "red")
    assert call("report", "run")[0] == 0
    before = digest(tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    status, said, _ = call(
        "train", "mine.json", "colors.npz", "--steps", 150, "--out", "run", "--resume", "--checkpoint-every", 40
    )
    assert (status, digest(tmp_path / "run")) == (0, before)


def test_a_trial_of_a_race_takes_a_conditional_recipe(tmp_path: Path) -> None:
    save(load("ring"), tmp_path / "data")
    recipe = told("classifier")
    job = {"data": str(tmp_path / "data"), "recipe": recipe.model_dump(mode="json"), "limit": {"steps": 40}}
    RunDirectory(tmp_path / "told").update(name="told", job={**job, "seed": 0, "device": "cpu", "n": 300, "draws": 1})
    assert trial.main(str(tmp_path / "told")) == 0
    assert model.load(tmp_path / "told" / "model.safetensors").sample(5).shape == (5, 2)


@pytest.mark.parametrize("conditioning", [*TOLD, "semi-supervised"])
def test_data_without_labels_are_refused_before_anything_is_written(conditioning: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(told(conditioning).to_json())
    for command in (("train", "mine.json", "spiral"), ("race", "spiral", "mine.json", "gan")):
        status, _, err = call(*command, "--out", "out")
        assert (status, err.count("\n")) == (2, 1)
        assert "no classes; it needs labels" in err
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("conditioning", TOLD)
def test_labels_that_are_partly_unknown_are_refused_likewise(conditioning: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(told(conditioning).to_json())
    status, _, err = call("train", "mine.json", colors(tmp_path, unlabeled=40), "--out", "out")
    assert (status, err.count("\n")) == (2, 1)
    assert "have no label; label all" in err
    assert "colors.npz" in err
    assert not (tmp_path / "out").exists()


def test_normalization_by_class_is_refused_where_the_generator_normalizes_nothing() -> None:
    with pytest.raises(Unusable, match="mlp's generator has not here; choose input"):
        build(told("projection", **{"conditioning.generator": "norm"}), (1, 8, 8), classes=10)
    gan = build(told("projection", **{"architecture.name": "dcgan", "architecture.width": 8}), (1, 8, 8), classes=10)
    assert gan.generator.labels.generator == "norm"


def test_training_refuses_what_the_command_line_was_not_asked_about(tmp_path: Path) -> None:
    data = load(colors(tmp_path, unlabeled=40))
    with pytest.raises(Unusable, match="have no label"):
        next(train(build(told("projection"), data.shape, classes=2), data, steps=1))


def test_few_labels_train_a_classifier_beside_the_gan(tmp_path: Path) -> None:
    data = load(colors(tmp_path, unlabeled=350))
    assert (data.labels < 0).mean() > 0.8
    recipe = told("semi-supervised")
    suited(recipe, data)
    gan = build(recipe, data.shape, classes=2)
    records = list(train(gan, data, steps=100))
    assert records[-1].signals["accuracy_class"] > 0.9
    assert not model.Model(gan).conditional
    images = gan.scaling.encode(torch.as_tensor(data.part("test")))
    known = data.labels[data.split.test] >= 0
    with torch.no_grad():
        named = gan.discriminator(images).logits.argmax(1).numpy()
    assert (named[known] == data.labels[data.split.test][known]).mean() > 0.9


def test_the_accuracy_of_classes_is_recorded_only_where_a_batch_tells_it(tmp_path: Path) -> None:
    data = load(colors(tmp_path, unlabeled=396))
    gan = build(told("semi-supervised", **{"schedule.batch": 4}), data.shape, classes=len(data.classes))
    records = list(train(gan, data, steps=40, every=1))
    seen = [record.signals["accuracy_class"] for record in records if "accuracy_class" in record.signals]
    assert 0 < len(seen) < len(records)
    assert all(0 <= value <= 1 for value in seen)
