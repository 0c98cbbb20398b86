"""The verbs that look things up: catalog and cite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ganwise import catalog as catalogs
from ganwise import knowledge
from ganwise.artifacts import RunDirectory
from ganwise.catalog import Entry, tables
from ganwise.cli import runs, show
from ganwise.recipe import from_data
from ganwise.types import Unusable

CATALOG: dict[str, dict[str, Entry]] = {
    "architectures": catalogs.ARCHITECTURES,
    "losses": catalogs.LOSSES,
    "regularizers": catalogs.REGULARIZERS,
    "divergences": catalogs.DIVERGENCES,
    "conditionings": catalogs.CONDITIONINGS,
    "augmentations": catalogs.AUGMENTATIONS,
    "recipes": catalogs.RECIPES,
}
SINGULAR = {name.removesuffix("es" if name == "losses" else "s"): name for name in CATALOG}
LABELS = 15  # columns of the labels on the left
WIDE = 110  # columns that a table of the framework needs to stand as one; below, its rows are printed one under another


def catalog(what: str, number: str, json: bool) -> None:
    """Everything, one axis, one entry by its name, or a table of the framework.

    Raises:
        Unusable: No axis, entry or table of that name.
    """
    if what == "table":
        _framework(number, json)
        return
    if number:
        raise Unusable(f"catalog {what} {number}: one name at a time; only 'table' takes a number")
    axis = SINGULAR.get(what, what)
    chosen = CATALOG if not what else {axis: CATALOG[axis]} if axis in CATALOG else {}
    if chosen:
        content = {name: [_row(n, e) for n, e in entries.items()] for name, entries in chosen.items()}
        show.result(content, json, lambda: _lists(chosen))
        return
    found = {name: {what: entries[what]} for name, entries in CATALOG.items() if what in entries}
    if not found:
        names = [*CATALOG, *SINGULAR, "table", *(n for entries in CATALOG.values() for n in entries)]
        raise Unusable(f"catalog: unknown name '{what}': {catalogs.closest(what, names)}")
    content = {name: [_row(n, e) | _references(e) for n, e in entries.items()] for name, entries in found.items()}
    show.result(content, json, lambda: _entries(found))


def _row(name: str, entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "says": entry.says, "sources": list(entry.sources), "traits": dict(entry.traits)}
    row |= {"formula": entry.formula, "options": dict(entry.options), "fits": [f._asdict() for f in entry.fits]}
    row |= {"application": entry.application, "behavior": entry.behavior, "needs": entry.needs}
    row |= {"deviations": list(entry.deviations), "published": dict(entry.published)}
    if entry.recipe:
        row |= {"recipe": entry.recipe.model_dump(mode="json"), "implementation": tables.implementation(entry.recipe)}
    return row


def _references(entry: Entry) -> dict[str, Any]:
    keys = dict.fromkeys((*entry.sources, *(key for fit in entry.fits for key in fit.sources)))
    return {"references": [{"key": source.key, "line": source.line} for source in knowledge.cite(keys)]}


def _lists(chosen: dict[str, dict[str, Entry]]) -> None:
    for name, entries in chosen.items():
        show.heading(name)
        _grid(((n, e.says) for n, e in entries.items()), max(map(len, entries), default=0))


def _grid(rows: Iterable[tuple[str, str]], labels: int = LABELS) -> None:
    """Labels on the left, each once for all that follow of its kind; texts keep to their column where they wrap."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=labels, style="bold")
    grid.add_column(overflow="fold")
    last = ""
    for label, text in rows:
        grid.add_row(Text("" if label == last else label), Text(text))
        last = label
    outer = Table.grid()
    outer.add_column(width=2)
    outer.add_row("", grid)
    show.console.print(outer)


def _entries(found: dict[str, dict[str, Entry]]) -> None:
    for axis, entries in found.items():
        for name, entry in entries.items():
            show.heading(f"{name}  ({axis})")
            _grid([*_about(entry), *(tables.choices(entry.recipe) if entry.recipe else ()), *_evidence(entry)])


def _about(entry: Entry) -> Iterable[tuple[str, str]]:
    yield "", entry.says
    for label in ("formula", "application", "behavior", "needs"):
        if text := getattr(entry, label):
            yield label, text
    for option, default in entry.options.items():
        yield "option", f"{option} = {default}"
    for trait, value in entry.traits.items():
        claimed = "  (claimed by its source)" if trait in catalogs.CLAIMED else ""
        yield "trait", f"{trait} = {value}{claimed}"
    for fit in entry.fits:
        verb = "only with" if fit.only else "never with"
        yield verb, f"{fit.axis} {', '.join(fit.names) or 'none'}: {fit.because} [{', '.join(fit.sources)}]"


def _evidence(entry: Entry) -> Iterable[tuple[str, str]]:
    for one in entry.deviations:
        yield "deviation", one
    for figure, value in entry.published.items():
        yield "published", f"{figure}: {value}"
    for source in _references(entry)["references"]:
        yield "reference", f"{source['line']} [{source['key']}]"


def _framework(number: str, json: bool) -> None:
    """One of the framework's tables."""
    found = tables.table(number)
    content = {"table": int(number), "title": found.title, "note": tables.NOTE, "columns": list(found.columns)}
    show.result(content | {"rows": found.as_json()}, json, lambda: _print_framework(number, found))


def _print_framework(number: str, found: tables.Table) -> None:
    show.heading(f"Table {number}. {found.title}")
    show.console.print(Text(tables.NOTE, style="bright_black"))
    if show.console.width < WIDE:
        for name, cells in found.rows.items():
            show.heading(name)
            _grid(zip(found.columns, cells, strict=True))
        return
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bright_black", show_lines=True)
    made.add_column("GAN", style="bold", no_wrap=True)
    for column in found.columns:
        made.add_column(column, ratio=2 if column in ("losses", "behavior", "implementation") else 1, overflow="fold")
    for name, cells in found.rows.items():
        made.add_row(name, *(Text(cell) for cell in cells))
    show.console.print(made)


def cite(path: Path, json: bool) -> None:
    """BibTeX of everything that the run's recipe rests on."""
    run = RunDirectory.open(runs.find(path))
    recipe = from_data(runs.told(run)["recipe"], str(run.run))
    keys = tables.sources(recipe)
    bibtex = "\n".join(source.bibtex for source in knowledge.cite(keys))
    show.result({"run": str(run.path), "sources": keys, "bibtex": bibtex}, json, lambda: print(bibtex))
