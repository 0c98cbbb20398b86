"""Past runs as a race would have seen them: what stood on validation at each look, the doctor's verdict there, the test score.

    python benchmarks/race_rows.py [--out RUNS] [--more RUNS]     results/race/replay.jsonl, from the run directories

The runs are those of the study of selection (benchmarks/selection_regret.py): trials like a race's, 18 GANs with 3 seeds on each
data set, all trained to the end of one budget. ``--more`` adds seeds of one GAN of it on digits, for simulations of chance.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganwise.artifacts import RunDirectory, read_json
from ganwise.doctor import diagnose
from ganwise.doctor.stop import advise
from ganwise.recipe import from_data
from ganwise.study.trial import CHECKS, copies
from ganwise.types import Score

HERE = Path(__file__).parent / "results" / "race"
REPLAY = HERE / "replay.jsonl"
RUNS = Path(__file__).parents[2] / "runs" / "selection-regret"
METRIC = {"grid": "sliced_wasserstein", "digits": "kid", "mnist-10k": "kid", "cifar10-10k": "kid"}
SIDES = ("value", "low", "high")
Row = dict[str, Any]


def rows(out: Path, arm: str | None = None) -> Iterator[Row]:
    """Every finished run of the study in ``out``; ``arm`` renames its arm."""
    for name in METRIC:
        for told in sorted((out / name).glob("*/*/run.json")):
            run = RunDirectory.open(told.parent)
            if run.read()["status"] == "done" or "broken" in run.read():
                yield row_of(name, run, arm)


def row_of(name: str, run: RunDirectory, arm: str | None) -> Row:
    """One run: ``looks`` at shares of its budget, best value so far and verdict of each, and its score on the test part."""
    told = run.read()
    scores = read_json(run.scores)["scores"] if run.scores.is_file() else []
    score: Row = next((s for s in scores if s["metric"] == METRIC[name]), {})
    value, low, high = (_number(score.get(side, "nan")) for side in SIDES)
    looks, verdict = list(_looks(name, run)), "failed" if "broken" in told else "unknown"
    if looks[-1]["step"]:
        kept = [Score(**{k: float(v) if k in SIDES else v for k, v in s.items()}) for s in scores]
        verdict = diagnose(list(run.records()), from_data(told["recipe"]), kept).verdict
    return {
        "data": name,
        "arm": arm or told["arm"],
        "name": told["name"],
        "seed": told["job"]["seed"],
        "budget": told["job"]["limit"]["seconds"],
        "seconds": told.get("seconds"),
        "looks": looks,
        "verdict": verdict,
        "value": value,
        "interval": [low, high],
    }


def _looks(name: str, run: RunDirectory) -> Iterator[Row]:
    """Best checkpoint so far by validation, passed over as a trial does, and the doctor's verdict on the records so far."""
    told, best = run.read(), math.inf
    budget, records = told["job"]["limit"]["seconds"], list(run.records())
    recipe = from_data(told.get("recipe") or told["job"]["recipe"])
    checks = [json.loads(line) for line in run.checks_file.read_text().splitlines()] if run.checks_file.is_file() else []
    for share in CHECKS:
        due = [c for c in checks if c["seconds"] <= max(share * budget, _first_after(checks, share * budget))]
        for check in due:
            value = float(check.get(METRIC[name], math.inf))
            copied = METRIC[name] == "kid" and copies({k: float(v) for k, v in check.items()})
            best = min(best, math.inf if math.isnan(value) or copied else value)
        step = due[-1]["step"] if due else 0
        seen = [r for r in records if r.step <= step]
        broken = share == 1 and (told.get("verdict") == "failed" or "broken" in told)
        # as a race does: what is not diverse yet at a rung may become so
        verdict = "failed" if broken else diagnose(seen, recipe, running=share < 1).verdict if seen else "unknown"
        late = not (seen and advise(seen, recipe).now)
        yield {"share": share, "step": step, "best": _number(best), "verdict": verdict, "late": late}


def _first_after(checks: list[Row], seconds: float) -> float:
    """When the check that was due at ``seconds`` was made: at the first record past it."""
    return min((c["seconds"] for c in checks if c["seconds"] >= seconds), default=seconds)


def _number(value: float | str) -> float | None:
    number = float(value)
    return round(number, 6) if math.isfinite(number) else None


def collect(out: Path, more: Path | None) -> None:
    """Writes a row for every run; one whose directory is not at hand keeps what it had."""
    found = [*rows(out), *(rows(more, "more") if more else ())]
    known = {_key(row): row for row in committed()} | {_key(row): row for row in found}
    HERE.mkdir(parents=True, exist_ok=True)
    REPLAY.write_text("".join(json.dumps(known[key]) + "\n" for key in sorted(known)))
    print(f"{REPLAY.name}: {len(found)} runs read, {len(known)} rows")


def committed() -> list[Row]:
    return [json.loads(line) for line in REPLAY.read_text().splitlines()] if REPLAY.is_file() else []


def _key(row: Row) -> tuple[int, str, str, int]:
    return list(METRIC).index(row["data"]), row["arm"], row["name"], row["seed"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RUNS, help="run directories of the study")
    parser.add_argument("--more", type=Path, help="run directories with more seeds of a GAN of it")
    given = parser.parse_args()
    collect(given.out, given.more)
