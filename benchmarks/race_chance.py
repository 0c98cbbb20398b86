"""Chance in races: how often equals have a winner, how often the better one is found, what ranks' intervals hold.

    python benchmarks/race_chance.py [--races 200]         results/race/chance.jsonl

Simulated from real scores through the race's own scheduler and statistics. Null: every run of a race is drawn, with its looks and
its test score, from the runs of one GAN. Where only three seeds of a GAN were run, new runs are its mean and a random combination
of its seeds' deviations, which has their covariance between looks and test. Power: one candidate is the best of digits,
all others are its median candidate.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from race_replay import Row, field, noise_of, race
from race_rows import committed

from ganwise.study.statistics import rank
from ganwise.types import SICK

HERE = Path(__file__).parent / "results" / "race"
EQUALS, CROWD, SEEDS, SEED = 6, 12, 3, 11
MORE = 8
"""Times as many races for the main case, to see whether its share is 5 % or less."""
RUNGS = (0.1, 0.4, 1.0)


def many(name: str = "dcgan") -> list[Row]:
    """All runs on digits of the one GAN that was run with more seeds."""
    return [row for row in committed() if row["data"] == "digits" and row["name"] == name]


def logs(runs: Sequence[Row], noise: float) -> np.ndarray:
    """Shape (runs, 4): the best on validation at each rung and the score on test, as log(value + noise)."""
    seen = [[next(s for s in r["looks"] if s["share"] == share)["best"] for share in RUNGS] + [r["value"]] for r in runs]
    return np.log(np.maximum(np.array(seen, float), 0) + noise)


def run_of(vector: np.ndarray, seed: int, noise: float, width: float) -> Row:
    """A run that is healthy and has these logs; ``width`` is the interval of a test score, relative to it."""
    values = np.maximum(np.exp(vector) - noise, 0.0)
    looks = [{"share": share, "best": float(v), "verdict": "healthy"} for share, v in zip(RUNGS, values, strict=False)]
    half = float(np.exp(vector[3])) * width
    interval = [float(values[3]) - half, float(values[3]) + half]
    return {"seed": seed, "looks": looks, "verdict": "healthy", "value": float(values[3]), "interval": interval}


def drawn(pool: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """New runs of a GAN: real ones where there are enough of them, else its mean and a mix of its deviations."""
    if len(pool) > 2 * SEEDS:
        return pool[rng.integers(len(pool), size=count)]
    mean = pool.mean(0)
    mix = rng.normal(size=(count, len(pool))) / np.sqrt(len(pool) - 1)
    return np.asarray(mean + mix @ (pool - mean))


def raced(pools: Sequence[np.ndarray], rng: np.random.Generator, noise: float, seeds: int = SEEDS) -> str | None:
    """The winner of one race, in which each candidate's runs come from its own pool; candidates are named by their place."""
    runs = {}
    for place, pool in enumerate(pools):
        vectors = drawn(pool, rng, seeds)
        runs[str(place)] = [run_of(v, seed, noise, 0.1) for seed, v in enumerate(vectors)]
    return race(runs, noise).winner


def share(pools: Sequence[np.ndarray], races: int, noise: float, winner: str | None, seeds: int = SEEDS) -> Row:
    """In how many races ``winner`` won, anybody where that is None; with a 95 % interval (Wilson)."""
    rng = np.random.default_rng(SEED)
    won = [w is not None and winner in (None, w) for w in (raced(pools, rng, noise, seeds) for _ in range(races))]
    p, n, z = float(np.mean(won)), races, 1.96
    middle, half = (p + z * z / 2 / n) / (1 + z * z / n), z / (1 + z * z / n) * (p * (1 - p) / n + z * z / 4 / n / n) ** 0.5
    return {"races": races, "share": round(p, 4), "interval": [round(max(0.0, middle - half), 4), round(middle + half, 4)]}


def healthy(name: str) -> dict[str, list[Row]]:
    """Candidates with every look and a score, and no sick run."""
    full = {n: rows for n, rows in field(name).items() if all(r["value"] is not None and r["verdict"] not in SICK for r in rows)}
    return {n: rows for n, rows in full.items() if len(rows) > 1 and np.isfinite(logs(rows, 1.0)).all()}


