"""Writes src/ganwise/knowledge/measured/*.jsonl from what this project has measured; run it after new results.

    python scripts/make_evidence.py

Results of the study of the short list (benchmarks) are left out by design: it is the proof that selection is good, and selection
must not have read its answer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import toy_modes  # noqa: E402

from ganwise.catalog import RECIPES  # noqa: E402
from ganwise.data import load  # noqa: E402
from ganwise.reproduce import equal  # noqa: E402
from ganwise.select.evidence import Row, fingerprint, interval  # noqa: E402

MEASURED = ROOT / "src" / "ganwise" / "knowledge" / "measured"
RESULTS = ROOT / "src" / "ganwise" / "reproduce" / "results"
HELD = "2,500 samples of the averaged generator; a mode is held when a fifth of its fair share lies within 3 deviations"


def toy(data: str, rows: Sequence[Mapping[str, Any]], value: str, modes: int, budget: str, source: str) -> list[Row]:
    """One row a recipe: modes held, the mean over seeds, within what is possible."""
    dataset, found = load(data), []
    about = (data, "vector", dataset.shape, len(dataset), dataset.content)
    for name in dict.fromkeys(str(row["recipe"]) for row in rows if row["recipe"] in RECIPES):
        recipe = RECIPES[name].recipe
        assert recipe is not None
        values = [float(row[value]) for row in rows if row["recipe"] == name]
        mean, low, high = interval(values)
        bounds = None if low is None else max(0.0, low), None if high is None else min(float(modes), high)
        named = recipe.architecture.name if recipe.architecture.name != "auto" else "mlp"
        what = (name, named, fingerprint(recipe), HELD, "samples", budget, "modes_held", "higher")
        found.append(Row(*about, *what, mean, *bounds, len(values), source))  # type: ignore[arg-type]
    return found


def toys() -> Iterable[Row]:
    rows = toy_modes.rows()
    for data, modes in (("ring", 8), ("grid", 25)):
        mine = [row for row in rows if row["data"] == data]
        yield from toy(data, mine, "held", modes, "20 CPU seconds a run", "docs/toys.md")
    for data, name, modes in (("ring", "ring-8", 8), ("grid", "grid-25", 25)):
        told = json.loads((RESULTS / f"{name}.json").read_text())
        budget = "5,000 updates of the discriminator"
        yield from toy(data, told["rows"], "held", modes, budget, f"docs/reproductions/{name}.md")


def study() -> Iterable[Row]:
    """The seven GANs of lucic2018equal on small MNIST, by KID."""
    told = json.loads((RESULTS / "are-gans-created-equal-mnist.json").read_text())
    for name, rival in equal.RIVALS.items():
        figure = next(one for one in told["ours"] if one["what"] == f"KID x1000 of {rival.label}")
        recipe = equal.recipe(name)
        yield Row(
            *("mnist-14", "image", (1, equal.SIDE, equal.SIDE), 70_000, ""),
            *(name, recipe.architecture.name, fingerprint(recipe)),
            *("raw weights, one architecture and batch for all, untuned", "EfficientNet-Lite0"),
            *("96,000 real images in the discriminator", "kid_x1000", "lower"),
            *(figure["value"], figure["low"], figure["high"], figure["seeds"]),
            "docs/reproductions/are-gans-created-equal-mnist.md",
        )


def main() -> None:
    MEASURED.mkdir(exist_ok=True)
    for name, rows in {"toys": toys(), "mnist": study()}.items():
        lines = [json.dumps(row._asdict()) for row in rows]
        (MEASURED / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{name}: {len(lines)} rows")


if __name__ == "__main__":
    main()
