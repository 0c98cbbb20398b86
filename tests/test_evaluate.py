"""Scores of generators that are known to be good, middling, collapsed, untrained or copying, beside their yardsticks."""

from functools import cache

import numpy as np
import pytest
import torch

from ganwise.data import load
from ganwise.data.dataset import Dataset, Split, content_hash
from ganwise.evaluate import cached, comparable, mean_of_draws, prepare
from ganwise.features import ImageFeatures
from ganwise.metrics import METRICS
from ganwise.metrics.estimate import Estimate
from ganwise.mixture import fit_mixture, images_of
from ganwise.types import Unusable


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """For the fixtures of this module, which come before each test's own environment."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANWISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="module")
def digits(own_cache):
    return load("digits")


@pytest.fixture(scope="module")
def bench(digits):
    return prepare(digits)


@pytest.fixture(scope="module")
def ring(own_cache):
    values = ring_of(2000, np.random.default_rng(0))
    rows = np.arange(2000)
    split = Split(rows[:1200], rows[1200:1500], rows[1500:])
    labels = np.full(2000, -1)
    content = content_hash(values, labels, split)
    return Dataset("ring", "test", "vector", values, labels, (), split, content, (), {})


def ring_of(n, rng):
    mode = rng.integers(8, size=n) * np.pi / 4
    return (np.stack([np.cos(mode), np.sin(mode)], 1) * 3 + rng.normal(0, 0.1, (n, 2))).astype(np.float32)


def by_name(scores):
    return {score.metric: score for score in scores}


@cache
def generator(name):
    """As a pure function of the seed: ``sample(n)`` of the test's digits."""
    train = load("digits").part("train")
    rng = np.random.default_rng(0)
    ten = train[rng.choice(len(train), 10, replace=False)]
    mixture = fit_mixture(train.reshape(len(train), -1) / 255)
    return {
        "copies": lambda n: train[rng.choice(len(train), n, replace=False)],
        "collapsed": lambda n: ten[rng.integers(10, size=n)],
        "untrained": lambda n: rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8),
        "mixture": lambda n: images_of(mixture.sample(n, int(rng.integers(2**31))), (8, 8, 1)),
    }[name]


USUAL = {"sliced_wasserstein", "kid", "fid", "precision", "recall", "density", "coverage", "two_sample"}
USUAL |= {"parzen", "memorization", "novelty"}
"""What needs neither a classifier, nor known modes, nor a generator, nor images that are larger than a window."""


@pytest.fixture(scope="module")
def measured(bench):
    names = ("copies", "mixture", "collapsed", "untrained")
    return {name: by_name(bench.scores(generator(name), draws=2)) for name in names}


def test_every_score_says_what_it_depends_on(measured, digits):
    scores = measured["mixture"]
    assert set(scores) == USUAL
    for name, score in scores.items():
        assert score.low <= score.value <= score.high
        assert score.low < score.high or name == "memorization"
        assert (score.n, score.direction) == (360, METRICS[name].direction)
        assert score.protocol.startswith("360 test vs 360 generated")
        assert score.protocol.endswith("mean of 2 draws")
        assert set(score.yardsticks) == {"real", "mixture"}
    assert scores["kid"].features == "efficientnet-lite0@96-fp32"
    assert scores["parzen"].features == scores["memorization"].features == "pixels[0,1]"
    assert "k=5" in scores["coverage"].protocol
    assert "biased" in scores["fid"].protocol
    assert "chosen on 180 validation" in scores["parzen"].protocol
    assert "nearest of 1257 train" in scores["memorization"].protocol


def test_real_digits_score_as_the_real_yardstick_says(measured):
    scores = measured["copies"]
    for name in ("precision", "recall", "coverage", "kid", "fid", "density", "parzen"):
        score = scores[name]
        assert score.low <= score.yardsticks["real"] <= score.high
    assert scores["coverage"].value > 0.93


