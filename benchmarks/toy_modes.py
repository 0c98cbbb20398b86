"""Which GANs find the modes of a toy mixture, and which fail: every recipe that applies, on the ring of 8 and the grid of 25.

    python benchmarks/toy_modes.py run --seeds 3 --seconds 20   appends to benchmarks/results/toy_modes.jsonl; resumable
    python benchmarks/toy_modes.py table                        writes docs/toys.md and its picture from those rows

Each run trains on one thread for so many CPU seconds of its training loop, as the recipe says, with nothing tuned. 2,500 samples
of the averaged generator are judged by the true mixture: a sample is good within 3 standard deviations of a center (Metz et al.
2017), a mode is found when a good sample lies there, and it is held when at least a fifth of its fair share does. Rows are kept
by the recipe's content, so a changed recipe runs again and everything else does not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "toy_modes.jsonl"
PAGE = Path(__file__).parents[1] / "docs" / "toys.md"
PICTURE = PAGE.parent / "pictures" / "toys.png"
TOYS = ("ring", "grid")
SAMPLES, GOOD, HELD = 2_500, 3.0, 0.2
Row = dict[str, Any]


def content(name: str) -> str:
    """The recipe as the catalog has it now, by its hash."""
    from ganwise import catalog

    return hashlib.sha256(catalog.named(name).to_json().encode()).hexdigest()[:12]


def rows() -> list[Row]:
    """What has been measured of the recipes as they are now."""
    from ganwise.catalog import RECIPES

    if not RESULTS.is_file():
        return []
    found = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    now = {name: content(name) for name in RECIPES}
    return [row for row in found if now.get(row["recipe"]) == row["content"]]


def one(name: str, toy: str, seed: int, seconds: float) -> Row:
    """Trains and judges one run, in this process."""
    import numpy as np
    import torch

    import ganwise as gw
    from ganwise import catalog, doctor
    from ganwise.data import toy_modes
    from ganwise.train import train

    torch.set_num_threads(1)
    data, (centers, sd) = gw.load(toy), toy_modes(toy)
    gan = gw.build(catalog.named(name), data.shape, classes=len(data.classes), seed=seed)
    records = []
    for record in train(gan, data, steps=sys.maxsize, seed=seed):
        records.append(record)
        if record.seconds >= seconds or not np.isfinite(list(record.signals.values())).all():
            break
    samples = gw.Model(gan).sample(SAMPLES, seed=seed)
    distances = np.linalg.norm(samples[:, None] - centers[None], axis=2)
    good = distances.min(1) <= GOOD * sd
    counts = np.bincount(distances.argmin(1)[good], minlength=len(centers))
    near = np.bincount(distances.argmin(1), minlength=len(centers)) / SAMPLES
    kl = float((near[near > 0] * np.log(near[near > 0] * len(centers))).sum())
    diagnosis = doctor.diagnose(records, gan.recipe)
    return {
        "recipe": name,
        "data": toy,
        "seed": seed,
        "seconds": seconds,
        "content": content(name),
        "modes": int((counts > 0).sum()),
        "held": int((counts >= HELD * SAMPLES / len(centers)).sum()),
        "good": round(float(good.mean()), 4),
        "kl": round(kl, 4),
        "steps": records[-1].step,
        "verdict": diagnosis.verdict,
        "findings": [f"{f.problem}: {f.evidence}" for f in diagnosis.findings],
        "points": samples[:300].astype(float).round(3).tolist() if seed == 0 else [],
    }


def wanted(seeds: int, seconds: float, only: list[str]) -> Iterator[tuple[str, str, int]]:
    """Runs that the results lack, one seed of everything before the next."""
    from ganwise.build import build
    from ganwise.catalog import RECIPES, named
    from ganwise.types import Unusable

    done = {(row["recipe"], row["data"], row["seed"]) for row in rows() if row["seconds"] == seconds}
    able = []
    for name in only or RECIPES:
        try:
            build(named(name), (2,), classes=8)
            able.append(name)
        except Unusable as error:
            print(f"{name}: does not apply: {error}")
    for seed in range(seeds):
        for toy in TOYS:
            yield from ((name, toy, seed) for name in able if (name, toy, seed) not in done)


def run(seeds: int, seconds: float, only: list[str], jobs: int) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    todo, begin = list(wanted(seeds, seconds, only)), time.monotonic()

    def work(item: tuple[int, tuple[str, str, int]]) -> None:
        place, (name, toy, seed) = item
        command = [sys.executable, __file__, "one", name, toy, str(seed), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode:
            print(f"{name} {toy} {seed}: failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            return
        with RESULTS.open("a") as file:
            file.write(done.stdout.strip().splitlines()[-1] + "\n")
        row = json.loads(done.stdout.strip().splitlines()[-1])
        told = f"{row['modes']} modes, {row['good']:.0%} good, {row['steps']:,} steps, {row['verdict']}"
        print(f"{place + 1}/{len(todo)} {time.monotonic() - begin:.0f}s {name} {toy} {seed}: {told}", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, enumerate(todo)))


def table() -> None:
    from toy_modes_page import page  # beside this file

    PAGE.write_text(page(rows(), PICTURE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    all_ = verbs.add_parser("run")
    all_.add_argument("--seeds", type=int, default=3)
    all_.add_argument("--seconds", type=float, default=20.0)
    all_.add_argument("--jobs", type=int, default=2)
    all_.add_argument("only", nargs="*")
    single = verbs.add_parser("one")
    for name, kind in (("name", str), ("toy", str), ("seed", int), ("seconds", float)):
        single.add_argument(name, type=kind)
    verbs.add_parser("table")
    arguments = parser.parse_args()
    if arguments.verb == "run":
        run(arguments.seeds, arguments.seconds, arguments.only, arguments.jobs)
    elif arguments.verb == "one":
        print(json.dumps(one(arguments.name, arguments.toy, arguments.seed, arguments.seconds)))
    else:
        table()


if __name__ == "__main__":
    main()
