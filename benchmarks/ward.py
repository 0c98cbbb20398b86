"""The ward: runs made sick on purpose and their healthy twins, and what the doctor says of them.

    python benchmarks/ward.py run      trains what is lacking into ../runs/ward, resumable; names of cells or injections narrow it
    python benchmarks/ward.py pack     thinned records and outcomes into benchmarks/results/ward, which is committed
    python benchmarks/ward.py judge    diagnoses the packed records and writes docs/doctor-ward.md

One process and one thread; a run stops at 20 CPU seconds of training, at its last step, or where a number is not finite.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from pathlib import Path

from ganwise.artifacts import append_row, rows

RUNS = Path(__file__).parents[2] / "runs" / "ward"


def run(out: Path, only: list[str], seeds: int) -> None:
    import torch
    from ward_runs import cases, go

    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    log = out / "runs.jsonl"
    done = {row["content"] for row in rows(log)}
    todo = [c for c in cases() if c.seed < seeds and c.content not in done and (not only or {c.cell, c.injection} & set(only))]
    for place, case in enumerate(todo):
        begin = time.process_time()
        try:
            row = go(case, out / case.name)
        except Exception:
            print(f"{case.name}: broke off\n{traceback.format_exc()}", flush=True)
            continue
        append_row(log, row | {"cpu": round(time.process_time() - begin, 2)})
        told = {name: round(value, 4) for name, value in row["outcome"].items()}
        print(f"{place + 1}/{len(todo)} {case.name}: {row['steps']} steps {row['seconds']} s {json.dumps(told)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("--out", type=Path, default=RUNS)
    runs.add_argument("--seeds", type=int, default=3)
    runs.add_argument("only", nargs="*")
    told = parser.parse_args()
    if told.verb == "run":
        run(told.out, told.only, told.seeds)


if __name__ == "__main__":
    main()