def test_a_mixture_lies_between_real_digits_and_failures_and_meets_its_yardstick(measured):
    kid, coverage = measured["mixture"]["kid"], measured["mixture"]["coverage"]
    assert kid.low <= kid.yardsticks["mixture"] <= kid.high
    assert coverage.low <= coverage.yardsticks["mixture"] <= coverage.high
    assert kid.yardsticks["real"] < kid.low
    assert coverage.high < coverage.yardsticks["real"]
    assert 0.7 < coverage.value < 0.9


@pytest.mark.parametrize("failure", ["collapsed", "untrained"])
def test_a_collapsed_and_an_untrained_generator_score_far_worse(measured, failure):
    failed, mixture = measured[failure], measured["mixture"]
    assert failed["coverage"].value < 0.25
    assert failed["coverage"].high < mixture["coverage"].low
    assert failed["recall"].value < 0.05
    assert failed["kid"].low > mixture["kid"].value
    assert failed["kid"].low > failed["kid"].yardsticks["mixture"]
    if failure == "untrained":
        assert failed["kid"].value > 10 * mixture["kid"].value


def test_ten_prototypes_fool_kid_and_precision_but_not_coverage_and_recall(bench, digits):
    """Why no metric stands alone: the means of the features of one image of each class are nearly those of all."""
    train, labels = digits.part("train"), digits.labels[digits.split.train]
    prototypes = np.concatenate([train[labels == label][:1] for label in range(10)]).repeat(36, axis=0)
    scores = by_name(bench.scores(prototypes, metrics=["kid", "precision", "recall", "coverage"]))
    assert scores["kid"].value < 1.5 * scores["kid"].yardsticks["mixture"]
    assert scores["precision"].value > 0.8
    assert scores["recall"].value == 0
    assert scores["coverage"].high < 0.3


def test_a_copy_of_the_training_data_is_seen_by_memorization_alone(measured):
    assert measured["copies"]["memorization"].value == pytest.approx(0, abs=1e-3)
    assert measured["mixture"]["memorization"].low > 0.95
    assert measured["mixture"]["memorization"].yardsticks["real"] == 1


def test_the_same_fakes_have_the_same_scores_and_the_cache_changes_nothing(bench, digits, monkeypatch, tmp_path):
    fakes = generator("mixture")(360)
    before = bench.scores(fakes, metrics=["kid", "coverage"])
    assert bench.scores(fakes, metrics=["kid", "coverage"]) == before

    def never(self, values):
        raise AssertionError("features of the real side were cached")

    monkeypatch.setenv("GANWISE_CACHE", str(tmp_path / "a"))  # what another process left may differ in the last bit, by threads
    made = prepare(digits)
    yardsticks = made.yardsticks
    with monkeypatch.context() as patch:
        patch.setattr(ImageFeatures, "__call__", never)
        hit = prepare(digits)
        assert hit.yardsticks == yardsticks
    assert np.array_equal(hit.real_features, made.real_features)
    monkeypatch.setenv("GANWISE_CACHE", str(tmp_path / "b"))
    assert np.array_equal(prepare(digits).real_features, made.real_features)


def test_an_array_of_fakes_is_shuffled_into_disjoint_draws(bench):
    fakes = np.concatenate([generator("mixture")(360), generator("collapsed")(360)])
    score = bench.scores(fakes, metrics=["coverage"])[0]
    assert score.protocol.endswith("mean of 2 draws")
    assert 0.5 < score.value  # either half alone, in order, would be 0.8 and 0.05
    assert score.high - score.low < 0.3


def test_what_cannot_be_scored_is_refused_in_one_line(bench, ring):
    with pytest.raises(Unusable, match="scoring needs uint8 of"):
        bench.scores(generator("mixture")(100))
    with pytest.raises(Unusable, match="scoring needs uint8 of"):
        bench.scores(np.zeros((360, 8, 8, 1), np.float32))
    with pytest.raises(Unusable, match="100 fakes are too few: 360"):
        bench.quick(generator("mixture")(100))
    with pytest.raises(Unusable, match="no such metric; there are"):
        bench.scores(generator("mixture"), metrics=["beauty"])
    with pytest.raises(Unusable, match="not for data of kind vector"):
        prepare(ring).scores(ring.part("test"), metrics=["ms_ssim"])
    with pytest.raises(Unusable, match="NaN"):
        prepare(ring).scores(np.full((500, 2), np.nan, np.float32))


