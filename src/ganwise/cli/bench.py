"""The bench verb: times training on this machine, keeps the profile, and shows it."""

from __future__ import annotations

from typing import Any

from ganwise.cli import runs, show
from ganwise.study import timing


def run(device: str, seconds: float, json: bool) -> None:
    profile = timing.measure(runs.device(device), seconds)
    file = str(timing.keep(profile))
    show.result({**profile, "out": file}, json, lambda: _human(profile, file))


def _human(profile: dict[str, Any], file: str) -> None:
    about = profile["machine"]
    show.heading(f"{about['processor']}, torch {about['torch']}")
    table = show.table("architecture", "precision", "batch", "ms a step", "Gflop a step", "Gflop/s")
    for row in profile["timings"]:
        for each in row["measured"]:
            cells = (each["seconds_per_step"] * 1e3, each["operations_per_step"] / 1e9, each["operations_per_second"] / 1e9)
            name, precision = row["architecture"], row["precision"] + (" *" if row["usual"] else "")
            table.add_row(name, precision, str(each["batch"]), *(f"{cell:.3g}" for cell in cells))
    show.console.print(table)
    threads = "one thread, as a race gives each run" if about["device"] == "cpu" else about["device"]
    show.console.print(f"  * what a run takes by itself; {threads}; matrix products and convolutions alone count as operations")
    show.console.print(f"  kept in {file}: from now on ganwise select says how long its candidates take here", soft_wrap=True)
