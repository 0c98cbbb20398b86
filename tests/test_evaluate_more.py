"""Scores that need more than samples: known modes, a classifier, a generator at hand."""

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import ganwise as gw
from ganwise import catalog
from ganwise.data import Dataset, Split, load
from ganwise.data.dataset import content_hash
from ganwise.evaluate import ModelSampler, PerChannel, comparable, modes_of, prepare
from ganwise.evaluate.steps import slerp
from ganwise.features import ImageFeatures, ModuleFeatures
from ganwise.metrics import METRICS
from ganwise.networks.pair import Generator
from ganwise.types import Unusable

CONTRACT = (
    "fid kid precision recall density coverage inception_score parzen memorization ms_ssim sliced_wasserstein modes mode_kl"
)


def by_name(scores):
    return {score.metric: score for score in scores}


def test_every_metric_of_the_contract_is_a_row():
    assert {*CONTRACT.split(), "two_sample", "path_length"} <= set(METRICS)


# Known modes


def test_a_toys_modes_are_scored_with_its_known_centers():
    grid = prepare(load("grid"), n=500)
    whole = by_name(grid.scores(lambda n: grid.real))
    assert whole["modes"].value == 25
    assert 24.9 < whole["modes"].low <= whole["modes"].high == 25
    assert whole["mode_kl"].value < 0.1
    assert whole["modes"].features == "known centers"
    assert "500 generated, 25 modes, found by 1 sample within 3 sd of 0.05" in whole["modes"].protocol
    half = by_name(
        grid.scores(lambda n: grid.real[np.resize(np.flatnonzero(grid.real[:, 0] > 1), n)], metrics=["modes", "mode_kl"])
    )
    assert half["modes"].value == 10
    assert half["mode_kl"].value == pytest.approx(np.log(25 / 10), abs=0.05)
    assert half["mode_kl"].yardsticks["real"] < 0.1


def test_a_file_that_is_only_named_like_a_toy_has_no_known_modes(tmp_path):
    rows = np.random.default_rng(0).normal(0, 3, (400, 2))
    np.savetxt(tmp_path / "ring.csv", rows, delimiter=",", header="a,b", comments="")
    bench = prepare(load(str(tmp_path / "ring.csv")))
    assert "modes" not in bench.metrics()
    with pytest.raises(Unusable, match="modes: needs known modes: the toys ring and grid have them"):
        bench.scores(bench.real, metrics=["modes"])


# A classifier


@pytest.fixture(scope="module")
def mnist():
    """A thousand of the digits: a Gaussian mixture of all would take longer than the tests."""
    whole = load("mnist-10k")
    values, labels, rows = np.array(whole.values[:1000]), whole.labels[:1000], np.random.default_rng(0).permutation(1000)
    split = Split(*(np.sort(part) for part in np.split(rows, [500, 600])))
    content = content_hash(values, labels, split)
    return Dataset("some", "test", "image", values, labels, whole.classes, split, content, (), {})


