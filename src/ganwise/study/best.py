"""Which run of a race to hand over. No torch: the command line asks here too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganwise.artifacts import RunDirectory


def best_run(result: Mapping[str, Any]) -> RunDirectory | None:
    """The run of the recommended candidate that was best on validation; after an interruption, of any that has a model."""
    rows = [r for r in result["ranking"] if r["recipe"] == result["recommended"]]
    if not rows and result["interrupted"]:
        rows = result["ranking"]
    runs = [RunDirectory(Path(p)) for row in rows for p in row["runs"]]
    with_model = [r for r in runs if r.model.is_file()]
    return min(with_model, key=lambda r: r.read()["best"].get(result["metric"], math.inf), default=None)
