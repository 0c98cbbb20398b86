"""Results for people: tables and sentences on standard output; or one JSON object and nothing else."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ganwise.artifacts import to_json
from ganwise.doctor.meaning import options
from ganwise.types import Audit, Trouble

console = Console(highlight=False)
FEW = 3
WIDE = 110
"""Columns of a terminal that has room for the reach of ranks."""
MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}
HEALTH = {"healthy": "green", "warning": "yellow", "failing": "red", "failed": "red", "unknown": "bright_black"}
METRICS = {
    "kid": "KID x1000",
    "fid": "Fréchet",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "sliced_wasserstein": "sliced W2",
    "parzen": "Parzen nats",
    "memorization": "NN ratio",
    "two_sample": "two-sample",
    "ms_ssim": "MS-SSIM",
    "mode_kl": "mode KL",
    "fid_infinity": "Fréchet, n to infinity",
    "inception_score": "inception score",
    "path_length": "path length",
}


def times(metric: str | None) -> int:
    """By what a metric is multiplied where people read it."""
    return 1000 if metric == "kid" else 1


def result(content: Mapping[str, Any], json: bool, human: Callable[[], None]) -> None:
    if json:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as JSON is by its standard, whatever the terminal shows
        print(to_json(content))
    else:
        human()


def heading(text: str) -> None:
    console.print(Text(f"\n{text}", style="bold"))


def bullet(text: str, mark: str = "-") -> None:
    """A paragraph that keeps its indent where it wraps."""
    console.print(Padding(Text(f"{mark} {text}"), (0, 0, 0, 3)))


def table(*columns: str) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bright_black")
    for column in columns:
        made.add_column(column, justify="left" if column in columns[:1] else "right")
    return made


def audit(seen: Audit) -> None:
    shape = "x".join(str(s) for s in seen.shape)
    facts = seen.facts
    classes = f", {len(seen.classes)} classes" if seen.classes else ""
    heading(f"{seen.n:,} {seen.kind}s of shape {shape}{classes}")
    parts = f"{facts['n_train']:,} train, {facts['n_validation']:,} validation, {facts['n_test']:,} test"
    console.print(f"  {parts}; intrinsic dimension about {float(facts.get('intrinsic_dimension', 0)):.0f}")
    troubles(seen.problems)


def troubles(problems: Sequence[Trouble]) -> None:
    """Each with its fix; of many alike, such as corrupt files, the first few."""
    alike: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in problems:
        alike.setdefault((trouble.severity, trouble.fix), []).append(trouble)
    for (severity, fix), group in alike.items():
        mark, color = MARKS[severity]
        *first, last = group
        for one in [*first[:FEW], last]:
            console.print(Text(f"  {mark} ", style=color) + Text(one.what) + Text(f"  ({one.where})", style="bright_black"))
        if fix:
            more = f"; {len(first) - FEW} more like these stand in --json" if len(first) > FEW else ""
            console.print(Text(f"    {fix}{more}", style="bright_black"))


def scores(rows: Sequence[Mapping[str, Any]]) -> None:
    """Scores with interval and yardsticks, and the protocol line without which they mean nothing."""
    made = table("metric", "value", "95 %", "real vs real", "mixture")
    for row in rows:
        scale = times(row["metric"])
        real, mixture = (row["yardsticks"].get(k) for k in ("real", "mixture"))
        arrow = "↓" if row["direction"] == "lower" else "↑"
        made.add_row(
            f"{METRICS.get(row['metric'], row['metric'])} {arrow}",
            number(row["value"] * scale),
            f"{number(row['low'] * scale)} .. {number(row['high'] * scale)}",
            *("" if y is None else number(y * scale) for y in (real, mixture)),
        )
    console.print(made)
    for line in dict.fromkeys(f"{row['features']}: {row['protocol']}" for row in rows):
        console.print(Padding(Text(line, style="bright_black"), (0, 0, 0, 2)))


def number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def healed(result: dict[str, Any]) -> None:
    """What was tried, and before beside after."""
    for one in result["attempts"]:
        changes = shlex.join(options(one["change"]))
        console.print(f"  {'cured by' if one['cured'] else 'not cured by'} {changes}: {one['because']}")
        console.print(Text(f"    from step {one['from_step']:,}, keeps {one['kept']}; {one['verdict']}", style="bright_black"))
    for side in ("before", "after"):
        value, verdict = result[side]["value"], result[side]["verdict"]
        number = "not measured" if value is None else f"{value:.4f}"
        console.print(Text.assemble(f"  {side:6}  {result['metric']} {number} on validation  ", (verdict, HEALTH[verdict])))
    console.print(f"  run     {result['out']}\n  picture {result['out']}/healed.png")


def ranking(found: Mapping[str, Any]) -> None:
    """One row a candidate; a narrow terminal shows fewer columns rather than cut words."""
    metric = found["metric"]
    room = {"interval": 64, "coverage": 50, "recall": 72, "precision": 100, "CPU s": 60}
    shown = [name for name, least in room.items() if console.width >= least]
    heads = ["95 %" if name == "interval" else name for name in shown]
    made = table("", "recipe", METRICS[metric].removesuffix(" x1000"), *heads, "health")
    made.columns[1].justify = "left"
    for row in (one for one in found["ranking"] if not one.get("left")):
        mine = row["recipe"] == found["recommended"]
        cells = [_cell(row, column, metric) for column in shown]
        name = Text(f"{row['recipe']}{' ★' if mine else ''}", style="bold" if mine else "")
        health = Text("broke off" if row["error"] and not row["scores"] else row["verdict"], style=HEALTH[row["verdict"]])
        made.add_row(_place(row, found["ranking"]), name, _cell(row, metric, metric), *cells, health)
    console.print(made)
    scale = "KID times 1,000" if metric == "kid" else METRICS[metric]
    note = f"{scale}, lower is better. ★ recommended. = no significant difference to the first."
    console.print(Padding(Text(note, style="bright_black"), (0, 0, 0, 2)))
    leavers(found)


def leavers(found: Mapping[str, Any]) -> None:
    """A line for each rung: who left there, in the order of the ranking, and who of them was sick or broke off."""
    rungs: dict[float, list[str]] = {}
    for row in found["ranking"]:
        if left := row.get("left"):
            why = "" if left["why"] == "rank" else f" ({'broke off' if left['why'] == 'broken' else row['verdict']})"
            rungs.setdefault(float(left["rung"]), []).append(f"{row['recipe']}{why}")
    for rung in sorted(rungs, reverse=True):
        told = f"left at {rung:.0%} of a run, on validation: {', '.join(rungs[rung])}"
        console.print(Padding(Text(told, style="bright_black"), (0, 0, 0, 2)))


def _place(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    tied = rows[0]["tied_with"] if row is rows[0] else rows[0]["recipe"] in row["tied_with"]
    low, high = row.get("rank_low"), row.get("rank_high")
    reach = f" ({low}-{high})" if low and high and low != high and console.width >= WIDE else ""
    return f"{row['rank']}{'=' if tied else ''}{reach}"


def _cell(row: Mapping[str, Any], column: str, metric: str) -> str:
    scale = times(metric if column == "interval" else column)
    if column == "CPU s":
        return f"{row['cost']['seconds']:.0f}"
    if column == "interval":
        interval = row["interval"] or {}
        return "" if interval.get("low") is None else " .. ".join(number(interval[side] * scale) for side in ("low", "high"))
    value = row["summary"].get(column)
    return "-" if value is None else number(value * scale)


def outcome(found: Mapping[str, Any]) -> None:
    """What a person wants after a race: who, how good, how sure, where it lies, and what to do next."""
    heading("Ranking on the test part, mean over seeds")
    ranking(found)
    for row in found["ranking"]:
        if row["error"]:
            console.print(Text(f"  {row['error']}", style="red"))
    short = [words for row in found["ranking"] for words in row["short"]]
    if short and not found["interrupted"]:
        words = f"the budget ran out, the machine was busier than planned: {', '.join(short)}"
        console.print(Padding(Text(words, style="yellow"), (0, 0, 0, 2)))
    console.print(Text(f"\n{verdict(found)}", style="bold"))
    key_numbers(found)
    heading("Where things are")
    for name in ("report", "model", "out"):
        if found.get(name):
            console.print(f"  {name:7s} {found[name]}", markup=False, soft_wrap=True)
    next_steps(found)


def verdict(found: Mapping[str, Any]) -> str:
    """The race in one sentence."""
    stopped = "Interrupted: the best models so far are saved. " if found["interrupted"] else ""
    if found["recommended"] is None:
        return stopped or "Every run was sick or broke off: nothing is recommended."
    if found["winner"]:
        rivals = "finalist" if any(row.get("left") for row in found["ranking"]) else "candidate"
        return f"{stopped}{found['winner']} is the winner: significantly better than every other {rivals}."
    tied, unscored = len(found["ranking"][0]["tied_with"]), ", ".join(found.get("unscored", []))
    first, mine = found["ranking"][0]["recipe"], found["recommended"]
    if not next(row["scores"] for row in found["ranking"] if row["recipe"] == mine):
        none = "was measured" if unscored else "stayed healthy"
        return f"{stopped}No finalist {none}. Recommended: {mine}, the best of the healthy ones on validation."
    how = "it came first" if first == mine else f"as good as {first} within the error, and cheaper"
    if unscored and not tied:
        return f"{stopped}No winner: {unscored} was not measured. Recommended: {mine}, {how}."
    if not tied:
        few = " of the finalists" if any(row.get("left") for row in found["ranking"]) else ""
        return f"{stopped}Only {mine}{few} was healthy: recommended."
    others = "1 other" if tied == 1 else f"{tied} others"
    open_still = _open(found.get("undecided"))
    return f"{stopped}No significant winner at this budget ({first} ties with {others}). Recommended: {mine}, {how}.{open_still}"


def _open(undecided: Mapping[str, Any] | None) -> str:
    """What would settle who wins, where that can be said."""
    if not undecided or undecided["more_seeds"] is None:
        return ""
    (one, other), seeds, seconds = undecided["pair"], undecided["more_seeds"], undecided["more_seconds"]
    many = "seed" if seeds == 1 else "seeds"
    return f" About {seeds} more {many} of {one} and {other} ({seconds:,.0f} s of training) would settle it."


def key_numbers(found: Mapping[str, Any]) -> None:
    """The recommended candidate's means beside what real data and a Gaussian mixture score in its place."""
    row = next((r for r in found["ranking"] if r["recipe"] == found["recommended"]), None)
    if row is None or not row["scores"]:
        return
    made = table(row["recipe"], "mean", "real data", "mixture")
    yardsticks = {s["metric"]: (s["yardsticks"], s["direction"]) for s in row["scores"]}
    for metric, value in row["summary"].items():
        scale, (sides, direction) = times(metric), yardsticks[metric]
        others = ("" if (y := sides.get(k)) is None else number(float(y) * scale) for k in ("real", "mixture"))
        name = f"{METRICS.get(metric, metric)} {'↓' if direction == 'lower' else '↑'}"
        made.add_row(name, number(value * scale), *others)
    console.print(made)


def next_steps(found: Mapping[str, Any]) -> None:
    if not found.get("model"):
        return
    out = shlex.quote(found["out"])
    heading("What next")
    for line in (f"ganwise sample {out} -n 64 --out samples.png", f"ganwise export {out} --format onnx", f"ganwise report {out}"):
        console.print(f"  {line}", markup=False, soft_wrap=True)