@pytest.fixture
def classifier(shared):
    network = nn.Sequential(
        *(
            layer
            for i, o in ((1, 16), (16, 32))
            for layer in (nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2))
        ),
        nn.Flatten(),
        nn.Linear(1568, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    network.load_state_dict(safetensors.torch.load_file(shared / "extractors" / "mnist_cnn.safetensors"))
    return ModuleFeatures(network, "mnist-cnn", normalization=((0.0,), (1.0,)))


class Flat:
    """A classifier of images by their mean brightness, where no network lies beside the repository."""

    name = fingerprint = "brightness"

    def __call__(self, values, /):
        brightness = values.reshape(len(values), -1).mean(1, keepdims=True)
        return (-np.abs(brightness - np.array([[20.0, 30, 40, 50]]))).astype(np.float32)


def test_a_classifier_gives_images_an_inception_score_and_modes(mnist, classifier):
    bench = prepare(mnist, n=200, classifier=classifier, extractor=Pixels())
    assert {"inception_score", "modes", "mode_kl", "ms_ssim"} <= set(bench.metrics())
    names = ["inception_score", "modes", "mode_kl", "ms_ssim"]
    real = by_name(bench.scores(bench.real, metrics=names))
    assert 7 < real["inception_score"].value <= 10
    assert real["modes"].value == 10
    assert real["mode_kl"].value < 0.05
    assert real["inception_score"].features == real["modes"].features == classifier.name
    assert real["inception_score"].protocol == "200 generated, 10 splits"
    assert "divergence from the training part's shares" in real["mode_kl"].protocol
    assert real["ms_ssim"].protocol == "200 generated, 100 pairs at 2 scales"
    ones = bench.real[classifier(bench.real).argmax(1) == 1]
    collapsed = by_name(bench.scores(np.resize(ones, bench.real.shape), metrics=names))
    assert collapsed["inception_score"].high < 2
    assert collapsed["modes"].value == 1
    assert collapsed["mode_kl"].value == pytest.approx(-np.log(np.mean(mnist.labels[mnist.split.train] == 1)))
    assert collapsed["ms_ssim"].low > collapsed["ms_ssim"].yardsticks["real"]


class Pixels:
    """Identity features of images: quick."""

    name = fingerprint = "pixels"

    def __call__(self, values, /):
        return (values.reshape(len(values), -1) / 255).astype(np.float32)


def test_without_a_classifier_its_metrics_say_what_they_need(mnist):
    bench = prepare(mnist, n=100, extractor=Pixels())
    for name, said in (("inception_score", "needs a classifier"), ("modes", "a classifier's classes are taken for modes")):
        assert name not in bench.metrics()
        with pytest.raises(Unusable, match=said):
            bench.scores(bench.real, metrics=[name])


def test_modes_without_matching_labels_are_taken_as_equal(mnist):
    modes = modes_of(mnist, Flat())
    assert modes is not None
    assert modes.shares.tolist() == [0.25] * 4
    assert "equal shares" in modes.rule


def test_a_stack_of_digits_has_a_class_for_every_combination():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 80, (50, 4, 4, 1), dtype=np.uint8)
    stacked = np.concatenate([images, images[::-1], np.roll(images, 7, 0)], 3)
    each = [Flat()(stacked[..., [channel]]).argmax(1) for channel in range(3)]
    joint = PerChannel(Flat())(stacked)
    assert joint.shape == (50, 64)
    assert joint.argmax(1).tolist() == (each[0] * 16 + each[1] * 4 + each[2]).tolist()


def test_scores_of_different_classifiers_refuse_to_be_compared(mnist):
    class Other(Flat):
        name = fingerprint = "another"

    found = [prepare(mnist, n=100, extractor=Pixels(), classifier=c()) for c in (Flat, Other)]
    scores = [bench.scores(bench.real, metrics=["inception_score"])[0] for bench in found]
    with pytest.raises(Unusable, match="differ in features"):
        comparable(*scores)


# A generator at hand


