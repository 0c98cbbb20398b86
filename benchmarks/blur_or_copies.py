"""Is blur told from copies? Real images through their principal components, a share of them seen in training.

    python scripts/make_cifar10_npz.py ../shared/data/cifar10 cifar10.npz
    python benchmarks/blur_or_copies.py cifar10.npz          a minute; the table that docs/why/who-wins.md quotes

7,000 images were seen and 500 were not. What is judged are 500 others, or for a share of them seen ones: as they are, or as few
principal components of the seen ones leave them, which is blur.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ganwise.doctor import repeats
from ganwise.metrics.neighbors import copying, held_out
from ganwise.study.trial import MEMORIZED

SEEN, UNSEEN, JUDGED = slice(0, 7000), slice(7000, 7500), slice(8000, 8500)
COMPONENTS, SHARES = (2, 5, 10, 20, 50, 200, None), (0.0, 0.2, 0.5, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    images = np.load(parser.parse_args().data)["x_train"][:9000]
    pixels = images.reshape(len(images), -1).astype(np.float64) / 255
    seen, unseen, judged = pixels[SEEN], pixels[UNSEEN], pixels[JUDGED]
    middle, known, rng = seen.mean(0), held_out(seen, unseen), np.random.default_rng(0)
    axes = np.linalg.eigh(np.cov(seen.T))[1][:, ::-1]
    print("share seen, components, memorization, novelty, copies?")
    for share in SHARES:
        mixed = np.where(rng.random(len(judged))[:, None] < share, seen[rng.permutation(len(seen))[: len(judged)]], judged)
        for components in COMPONENTS:
            basis = axes[:, :components]
            fakes = mixed if components is None else middle + (mixed - middle) @ basis @ basis.T
            found = copying(seen, unseen, fakes, known=known)
            near, new = found.memorization.value, found.novelty.value
            print(f"{share:.1f}, {components or 'all'}, {near:.3f}, {new:.3f}, {repeats(near, new, MEMORIZED)}")


if __name__ == "__main__":
    main()
