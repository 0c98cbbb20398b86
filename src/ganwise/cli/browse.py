"""The verbs that look things up: catalog and cite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.text import Text

from ganwise import catalog as catalogs
from ganwise import knowledge
from ganwise.artifacts import RunDirectory
from ganwise.catalog import Axis, Entry
from ganwise.cli import runs, show
from ganwise.recipe import from_data
from ganwise.types import Unusable

TABLES: dict[str, dict[str, Entry]] = {
    "architectures": catalogs.ARCHITECTURES,
    "losses": catalogs.LOSSES,
    "regularizers": catalogs.REGULARIZERS,
    "divergences": catalogs.DIVERGENCES,
    "recipes": catalogs.RECIPES,
}


def catalog(what: str, json: bool) -> None:
    """All tables, one of them, or one entry.

    Raises:
        Unusable: No axis and no entry of that name.
    """
    axes = {name: name for name in TABLES} | {"architecture": "architectures", "loss": "losses"}
    axes |= {"regularizer": "regularizers", "divergence": "divergences", "recipe": "recipes"}
    if not what or what in axes:
        chosen = {axes[what]: TABLES[axes[what]]} if what else TABLES
        content = {table: [_row(n, e) for n, e in entries.items()] for table, entries in chosen.items()}
        show.result(content, json, lambda: _tables(chosen))
        return
    found = {table: {what: entries[what]} for table, entries in TABLES.items() if what in entries}
    if not found:
        names = [*axes, *(n for entries in TABLES.values() for n in entries)]
        raise Unusable(f"catalog: unknown name '{what}': {catalogs.closest(what, names)}")
    content = {table: [_row(n, e) for n, e in entries.items()] for table, entries in found.items()}
    show.result(content, json, lambda: _entries(found))


def _row(name: str, entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "says": entry.says, "sources": list(entry.sources), "traits": dict(entry.traits)}
    row |= {"formula": entry.formula, "options": dict(entry.options)}
    row["fits"] = [f._asdict() for f in entry.fits]
    if entry.recipe:
        row |= {"recipe": entry.recipe.model_dump(mode="json"), "published": dict(entry.published)}
    return row


def _tables(chosen: dict[str, dict[str, Entry]]) -> None:
    for table, entries in chosen.items():
        show.heading(table)
        for name, entry in entries.items():
            show.console.print(Text(f"  {name:22s}", style="bold") + Text(entry.says))


def _entries(found: dict[str, dict[str, Entry]]) -> None:
    for table, entries in found.items():
        for name, entry in entries.items():
            _entry(table, name, entry)


def _entry(table: str, name: str, entry: Entry) -> None:
    show.heading(f"{name}  ({table})")
    show.console.print(f"  {entry.says}")
    if entry.formula:
        show.console.print(f"  {entry.formula}", markup=False)
    for option, default in entry.options.items():
        show.console.print(f"  option {option} = {default}", markup=False)
    for trait, value in entry.traits.items():
        claimed = "  (claimed by its source)" if trait in catalogs.CLAIMED else ""
        show.console.print(f"  trait {trait} = {value}{claimed}", markup=False)
    for fit in entry.fits:
        verb = "only with" if fit.only else "never with"
        show.console.print(f"  {verb} {fit.axis} {', '.join(fit.names) or 'none'}: {fit.because}", markup=False)
    if entry.recipe:
        for axis, names in catalogs.chosen(entry.recipe).items():
            show.console.print(f"  {axis}: {', '.join(names) or 'none'}", markup=False)
        show.console.print(f"  {entry.recipe.schedule}", markup=False)
    for figure, value in entry.published.items():
        show.console.print(f"  published: {figure}: {value}", markup=False)
    for source in knowledge.cite(entry.sources):
        show.console.print(f"  {source.line}", markup=False)


def cite(path: Path, json: bool) -> None:
    """BibTeX of everything that the run's recipe rests on."""
    run = RunDirectory.open(runs.find(path))
    recipe = from_data(runs.told(run)["recipe"], str(run.run))
    keys: dict[str, None] = {}
    for axis, names in catalogs.chosen(recipe).items():
        entries = catalogs.AXES[_axis(axis)]
        keys |= dict.fromkeys(k for name in names if name in entries for k in entries[name].sources)
    bibtex = "\n".join(source.bibtex for source in knowledge.cite(keys))
    show.result({"run": str(run.path), "sources": list(keys), "bibtex": bibtex}, json, lambda: print(bibtex))


def _axis(axis: str) -> Axis:
    return axis  # type: ignore[return-value]
