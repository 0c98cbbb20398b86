"""Every metric that somebody else computes, too: torchmetrics, prdc, scikit-learn and SciPy against ours, to 1e-6."""

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.stats import entropy
from sklearn.neighbors import KernelDensity, NearestNeighbors
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import poly_mmd

from ganwise.data import toy_modes
from ganwise.metrics import (
    fid_infinity,
    frechet_distance,
    inception_score,
    inception_splits,
    infinity,
    kid,
    mode_coverage,
    nearest_distances,
    nearest_mode,
    parzen_log_likelihood,
    parzen_sigma,
    precision_recall_density_coverage,
    sliced_wasserstein,
    two_sample,
)
from ganwise.metrics.msssim import WEIGHTS, similarity
from ganwise.metrics.parzen import SIGMAS

NEAR = 1e-6


def close(value):
    return pytest.approx(value, rel=NEAR, abs=1e-12)


@pytest.fixture
def sides():
    """Correlated features of unequal spread, as a network's are."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((24, 24)) / 5
    return rng.standard_normal((300, 24)) @ mix + 0.3, rng.standard_normal((280, 24)) @ mix * 1.1 + 0.4


def test_frechet_distance_is_that_of_torchmetrics_and_of_scipys_matrix_root(sides):
    moments = [(side.mean(0), np.cov(side.T)) for side in sides]
    theirs = _compute_fid(*(torch.from_numpy(each) for pair in moments for each in pair))
    assert frechet_distance(*sides).value == close(float(theirs))
    (m, s), (n, t) = moments
    root = np.trace(sqrtm(s @ t).real)
    assert frechet_distance(*sides).value == close(((m - n) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * root)


def test_frechet_distance_of_fewer_samples_than_features_is_scipys_by_singular_values(sides):
    """The covariances are singular: the trace is the nuclear norm of one root times the other, whatever roots are taken."""
    x, y = (np.hstack([side[:60], side[60:120], side[120:180]]) for side in sides)
    centered = [(side - side.mean(0)) / np.sqrt(59) for side in (x, y)]
    nuclear = np.linalg.svd(centered[0] @ centered[1].T, compute_uv=False).sum()
    squares = sum((side**2).sum() for side in centered)
    assert x.shape[1] == 72
    assert frechet_distance(x, y).value == close(((x.mean(0) - y.mean(0)) ** 2).sum() + squares - 2 * nuclear)


def test_fid_infinity_is_numpys_line_through_torchmetrics_distances():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((120, 5)), rng.standard_normal((120, 5)) * 1.2 + 0.5
    order = np.random.default_rng(0)
    blocks = [side[order.permutation(120)] for side in (x, y)]

    def theirs(a, b):
        return float(_compute_fid(*(torch.from_numpy(each) for side in (a, b) for each in (side.mean(0), np.cov(side.T)))))

    pieces = [zip(*(np.array_split(side, k) for side in blocks), strict=True) for k in infinity.LEVELS]
    means = [np.mean([theirs(a, b) for a, b in pairs]) for pairs in pieces]
    assert fid_infinity(x, y).value == close(np.polyfit(np.array(infinity.LEVELS) / 120, means, 1)[1])


def test_kid_is_torchmetrics_polynomial_distance(sides):
    real, fake = (torch.from_numpy(side[:280]) for side in sides)
    assert kid(real.numpy(), fake.numpy()).value == close(float(poly_mmd(real, fake)))


@pytest.mark.parametrize("k", [3, 5])
def test_precision_recall_density_and_coverage_are_those_of_prdc(sides, k):
    theirs = compute_prdc(*sides, nearest_k=k)
    ours = precision_recall_density_coverage(*sides, k=k)
    assert {name: each.value for name, each in ours._asdict().items()} == {name: close(value) for name, value in theirs.items()}
    assert ours.precision.value < 1
    assert ours.coverage.value < 1


def test_nearest_distances_are_scikit_learns(sides):
    theirs, _ = NearestNeighbors(n_neighbors=1).fit(sides[1]).kneighbors(sides[0])
    assert nearest_distances(*sides) == close(theirs[:, 0])


def test_parzen_is_scikit_learns_kernel_density_with_the_likeliest_window():
    validation, real, fake = (np.random.default_rng(seed).random((60 + seed, 12)) for seed in range(3))
    windows = {sigma: KernelDensity(bandwidth=sigma).fit(fake) for sigma in SIGMAS}
    best = max(SIGMAS, key=lambda sigma: windows[sigma].score_samples(validation).mean())
    each = windows[best].score_samples(real)
    ours = parzen_log_likelihood(validation, real, fake)
    assert parzen_sigma(validation, fake) == best
    assert ours.value == close(each.mean())
    # the 2014 code prints the deviation over n, ours is over n - 1
    assert (ours.high - ours.value) / 1.959963984540054 == close(each.std() / np.sqrt(61) * np.sqrt(61 / 60))


def test_inception_score_is_torchmetrics():
    logits = torch.from_numpy(np.random.default_rng(0).standard_normal((1000, 10)) * 3)

    def theirs(part):
        score = InceptionScore(feature=torch.nn.Identity(), splits=1)
        score.set_dtype(torch.float64)
        score.update(part)
        return float(score.compute()[0])

    each = [theirs(part) for part in logits.split(100)]
    assert inception_splits(logits.numpy()) == close(each)
    assert inception_score(logits.numpy()).value == close(np.mean(each))
    assert inception_score(logits.numpy(), splits=1).value == close(theirs(logits))


@pytest.mark.parametrize(("side", "scales"), [(176, 5), (64, 3), (28, 2)])
def test_ms_ssim_is_made_of_torchmetrics_maps(side, scales):
    """Theirs averages the last scale over a padded map; the paper's code, and ours, only where the window lies inside."""
    x = torch.nn.functional.avg_pool2d(torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(0)).double(), 5, 1, 2)
    y = (x + 0.2 * x.flip(3)).clamp(0, 1)
    weights, theirs, at = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales]), np.ones(3), (x, y)
    for scale, weight in enumerate(weights):
        if scale == scales - 1:
            whole = structural_similarity_index_measure(*at, data_range=1.0, reduction="none", return_full_image=True)[1]
            mean = whole[..., 5:-5, 5:-5].mean((1, 2, 3))
        else:
            both = structural_similarity_index_measure(*at, data_range=1.0, reduction="none", return_contrast_sensitivity=True)
            mean = both[1]
        theirs *= mean.numpy() ** weight
        at = tuple(torch.nn.functional.avg_pool2d(each, 2) for each in at)
    assert similarity(x, y).numpy() == close(theirs)
    assert theirs.max() < 0.99


