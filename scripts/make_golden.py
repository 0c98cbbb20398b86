"""Make tests/golden/format-N, the directories of a run and of a race as this version writes them; tests open them for good.

python scripts/make_golden.py FOLDER

Run it once for each version of the format, when that version is released, and never change what it made. PYTHONPATH may point to
the sources of an older version: format-1 was made from those of 2026-11-21.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from math import cos, pi, sin
from pathlib import Path

SMALL = ("--set", "architecture.width=8", "--set", "schedule.batch=24", "--precision", "fp32", "--threads", "1")


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    call(folder, "train", "r1gan", "ring", "--steps", "60", "--checkpoint-every", "40", "--seed", "3", *SMALL, "--out", "run")
    for name in ("gan", "r1gan"):
        call(folder, "train", name, "ring", "--steps", "1", *SMALL, "--out", f"{name}-once")
        shutil.copy(folder / f"{name}-once" / "recipe.json", folder / f"{name}.json")
        shutil.rmtree(folder / f"{name}-once")
    (folder / "table.csv").write_text("".join(rows()))
    recipes = ("gan=gan.json", "r1gan=r1gan.json")
    call(folder, "race", "table.csv", *recipes, "--seeds", "1", "--budget", "images:20k", "--device", "cpu", "--out", "race")
    for picture in (*(folder / "race" / "runs").rglob("*.png"), folder / "race" / "report.html"):
        picture.unlink()  # to keep the repository small; readers leave out what is missing


def call(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "ganwise", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def rows() -> list[str]:
    """A table of a header and 400 points near a circle."""
    draw = random.Random(0)
    angles = [draw.randrange(8) * pi / 4 for _ in range(400)]
    return ["first,second\n", *(f"{cos(a) + draw.gauss(0, 0.05):.3f},{sin(a) + draw.gauss(0, 0.05):.3f}\n" for a in angles)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
