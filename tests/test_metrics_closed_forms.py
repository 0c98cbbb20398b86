"""On distributions whose metrics can be written down, every metric meets its closed form."""

from itertools import product
from math import exp, log, pi, sqrt

import numpy as np
import pytest
import torch

from ganwise.metrics import (
    classified,
    fid_infinity,
    frechet_distance,
    inception_score,
    inception_splits,
    kid,
    mode_coverage,
    ms_ssim,
    nearest_distances,
    nearest_mode,
    parzen_log_likelihood,
    parzen_sigma,
    path_length,
    precision_recall_density_coverage,
    sliced_wasserstein,
    two_sample,
)
from ganwise.metrics import estimate as estimates
from ganwise.metrics.msssim import WEIGHTS, scales_of, similarity
from ganwise.types import Unusable


def normal(seed, n, width, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).standard_normal((n, width)) * scale + shift


def mean_and_error(values):
    return np.mean(values), np.std(values, ddof=1) / sqrt(len(values))


# Gaussians with known parameters


def test_the_frechet_distance_is_biased_by_one_over_n_and_its_extrapolation_is_not():
    truth = 10 * 0.2**2 + 10 * (1.2 - 1) ** 2
    draws = [(normal(seed, 100, 10), normal(1000 + seed, 100, 10, 0.2, 1.2)) for seed in range(60)]
    plain, _ = mean_and_error([frechet_distance(*draw).value for draw in draws])
    found = [fid_infinity(*draw) for draw in draws]
    mean, error = mean_and_error([each.value for each in found])
    assert plain > 1.15 * truth
    assert abs(mean - truth) < 3 * error < 0.15 * truth
    assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.88


def moments(mean, deviations):
    """E x, E xx, E xxx of a Gaussian with a diagonal covariance, by Isserlis' theorem."""
    s = np.diag(np.square(deviations))
    pairs = sum(np.einsum(paths, mean, s) for paths in ("i,jk->ijk", "j,ik->ijk", "k,ij->ijk"))
    return mean, np.multiply.outer(mean, mean) + s, np.einsum("i,j,k->ijk", mean, mean, mean) + pairs


def test_kid_is_the_distance_of_the_first_three_moments():
    """``(x.y / F + 1)^3`` is a sum of inner products of tensors of degree 1 to 3."""
    (m, s), (n, t) = (np.zeros(3), np.ones(3)), (np.array([0.3, -0.2, 0.0]), np.array([1.2, 1.0, 0.8]))
    weights = (3 / 3, 3 / 9, 1 / 27)
    truth = sum(w * np.square(a - b).sum() for w, a, b in zip(weights, moments(m, s), moments(n, t), strict=True))
    found = [kid(normal(seed, 500, 3), normal(1000 + seed, 500, 3) * t + n).value for seed in range(60)]
    mean, error = mean_and_error(found)
    assert abs(mean - truth) < 3 * error < 0.15 * truth


def test_density_and_coverage_of_equal_distributions_are_known_and_precision_mirrors_recall():
    """The n - 1 other reals and m fakes are in random order about each real sample."""
    n, m, k = 60, 60, 3
    draws = [(normal(seed, n, 2), normal(1000 + seed, m, 2)) for seed in range(100)]
    found = [precision_recall_density_coverage(*draw, k=k) for draw in draws]
    mean, error = mean_and_error([each.coverage.value for each in found])
    assert abs(mean - (1 - np.prod([(n - 1 - i) / (n + m - 1 - i) for i in range(k)]))) < 3 * error
    mean, error = mean_and_error([each.density.value for each in found])
    assert abs(mean - 1) < 3 * error
    mirrored = precision_recall_density_coverage(*draws[0][::-1], k=k)
    assert mirrored.recall.value == found[0].precision.value
    assert mirrored.precision.value == found[0].recall.value


def test_sliced_wasserstein_of_gaussians_is_their_shift_over_root_d_and_their_difference_of_widths():
    found = sliced_wasserstein(normal(0, 4000, 3), normal(1, 4000, 3, 0.5, 1.5), projections=200)
    assert found.value == pytest.approx(sqrt(3 * 0.5**2 / 3 + 0.5**2), rel=0.04)


def test_two_sample_comes_to_the_nearest_neighbors_accuracy_in_theory():
    """With many samples the neighbor is at the same place: both are of one side with probability p^2 + (1 - p)^2."""
    at = np.linspace(-10, 12, 20_001)
    densities = [np.exp(-((at - shift) ** 2) / 2) / sqrt(2 * pi) for shift in (0, 2)]
    total = sum(densities) / 2
    p = densities[0] / (2 * total)
    truth = np.trapezoid(total * (p**2 + (1 - p) ** 2), at)
    found = two_sample(normal(0, 2500, 1), normal(1, 2500, 1, 2))
    assert found.low < truth < found.high
    assert found.high - found.low < 0.05
    even = two_sample(normal(2, 2500, 4), normal(3, 2500, 4))
    assert even.low < 0.5 < even.high


