"""The knowledge base: rules with their sources, as data. Selection reads it; every key resolves in sources.bib."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ganwise.catalog import closest
from ganwise.knowledge import bibtex
from ganwise.knowledge.bibtex import Source
from ganwise.knowledge.own import own_sources, read_own, read_rules
from ganwise.knowledge.rule import (
    EFFECTS,
    STRENGTHS,
    Condition,
    Disagreement,
    Effect,
    Rule,
    Strength,
    Target,
    read_disagreement,
    read_rule,
)
from ganwise.types import Unusable

_RULES = ("1-architecture", "2-loss", "3-regularization", "4-divergence", "training", "disagreements")
_SOURCES = "sources.bib"


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


@cache
def _tables() -> dict[str, dict[str, Any]]:
    names = [f"{part}.toml" for part in _RULES]
    return {name: tomllib.loads(_text(f"rules/{name}")) for name in names}


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, by question and in the order of the files."""
    return tuple(read_rule(row, name) for name, table in _tables().items() for row in table.get("rule", ()))


@cache
def disagreements() -> tuple[Disagreement, ...]:
    """What the sources contradict each other about."""
    return tuple(read_disagreement(row, name) for name, table in _tables().items() for row in table.get("disagreement", ()))


@cache
def sources() -> Mapping[str, Source]:
    """The bibliography by key."""
    return MappingProxyType(bibtex.read(_text(_SOURCES), _SOURCES))


def own(path: Path) -> tuple[Rule, ...]:
    """The rules of a person's own file, checked like ours.

    It has ``[[rule]]`` tables as ours have, and may name a bibliography: ``sources = "mine.bib"``, else NAME.bib beside it.

    Raises:
        Unusable: The file can't be read, a rule is none or fails on its own cases, its name is one of ours, or a source does
            not resolve; one line names the file, the rule and what would be right.
    """
    return read_own(path, sources(), {rule.name for rule in rules()})


def sources_of(path: Path) -> Mapping[str, Source]:
    """The bibliography with what a person's own rule file adds to it.

    Raises:
        Unusable: As `own`.
    """
    return own_sources(path, sources())


def cite(keys: Iterable[str], known: Mapping[str, Source] | None = None) -> tuple[Source, ...]:
    """The sources of ``keys``, each once, in their order; ``known`` is our bibliography where no other is given.

    Raises:
        Unusable: A key that the bibliography lacks.
    """
    unique, known = list(dict.fromkeys(keys)), known if known is not None else sources()
    for key in unique:
        if key not in known:
            raise Unusable(f"{_SOURCES}: no source '{key}': {closest(key, known)}")
    return tuple(known[key] for key in unique)


__all__ = [
    "EFFECTS",
    "STRENGTHS",
    "Condition",
    "Disagreement",
    "Effect",
    "Rule",
    "Source",
    "Strength",
    "Target",
    "cite",
    "disagreements",
    "own",
    "read_rules",
    "rules",
    "sources",
    "sources_of",
]
