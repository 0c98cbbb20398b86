"""Write docs/catalog.md from the catalog itself; a test holds the page to it.

python scripts/make_catalog_page.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ganwise import catalog, knowledge
from ganwise.catalog import Entry, tables
from ganwise.markdown import table

PAGE = Path(__file__).parents[1] / "docs" / "catalog.md"

HEAD = """# The catalog

Everything that `ganwise catalog` prints, on one page, made by `scripts/make_catalog_page.py`.

In formulas r is the score of a real sample, f that of a fake, E the mean over a batch, sp(t) = log(1 + e^t), A the error of an
auto-encoder. D is minimized by the discriminator, G by the generator. An option `auto` follows the data's shape.

A published figure carries its evidence: [2nd] read in a text that quotes the paper, [log] in a published training log, [code] in
a public repository, [page] on a page or in an issue, [mem, unverified] known from the paper and not read again."""


def page() -> str:
    return "\n".join([HEAD, *_axes(), *_recipes(), *_tables(), *_references()]) + "\n"


def _axes() -> Iterator[str]:
    for axis, entries in catalog.AXES.items():
        yield f"\n## {axis.capitalize()}\n"
        rows = ((f"`{n}`", _says(e), _code(e.formula), _options(e), ", ".join(e.sources)) for n, e in entries.items())
        yield from table(("name", "what it is", "formula", "options", "sources"), rows)


def _recipes() -> Iterator[str]:
    yield "\n## Named GANs"
    for name, entry in catalog.RECIPES.items():
        yield f"\n### {name}\n\n{entry.says}\n"
        yield from (f"- {label}: {getattr(entry, label)}" for label in ("application", "behavior", "needs"))
        yield f"- implementation: {tables.implementation(catalog.named(name))}"
        yield from (f"- deviation: {one}" for one in entry.deviations)
        yield from (f"- published, {figure}: {value}" for figure, value in entry.published.items())
        yield f"- sources: {', '.join(entry.sources)}"


def _tables() -> Iterator[str]:
    yield f"\n## The framework's tables\n\n{tables.NOTE}"
    for number in "1234567":
        found = tables.table(number)
        yield f"\n### Table {number}. {found.title}\n"
        yield from table(("GAN", *found.columns), ((f"`{name}`", *cells) for name, cells in found.rows.items()))


def _references() -> Iterator[str]:
    entries = [*catalog.RECIPES.values(), *(entry for rows in catalog.AXES.values() for entry in rows.values())]
    keys = sorted({key for entry in entries for key in entry.sources})
    yield "\n## References\n"
    yield from (f"- {source.key}: {source.line}" for source in knowledge.cite(keys))


def _says(entry: Entry) -> str:
    figures = (f"Published, {figure}: {value}." for figure, value in entry.published.items())
    return " ".join(part for part in (entry.says, entry.behavior, *figures) if part)


def _options(entry: Entry) -> str:
    return ", ".join(f"{name} {value}" for name, value in entry.options.items())


def _code(formula: str) -> str:
    return f"`{formula}`" if formula else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
