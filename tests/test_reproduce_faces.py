"""The 2014 experiment on faces: what stage 2 takes over, how folds are read and judged, and that it runs without faces."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwise import checkpoint, model
from ganwise.build import build
from ganwise.cli import main
from ganwise.model import Model
from ganwise.reproduce.original_faces import Faces, continued, fold_likelihood, judge, over_folds, read, recipe, stand_in, whole
from ganwise.reproduce.work import Figure
from ganwise.types import Unusable


def _images(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 48, 48), dtype=np.uint8)


def _made(folder: Path) -> tuple[Model, checkpoint.State]:
    """A generator of one stage, and the state in which the second begins."""
    data = whole(_images(100))
    one = Model(build(recipe(1, 200, 5), data.shape, seed=3))
    with torch.no_grad():
        for weight in one.parameters():
            weight.add_(0.25)  # as if it had learned, its biases too
    model.save(one, folder / "model.safetensors")
    return one, continued(recipe(2, 200, 5), data, folder / "model.safetensors", 0, "cpu")


def test_stage_two_ends_in_all_that_stage_one_has_learned(tmp_path: Path) -> None:
    one, state = _made(tmp_path)
    learned = [value for name, value in one.state_dict().items() if name.startswith("generator.synthesis")]
    for side in ("generator", "average"):
        names = [name for name in state.tensors if name.startswith(f"{side}.synthesis")]
        assert len(names) == len(learned) + 4, "a layer of ReLUs and one of sigmoids come first"
        for name, value in zip(names[4:], learned, strict=True):
            torch.testing.assert_close(state.tensors[name], value)


def test_stage_two_is_a_function_of_new_layers_into_stage_one(tmp_path: Path) -> None:
    one, state = _made(tmp_path)
    two = build(recipe(2, 200, 5), (1, 48, 48))
    with torch.random.fork_rng(devices=[]):
        state.restore(two)
    z = torch.randn(3, 100, generator=torch.Generator().manual_seed(0))
    front = [*two.generator.synthesis.children()][:4]
    hidden = z
    for layer in front:
        hidden = layer(hidden)
    torch.testing.assert_close(two.generator(z), one.generator(hidden))


def test_beginning_draws_from_no_random_state(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    _made(tmp_path)
    assert torch.equal(before, torch.get_rng_state())


def _file(folder: Path, folds: np.ndarray, images: np.ndarray) -> str:
    path = folder / "faces.npz"
    np.savez(path, images=images, folds=folds)
    return str(path)


def test_folds_are_read_as_the_database_numbers_them(tmp_path: Path) -> None:
    images, folds = _images(90), np.zeros((90, 5), int)
    for fold in range(5):
        folds[70:, fold] = np.roll(np.repeat([1, 2, 3], [4, 6, 10]), fold)
    found = read(_file(tmp_path, folds, images))
    np.testing.assert_array_equal(found.unlabeled.values[..., 0], images[:70])
    np.testing.assert_array_equal(found.unlabeled.split.train, np.arange(70))
    for fold, (validation, test) in enumerate(found.folds):
        np.testing.assert_array_equal(validation, images[folds[:, fold] == 2])
        np.testing.assert_array_equal(test, images[folds[:, fold] == 3])
    assert not found.stand_in


def test_what_is_no_such_file_is_refused_in_a_line(tmp_path: Path) -> None:
    folds = np.zeros((90, 5), int)
    for path, said in (
        (_file(tmp_path, folds, _images(90)), "a part is empty"),
        (str(tmp_path / "none.npz"), "not faces"),
    ):
        with pytest.raises(Unusable, match=said):
            read(path)
    with pytest.raises(Unusable, match=r"expected bytes \(n, 48, 48\)"):
        read(_file(tmp_path, folds, _images(90)[:, :40]))


def test_the_stand_in_s_folds_are_neither_trained_on_nor_shared() -> None:
    found: Faces = stand_in(8_000)
    parts = [part for fold in found.folds for part in fold]
    rows = [image.tobytes() for part in parts for image in part]
    trained = {image.tobytes() for image in found.unlabeled.values[..., 0]}
    assert len(rows) == 2_000
    assert len(set(rows)) == 2_000
    assert not trained & set(rows)


def test_the_likelihood_of_samples_that_are_the_test_set_has_a_closed_form() -> None:
    """One window on the point itself, and the others too far to count, at the least sigma of the grid."""
    images = np.zeros((10, 48, 48), np.uint8)
    for i in range(10):
        images[i, i] = 255
    expected = -math.log(10) - 48 * 48 / 2 * math.log(2 * math.pi * 0.1**2)
    assert fold_likelihood(images[..., None], images, images) == pytest.approx(expected, rel=1e-6)


def test_the_interval_is_student_s_over_the_folds() -> None:
    found = over_folds("", [1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.value == 3.0
    assert found.high == pytest.approx(3 + 2.776445 * math.sqrt(2.5 / 5), rel=1e-5)


@pytest.mark.parametrize(
    ("value", "high", "digits", "shrink", "verdict"),
    [
        (2000.0, 2010.0, False, 1, "reproduced"),
        (1900.0, 1910.0, False, 1, "close"),
        (1500.0, 1510.0, False, 1, "not reproduced"),
        (2100.0, 2110.0, False, 8, "out of reach here"),
        (2100.0, 2110.0, True, 1, "out of reach here"),
    ],
)
def test_only_faces_and_the_published_networks_are_judged(
    value: float, high: float, digits: bool, shrink: int, verdict: str
) -> None:
    assert judge(Figure("", value, value - 10, high), digits, shrink, "paper") == verdict
    assert judge(Figure("", value, value - 10, high), digits, shrink, "sample") == "unjudged"


def test_both_stages_run_without_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    arguments = ["ganwise", "reproduce", "gan-2014-tfd", "--scale", "sample", "--out", str(tmp_path / "out"), "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    printed = json.loads(capfd.readouterr().out)["experiments"][0]
    assert "not public" in printed["because"]
    assert printed["ours"] == [], "the likelihood of digits beside that of faces would mislead"
    assert (tmp_path / "out" / "samples.png").is_file()
