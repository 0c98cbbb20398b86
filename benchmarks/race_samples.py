"""What would another test set have changed? The error of scores from samples, and how much of it all candidates share.

    python benchmarks/race_samples.py RUNS         results/race/samples.json, from the run directories of digits in RUNS

Four good GANs of the study of selection with three seeds each: their fakes and the test samples are drawn again from themselves.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np

from ganwise import model
from ganwise.data import open_saved
from ganwise.evaluate import prepare
from ganwise.study.trial import SCORE_SEED

HERE = Path(__file__).parent / "results" / "race"
GANS = ("list/r1gan", "list/r1gan-dcgan", "list/lsgan", "popular/dcgan")
DRAWS, NOISE = 300, 0.007954
"""The noise is that of the race on these data: half of the median interval."""


def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


def kid(real: np.ndarray, fake: np.ndarray, cross: np.ndarray, i: np.ndarray, j: np.ndarray) -> float:
    """From kernel matrices, of the real samples ``i`` and the fakes ``j``; pairs of one sample with itself are left out."""

    def within(matrix: np.ndarray, rows: np.ndarray) -> float:
        other = rows[:, None] != rows[None, :]
        return float(matrix[np.ix_(rows, rows)][other].mean())

    return within(real, i) + within(fake, j) - 2 * float(cross[np.ix_(i, j)].mean())


def main(runs: Path) -> None:
    bench = prepare(open_saved(runs / "data"), "test", n=360)
    real = np.asarray(bench.extractor(bench.real), np.float64)
    within, rng = kernel(real, real), np.random.default_rng(0)
    again = rng.integers(len(real), size=(2, DRAWS, len(real)))
    as_it_is = np.arange(len(real))
    effects, own = {}, {}
    for name, seed in itertools.product(GANS, range(3)):
        fakes = model.load(runs / f"{name}-s{seed}" / "model.safetensors").sample(bench.n, SCORE_SEED)
        fake = np.asarray(bench.extractor(fakes), np.float64)
        matrices = within, kernel(fake, fake), kernel(real, fake)
        of_real = [kid(*matrices, i, as_it_is) for i in again[0]]
        of_fakes = [kid(*matrices, as_it_is, j) for j in again[1]]
        effects[name, seed], own[name, seed] = (np.log(np.maximum(v, 0) + NOISE) for v in (of_real, of_fakes))
    means = np.stack([np.mean([effects[name, seed] for seed in range(3)], axis=0) for name in GANS])
    differences = [float((means[a] - means[b]).std()) for a, b in itertools.combinations(range(len(GANS)), 2)]
    told = {
        "gans": list(GANS),
        "sd_of_a_score_from_test_samples": round(float(np.mean([v.std() for v in effects.values()])), 4),
        "sd_of_a_score_from_fakes": round(float(np.mean([v.std() for v in own.values()])), 4),
        "correlation_between_gans": round(float(np.corrcoef(means)[np.triu_indices(len(GANS), 1)].mean()), 4),
        "sd_of_a_gan_from_test_samples": round(float(means.std(1).mean()), 4),
        "sd_of_a_difference_from_test_samples": [round(min(differences), 4), round(max(differences), 4)],
        "sd_of_a_difference_as_if_apart": round(float(means.std(1).mean()) * 2**0.5, 4),
    }
    (HERE / "samples.json").write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
