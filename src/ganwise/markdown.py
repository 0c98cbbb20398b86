"""Tables in Markdown: of model cards, and of the pages that are made from data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator


def table(heads: Iterable[object], rows: Iterable[Iterable[object]], right: Collection[int] = ()) -> Iterator[str]:
    """The lines of a table; columns ``right`` are aligned there. A bar within a cell does not end it."""
    heads = tuple(heads)
    yield _line(heads)
    yield f"|{'|'.join('---:' if column in right else '---' for column in range(len(heads)))}|"
    yield from map(_line, rows)


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
