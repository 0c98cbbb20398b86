"""Makes a folder of real photos as users have them: three sizes, four formats, classes as sub-folders, some files broken.

    python scripts/make_photo_folder.py ../shared/data/cifar10 /tmp/photos --n 3000

CIFAR-10's images (krizhevsky2009cifar) are written at 32, 48 and 64 pixels, one in fifty as gray, and every hundredth file is
cut short, emptied or filled with text.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FORMATS = ("png", "jpg", "webp", "bmp")


def tiles(sheet: Path) -> np.ndarray:
    """The 32x32 images of a sheet, 40 a row, shape (N, 32, 32, 3)."""
    pixels = np.asarray(Image.open(sheet).convert("RGB"))
    return pixels.reshape(len(pixels) // 32, 32, 40, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)


def damage(path: Path, way: int) -> None:
    content = path.read_bytes()
    path.write_bytes((content[: len(content) // 3], b"", b"this is no image")[way % 3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--n", type=int, default=3000)
    arguments = parser.parse_args()
    labels = np.load(arguments.source / "labels.npz")["y_train"].ravel()
    images = np.concatenate([tiles(s) for s in sorted(arguments.source.glob("train_*.webp"))[: arguments.n // 1000 + 1]])
    broken = 0
    for i, (image, label) in enumerate(zip(images[: arguments.n], labels, strict=False)):
        side = (32, 48, 64)[i % 3]
        picture = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        picture = picture.convert("L") if i % 50 == 7 else picture
        path = arguments.out / NAMES[label] / f"{i:05d}.{FORMATS[i % 4]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        if i % 100 == 99:
            damage(path, i // 100)
            broken += 1
    print(f"{min(arguments.n, len(images))} files in {arguments.out}, {broken} of them broken")


if __name__ == "__main__":
    main()