class Linear(nn.Module):
    """Synthesis of vectors by one matrix."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)

    def forward(self, z, labels=None):
        return z @ self.matrix.T


def linear_model(prior, width=5):
    """A model whose generator is a matrix, and its matrix."""
    matrix = torch.randn(3, width, generator=torch.Generator().manual_seed(0))
    model = gw.Model(gw.build(catalog.named("gan"), (3,), seed=0))
    model.generator = Generator(Linear(matrix), width, prior)
    return model, matrix


def vectors():
    values = np.random.default_rng(0).normal(0, 1, (800, 3)).astype(np.float32)
    rows = np.arange(800)
    split, labels = Split(rows[:400], rows[400:500], rows[500:]), np.full(800, -1)
    return Dataset("v", "test", "vector", values, labels, (), split, content_hash(values, labels, split), (), {})


class Plain:
    """Vectors as they are."""

    name = fingerprint = "plain"

    def __call__(self, values, /):
        return np.asarray(values, np.float32)


def test_the_path_of_a_uniform_prior_is_straight_and_its_length_exact():
    """E |M (b - a)|^2 is |M|^2 times the variance of a difference of two numbers from [-1, 1], 2/3."""
    model, matrix = linear_model("uniform")
    score = prepare(vectors(), extractor=Plain()).scores(ModelSampler(model), metrics=["path_length"], draws=8)[0]
    assert score.low < float(matrix.square().sum()) * 2 / 3 < score.high
    assert score.high / score.low < 1.3
    assert "300 generated, steps of 0.0001, 1% left out at either end, lerp" in score.protocol
    assert (score.features, score.yardsticks, score.direction) == ("plain", {}, "lower")


def test_the_path_of_a_normal_prior_runs_on_the_sphere():
    a, b = torch.randn(2, 200, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    t = torch.rand(200, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z = slerp(a, b, t)
    assert torch.allclose(z.norm(dim=1), torch.tensor(40.0, dtype=torch.float64).sqrt())
    cosine = torch.nn.functional.cosine_similarity
    angle = cosine(a, b).acos()
    assert torch.allclose(cosine(a, z).acos(), t[:, 0] * angle)
    assert torch.allclose(cosine(z, b).acos(), (1 - t[:, 0]) * angle)


def test_steps_are_as_long_as_asked_new_in_each_draw_and_the_same_for_a_seed():
    model, _ = linear_model("normal", width=50)
    sampler = ModelSampler(model, seed=3)
    first, second = sampler.steps(300, 0.01)
    lengths = np.linalg.norm(second - first, axis=1)
    again = sampler.steps(300, 0.01)
    assert not np.allclose(first, again[0])
    same = ModelSampler(model, seed=3).steps(300, 0.01)
    assert np.array_equal(first, same[0])
    assert np.array_equal(second, same[1])
    shorter = ModelSampler(model, seed=3).steps(300, 0.001)
    assert np.linalg.norm(shorter[1] - shorter[0], axis=1) * 10 == pytest.approx(lengths, rel=0.15)
    assert not np.array_equal(sampler(10), sampler(10))


def test_steps_of_images_are_not_rounded_and_leave_the_random_state_and_the_model_alone():
    model = gw.Model(gw.build(catalog.named("dcgan"), (1, 8, 8), seed=0))
    model.generator.train()
    before = torch.get_rng_state()
    first, second = ModelSampler(model).steps(6, 1e-3)
    assert torch.equal(before, torch.get_rng_state())
    assert model.generator.training
    assert (first.dtype, first.shape) == (np.float32, (6, 8, 8, 1))
    assert 0 < np.abs(second - first).max() < 1
    features = ImageFeatures()
    assert 0 < np.abs(features(second) - features(first)).max() < 0.1


def test_a_path_length_needs_a_generator_and_steps_that_its_features_can_see():
    digits = load("digits")
    bench = prepare(digits, n=100)
    with pytest.raises(Unusable, match="path_length: needs a generator at hand"):
        bench.scores(bench.real, metrics=["path_length"])
    assert "path_length" not in bench.metrics()
    coarse = prepare(digits, n=100, precision="bf16")
    model = gw.Model(gw.build(catalog.named("gan"), (1, 8, 8), seed=0))
    with pytest.raises(Unusable, match="features in bf16 are coarser than its steps"):
        coarse.scores(ModelSampler(model), metrics=["path_length"])


# Metrics with conditions of their own


def test_fid_infinity_is_measured_where_asked_for_and_samples_suffice():
    bench = prepare(load("ring"), n=500)
    assert "fid_infinity" not in bench.metrics()
    score = bench.scores(bench.real, metrics=["fid_infinity", "fid"])[0]
    assert score.low < score.yardsticks["real"] < score.high
    assert set(score.yardsticks) == {"real", "mixture"}
    few = prepare(load("digits"), n=100)
    with pytest.raises(Unusable, match="fid_infinity: needs at least 5120 samples, and 100 are real"):
        few.scores(few.real, metrics=["fid_infinity"])


def test_images_smaller_than_the_window_have_no_ms_ssim():
    bench = prepare(load("digits"), n=100)
    assert "ms_ssim" not in bench.metrics()
    with pytest.raises(Unusable, match="window of 11 pixels does not fit into images of 8"):
        bench.scores(bench.real, metrics=["ms_ssim"])


def test_a_classifier_told_the_data_apart_more_easily_than_chance_from_noise_but_not_from_data():
    bench = prepare(load("ring"), n=500)
    real, noise = load("ring").part("train")[:500], np.random.default_rng(0).normal(0, 1.5, (500, 2)).astype(np.float32)
    good, bad = (bench.scores(fakes, metrics=["two_sample"])[0] for fakes in (real, noise))
    assert good.low < 0.5 < good.high
    assert bad.low > 0.8
    assert good.direction == "lower"


def test_the_mixture_of_a_table_is_fitted_in_units_of_each_column():
    rng = np.random.default_rng(0)
    rows = (rng.integers(0, 3, (1500, 4)) * 4 + rng.normal(size=(1500, 4)) * 0.2).astype(np.float32)
    rows[:, 3] = rng.normal(size=1500)
    constant = np.full((1500, 1), 7, np.float32)
    plain, wide = (prepare(load(np.hstack([rows * [1, 1, 1, unit], constant]).astype(np.float32))) for unit in (1, 1e5))
    for name in ("sliced_wasserstein", "coverage"):
        assert wide.yardsticks[name]["mixture"] == pytest.approx(plain.yardsticks[name]["mixture"], rel=0.1)
