"""The studies of docs/metrics.md, in small: intervals hold, metrics see what the page says, the page is the scripts'."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ganwise.metrics import METRICS, kid, mode_coverage, novelty, precision_recall_density_coverage

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import interval_cases  # noqa: E402
import interval_coverage  # noqa: E402
import metric_validity  # noqa: E402
import metrics_page  # noqa: E402
import spoilings  # noqa: E402

QUICK = ["kid/near", "kid/mixture", "fid_infinity/near", "modes/falling", "modes/thousand", "path_length/plane"]
REPETITIONS = 60


def case(name):
    return next(each for each in interval_cases.CASES if each.name == name)


@pytest.mark.parametrize("name", QUICK)
def test_an_interval_holds_the_closed_form_about_nineteen_times_of_twenty(name):
    one = case(name)
    (row,) = interval_coverage.chunk(one, 99, one.truths(), REPETITIONS)
    # of 60 at 93 %, fewer than 48 hold it once in 2,000 times
    assert row["held"] >= 48


@pytest.mark.parametrize("name", ["fid/near", "precision/near", "mode_kl/falling", "inception_score/ten"])
def test_an_interval_holds_the_mean_at_this_n_about_nineteen_times_of_twenty(name):
    one = case(name)
    for row in interval_coverage.chunk(one, 99, interval_coverage.means(one, 100), REPETITIONS):
        assert row["held"] >= 47, row["metric"]


def test_closed_forms_are_what_a_hundred_thousand_samples_give():
    _, x, y = interval_cases.PAIRS["mixture"]
    rng = np.random.default_rng(0)
    a, b = x.draw(rng, 200_000), y.draw(rng, 200_000)
    assert np.allclose(x.covariance(), np.cov(a.T), atol=0.05)
    products = np.einsum("ni,ni->n", a[:100_000], a[100_000:]), np.einsum("ni,ni->n", b[:100_000], b[100_000:])
    crossed = np.einsum("ni,ni->n", a, b)
    own, cross = (np.mean((1 + each / 4) ** 3) for each in (np.concatenate(products), crossed))
    expected = np.mean((1 + products[0] / 4) ** 3) + np.mean((1 + products[1] / 4) ** 3) - 2 * cross
    assert own > 0
    assert interval_cases.kernel_distance(x, y) == pytest.approx(expected, rel=0.05)


def test_the_count_of_modes_has_a_width_where_one_may_be_missed_by_chance():
    assigned = np.stack([np.arange(200) % 25, np.ones(200, int)], 1)
    count = mode_coverage(assigned, np.ones(25)).modes
    assert count.value == count.high == 25
    assert 24.5 < count.low < 25


@pytest.fixture(scope="module")
def material():
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"
    if not path.is_file():
        pytest.skip("MNIST lies beside the repository only for its developers and CI")
    with np.load(path) as data:
        images, labels = data["x_train"][..., None], data["y_train"].astype(np.int64)
    return metric_validity.cut("small", images, labels, images, n=300, train=1000)


def features(images):
    """Pixels on a 7 x 7 grid: enough for blur and copies, and quick."""
    return images.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(-1, 49) / 64


def flat(images):
    return images.reshape(len(images), -1)


def test_noise_is_seen_by_kid_and_takes_novelty_nowhere(material):
    study = material
    noise = spoilings.SPOILINGS["noise"].make(study.material, 0.15, 300, np.random.default_rng(0))
    real, untouched = features(study.held_out), features(study.material.pool[:300])
    assert kid(real, features(noise)).low > kid(real, untouched).high
    train = flat(study.material.train)
    assert novelty(train, flat(study.held_out), flat(noise)).high > 0.95


def test_copies_are_seen_by_novelty_and_not_by_kid(material):
    study = material
    copies = spoilings.SPOILINGS["training copies"].make(study.material, 1.0, 300, np.random.default_rng(0))
    estimate = kid(features(study.held_out), features(copies))
    assert estimate.low < 0 < estimate.high
    assert novelty(flat(study.material.train), flat(study.held_out), flat(copies)).high < 0.05


def test_blur_raises_precision_and_density(material):
    study = material
    real, sharp = features(study.held_out), study.material.real
    blurred = precision_recall_density_coverage(real, features(spoilings.blurred(sharp, 1.5)))
    untouched = precision_recall_density_coverage(real, features(sharp))
    assert blurred.precision.value > untouched.precision.value
    assert blurred.recall.value < untouched.recall.value


def test_each_spoiling_has_the_size_of_the_data_and_grows_with_its_strength(material):
    study = material
    for name, spoiling in spoilings.SPOILINGS.items():
        made = [spoiling.make(study.material, s, 300, np.random.default_rng(0)) for s in spoiling.strengths]
        assert all(images.shape == (300, 28, 28, 1) and images.dtype == np.uint8 for images in made), name
        if name in ("blur", "noise", "training copies", "shifted colors", "mixed in"):
            changed = [np.abs(images.astype(float) - study.material.real[:300]).mean() for images in made]
            assert 0 < changed[0] < changed[1] < changed[2], name
    unique = [len(np.unique(flat(spoilings.repeated(study.material, s, 300)), axis=0)) for s in (0.5, 0.1, 0.02)]
    assert unique == [150, 30, 6]


def test_a_metric_sees_is_blind_or_fooled_by_three_deviations_of_untouched_scores():
    real = [{"fakes": "untouched", "strength": i, "kid": value} for i, value in enumerate((-1.0, 0.0, 1.0))]
    made = [{"fakes": "blur", "strength": i, "kid": value} for i, value in enumerate((-3.5, 2.5, 3.5))]
    found = metrics_page.seen(real + made, "kid", "blur")
    assert found == [-1, 0, 1]
    assert metrics_page.cell(found) == "strong only, fooled (weak)"
    assert metrics_page.cell([0, 0, 0]) == "blind"
    assert metrics_page.cell([1, 1, 1]) == "**sees**"


def test_the_page_is_what_the_scripts_make_of_the_committed_rows():
    text = metrics_page.PAGE.read_text()
    assert metrics_page.page(text) == text, "run python benchmarks/metrics_page.py"


def test_every_metric_is_on_the_page_and_in_the_study_of_intervals():
    assert set(metrics_page.SAYS) == set(METRICS)
    assert {metric for each in interval_cases.CASES for metric in each.metrics} == set(METRICS)
