"""Which run of a race to hand over. No torch: the command line asks here too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganwise.artifacts import RunDirectory


def best_run(result: Mapping[str, Any], out: Path) -> RunDirectory | None:
    """The run in ``out`` of the recommended candidate that was best on validation.

    After an interruption that left nothing to recommend: of any candidate that has a model.
    """
    rows = [r for r in result["ranking"] if r["recipe"] == result["recommended"]]
    if not rows and result["interrupted"]:
        rows = result["ranking"]
    # by their names, because the directory of a race may have moved since
    runs = [RunDirectory(out / "runs" / Path(p).name) for row in rows for p in row["runs"]]
    with_model = [r for r in runs if r.model.is_file()]
    return min(with_model, key=lambda r: _score(r, result["metric"]), default=None)


def _score(run: RunDirectory, metric: str) -> float:
    score = float(run.read().get("best", {}).get(metric, math.inf))
    return math.inf if math.isnan(score) else score
