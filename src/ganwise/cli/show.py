"""Results for people: tables and sentences on standard output; or one JSON object and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganwise.artifacts import to_json
from ganwise.types import Audit, Trouble

if TYPE_CHECKING:
    from ganwise.doctor import Diagnosis
    from ganwise.select import Advice

console = Console(highlight=False)
MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}
HEALTH = {"healthy": "green", "warning": "yellow", "failing": "red", "failed": "red", "unknown": "bright_black"}
METRICS = {
    "kid": "KID x1000",
    "fid": "Fréchet",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "sliced_wasserstein": "sliced W1",
    "parzen": "Parzen nats",
    "memorization": "NN ratio",
}


def result(content: Mapping[str, Any], json: bool, human: Callable[[], None]) -> None:
    if json:
        print(to_json(content))
    else:
        human()


def heading(text: str) -> None:
    console.print(Text(f"\n{text}", style="bold"))


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
    for trouble in problems:
        mark, color = MARKS[trouble.severity]
        console.print(Text(f"  {mark} ", style=color) + Text(trouble.what) + Text(f"  ({trouble.where})", style="bright_black"))
        if trouble.fix:
            console.print(Text(f"    {trouble.fix}", style="bright_black"))


def advice(found: Advice) -> None:
    said = found.as_json()
    for i, question in enumerate(said["questions"], 1):
        heading(f"{i}. {question['question']}")
        console.print(Text(f"   {question['answer']}", style="green"))
        console.print(f"   {question['because']}  ", Text(f"[{', '.join(question['sources'])}]", style="bright_black"))
    heading("The search space (our arithmetic, from our catalog)")
    console.print(f"   {said['before']:,} combinations, {said['valid']:,} valid, {said['after']:,} left after the four questions")
    shortlist(said["candidates"])
    if said["excluded"]:
        heading("Left out")
        for one in said["excluded"]:
            console.print(f"   {one['name']}: {one['because']}")
    for one in said["disagreements"]:
        console.print(Text(f"   sources disagree: {one.get('says', one) if isinstance(one, dict) else one}", style="yellow"))


def shortlist(candidates: Sequence[Mapping[str, Any]]) -> None:
    heading("The short list")
    for one in candidates:
        console.print(
            Text(f"   {one['rank']}. {one['name']}", style="bold") + Text(f"   {one['score']:+.1f}", style="bright_black")
        )
        for reason in one["reasons"][:3]:
            console.print(f"      {reason['effect']}: {reason['because']}")


def scores(rows: Sequence[Mapping[str, Any]]) -> None:
    """Scores with interval and yardsticks, and the protocol line without which they mean nothing."""
    made = table("metric", "value", "95 %", "real vs real", "mixture")
    for row in rows:
        times = 1000 if row["metric"] == "kid" else 1
        real, mixture = (row["yardsticks"].get(k) for k in ("real", "mixture"))
        arrow = "↓" if row["direction"] == "lower" else "↑"
        made.add_row(
            f"{METRICS.get(row['metric'], row['metric'])} {arrow}",
            number(row["value"] * times),
            f"{number(row['low'] * times)} .. {number(row['high'] * times)}",
            *("" if y is None else number(y * times) for y in (real, mixture)),
        )
    console.print(made)
    for line in dict.fromkeys(f"{row['features']}: {row['protocol']}" for row in rows):
        console.print(Text(f"  {line}", style="bright_black"))


def number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def diagnosis(found: Diagnosis) -> None:
    said = found.as_json()
    console.print(Text(said["verdict"], style=f"bold {HEALTH[said['verdict']]}"))
    for one in said["findings"]:
        console.print(f"  {one['problem']} since step {one['since_step']:,}: {one['evidence']}")
        for remedy in one["remedies"]:
            changes = " ".join(f"--set {k}={v}" for k, v in remedy["change"].items())
            console.print(
                f"    try {changes}: {remedy['because']}  ", Text(f"[{', '.join(remedy['sources'])}]", style="bright_black")
            )
    if said["not_judged"]:
        console.print(Text("  not judged: " + "; ".join(str(n) for n in said["not_judged"]), style="bright_black"))


def ranking(found: Mapping[str, Any]) -> None:
    metric, vector = found["metric"], found["metric"] == "sliced_wasserstein"
    columns = (metric, "coverage", "recall", "precision")
    made = table("", "recipe", METRICS[metric], *columns[1:], "verdict", "CPU s", "tied with")
    for row in found["ranking"]:
        values = [row["summary"].get(c) for c in columns]
        times = 1 if vector else 1000
        shown = [
            number(v * (times if c == metric else 1)) if v is not None else "-" for c, v in zip(columns, values, strict=True)
        ]
        verdict = Text(row["verdict"], style=HEALTH[row["verdict"]])
        star = "★" if row["recipe"] == found["recommended"] else ""
        cost, tied = f"{row['cost']['seconds']:.0f}", ", ".join(row["tied_with"]) or "none"
        made.add_row(f"{row['rank']}", f"{row['recipe']} {star}", *shown, verdict, cost, tied)
    console.print(made)


def outcome(found: Mapping[str, Any]) -> None:
    heading("Ranking on the test part, mean over seeds")
    ranking(found)
    for row in found["ranking"]:
        if row["error"]:
            console.print(Text(f"  {row['recipe']} broke off: {row['error']}", style="red"))
    if found["interrupted"]:
        console.print(Text("  interrupted: the best models so far are saved", style="yellow"))
    if found["recommended"] is None:
        console.print(Text("  every run was sick; nothing is recommended", style="red"))
    elif found["winner"] is None:
        console.print(f"  no significant winner at this budget; recommended, as the cheapest of the best: {found['recommended']}")
    else:
        console.print(f"  significant winner: {found['winner']}")
    heading("Where things are")
    for name in ("report", "model", "out"):
        if found.get(name):
            console.print(f"  {name:7s} {found[name]}")
