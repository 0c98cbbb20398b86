"""The ward: runs made sick on purpose and their healthy twins, and what the doctor says of them.

    python benchmarks/ward.py run      trains what is lacking into ../runs/ward, resumable; names of cells or injections narrow it
    python benchmarks/ward.py pack     thinned records and outcomes into benchmarks/results/ward, which is committed
    python benchmarks/ward.py judge    diagnoses the packed records and writes docs/doctor-ward.md
    python benchmarks/ward.py heal     heals the sick runs in ../runs/ward, resumable; into benchmarks/results/ward

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
PAGE = Path(__file__).parents[1] / "docs" / "doctor-ward.md"


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


def heal(out: Path, only: list[str], seeds: int) -> None:
    import torch
    from ward_heal import heal as one
    from ward_judge import HEALING, standings
    from ward_runs import cases

    torch.set_num_threads(1)
    found = {row["content"]: row for row in rows(out / "runs.jsonl")}
    wanted = [case for case in cases() if case.content in found]
    sick = standings([found[case.content] for case in wanted])
    done = {row["content"] for row in rows(HEALING)}
    for case in wanted:
        chosen = sick[case.name] == "sick" and case.seed < seeds and (not only or {case.cell, case.injection} & set(only))
        if chosen and case.content not in done:
            row = one(case, found[case.content], out / case.name)
            append_row(HEALING, row)
            print(f"{case.name}: {'cured' if row['cured'] else 'not cured'} {row['why']} {row['outcome']}", flush=True)


def judge() -> None:
    import ward_page
    from ward_judge import HEALING, OUTCOMES
    from ward_judge import judge as all_

    said = all_()
    ward_page.write(PAGE, said, list(rows(OUTCOMES)), list(rows(HEALING)))
    print(ward_page.results(said))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("run", "heal", "pack", "judge"):
        verb = verbs.add_parser(name)
        if name != "judge":
            verb.add_argument("--out", type=Path, default=RUNS)
        if name in ("run", "heal"):
            verb.add_argument("--seeds", type=int, default=3)
            verb.add_argument("only", nargs="*")
    told = parser.parse_args()
    if told.verb in ("run", "heal"):
        {"run": run, "heal": heal}[told.verb](told.out, told.only, told.seeds)
    elif told.verb == "pack":
        from ward_judge import pack

        print(f"{pack(told.out)} runs")
    else:
        judge()


if __name__ == "__main__":
    main()