def null(races: int) -> Iterator[Row]:
    """The same GAN entered six times."""
    noise, of = noise_of({"dcgan": many()}), f"digits dcgan, {len(many())} seeds"
    for count, times in ((EQUALS, races), (EQUALS, MORE * races), (2, races), (CROWD, races)):
        yield {"what": f"null, {count} candidates", "of": of, **share([logs(many(), noise)] * count, times, noise, None)}
    for name in ("grid", "digits"):
        noise = noise_of(field(name))
        for who, rows in healthy(name).items():
            yield {"what": "null", "of": f"{name} {who}", **share([logs(rows, noise)] * EQUALS, races, noise, None)}


def power(races: int) -> Iterator[Row]:
    """The best of digits among copies of its median candidate, with the seeds' own scatter and with dcgan's."""
    runs, noise = field("digits"), noise_of(field("digits"))
    order = sorted(
        (n for n in runs if all(r["value"] is not None for r in runs[n])), key=lambda n: logs(runs[n], noise)[:, 3].mean()
    )
    best, middle = order[0], order[(len(order) - 1) // 2]
    pools = [logs(runs[n], noise) for n in (best, middle)]
    gap = round(float(pools[1][:, 3].mean() - pools[0][:, 3].mean()), 3)
    said = {"what": "power", "of": f"digits {best} among {CROWD - 1} like {middle}", "difference": gap}
    yield {**said, "scatter": "their own", **share([pools[0]] + [pools[1]] * (CROWD - 1), races, noise, "0")}
    loose = logs(many(), noise) - logs(many(), noise).mean(0)
    pools = [pool.mean(0) + loose for pool in pools]
    yield {**said, "scatter": "dcgan's", **share([pools[0]] + [pools[1]] * (CROWD - 1), races, noise, "0")}
    for part in (0.5, 0.25, 0.125):
        near = [pools[1], pools[1] - part * gap]
        told = {**said, "difference": round(part * gap, 3), "scatter": "dcgan's"}
        yield {**told, **share([near[1]] + [near[0]] * (CROWD - 1), races, noise, "0")}


def ranks(races: int, spread: float = 0.3) -> Iterator[Row]:
    """How often the interval of a rank holds the true rank: six candidates, each ``step`` better than the next, in logs."""
    for step in (0.05, 0.2, 0.5):
        rng, held, wide = np.random.default_rng(SEED), 0, 0
        for _ in range(races):
            values = {str(i): np.exp(rng.normal(step * i, spread, SEEDS)).tolist() for i in range(EQUALS)}
            for one in rank(values, True, 1e-6):
                held += one.rank_low <= int(one.name) + 1 <= one.rank_high
                wide += one.rank_high - one.rank_low + 1
        count = races * EQUALS
        yield {
            "what": "rank intervals",
            "step": step,
            "spread": spread,
            "held": round(held / count, 4),
            "width": round(wide / count, 2),
        }


def seed_by_seed(races: int) -> Iterator[Row]:
    """How often three candidates have a winner, equals and with one ahead, where seeds also move all alike, by ``common``."""
    for common in (0.0, 0.3, 0.9):
        for ahead in (0.0, 1.0):
            rng, won = np.random.default_rng(SEED), {"paired if seen": 0, "never paired": 0}
            for _ in range(races):
                both = rng.normal(0, common, SEEDS)
                values = {str(i): np.exp(both - ahead * (i == 0) + rng.normal(0, 0.3, SEEDS)).tolist() for i in range(3)}
                for how, seeds in (("paired if seen", {n: range(SEEDS) for n in values}), ("never paired", None)):
                    won[how] += not rank(values, True, 1e-6, seeds=seeds)[0].tied_with
            shares = {how: round(count / races, 4) for how, count in won.items()}
            yield {"what": "seeds in common", "common": common, "own": 0.3, "ahead": ahead, **shares}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--races", type=int, default=200, help="simulated races of each kind")
    races = parser.parse_args().races
    told: list[dict[str, Any]] = []
    for made in (null, power, ranks, seed_by_seed):
        for row in made(races):
            told.append(row)
            print(json.dumps(row), flush=True)
    (HERE / "chance.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))


if __name__ == "__main__":
    main()
