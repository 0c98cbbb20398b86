"""Real races of one GAN against itself: none may have a winner.

    python benchmarks/race_null.py [--races 5] [--data ring] [--recipe fcgan] [--budget cpu:150s]      results/race/null.jsonl

`ganwise race ring a=fcgan b=fcgan ... f=fcgan`, each race in a process of its own; races of other data or recipes are kept. All
entrants have the same seeds, and differ by what the machine does in a second: the simulation in race_chance.py, where every run
has its own seed, is the harder test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "results" / "race"
KEPT = HERE / "null.jsonl"
NAMES = "abcdef"


def raced(data: str, recipe: str, budget: str) -> dict[str, Any]:
    """The result of one race, in short."""
    with tempfile.TemporaryDirectory() as folder:
        entrants = [f"{name}={recipe}" for name in NAMES]
        asked = ["race", data, *entrants, "--budget", budget, "--out", str(Path(folder) / "race"), "--json"]
        done = subprocess.run([sys.executable, "-m", "ganwise", *asked], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"exit status {done.returncode}: {done.stderr[-2000:]}")
        told = json.loads(done.stdout)
    metric = told["metric"]
    scores = {r["recipe"]: [round(s["value"], 6) for s in r["scores"] if s["metric"] == metric] for r in told["ranking"]}
    return {
        "data": data,
        "recipe": recipe,
        "budget": budget,
        "winner": told["winner"],
        "recommended": told["recommended"],
        "finalists": [r["recipe"] for r in told["ranking"] if r["interval"]],
        "metric": metric,
        "scores": {name: values for name, values in scores.items() if values},
        "undecided": told.get("undecided"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--races", type=int, default=5)
    parser.add_argument("--data", default="ring")
    parser.add_argument("--recipe", default="fcgan")
    parser.add_argument("--budget", default="cpu:150s")
    given = parser.parse_args()
    before = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.is_file() else []
    rows = [row for row in before if (row["data"], row["recipe"]) != (given.data, given.recipe)]
    for _ in range(given.races):
        rows.append(raced(given.data, given.recipe, given.budget))
        print(json.dumps(rows[-1]), flush=True)
        KEPT.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
