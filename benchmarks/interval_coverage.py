"""How often each metric's 95 % interval holds the truth: draws from known distributions, many times over.

    python benchmarks/interval_coverage.py run     appends to benchmarks/results/interval_coverage.jsonl; resumable
    python benchmarks/metrics_page.py              writes the table into docs/metrics.md

What is drawn, and what is true of it, is in `interval_cases.py`. A row is 100 repetitions of one case: how often the interval
held the truth, and how often it lay wholly above or below. Where the truth is the estimator's own mean at this n, it is the mean
of 400 other draws, which is known to a twentieth of the estimator's scatter. Rows carry a hash of the metric's code: a changed
metric is measured again, and everything else is not.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import json
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from interval_cases import CASES, Case, truth_of  # beside this file

from ganwise.metrics import METRICS, Estimate, estimate

RESULTS = Path(__file__).parent / "results" / "interval_coverage.jsonl"
REPETITIONS, CHUNK = 500, 100
OTHERS = 400
Row = dict[str, Any]


def code(case: Case) -> str:
    """Of the case, of the metric's module and of what every interval is made with, without docstrings and comments."""
    modules = (METRICS[case.metrics[0]].function.__module__, estimate.__name__)
    text = "\n".join([repr(case.content), *map(_stripped, modules)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def _stripped(name: str) -> str:
    tree = ast.parse(Path(str(importlib.import_module(name).__file__)).read_text())
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [each for each in body if not _is_text(each)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def draw(case: Case, seed: tuple[int, ...]) -> tuple[tuple[Any, ...], dict[str, Estimate]]:
    """Arrays of one repetition, and what the metrics say of them."""
    arrays = case.draw(np.random.default_rng([case.number, *seed]))
    result = METRICS[case.metrics[0]].function(*arrays, **case.options)
    found = {case.metrics[0]: result} if isinstance(result, Estimate) else result._asdict()
    return arrays, {name: found[name] for name in case.metrics}


def means(case: Case, draws: int = OTHERS) -> dict[str, float]:
    """What each metric is on average at this n."""
    found = [draw(case, (0, i))[1] for i in range(draws)]
    return {name: float(np.mean([each[name].value for each in found])) for name in case.metrics}


def chunk(case: Case, number: int, truths: dict[str, float], repetitions: int = CHUNK) -> list[Row]:
    """One row for each of the case's metrics."""
    values: dict[str, list[float]] = {name: [] for name in case.metrics}
    widths: dict[str, list[float]] = {name: [] for name in case.metrics}
    rows = {name: {"held": 0, "above": 0, "below": 0} for name in case.metrics}
    for i in range(repetitions):
        arrays, found = draw(case, (1, number, i))
        for name, (value, low, high) in found.items():
            truth = truth_of(case, name, arrays, truths)
            rows[name]["above" if low > truth else "below" if high < truth else "held"] += 1
            values[name].append(value)
            widths[name].append(high - low)
    return [
        {
            "case": case.name,
            "metric": name,
            "code": code(case),
            "chunk": number,
            "repetitions": repetitions,
            **rows[name],
            "truth": _short(truths[name]) if name in truths else None,
            "mean": _short(float(np.mean(values[name]))),
            "sd": _short(float(np.std(values[name]))),
            "width": _short(float(np.mean(widths[name]))),
        }
        for name in case.metrics
    ]


def _short(number: float) -> float:
    return float(f"{number:.6g}")


def rows() -> list[Row]:
    """What has been measured of the metrics as they are now."""
    if not RESULTS.is_file():
        return []
    current = {case.name: code(case) for case in CASES}
    found = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return [row for row in found if current.get(row["case"]) == row["code"]]


def run(only: list[str], repetitions: int) -> None:
    import torch

    torch.set_num_threads(1)
    RESULTS.parent.mkdir(exist_ok=True)
    done = {(row["case"], row["chunk"]) for row in rows()}
    for case in _wanted(only):
        todo = [i for i in range(repetitions // CHUNK) if (case.name, i) not in done]
        if not todo:
            continue
        begin = time.process_time()
        truths = case.truths() if case.truths else {}
        if case.average:
            truths = means(case)
        for number in todo:
            with RESULTS.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in chunk(case, number, truths))
        told = ", ".join(f"{name} {coverage(case.name, name):.1%}" for name in case.metrics)
        print(f"{case.name}: {told} ({time.process_time() - begin:.0f} CPU s)", flush=True)


def coverage(case: str, metric: str) -> float:
    """Share of repetitions so far whose interval held the truth."""
    found = [row for row in rows() if (row["case"], row["metric"]) == (case, metric)]
    return sum(row["held"] for row in found) / sum(row["repetitions"] for row in found)


def _wanted(only: list[str]) -> Iterator[Case]:
    for case in CASES:
        if not only or case.name in only or set(case.metrics) & set(only):
            yield case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    all_ = verbs.add_parser("run")
    all_.add_argument("--repetitions", type=int, default=REPETITIONS)
    all_.add_argument("only", nargs="*", help="cases or metrics")
    arguments = parser.parse_args()
    run(arguments.only, arguments.repetitions)


if __name__ == "__main__":
    main()
