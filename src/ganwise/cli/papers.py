"""The verb over the papers' experiments."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from ganwise.cli import show
from ganwise.types import Unusable

COLORS = {"reproduced": "green", "close": "yellow", "not reproduced": "red", "out of reach here": "cyan"}


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
            return stop.status
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
    """A block an experiment: a table of four columns would cut their words."""
    for each in experiments:
        show.console.print(
            Text.assemble("\n", (each["name"], "bold"), "  ", (each["verdict"], COLORS.get(each["verdict"], "bright_black")))
        )
        for one in each["published"][:1]:
            show.bullet(f"{one['what']}: {one['value']} [{one['evidence']}]", "published ")
        for one in each["ours"][:1]:
            show.bullet(f"{one['what']}: {number(one)}", "     ours ")
    show.console.print("\n  ganwise reproduce NAME runs one; with --scale sample it shows in seconds how it works")


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