def test_two_sample_is_one_for_separate_sets_and_below_a_half_for_copies_of_the_real_set():
    x = normal(0, 200, 3)
    assert two_sample(x, x + 100)[::2] == (1, 1)
    assert two_sample(x, x + 100).low > 0.95
    copies = two_sample(x, x + normal(1, 200, 3, 0, 1e-4))
    assert copies.value == copies.low == 0
    exact = two_sample(np.repeat(x, 5, 0), np.repeat(x, 5, 0))
    assert 0.35 < exact.low < 0.46 < exact.high  # 4 of the 9 equal others are of the own side, and a lottery picks one


def test_parzen_of_gaussian_samples_is_the_likelihood_of_the_widened_gaussian():
    sigma, width = 0.5, 2
    found = parzen_log_likelihood(normal(0, 50, width), normal(1, 4000, width), normal(2, 4000, width), sigmas=[sigma])
    variance = 1 + sigma**2
    truth = -width / 2 * (log(2 * pi * variance) + 1 / variance)
    assert found.low < truth < found.high
    assert found.high - found.low < 0.1


def test_the_parzen_window_is_wide_for_few_samples_and_narrow_for_many():
    widths = [parzen_sigma(normal(0, 200, 2, 0, 0.5), normal(1, n, 2, 0, 0.5)) for n in (10, 5000)]
    assert widths[1] < 0.25 < widths[0]


# Scores of a classifier


def test_inception_score_is_the_number_of_classes_when_sure_and_one_when_not():
    sure = np.where(np.eye(10)[np.arange(1000) % 10] > 0, 0.0, -1e3)
    assert inception_score(sure).value == pytest.approx(10)
    assert inception_score(np.zeros((1000, 10))) == pytest.approx((1, 1, 1))
    assert inception_score(sure[np.arange(1000) % 10 == 3]) == pytest.approx((1, 1, 1))


def test_inception_score_of_two_kinds_of_images_by_hand():
    """Half says (a, 1 - a), half (1 - a, a): the marginal is even, and the divergence log 2 less the entropy of a."""
    a = 0.9
    logits = np.log(np.array([[a, 1 - a], [1 - a, a]]))[np.arange(400) % 2]
    expected = exp(log(2) + a * log(a) + (1 - a) * log(1 - a))
    assert inception_score(logits).value == pytest.approx(expected)
    assert inception_splits(logits, 4) == pytest.approx([expected] * 4)


def test_inception_score_splits_in_order_and_is_biased_down_by_the_splits():
    logits = normal(0, 1000, 50, 0, 3)
    assert inception_splits(logits)[3] == pytest.approx(inception_score(logits[300:400], splits=1).value)
    assert inception_score(logits).value < inception_score(logits, splits=1).value
    assert inception_score(logits).low < inception_splits(logits).mean() < inception_score(logits).high


# Modes


def test_modes_are_counted_exactly_and_their_divergence_is_that_of_their_shares():
    centers = np.array([[0, 0], [10, 0], [0, 10], [10, 10.0]])
    counts = (50, 30, 20)
    points = np.repeat(centers[:3], counts, 0)
    points[:10] += [3.1, 0]  # nearest to the first center, but outside of it
    assigned = nearest_mode(points, centers, sd=1.0)
    assert assigned[:10].tolist() == [[0, 0]] * 10
    found = mode_coverage(assigned, np.ones(4))
    assert found.modes == pytest.approx((3, 3, 3), abs=1e-3)
    assert found.mode_kl.value == pytest.approx(sum(c / 100 * log(c / 100 * 4) for c in counts))
    assert mode_coverage(assigned, np.array([5, 3, 2, 0])).mode_kl.value == pytest.approx(0)
    with pytest.raises(Unusable, match="the data has none"):
        mode_coverage(assigned, np.array([1, 1, 0, 1]))


def test_a_mode_that_no_good_sample_holds_is_not_found():
    assigned = nearest_mode(np.repeat([[0.0, 0], [4, 0]], 30, 0), np.array([[0, 0], [8.0, 0]]), 1.0)
    assert mode_coverage(assigned, np.ones(2)).modes.value == 1


def test_the_number_of_thousand_classes_found_is_the_expected_one_within_its_interval():
    """``K (1 - (1 - 1/K)^N)``: 2,600 even samples find 926 of 1,000 classes."""
    labels = np.random.default_rng(0).integers(1000, size=2600)
    found = mode_coverage(np.stack([labels, np.ones_like(labels)], 1), np.ones(1000))
    assert found.modes.low < 1000 * (1 - (1 - 1 / 1000) ** 2600) < found.modes.high
    assert 10 < found.modes.high - found.modes.low < 60
    # a perfect generator's divergence is (K - 1) / 2N and more, where classes have few samples
    assert 999 / 5200 < found.mode_kl.value < 1.2 * 999 / 5200


