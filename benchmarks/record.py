"""How many scores a second the record takes, and how fast it is made again: SQLite, and PostgreSQL on a server of its own.

    OMP_NUM_THREADS=1 python benchmarks/record.py                      1,000 runs of 12 scores and 5 checks of 4 metrics
    OMP_NUM_THREADS=1 python benchmarks/record.py --runs 10000         as many as a race of 10,000 trials

*By index* is what a race does: runs are handed to an `Index`, which writes what has come meanwhile, up to 50 in a transaction.
*One by one* is a `put`, a transaction, for each. Both read the run's files; a run's row, checks and findings are written with its
scores, which alone are counted. Wall time, one process.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ganwise.artifacts import RunDirectory, append_row, write_json
from ganwise.catalog import named
from ganwise.study.record import Index, Record

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from record_cases import server

SCORES, CHECKS, METRICS, SINGLY = 12, 5, 4, 300


def made(folder: Path, count: int) -> list[RunDirectory]:
    """Run directories with what the record reads."""
    recipe, runs = named("r1gan").model_dump(mode="json"), []
    for i in range(count):
        run = RunDirectory(folder / "runs" / f"r1gan-s{i}")
        run.path.mkdir(parents=True)
        told = {"name": "r1gan", "status": "done", "seed": i, "job": {"recipe": recipe}, "recipe": recipe, "steps": 1000}
        run.run.write_text("{}")
        write_json(run.run, {"format": 1, **told, "seconds": 20.0, "verdict": "healthy"})
        write_json(run.doctor, {"verdict": "healthy", "findings": []})
        score = {"low": 0.1, "high": 0.3, "n": 2000, "features": "efficientnet-lite0@96-fp32", "seed": i, "direction": "lower"}
        score |= {"value": 0.2, "protocol": "2,000 test vs 2,000 generated"}
        write_json(run.scores, {"scores": [score | {"metric": f"metric{k}"} for k in range(SCORES)]})
        for step in range(CHECKS):
            append_row(run.checks_file, {"step": step, "seconds": 1.0, **{f"metric{k}": 0.2 for k in range(METRICS)}})
        runs.append(run)
    return runs


def timed(what: Callable[[], object]) -> float:
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin


def measure(name: str, where: str | Path, folder: Path, count: int) -> None:
    index = Index.open(folder, sys.exit, where)
    runs = made(folder, count)

    def hand_over() -> None:
        for run in runs:
            index.put(run)
        assert index.close(patience=3600)

    written = timed(hand_over)
    with Record.open(where) as record:
        assert len(record.scores()) == SCORES * count
        singly = timed(lambda: [record.put(run) for run in runs[:SINGLY]])
        times = [
            timed(lambda: record.rebuild(folder)),
            timed(lambda: record.catch_up(folder)),
            timed(lambda: record.best("metric0")),
        ]
        assert len(record.scores()) == SCORES * count
    cells = [f"{SCORES * count / written:,.0f}", f"{SCORES * min(count, SINGLY) / singly:,.0f}", *(f"{t:.2f}" for t in times)]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--runs", type=int, default=1000)
    count = asked.parse_args().runs
    print(f"{count:,} runs of {SCORES} scores and {CHECKS} checks of {METRICS} metrics")
    print("| database | scores a second, by index | one by one | rebuild, s | catch up, s | best, s |")
    print("|---|---|---|---|---|---|")
    with TemporaryDirectory(prefix="ganwise-record-") as folder:
        measure("SQLite", folder, Path(folder), count)
    try:
        with TemporaryDirectory(prefix="ganwise-record-") as folder, server(durable=True) as postgres:
            measure("PostgreSQL", postgres.url, Path(folder), count)
    except FileNotFoundError as missing:
        print(f"PostgreSQL was left out: {missing}", file=sys.stderr)


if __name__ == "__main__":
    main()
