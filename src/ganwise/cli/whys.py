"""The points of every rule, and two answers side by side, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ganwise.cli.advise import say
from ganwise.cli.show import console, heading, table
from ganwise.select import Advice
from ganwise.select.whatif import Comparison, Explained, Move
from ganwise.types import Value


def explained(rows: Sequence[Explained]) -> None:
    """For each GAN the rules that moved it; their points add up to its score."""
    for one in rows:
        place = f"{one.rank}." if one.rank else "not listed:"
        heading(f"{place} {one.name}")
        if one.out:
            say(one.out, "", 2, "yellow")
        made = table("rule", "strength", "effect", "points")
        for column in made.columns[1:3]:
            column.justify = "left"
        for reason in one.reasons:
            made.add_row(Text(reason.rule), reason.strength, reason.effect.replace("_", " "), f"{reason.points:+g}")
        made.add_row("sum = score", "", "", f"{one.score:+g}", style="bold")
        console.print(made)
    say(
        "The weights of strengths are ours: a theorem moves a score by 4, what was replicated by 3, reported 2, folklore 1; what "
        "breaks a requirement or is ruled out counts twice, and so does what you asked for. Only the order means something."
    )


def compared(change: str, found: Comparison, before: Advice, after: Advice) -> None:
    """What a change does to the answer, and why."""
    heading(f"With {change}")
    for name, (old, new) in found.facts.items():
        say(f"{name}: {_known(old)} -> {_known(new)}", "", 2, "bright_black")
    if not (found.entered or found.left or found.moved):
        say("The short list stays as it is.", "", 2, "green")
    for title, moves in (("enters", found.entered), ("leaves", found.left), ("moves", found.moved)):
        for move in moves:
            console.print(Text(f"  {move.name} {title}{_way(move)}", style="bold"))
            say("; ".join(move.because), "", 5)
    for title, changes in (("Rules that fire now", found.fires), ("Rules that fall silent", found.silent)):
        if changes:
            console.print(Text(f"  {title}", style="bold"))
        for one in changes:
            say(f"{one.rule}: {one.because} [{', '.join(one.sources)}]", "- ", 4)
    for question, old, new in found.answers:
        console.print(Text(f"  {question}", style="bold"))
        say(old, "before: ", 4, "bright_black")
        say(new, "now: ", 4, "green")
    say(", ".join(f"{_COUNTS[name]} {a:,} -> {b:,}" for name, (a, b) in found.counts.items()), "Combinations: ", 2)
    say(f"{_listed(before)}  ->  {_listed(after)}", "Short list: ", 2)


_COUNTS = {"before": "all", "valid": "valid", "after": "left after the four questions"}


def _known(value: Value | None) -> str:
    if value is None:
        return "unknown"
    return (
        {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _way(move: Move) -> str:
    if move.before and move.after:
        points = f"{move.before.score:+g} to {move.after.score:+g} points"
        return (
            f" from {move.before.rank} to {move.after.rank} ({points})" if move.before.rank != move.after.rank else f" ({points})"
        )
    place = move.after or move.before
    return f" at {place.rank} ({place.score:+g} points)" if place else ""


def _listed(advice: Advice) -> str:
    return ", ".join(one.name for one in advice.candidates)
