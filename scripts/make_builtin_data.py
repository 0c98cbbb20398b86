"""Make the bundled data files of ganwise from their originals.

    python scripts/make_builtin_data.py path/to/mnist.npz

Needs scikit-learn, which carries the UCI digits, and the usual ``mnist.npz`` (x_train, y_train, x_test, y_test).
It is run by hand in an environment of its own: neither is a dependency of the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "src" / "ganwise" / "data" / "builtin_files"
SUBSET, SEED = 10_000, 20_140_610


def make_digits(target: Path) -> None:
    """The 1,797 digits of UCI's optdigits.tes; the original 0..16 stretched to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    np.savez_compressed(target, x=x, y=digits.target.astype(np.uint8))


def make_mnist_subset(source: Path, target: Path) -> None:
    """A random subset of the 60,000 training images, without replacement, in random order."""
    with np.load(source, allow_pickle=False) as archive:
        chosen = np.random.default_rng(SEED).permutation(len(archive["x_train"]))[:SUBSET]
        x, y = archive["x_train"][chosen], archive["y_train"][chosen].astype(np.uint8)
    np.savez_compressed(target, x=x, y=y)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_digits(FOLDER / "digits.npz")
    make_mnist_subset(Path(sys.argv[1]), FOLDER / "mnist-10k.npz")
    for file in sorted(FOLDER.glob("*.npz")):
        print(file.name, file.stat().st_size, "bytes")
