"""Write the short lists into docs/applications.md, from docs/applications/*.toml; a test holds the page to them.

python scripts/make_applications_page.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ganwise.markdown import table
from ganwise.select import Application, Candidate, select
from ganwise.select.application import read_file

PAGE = Path(__file__).parents[1] / "docs" / "applications.md"
FOLDER = PAGE.parent / "applications"
SPOKEN = 3
"""Rules named for and against each candidate: the weightiest."""


def page(text: str) -> str:
    """The page with every list made anew between its markers."""
    for path in sorted(FOLDER.glob("*.toml")):
        made = "\n".join(listed(read_file(path)))
        place = re.compile(f"(<!-- {path.stem} -->\n).*?(<!-- /{path.stem} -->)", re.S)
        text, count = place.subn(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)
        if count != 1:
            raise SystemExit(f"{PAGE.name}: the markers of {path.stem} must be there once")
    return text


def listed(said: Application) -> Iterator[str]:
    """What was said, the counts, and a line for each candidate. Costs are left out: their seconds depend on the machine."""
    found = select(said)
    yield f"*{said.title}.* {', '.join(f'{key} {_told(value)}' for key, value in said.said.items() if key != 'title')}.\n"
    yield f"{found.valid:,} valid combinations of {found.before:,}, {found.after:,} after the four questions.\n"
    yield from table(("#", "GAN", "network", "role", "for", "against"), map(_line, found.candidates))
    for words in found.warnings:
        yield f"\nIt warns: {words}."


def _line(one: Candidate) -> tuple[object, ...]:
    return one.rank, one.name, one.recipe.architecture.name, one.role or "", _rules(one, 1), _rules(one, -1)


def _rules(one: Candidate, sign: int) -> str:
    return ", ".join([f"{r.rule} {r.points:+g}" for r in one.reasons if r.points * sign > 0][:SPOKEN])


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return " + ".join(map(str, value))
    return (
        {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