def test_metrics_that_need_more_samples_are_left_out_unless_asked_for(digits):
    small = prepare(digits, n=30)
    assert "coverage" in small.metrics()
    assert "fid" not in small.metrics()
    with pytest.raises(Unusable, match="fid: needs at least 50 samples, and 30 are real"):
        small.scores(generator("mixture"), metrics=["fid"])


def test_quick_agrees_with_the_scores_of_the_same_fakes(digits):
    validation = prepare(digits, "validation")
    fakes = generator("mixture")(validation.n)
    quick = validation.quick(fakes)
    assert set(quick) == {"kid", "coverage", "memorization", "novelty"}
    assert "parzen" not in validation.metrics()  # its window would be chosen on the very samples it is measured on
    scores = by_name(validation.scores(fakes, metrics=list(quick)))
    assert quick == pytest.approx({name: score.value for name, score in scores.items()})


def test_vectors_are_judged_by_sliced_wasserstein_and_ranked_right(ring):
    bench = prepare(ring)
    rng = np.random.default_rng(1)
    good = by_name(bench.scores(lambda n: ring_of(n, rng)))
    blob = by_name(bench.scores(lambda n: rng.normal(0, 3 / np.sqrt(2), (n, 2)).astype(np.float32)))
    assert set(good) == USUAL
    assert {score.features for score in good.values()} == {"standardized"}
    assert good["sliced_wasserstein"].high < blob["sliced_wasserstein"].low
    assert good["coverage"].low > blob["coverage"].high
    assert good["parzen"].low > blob["parzen"].high
    assert good["memorization"].value == pytest.approx(1, abs=0.25)
    collapsed = bench.quick(np.repeat(ring_of(1, rng), 500, axis=0))
    assert collapsed["sliced_wasserstein"] > 3 * good["sliced_wasserstein"].value
    assert collapsed["coverage"] < 0.1


def test_real_samples_are_drawn_from_all_of_the_part(digits):
    """Data sets often lie in the order of their classes: the first n would be of one class."""
    ordered = digits.split.test[np.argsort(digits.labels[digits.split.test], kind="stable")]
    some = prepare(Dataset(**{**vars(digits), "split": digits.split._replace(test=ordered), "content": "other"}), n=100)
    chosen = {row.tobytes() for row in some.real}
    labels = [digits.labels[i] for i in digits.split.test if digits.values[i].tobytes() in chosen]
    assert len(set(labels)) == 10


def test_draws_widen_the_interval_by_their_scatter():
    alike = mean_of_draws([Estimate(0.5, 0.4, 0.6)] * 3)
    assert alike == pytest.approx((0.5, 0.4, 0.6))
    apart = mean_of_draws([Estimate(v, v - 0.1, v + 0.1) for v in (0.3, 0.5, 0.7)])
    assert apart.value == pytest.approx(0.5)
    assert apart.low < 0.3
    assert apart.high > 0.7
    assert mean_of_draws([Estimate(0.99, 0.8, 1.0), Estimate(0.7, 0.5, 0.9)], (0, 1)).high == 1


def test_scores_of_different_protocols_refuse_to_be_compared(bench):
    two, one = (bench.scores(generator("mixture"), draws=draws, metrics=["coverage"])[0] for draws in (2, 1))
    comparable(two, two._replace(value=0.1, seed=5))
    with pytest.raises(Unusable, match="differ in protocol"):
        comparable(two, one)


def test_a_damaged_cache_is_made_anew(monkeypatch, tmp_path):
    monkeypatch.setenv("GANWISE_CACHE", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return {"features": np.arange(1000.0)}

    key = {"content": "x"}
    assert np.array_equal(cached(key, make)["features"], cached(key, make)["features"])
    assert len(made) == 1
    (path,) = (tmp_path / "features").glob("*.npz")
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"not an archive", whole[:500] + b"\x07" + whole[501:]):
        path.write_bytes(damaged)
        assert np.array_equal(cached(key, make)["features"], np.arange(1000.0))
        assert path.read_bytes() == whole
    assert len(made) == 5
