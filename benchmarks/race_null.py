"""Real races of one GAN against itself: none may have a winner.

    python benchmarks/race_null.py [--races 5] [--budget cpu:90s]         results/race/null.jsonl

`ganwise race digits a=dcgan b=dcgan ... f=dcgan`, each race in a process of its own. All entrants have the same seeds, and differ
by what the machine does in a second: the simulation in race_chance.py, where every run has its own seed, is the harder test.
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
NAMES = "abcdef"


def raced(budget: str, recipe: str = "dcgan") -> dict[str, Any]:
    """The result of one race, in short."""
    with tempfile.TemporaryDirectory() as folder:
        entrants = [f"{name}={recipe}" for name in NAMES]
        asked = ["race", "digits", *entrants, "--budget", budget, "--out", str(Path(folder) / "race"), "--json"]
        done = subprocess.run([sys.executable, "-m", "ganwise", *asked], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"exit status {done.returncode}: {done.stderr[-2000:]}")
        told = json.loads(done.stdout)
    metric = told["metric"]
    scores = {r["recipe"]: [round(s["value"], 6) for s in r["scores"] if s["metric"] == metric] for r in told["ranking"]}
    return {
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
    parser.add_argument("--budget", default="cpu:90s")
    given = parser.parse_args()
    rows = []
    for _ in range(given.races):
        rows.append(raced(given.budget))
        print(json.dumps(rows[-1]), flush=True)
        (HERE / "null.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