def test_a_classifiers_mode_is_its_likeliest_class():
    assert classified(np.array([[0.1, 0.5, 0.2], [3, 1, 2]])).tolist() == [[1, 1], [0, 1]]


# Structural similarity


def test_equal_images_are_alike_and_flat_ones_differ_by_luminance_alone():
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    assert similarity(images, images).tolist() == pytest.approx([1, 1])
    a, b = 0.2, 0.7
    flat = [torch.full((1, 1, 64, 64), value, dtype=torch.float64) for value in (a, b)]
    luminance = (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4)
    weight = WEIGHTS[2] / sum(WEIGHTS[:3])
    assert similarity(*flat).item() == pytest.approx(luminance**weight)


def test_an_image_has_as_many_scales_as_its_window_fits_in():
    assert [scales_of(side) for side in (10, 11, 28, 32, 44, 175, 176, 1024)] == [0, 1, 2, 2, 3, 4, 5, 5]
    with pytest.raises(Unusable, match="no room in images of 10"):
        similarity(torch.zeros(1, 1, 10, 10), torch.zeros(1, 1, 10, 10))


def test_ms_ssim_of_repeated_images_is_higher_than_of_different_ones():
    rng = np.random.default_rng(0)
    smooth = np.repeat(np.repeat(rng.integers(0, 256, (60, 4, 4, 1), dtype=np.uint8), 7, 1), 7, 2)
    noisy = np.clip(smooth[:1].astype(int) + rng.integers(-9, 10, (60, 28, 28, 1)), 0, 255).astype(np.uint8)
    different, repeated = ms_ssim(smooth), ms_ssim(noisy)
    assert different.high < 0.6 < 0.9 < repeated.low
    assert ms_ssim(np.repeat(smooth[:1], 60, 0)).value == pytest.approx(1)
    assert ms_ssim(smooth.astype(np.float32) / 255).value == pytest.approx(different.value, rel=1e-6)


def test_ms_ssim_takes_each_image_once_and_its_error_is_that_of_the_mean():
    images = np.random.default_rng(0).random((51, 16, 16, 3))
    order = np.random.default_rng(0).permutation(51)
    x, y = (torch.from_numpy(images[rows]).permute(0, 3, 1, 2) for rows in (order[:25], order[25:50]))
    each = similarity(x, y).numpy()
    found = ms_ssim(images)
    assert found.value == pytest.approx(each.mean())
    assert found.high - found.value == pytest.approx(1.96 * each.std(ddof=1) / 5, rel=1e-3)


# Path length


def test_the_path_length_of_a_linear_generator_is_exact():
    matrix, a, b = normal(0, 4, 7).T, normal(1, 500, 4), normal(2, 500, 4)
    t, epsilon = np.random.default_rng(3).random((500, 1)), 1e-4
    first, second = ((a + at * (b - a)) @ matrix.T for at in (t, t + epsilon))
    lengths = np.square((b - a) @ matrix.T).sum(1)
    assert path_length(first, second, epsilon, trim=0).value == pytest.approx(lengths.mean())
    # E |M (b - a)|^2 is 2 |M|^2 for standard normal ends
    found = path_length(first, second, epsilon, trim=0)
    assert found.low < 2 * np.square(matrix).sum() < found.high
    kept = np.sort(lengths)[5:-5]
    assert path_length(first, second, epsilon).value == pytest.approx(kept.mean())


def test_path_length_refuses_what_are_no_pairs():
    with pytest.raises(Unusable, match="none"):
        path_length(normal(0, 120, 3), normal(0, 121, 3))
    with pytest.raises(Unusable, match="epsilon above 0"):
        path_length(normal(0, 120, 3), normal(0, 120, 3), epsilon=0)


# Chunks and precision


CHUNKED = {
    "kid": lambda x, y, chunk: kid(x, y, chunk=chunk),
    "prdc": lambda x, y, chunk: precision_recall_density_coverage(x, y, chunk=chunk),
    "nearest": lambda x, y, chunk: nearest_distances(x, y, chunk=chunk),
    "parzen": lambda x, y, chunk: parzen_log_likelihood(x[:30], x, y, chunk=chunk),
    "two_sample": lambda x, y, chunk: two_sample(x, y, chunk=chunk),
}


@pytest.mark.parametrize(("name", "single"), list(product(CHUNKED, (False, True))))
def test_the_chunk_size_changes_nothing_in_either_precision(name, single, monkeypatch):
    if single:
        monkeypatch.setattr(estimates, "_FLOAT64_UNTIL", 0)
    x, y = normal(0, 90, 30), normal(1, 90, 30, 0.2)
    whole = np.ravel(np.array(CHUNKED[name](x, y, 1000), float))
    for chunk in (7, 89):
        assert np.ravel(np.array(CHUNKED[name](x, y, chunk), float)) == pytest.approx(whole, rel=2e-6 if single else 1e-12)
