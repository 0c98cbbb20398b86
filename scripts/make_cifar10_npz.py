"""Makes one file of CIFAR-10 for ``ganwise reproduce ... --data``, from a folder of sheets and labels.

    python scripts/make_cifar10_npz.py ../shared/data/cifar10 /tmp/cifar10.npz

The folder holds train_*.webp and test_*.webp, sheets of 40 images a row in the order of the original (krizhevsky2009cifar), and
labels.npz. The file holds x_train (50000, 32, 32, 3), y_train, x_test (10000, 32, 32, 3) and y_test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from make_photo_folder import tiles

SIZES = {"train": 50_000, "test": 10_000}


def arrays(source: Path) -> dict[str, np.ndarray]:
    """The four arrays; a part that is not whole ends the program."""
    labels = np.load(source / "labels.npz")
    found: dict[str, np.ndarray] = {}
    for part, size in SIZES.items():
        x = np.concatenate([tiles(sheet) for sheet in sorted(source.glob(f"{part}_*.webp"))])
        y = labels[f"y_{part}"].ravel().astype(np.uint8)
        if len(x) != size or len(y) != size:
            raise SystemExit(f"{source}: {len(x)} images and {len(y)} labels for {part}; CIFAR-10 has {size}")
        found |= {f"x_{part}": x, f"y_{part}": y}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    np.savez_compressed(arguments.out, **arrays(arguments.source))
    print(f"{arguments.out}: {sum(SIZES.values())} images")


if __name__ == "__main__":
    main()