def test_sliced_wasserstein_in_one_dimension_is_scipys_optimal_assignment():
    x, y = (np.random.default_rng(seed).standard_normal((80, 1)) * (1 + seed) for seed in range(2))
    cost = (x - y.T) ** 2
    assert sliced_wasserstein(x, y).value ** 2 == close(cost[linear_sum_assignment(cost)].mean())


def test_two_sample_is_the_left_out_accuracy_of_scikit_learns_nearest_neighbor(sides):
    both = np.concatenate([sides[0][:280], sides[1]])
    _, nearest = NearestNeighbors(n_neighbors=2).fit(both).kneighbors(both)
    right = (nearest[:, 1] < 280) == (np.arange(560) < 280)
    assert two_sample(sides[0][:280], sides[1]).value == close(right.mean())


def test_modes_are_scipys_nearest_centers_and_their_divergence_scipys_entropy():
    centers, sd = toy_modes("grid")
    rng = np.random.default_rng(0)
    points = centers[rng.choice(25, 3000, p=rng.dirichlet(np.ones(25)))] + 1.5 * sd * rng.standard_normal((3000, 2))
    distance, nearest = cKDTree(centers).query(points)
    assigned = nearest_mode(points, centers, sd)
    good = distance <= 3 * sd
    assert assigned.tolist() == np.stack([nearest, good], 1).astype(int).tolist()
    assert 0.5 < good.mean() < 0.95
    shares = rng.dirichlet(np.full(25, 5.0))
    found = mode_coverage(assigned, shares)
    assert found.modes.value == len(set(nearest[good]))
    assert found.mode_kl.value == close(entropy(np.bincount(nearest, minlength=25) / 3000, shares))
