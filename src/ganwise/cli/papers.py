"""The verb over the papers' experiments."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganwise.cli import show
from ganwise.types import Unusable


def listing(json: bool) -> None:
    from ganwise.reproduce import listing

    experiments = listing()
    show.result({"experiments": experiments}, json, lambda: _table(experiments))


def reproduce(
    name: str,
    data: str | None,
    out: Path | None,
    scale: str,
    only: Sequence[str],
    device: str,
    precision: str,
    threads: int,
    json: bool,
) -> int:
    """Exit status: 0 judged, 1 not reproduced, 130 and 143 after a signal, with the work saved."""
    from ganwise.reproduce import find

    experiment = find(name)
    import torch

    from ganwise.cli import runs
    from ganwise.reproduce import work
    from ganwise.study.trial import Stop

    if scale not in work.SCALES:
        raise Unusable(f"--scale {scale}: choose one of {', '.join(work.SCALES)}")
    torch.set_num_threads(threads)
    folder = out or Path("runs") / f"reproduce-{name}"
    with Stop().listening() as stop:
        job = work.Work(experiment, scale, data, stop, _say, runs.device(device), precision)
        try:
            result = work.reproduce(job, folder, only)
        except work.Interrupted:
            print(f"ganwise: {folder}: stopped, and saved; the same command goes on", file=sys.stderr)
            return 128 + stop.signal
    show.result({"experiments": [result], "out": str(folder)}, json, lambda: _one(result, folder))
    return 1 if result["verdict"] == "not reproduced" else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def number(figure: Mapping[str, Any]) -> str:
    """A figure of ours with its interval, as short as it is meant."""
    value, low, high = figure["value"], figure.get("low"), figure.get("high")
    between = f" ({low:.4g} to {high:.4g})" if low is not None and high is not None else ""
    return f"{value:.4g}{between}"


def _table(experiments: Sequence[Mapping[str, Any]]) -> None:
    table = show.table("experiment", "published", "ours", "verdict")
    for each in experiments:
        first, ours = each["published"][:1], each["ours"][:1]
        table.add_row(
            each["name"], first[0]["value"] if first else "", number(ours[0]) if ours else "", each["verdict"], end_section=True
        )
    show.console.print(table)
    show.console.print("  ganwise reproduce NAME runs one; ganwise reproduce NAME --scale sample shows in seconds how it works")


def _one(result: Mapping[str, Any], folder: Path) -> None:
    show.heading(f"{result['name']}: {result['says']}")
    for each in result["published"]:
        show.bullet(f"published: {each['what']}: {each['value']} [{each['source']}, {each['evidence']}]")
    for each in result["ours"]:
        show.bullet(f"ours: {each['what']}: {number(each)}")
    show.bullet(f"{result['verdict']}: {result['because']}", "=")
    for note in result.get("notes", ()):
        show.bullet(note, "·")
    show.bullet(f"protocol: {result['protocol']}", "·")
    show.console.print(f"  {folder / 'result.json'}")
