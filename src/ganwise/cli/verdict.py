"""The doctor's verdict for people, in the words of its page: eighty columns, and plain where it is piped."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from rich.padding import Padding
from rich.text import Text

from ganwise.cli.show import HEALTH, console, heading, number, table, times
from ganwise.doctor import Diagnosis
from ganwise.doctor.gather import Log
from ganwise.doctor.meaning import MEANINGS, headline, in_order, in_words, options
from ganwise.doctor.stop import Advice
from ganwise.report.clinic import first as odd_settings
from ganwise.types import Finding, Remedy

INDENT = 4


def diagnosis(found: Diagnosis, log: Log, stop: Advice, page: str = "") -> None:
    """The verdict, then for each finding what was seen, why it matters, what to do, and what if nothing is done."""
    if log.recipe is None:
        _reading(log)
    console.print(Text(headline(found.verdict, found.findings), style=f"bold {HEALTH[found.verdict]}"))
    for one in in_order(found.findings):
        _finding(one, log)
    if found.findings and log.recipe and any(one.remedies for one in found.findings):
        heading("What to do first")
        console.print(f"  {shlex.join(['ganwise', 'doctor', log.path, '--heal'])}", markup=False, soft_wrap=True)
        if odd := odd_settings(found, log):
            _remedy(odd, first=True, ours=True)
    if stop.now:
        heading("Stop now")
        console.print(Padding(Text(stop.because), (0, 0, 0, 2)))
    if stop.now and stop.rate:
        wrong = f"wrong in at most {stop.rate:.0%} of runs like those that the rule was calibrated on (docs/doctor.md)"
        console.print(Padding(Text(wrong, style="bright_black"), (0, 0, 0, 2)))
    if found.not_judged:
        heading("Could not be judged")
        for gap in found.not_judged:
            console.print(Padding(Text(gap, style="bright_black"), (0, 0, 0, 2)))
    if page:
        console.print(f"\n  page {page}", markup=False, soft_wrap=True)


def _finding(one: Finding, log: Log) -> None:
    meaning = MEANINGS[one.problem]
    console.print()
    console.print(
        Text.assemble((one.problem, "bold"), " ", (one.severity, HEALTH[one.severity]), f" since step {one.since_step:,}")
    )
    _said("seen", one.evidence)
    _said("why", meaning.why)
    for place, remedy in enumerate(one.remedies):
        _remedy(remedy, first=not place, ours=log.recipe is not None)
    _said("if nothing is done", meaning.if_nothing)


def _said(word: str, text: str) -> None:
    console.print(Padding(Text.assemble((f"{word}: ", "cyan"), text), (0, 0, 0, 2)))


def _remedy(remedy: Remedy, first: bool, ours: bool) -> None:
    what = shlex.join(options(remedy.change)) if ours else in_words(remedy.change)
    cited = (f"  [{', '.join(remedy.sources)}]", "bright_black")
    console.print(Padding(Text.assemble(("try " if first else "or  "), what, f": {remedy.because}", cited), (0, 0, 0, INDENT)))


def _reading(log: Log) -> None:
    """What was read, so that a wrong guess is seen."""
    loss = f", loss {log.loss}" if log.loss else "; the loss is not known, name it with --loss"
    console.print(Text(f"{log.format}, {len(log.records):,} records of {log.rows:,} rows{loss}", style="bright_black"))
    console.print(Text("  " + ", ".join(f"{signal}={name}" for signal, name in log.mapping.items()), style="bright_black"))
    for note in log.notes:
        console.print(Text(f"  {note}", style="bright_black"))


def demo(result: Mapping[str, Any]) -> None:
    """Sick, diagnosed, healed."""
    console.print(Text(f"1. A GAN learned digits, its learning rate rose a thousandfold: {result['verdict']}", style="bold"))
    for one in result["findings"]:
        console.print(
            Padding(
                Text.assemble((one["severity"], HEALTH[one["severity"]]), f" {one['problem']}: {one['evidence']}"), (0, 0, 0, 3)
            )
        )
    if "heal" not in result:
        return
    console.print(Text("2. The doctor went on from the last healthy checkpoint with its remedies", style="bold"))
    for one in result["heal"]["attempts"]:
        said = "cured by" if one["cured"] else "not cured by"
        changed = f"{said} {shlex.join(options(one['change']))}, from step {one['from_step']:,}: {one['because']}"
        console.print(Padding(Text(changed), (0, 0, 0, 3)))
    console.print(Text("3. Before and after, on validation samples", style="bold"))
    made = table("", "KID x1000 ↓", "coverage ↑", "verdict")
    for side in ("sick", "healed"):
        numbers = (
            "-" if (value := result[side][metric]) is None else number(value * times(metric)) for metric in ("kid", "coverage")
        )
        made.add_row(side, *numbers, Text(result[side]["verdict"], style=HEALTH[result[side]["verdict"]]))
    console.print(Padding(made, (0, 0, 0, 3)))
    for name in ("picture", "page"):
        if name in result:
            console.print(f"   {name:7s} {result[name]}", markup=False, soft_wrap=True)
