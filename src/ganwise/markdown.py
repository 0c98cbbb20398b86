"""Tables of the pages that are made from data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def table(heads: Iterable[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a table; a bar within a cell does not end it."""
    heads = tuple(heads)
    yield _line(heads)
    yield "|" + "---|" * len(heads)
    yield from map(_line, rows)


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
