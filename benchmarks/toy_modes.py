"""Which GANs find the modes of a toy mixture, and which fail: every recipe that applies, on the ring of 8 and the grid of 25.

    python benchmarks/toy_modes.py run --seeds 3 --seconds 20   appends to benchmarks/results/toy_modes.jsonl; resumable
    python benchmarks/toy_modes.py run --controls               likewise the recipes with one change each, one seed
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganwise.recipe import Recipe

RESULTS = Path(__file__).parent / "results" / "toy_modes.jsonl"
PAGE = Path(__file__).parents[1] / "docs" / "toys.md"
PICTURE = PAGE.parent / "pictures" / "toys.png"
TOYS = ("ring", "grid")
SAMPLES, GOOD, HELD = 2_500, 3.0, 0.2
Row = dict[str, Any]
Changes = dict[str, Any]
CONTROLS: tuple[tuple[str, Changes], ...] = (
    ("fcgan", {"regularizers.r1.gamma": 0.1, "regularizers.r1.every": 4}),
    ("rasgan", {"regularizers.r1.gamma": 0.1}),
    ("lossgan", {"regularizers.r1.gamma": 0.1}),
    ("geometric-gan", {"schedule.generator_steps": 1}),
    ("wgan-gp", {"schedule.discriminator.learning_rate": 1e-3, "schedule.generator.learning_rate": 1e-3}),
    ("dragan", {"regularizers.dragan.spread": 0.02}),
)
"""One change each, to see what it was that failed."""


def changed(name: str, changes: Changes) -> Recipe:
    from ganwise import catalog
    from ganwise.recipe import change

    return change(catalog.named(name), changes) if changes else catalog.named(name)


def content(name: str, changes: Changes) -> str:
    """The recipe as the catalog has it now, with the changes, by its hash."""
    return hashlib.sha256(changed(name, changes).to_json().encode()).hexdigest()[:12]


def rows(controls: bool = False) -> list[Row]:
    """What has been measured of the recipes as they are now; of the controls alone, or of everything else."""
    if not RESULTS.is_file():
        return []
    found = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return [row for row in found if bool(row.get("changed")) == controls and current(row)]


def current(row: Row) -> bool:
    """Whether the catalog still has the recipe that the row is of."""
    from ganwise.catalog import RECIPES

    return row["recipe"] in RECIPES and content(row["recipe"], row.get("changed", {})) == row["content"]


def one(name: str, toy: str, seed: int, seconds: float, changes: Changes) -> Row:
    """Trains and judges one run, in this process."""
    import numpy as np
    import torch

    import ganwise as gw
    from ganwise import doctor
    from ganwise.data import toy_modes
    from ganwise.metrics import mode_coverage, nearest_mode
    from ganwise.train import train

    torch.set_num_threads(1)
    data, (centers, sd) = gw.load(toy), toy_modes(toy)
    gan = gw.build(changed(name, changes), data.shape, classes=len(data.classes), seed=seed)
    records = []
    for record in train(gan, data, steps=sys.maxsize, seed=seed):
        records.append(record)
        if record.seconds >= seconds or not np.isfinite(list(record.signals.values())).all():
            break
    samples = gw.Model(gan).sample(SAMPLES, seed=seed)
    assigned = nearest_mode(samples, centers, sd, GOOD)
    found = mode_coverage(assigned, np.ones(len(centers)))
    mode, good = assigned[:, 0], assigned[:, 1] > 0
    counts = np.bincount(mode[good], minlength=len(centers))
    diagnosis = doctor.diagnose(records, gan.recipe)
    return {
        "recipe": name,
        "data": toy,
        "seed": seed,
        "seconds": seconds,
        "content": content(name, changes),
        **({"changed": changes} if changes else {}),
        "modes": int(found.modes.value),
        "held": int((counts >= HELD * SAMPLES / len(centers)).sum()),
        "good": round(float(good.mean()), 4),
        "kl": round(found.mode_kl.value, 4),
        "steps": records[-1].step,
        "verdict": diagnosis.verdict,
        "findings": [f"{f.problem}: {f.evidence}" for f in diagnosis.findings],
        "points": samples[:300].astype(float).round(3).tolist() if seed == 0 else [],
    }


Run = tuple[str, str, int, Changes]


def wanted(seeds: int, seconds: float, only: list[str]) -> Iterator[Run]:
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
            yield from ((name, toy, seed, {}) for name in able if (name, toy, seed) not in done)


def wanted_controls(seconds: float, only: list[str]) -> Iterator[Run]:
    """Controls that the results lack, seed 0."""
    done = {(row["recipe"], row["data"]) for row in rows(controls=True) if row["seconds"] == seconds}
    for name, changes in CONTROLS:
        if not only or name in only:
            yield from ((name, toy, 0, changes) for toy in TOYS if (name, toy) not in done)


def run(todo: list[Run], seconds: float, jobs: int) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    begin = time.monotonic()

    def work(item: tuple[int, Run]) -> None:
        place, (name, toy, seed, changes) = item
        command = [sys.executable, __file__, "one", name, toy, str(seed), str(seconds), "--changes", json.dumps(changes)]
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

    PAGE.write_text(page(rows(), rows(controls=True), PICTURE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    all_ = verbs.add_parser("run")
    all_.add_argument("--seeds", type=int, default=3)
    all_.add_argument("--seconds", type=float, default=20.0)
    all_.add_argument("--jobs", type=int, default=2)
    all_.add_argument("--controls", action="store_true")
    all_.add_argument("only", nargs="*")
    single = verbs.add_parser("one")
    for name, kind in (("name", str), ("toy", str), ("seed", int), ("seconds", float)):
        single.add_argument(name, type=kind)
    single.add_argument("--changes", type=json.loads, default={})
    verbs.add_parser("table")
    arguments = parser.parse_args()
    if arguments.verb == "run":
        seconds, only = arguments.seconds, arguments.only
        todo = wanted_controls(seconds, only) if arguments.controls else wanted(arguments.seeds, seconds, only)
        run(list(todo), seconds, arguments.jobs)
    elif arguments.verb == "one":
        print(json.dumps(one(arguments.name, arguments.toy, arguments.seed, arguments.seconds, arguments.changes)))
    else:
        table()


if __name__ == "__main__":
    main()
