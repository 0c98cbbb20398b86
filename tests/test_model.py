"""A model file holds the generator whole or is refused, and its samples follow from a seed alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch as safetensors
import torch

from ganwise import catalog, model
from ganwise.build import build
from ganwise.data import load
from ganwise.model import Model
from ganwise.recipe import change
from ganwise.train import train
from ganwise.types import Shape, Unusable

DIGITS: Shape = (1, 8, 8)
CASES: dict[str, tuple[str, Shape]] = {
    "points": ("r1gan", (2,)),
    "digits": ("gan", DIGITS),
    "batch normalization": ("dcgan", DIGITS),
    "color": ("dcgan", (3, 16, 16)),
    "BEGAN": ("began", DIGITS),
}


def made(case: str = "digits", seed: int = 0) -> Model:
    name, shape = CASES[case]
    return Model(build(change(catalog.named(name), {"architecture.width": 8}), shape, seed=seed))


@pytest.mark.parametrize("case", CASES)
def test_a_model_comes_back_with_the_same_samples(case: str, tmp_path: Path) -> None:
    before = made(case)
    digest = model.save(before, tmp_path / "model.safetensors")
    after = model.load(tmp_path / "model.safetensors")
    assert (after.recipe, after.shape) == (before.recipe, before.shape)
    np.testing.assert_array_equal(after.sample(9), before.sample(9))
    assert model.save(after, tmp_path / "again.safetensors") == digest


def test_what_training_learned_is_in_the_file_scaling_included(tmp_path: Path) -> None:
    data = load("ring")
    gan = build(change(catalog.named("r1gan"), {"architecture.width": 8}), data.shape)
    list(train(gan, data, steps=20))
    model.save(Model(gan), tmp_path / "model.safetensors")
    after = model.load(tmp_path / "model.safetensors")
    assert torch.equal(after.scaling.scale, gan.scaling.scale)
    np.testing.assert_array_equal(after.sample(50), Model(gan).sample(50))


@pytest.mark.parametrize("case", CASES)
def test_samples_are_as_the_data_has_them(case: str) -> None:
    shape = CASES[case][1]
    samples = made(case).sample(5)
    assert samples.shape == ((5, *shape) if len(shape) == 1 else (5, shape[1], shape[2], shape[0]))
    assert samples.dtype == (np.float32 if len(shape) == 1 else np.uint8)


def test_samples_follow_from_the_seed() -> None:
    generator = made()
    np.testing.assert_array_equal(generator.sample(20, seed=4), generator.sample(20, seed=4))
    assert (generator.sample(20, seed=4) != generator.sample(20, seed=5)).any()


def test_batch_normalization_samples_do_not_depend_on_their_company() -> None:
    generator = made("batch normalization")
    assert np.abs(generator.sample(20, batch=20).astype(int) - generator.sample(20, batch=7)).max() <= 1


def test_sampling_touches_neither_the_random_state_nor_the_mode() -> None:
    generator = made("batch normalization").train()
    torch.manual_seed(0)
    random, weights = torch.get_rng_state(), {k: v.clone() for k, v in generator.state_dict().items()}
    generator.sample(10)
    assert torch.equal(torch.get_rng_state(), random)
    assert generator.generator.training
    assert all(torch.equal(weights[name], value) for name, value in generator.state_dict().items())


NAMES = ("cat", "dog", "7")


def conditional(shares: tuple[float, ...] = (0.5, 0.25, 0.25)) -> Model:
    """An untrained model of three classes."""
    recipe = change(catalog.named("r1gan"), {"architecture.width": 8, "conditioning.name": "label-input"})
    made = Model(build(recipe, (2,), classes=len(shares)), NAMES)
    made.scaling.shares.copy_(torch.tensor(shares))
    return made


def test_a_conditional_model_knows_the_names_of_its_classes_and_keeps_them(tmp_path: Path) -> None:
    model.save(conditional(), tmp_path / "model.safetensors")
    after = model.load(tmp_path / "model.safetensors")
    assert after.classes == NAMES
    assert [after.label(text) for text in ("dog", "7", "0", "2")] == [1, 2, 0, 2]
    np.testing.assert_array_equal(after.sample(9), conditional().sample(9))


def test_a_file_that_tells_only_the_number_of_classes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(conditional(), path)
    rewrite(classes=3)(path)
    assert model.load(path).classes == ("0", "1", "2")


@pytest.mark.parametrize("text", ["bird", "3", "-1", "", "²"])
def test_an_unknown_class_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(Unusable, match="cat, dog"):
        conditional().label(text)


@pytest.mark.parametrize(("n", "counts"), [(8, [4, 2, 2]), (100, [50, 25, 25]), (2, [1, 1, 0]), (1, [0, 1, 0])])
def test_classes_are_drawn_by_their_shares(n: int, counts: list[int]) -> None:
    labels = conditional().draw_labels(n, seed=3)
    assert labels is not None
    drawn = np.bincount(labels, minlength=3)
    assert drawn.sum() == n
    assert np.abs(drawn - counts).max() <= 1
    assert made().draw_labels(n) is None


def test_a_class_without_a_share_is_never_drawn() -> None:
    labels = conditional((0.7, 0.0, 0.3)).draw_labels(1000)
    assert labels is not None
    assert set(labels) == {0, 2}


def test_samples_are_of_the_classes_asked_for() -> None:
    generator = conditional()
    drawn = generator.draw_labels(20, 5)
    np.testing.assert_array_equal(generator.sample(20, 5), generator.sample(20, 5, labels=drawn))
    ones, twos = (generator.sample(20, 5, labels=np.full(20, label)) for label in (1, 2))
    assert (ones != twos).any(1).all()


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 3], [0, -1, 2]])
def test_labels_that_are_no_classes_of_the_model_are_refused(labels: list[int]) -> None:
    with pytest.raises(Unusable, match="3 samples need as many numbers from 0 to 2"):
        conditional().sample(3, labels=np.array(labels))


def test_a_model_without_classes_is_told_none() -> None:
    with pytest.raises(Unusable, match="without classes"):
        made().sample(3, labels=np.zeros(3, np.int64))
    with pytest.raises(Unusable, match="without classes"):
        made().label("0")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def rewrite(**fields: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        beside = path.with_suffix(".json")
        beside.write_text(json.dumps(json.loads(beside.read_text()) | fields))

    return edit


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "one bit": (flip, "damaged: its SHA-256"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:100]), "damaged: its SHA-256"),
    "no weights": (lambda path: path.unlink(), "weights are missing"),
    "no JSON": (lambda path: path.with_suffix(".json").unlink(), "can't be read"),
    "no JSON inside": (lambda path: path.with_suffix(".json").write_text("{"), "not JSON"),
    "a list": (lambda path: path.with_suffix(".json").write_text("[]"), "expected one JSON object"),
    "another shape": (rewrite(shape=[3, 8, 8]), "not a model of this version"),
    "a shape of text": (rewrite(shape="8x8"), "not a model of this version"),
    "a shape of numbers that are none": (rewrite(shape=[-1]), "not a model of this version"),
    "a foreign recipe": (rewrite(recipe={"model_type": "bert"}), "not a recipe"),
    "a newer format": (rewrite(format=99), "newer ganwise"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_model_is_refused_in_one_line(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(made(), path)
    spoil, said = DAMAGES[damage]
    spoil(path)
    with pytest.raises(Unusable, match=said) as refused:
        model.load(path)
    assert "\n" not in str(refused.value)


def test_weights_of_another_network_are_refused_though_their_hash_is_right(tmp_path: Path) -> None:
    path, other = tmp_path / "model.safetensors", tmp_path / "other.safetensors"
    model.save(made(), path)
    digest = model.save(made("points"), other)
    path.write_bytes(other.read_bytes())
    rewrite(sha256=digest)(path)
    with pytest.raises(Unusable, match="not a model of this version"):
        model.load(path)


def test_the_file_is_plain_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(made(), path)
    assert set(safetensors.load_file(path)) == set(made().state_dict())
