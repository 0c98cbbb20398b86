"""Every metric against its definition written out, a closed form, or both."""

from itertools import product
from math import log, pi, sqrt

import numpy as np
import pytest
import torch

from ganwise.metrics import (
    METRICS,
    classified,
    frechet,
    frechet_distance,
    kid,
    memorization,
    nearest_distances,
    novelty,
    parzen_log_likelihood,
    precision_recall_density_coverage,
    ranking_metric,
    sliced_wasserstein,
)
from ganwise.metrics import estimate as estimates
from ganwise.metrics.estimate import wilson
from ganwise.metrics.parzen import SIGMAS
from ganwise.mixture import fit_mixture, images_of
from ganwise.types import Unusable

TWO_SIDED = [frechet_distance, kid, precision_recall_density_coverage, sliced_wasserstein]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def normal(seed, n, width, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).standard_normal((n, width)) * scale + shift


# Fréchet


def with_moments(x, mean, root):
    """Samples whose mean and covariance are exactly ``mean`` and ``root root^T``."""
    x = x - x.mean(0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return white @ root.T + mean


def test_frechet_distance_of_gaussians_is_the_closed_form():
    a, b = np.diag([1.0, 2.0, 3.0]), np.diag([2.0, 0.5, 3.0])
    x, y = with_moments(normal(0, 60, 3), 0, a), with_moments(normal(1, 80, 3), [1, 2, 0], b)
    # where covariances commute, tr (Sx Sy)^(1/2) is the sum of products of standard deviations
    assert frechet_distance(x, y).value == pytest.approx(5 + (1 - 2) ** 2 + (2 - 0.5) ** 2 + 0)


def test_frechet_distance_agrees_with_the_eigenvalues_of_the_product_of_covariances():
    x, y = normal(0, 90, 6) @ normal(2, 6, 6), normal(1, 70, 6, 0.3) @ normal(3, 6, 6)
    sx, sy = np.cov(x.T), np.cov(y.T)
    root = np.sqrt(np.maximum(np.linalg.eigvals(sx @ sy).real, 0)).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(sx) + np.trace(sy) - 2 * root
    assert frechet_distance(x, y).value == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m", "width"), [(60, 80, 20), (80, 60, 20), (60, 50, 100)])
def test_samples_and_moments_give_the_same_trace_and_influences(n, m, width):
    x, y = (torch.from_numpy(normal(seed, size, width)) for seed, size in ((0, n), (1, m)))
    x, y = x - x.mean(0), y - y.mean(0)
    few, many = frechet._bures_of_samples(x, y), frechet._bures_of_moments(x, y)
    assert few.trace == pytest.approx(many.trace)
    assert float(few.of_x.sum()) / (n - 1) == pytest.approx(few.trace)
    if width < min(n, m):
        assert torch.allclose(few.of_x, many.of_x, rtol=1e-3)
        assert torch.allclose(few.of_y, many.of_y, rtol=1e-3)


def test_the_influence_of_a_sample_is_the_derivative_of_the_distance():
    x, y = normal(0, 60, 4, 0.5), normal(1, 60, 4, 0, 1.3)
    heavy = [np.concatenate([x, x, np.repeat(x[:1], extra, 0)]) for extra in (0, 1)]
    y2 = np.concatenate([y, y])
    change = frechet_distance(heavy[1], y2).value - frechet_distance(heavy[0], y2).value
    xc, yc = torch.from_numpy(x - x.mean(0)), torch.from_numpy(y - y.mean(0))
    influence = 2 * xc @ torch.from_numpy(x.mean(0) - y.mean(0)) + xc.square().sum(1) - frechet._bures_of_moments(xc, yc).of_x
    assert change == pytest.approx(float(influence[0] - influence.mean()) / 121, rel=0.1)


# KID


def kernel(a, b):
    return (float(a @ b) / len(a) + 1) ** 3


def test_kid_is_the_unbiased_double_loop():
    x, y = normal(0, 30, 4), normal(1, 26, 4, 0.5)
    own = [np.mean([kernel(s[i], s[j]) for i, j in product(range(len(s)), repeat=2) if i != j]) for s in (x, y)]
    cross = np.mean([kernel(a, b) for a, b in product(x, y)])
    assert kid(x, y).value == pytest.approx(own[0] + own[1] - 2 * cross)


def test_the_interval_of_kid_is_the_jackknife_that_leaves_out_each_sample():
    x, y = normal(0, 30, 3), normal(1, 28, 3, 0.7)
    without = [[kid(np.delete(x, i, 0), y).value for i in range(30)], [kid(x, np.delete(y, j, 0)).value for j in range(28)]]
    variance = sum((len(row) - 1) * np.var(row) for row in without)
    found = kid(x, y)
    assert (found.high - found.value) / estimates.Z95 == pytest.approx(sqrt(variance))


def test_kid_is_zero_on_average_for_equal_distributions_and_its_interval_says_so():
    found = [kid(normal(seed, 60, 5), normal(1000 + seed, 60, 5)) for seed in range(60)]
    values = np.array([each.value for each in found])
    assert abs(values.mean()) < 3 * values.std() / sqrt(len(values))
    assert np.mean([each.low <= 0 <= each.high for each in found]) >= 0.9


# Precision, recall, density, coverage


def brute_force(real, fake, k):
    def radius(point, own):
        return sorted(np.linalg.norm(own - point, axis=1))[k]

    real_radii, fake_radii = [radius(x, real) for x in real], [radius(y, fake) for y in fake]
    inside = np.array([[np.linalg.norm(x - y) <= r for y in fake] for x, r in zip(real, real_radii, strict=True)])
    recalled = [any(np.linalg.norm(x - y) <= r for y, r in zip(fake, fake_radii, strict=True)) for x in real]
    return inside.any(0).mean(), np.mean(recalled), inside.sum() / (k * len(fake)), inside.any(1).mean()


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_recall_density_coverage_are_their_definitions(k):
    real, fake = normal(0, 50, 3), normal(1, 40, 3, 0.8)
    found = precision_recall_density_coverage(real, fake, k=k)
    assert [each.value for each in found] == pytest.approx(brute_force(real, fake, k))


def test_duplicates_are_at_distance_zero():
    real = np.repeat(normal(0, 10, 300, 5), 6, axis=0)
    found = precision_recall_density_coverage(real, real.copy())
    assert found.precision.value == found.recall.value == found.coverage.value == 1
    assert nearest_distances(real, real).max() == 0


def test_a_collapsed_generator_has_precision_without_coverage():
    real = normal(0, 200, 8)
    found = precision_recall_density_coverage(real, np.repeat(real[:4], 50, axis=0))
    assert found.precision.value == 1
    assert found.recall.value < 0.1
    assert found.coverage.value < 0.3


def test_wilson_stays_inside_and_has_a_width_at_the_ends():
    assert wilson(1.0, 50).low < 0.95
    assert wilson(1.0, 50).high == 1
    assert wilson(0.0, 50).low == 0
    assert wilson(0.5, 1e9).high == pytest.approx(0.5, abs=1e-3)


# Memorization


def test_memorization_is_the_ratio_of_median_distances():
    train, real, fake = normal(0, 40, 3), normal(1, 21, 3), normal(2, 31, 3, 0, 2)
    near = [np.median([min(np.linalg.norm(a - b) for b in train) for a in side]) for side in (fake, real)]
    assert memorization(train, real, fake).value == pytest.approx(near[0] / near[1], rel=1e-6)


def test_memorization_sees_copies_and_near_copies_but_not_new_samples():
    train, real = normal(0, 300, 5), normal(1, 200, 5)
    copies, near = train[:200], train[:200] + normal(3, 200, 5, 0, 0.1)
    assert memorization(train, real, copies).value == pytest.approx(0, abs=1e-6)
    assert memorization(train, real, near).high < 0.5
    assert memorization(train, real, normal(2, 200, 5)).value == pytest.approx(1, abs=0.15)
    assert memorization(train, real, real).value == 1


def test_novelty_is_a_ratio_of_ratios_of_median_distances():
    train, real, fake = normal(0, 300, 5), normal(1, 200, 5), normal(2, 200, 5)

    def nearest(a, b, skip=0):
        return np.median(np.sort(np.linalg.norm(a[:, None] - b[None], axis=2), axis=1)[:, skip])

    expected = (nearest(fake, train) / nearest(fake, real)) / (nearest(real, train) / nearest(real, real, skip=1))
    assert novelty(train, real, fake).value == pytest.approx(expected, rel=1e-6)


def test_novelty_sees_copies_but_is_not_fooled_by_averages():
    train, real, fresh = normal(0, 300, 20), normal(1, 200, 20), normal(2, 200, 20)
    shrunk = 0.3 * fresh
    assert memorization(train, real, shrunk).high < 0.95
    assert novelty(train, real, shrunk).value > 0.95
    assert novelty(train, real, fresh).value == pytest.approx(1, abs=0.05)
    assert novelty(train, real, train[:200]).value == pytest.approx(0, abs=1e-6)


def test_memorization_of_discrete_data_is_finite():
    ones = np.ones((30, 4), np.uint8)
    assert memorization(ones, ones, ones) == (1, 1, 1)


# Parzen


def test_parzen_is_the_log_of_the_mean_of_gaussians():
    validation, real, fake = normal(0, 15, 3, 0.5, 0.2), normal(1, 20, 3, 0.5, 0.2), normal(2, 25, 3, 0.5, 0.2)

    def each(points, sigma):
        densities = [
            np.mean([np.exp(-((p - c) ** 2).sum() / (2 * sigma**2)) / (2 * pi * sigma**2) ** 1.5 for c in fake]) for p in points
        ]
        return [log(density) for density in densities]

    best = max(SIGMAS, key=lambda sigma: np.mean(each(validation, sigma)))
    expected = each(real, best)
    found = parzen_log_likelihood(validation, real, fake)
    assert best not in (SIGMAS[0], SIGMAS[-1])
    assert found.value == pytest.approx(np.mean(expected))
    assert found.high - found.value == pytest.approx(1.96 * np.std(expected, ddof=1) / sqrt(20), rel=1e-3)


def test_parzen_prefers_local_means_to_real_samples():
    """The trap for which it must never rank anything."""
    real = [normal(seed, 300, 20, 0.5, 0.1) for seed in range(3)]
    blurred = np.tile(real[0].mean(0), (300, 1)) + normal(5, 300, 20, 0, 0.01)
    assert parzen_log_likelihood(*real[1:], blurred).value > parzen_log_likelihood(*real[1:], real[0]).value


# Sliced Wasserstein


def test_sliced_wasserstein_of_shifted_points_is_the_projected_shift():
    x, shift = normal(0, 50, 3), np.array([1.0, -2, 0.5])
    directions = np.random.default_rng(7).standard_normal((64, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert sliced_wasserstein(x, x + shift, seed=7).value == pytest.approx(sqrt(((directions @ shift) ** 2).mean()))
    # over the whole sphere the mean square is |shift|^2 / D
    assert sliced_wasserstein(x, x + shift, projections=20_000).value == pytest.approx(sqrt(5.25 / 3), rel=0.02)


def test_sliced_wasserstein_in_one_dimension_is_the_distance_of_sorted_values():
    x, y = normal(0, 40, 1), normal(1, 40, 1, 1)
    expected = sqrt(((np.sort(x, 0) - np.sort(y, 0)) ** 2).mean())
    assert sliced_wasserstein(x, y).value == pytest.approx(expected)


def test_sliced_wasserstein_sees_a_ring_where_three_moments_do_not():
    angle = np.random.default_rng(0).uniform(0, 2 * pi, 1000)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) * sqrt(2)
    others, blob = ring[500:], normal(1, 500, 2)
    assert kid(ring[:500], blob).low < 0 < kid(ring[:500], blob).high
    assert sliced_wasserstein(ring[:500], blob).low > 2 * sliced_wasserstein(ring[:500], others).value
    assert (ranking_metric("vector"), ranking_metric("image")) == ("sliced_wasserstein", "kid")


def test_sliced_wasserstein_refuses_unequal_numbers():
    with pytest.raises(Unusable, match="as many fakes"):
        sliced_wasserstein(normal(0, 40, 2), normal(0, 41, 2))


# What all have in common


def values_of(result):
    return np.ravel(np.array(result, dtype=float))


@pytest.mark.parametrize("function", [kid, precision_recall_density_coverage])
def test_the_chunk_size_changes_nothing(function):
    x, y = normal(0, 70, 5), normal(1, 60, 5, 0.3)
    assert values_of(function(x, y, chunk=7)) == pytest.approx(values_of(function(x, y)))


@pytest.mark.parametrize("function", TWO_SIDED)
def test_float32_products_agree_with_float64(function, monkeypatch):
    x, y = normal(0, 80, 30), normal(1, 80, 30, 0.2)
    exact = values_of(function(x, y))
    monkeypatch.setattr(estimates, "_FLOAT64_UNTIL", 0)
    assert values_of(function(x, y)) == pytest.approx(exact, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("function", TWO_SIDED)
def test_too_few_samples_are_refused(function):
    with pytest.raises(Unusable, match="real: 4 samples are too few for this metric; it needs at least"):
        function(normal(0, 4, 3), normal(1, 60, 3))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("function", TWO_SIDED)
def test_what_is_not_finite_is_refused(function, bad):
    fake = normal(1, 60, 3)
    fake[3, 1] = bad
    with pytest.raises(Unusable, match="fake: holds NaN or infinity"):
        function(normal(0, 60, 3), fake)


@pytest.mark.parametrize("function", TWO_SIDED)
def test_widths_must_agree(function):
    with pytest.raises(Unusable, match="rows of one length"):
        function(normal(0, 60, 3), normal(1, 60, 4))


@pytest.mark.parametrize("function", TWO_SIDED)
@pytest.mark.parametrize("scale", [0.0, 1e6])
def test_constant_and_exploded_fakes_stay_finite_with_ordered_intervals(function, scale):
    found = function(normal(0, 60, 3), normal(1, 60, 3, 0, scale))
    for each in [found] if len(found) == 3 else found:
        assert np.isfinite(each).all()
        assert each.low <= each.value <= each.high


@pytest.mark.parametrize("function", [frechet_distance, kid, sliced_wasserstein])
def test_most_intervals_hold_the_mean_of_many_draws(function):
    found = [function(normal(seed, 100, 4), normal(500 + seed, 100, 4, 0.3, 1.2)) for seed in range(60)]
    mean = np.mean([each.value for each in found])
    assert np.mean([each.low <= mean <= each.high for each in found]) >= 0.85


def test_most_intervals_of_shares_hold_the_mean_of_many_draws():
    found = [precision_recall_density_coverage(normal(s, 100, 4), normal(500 + s, 100, 4, 0.5)) for s in range(60)]
    for column in zip(*found, strict=True):
        mean = np.mean([each.value for each in column])
        assert np.mean([each.low <= mean <= each.high for each in column]) >= 0.85


def arguments(row, x, y):
    """What a row's function reads, made of two sets of samples."""
    if row.space == "images":
        return [np.random.default_rng(0).random((60, 16, 16, 1))]
    if row.space == "modes":
        return [classified(x), np.ones(x.shape[1])]
    return [x, y, x][: len(row.reads)]


def test_no_metric_draws_from_the_global_random_states():
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    x, y = normal(0, 120, 3), normal(1, 120, 3)
    for row in METRICS.values():
        row.function(*arguments(row, x, y))
    fit_mixture(x, 2).sample(5)
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numpys, np.random.get_state()[1])  # noqa: NPY002


# The Gaussian mixture


def test_a_mixture_finds_separate_gaussians():
    centers = np.array([[0, 0], [10, 0], [0, 10.0]])
    values = np.concatenate([normal(i, 300, 2) * [1, 0.3] + center for i, center in enumerate(centers)])
    mixture = fit_mixture(values, components=3)
    assert sorted(map(tuple, np.round(mixture.means + mixture.center, 0) + 0.0)) == sorted(map(tuple, centers))
    assert mixture.weights == pytest.approx([1 / 3] * 3, abs=0.01)
    covariances = mixture.roots @ mixture.roots.transpose(0, 2, 1)
    assert np.allclose(covariances, np.diag([1, 0.09]), atol=0.2)


def test_many_columns_keep_their_total_variance_along_and_across_the_principal_axes():
    spread = 0.9 ** np.arange(150)
    values = normal(0, 800, 150) * spread + 3
    mixture = fit_mixture(values, components=2)
    samples = mixture.sample(3000, seed=1)
    assert mixture.axes.shape == (64, 150)
    assert np.allclose(mixture.axes @ mixture.axes.T, np.eye(64), atol=1e-8)
    assert samples.mean() == pytest.approx(3, abs=0.02)
    assert samples.var(0).sum() == pytest.approx(values.var(0).sum(), rel=0.05)


def test_a_mixture_of_constant_and_few_values_is_finite_and_repeatable():
    values = np.zeros((70, 5), np.float32)
    values[:, 0] = np.arange(70) % 3
    samples = [fit_mixture(values, seed=1).sample(20, seed=2) for _ in range(2)]
    assert np.isfinite(samples[0]).all()
    assert np.array_equal(*samples)
    images = images_of(np.array([[-1.0, 0.5, 2.0, 1.0]]), (2, 2, 1))
    assert images.tolist() == [[[[0], [128]], [[255], [255]]]]
