"""A person's own rules: a TOML file of the same form as ours, and where it cites other sources, a BibTeX file of those."""

from __future__ import annotations

import tomllib
from collections.abc import Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ganwise.catalog import closest
from ganwise.knowledge import bibtex
from ganwise.knowledge.bibtex import Source
from ganwise.knowledge.rule import Rule, read_rule
from ganwise.types import Unusable

_PARTS = ("rule", "sources")


def read_rules(text: str, where: str) -> tuple[Rule, ...]:
    """The rules of a TOML text, each of which holds on its own two cases; sources are not looked up.

    Raises:
        Unusable: No TOML, no rule, a rule that is none, a name that comes twice, or a rule that contradicts its own case.
    """
    table = _table(text, where)
    rows = table.get("rule", [])
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise Unusable(f"{where}: holds no rule; each one starts with [[rule]]")
    rules = tuple(read_rule(row, where) for row in rows)
    names = [rule.name for rule in rules]
    for rule in rules:
        if names.count(rule.name) > 1:
            raise Unusable(f"{where}: rule {rule.name}: the name comes {names.count(rule.name)} times; give each rule its own")
        if rule.judge(rule.fires_on) != (True, ()):
            raise Unusable(f"{where}: rule {rule.name}: does not fire on its own case fires_on = {_facts(rule.fires_on)}")
        if rule.judge(rule.silent_on) != (False, ()):
            raise Unusable(f"{where}: rule {rule.name}: is not decided and silent on its silent_on = {_facts(rule.silent_on)}")
    return rules


def own_sources(path: Path, ours: Mapping[str, Source]) -> Mapping[str, Source]:
    """What a rule file may cite: ``ours``, and the entries of the file that its ``sources`` names, or of NAME.bib beside it.

    Raises:
        Unusable: The file named does not exist or is no bibliography, or an entry has one of our keys for something else.
    """
    named = _table(_text(path), str(path)).get("sources")
    if named is not None and not isinstance(named, str):
        raise Unusable(f'{path}: sources = {named!r} is no file name, as in sources = "mine.bib"')
    bib = path.parent / named if named else path.with_suffix(".bib")
    if not named and not bib.is_file():
        return ours
    try:
        theirs = bibtex.read(_text(bib), str(bib))
    except ValueError as error:
        raise Unusable(str(error)) from None
    for key in theirs:
        if key in ours and theirs[key].fields != ours[key].fields:
            raise Unusable(f"{bib}: {key} is already another source of ganwise ({ours[key].line}); choose another key")
    return MappingProxyType({**ours, **theirs})


def read_own(path: Path, ours: Mapping[str, Source], taken: Container[str]) -> tuple[Rule, ...]:
    """The rules of a person's file; ``taken`` are the names that other rules have.

    Raises:
        Unusable: As `read_rules` and `own_sources`; a name that is taken; a source that does not resolve, with the closest.
    """
    rules, known = read_rules(_text(path), str(path)), own_sources(path, ours)
    for rule in rules:
        if rule.name in taken:
            raise Unusable(f"{path}: rule {rule.name}: ganwise has a rule of that name; switch that one off and rename yours")
        for key in rule.sources:
            if key not in known:
                raise Unusable(f"{path}: rule {rule.name}: no source '{key}': {closest(key, known)}; others go into a .bib file")
    return rules


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows editors begin a file with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: can't be read: {error}") from None


def _table(text: str, where: str) -> dict[str, Any]:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{where}: not TOML: {error}") from None
    for part in (one for one in table if one not in _PARTS):
        raise Unusable(f"{where}: unknown part '{part}': {closest(part, _PARTS)}")
    return table


def _facts(case: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{fact} = {value}" for fact, value in case.items()) + " }"
