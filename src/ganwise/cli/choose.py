"""The select verb: from what was typed, written in a file or answered in a dialog to an answer, explained and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ganwise import knowledge
from ganwise.catalog import RECIPES
from ganwise.cli import advise, show, whys
from ganwise.select import Advice, Application, evidence, plain, select
from ganwise.select.application import needs, read_changes, read_file
from ganwise.select.facts import suppose
from ganwise.select.whatif import Comparison, alternatives, compare, explain
from ganwise.types import Audit, Unusable


class Asked(NamedTuple):
    """How `ganwise select` was called. ``words`` are what stands free: DATA, names to explain, changes to compare."""

    words: Sequence[str]
    said: Mapping[str, Any]
    file: Path | None
    ask: bool
    size: int | None
    limit: int
    without: Sequence[str]
    rules: Path | None
    evidence: Sequence[str]
    explain: bool
    compare: bool
    save: Path | None
    json: bool


FLAGS = ("image", "columns", "n", "classes", "labels", "labeled_share", "domain", "aligned", "sparse", "discrete", "device")


def asked(given: Mapping[str, Any]) -> Asked:
    """The options of the verb, those that describe the application gathered."""
    said = {name: given[name] for name in (*FLAGS, "time", "private")}
    said |= {"memory_gb": given["memory"], "want": needs(",".join(given["want"] or ())) or None}
    return Asked(
        words=given["words"] or (),
        said={name: value for name, value in said.items() if value is not None},
        file=given["application"],
        without=given["without"] or (),
        evidence=given["evidence"] or (),
        **{name: given[name] for name in ("ask", "size", "limit", "rules", "explain", "compare", "save", "json")},
    )


class Words(NamedTuple):
    """The free words told apart."""

    data: str | None
    names: tuple[str, ...]
    changes: tuple[str, ...]


def run(asked: Asked) -> None:
    """Prints the answer.

    Raises:
        Unusable: As `ganwise.select.select`, and words that mean nothing.
    """
    words = _told_apart(asked)
    if asked.size and words.data is None:
        raise Unusable(f"--size {asked.size}: resizes DATA, and there is none; describe images by --image 32x32x3")
    seen = _audited(words.data, asked.size)
    said = _said(asked, seen)
    own = knowledge.own(asked.rules) if asked.rules else ()
    choose = partial(select, limit=asked.limit, without=asked.without, rules=own, evidence=evidence.named(asked.evidence))
    advice = choose(seen, application=said)
    content = advice.as_json()
    if asked.explain:
        explained = tuple(one for name in words.names or ("",) for one in explain(advice, name))
        content["explain"] = plain(explained)
    compared = {text: _what_if(text, seen, said, advice, choose) for text in words.changes}
    if asked.compare:
        content["compare"] = [{"change": text, **plain(found)} for text, (_, found) in compared.items()]
    if asked.save:
        content["saved"] = advise.save(advice, asked.save)

    open_ = () if asked.explain or asked.compare else alternatives(seen, said, advice, choose)
    content["would_change"] = plain(open_)

    def human() -> None:
        if asked.explain:
            whys.explained(explained)
        for text, (other, found) in compared.items():
            whys.compared(text, found, advice, other)
        if not (asked.explain or asked.compare):
            advise.answer(advice, words.data, open_, content.get("saved", {}))

    show.result(content, asked.json, human)


def _told_apart(asked: Asked) -> Words:
    """The first free word that is no change, nor the name of a GAN to explain, is the data."""
    changes = tuple(word for word in asked.words if asked.compare and "=" in word and not Path(word).exists())
    rest = [word for word in asked.words if word not in changes]
    described = bool(asked.said or asked.file or asked.ask)
    only_names = asked.explain and described and bool(rest) and _names_gan(rest[0]) and not Path(rest[0]).exists()
    data, names = (None, rest) if only_names or not rest else (rest[0], rest[1:])
    if names and asked.compare and not asked.explain:
        read_changes(names[0])  # which says what is wrong with it
    if names and not asked.explain:
        free = ", ".join(names)
        raise Unusable(f"{free}: one data set at a time; names of GANs go with --explain, changes such as n=500 with --compare")
    if asked.compare and not changes:
        raise Unusable('--compare: say what would be different, as in --compare "labels=all" "n=500,device=cuda"')
    return Words(data, tuple(names), changes)


def _names_gan(word: str) -> bool:
    """Whether it is a GAN of the catalog, or one with what the short list adds to its name: ``r1gan-resnet``."""
    return any(f"{word}-".startswith(f"{name}-") for name in RECIPES)


def _audited(data: str | None, size: int | None) -> Audit | None:
    if data is None:
        return None
    from ganwise.audit import audit_source

    return audit_source(data, size=size)


def _said(asked: Asked, seen: Audit | None) -> Application:
    """The file's statements, those of the command line over them, and the answers of the dialog over both."""
    said = read_file(asked.file) if asked.file else Application()
    said = said.but(**asked.said) if asked.said else said
    if asked.ask:
        from ganwise.cli import ask

        said = ask.ask(said, seen)
    if seen is None and not said.said:
        raise Unusable("select: name the data, or describe them: --image 32x32x3 --n 50000, --application app.toml, or --ask")
    return said


def _what_if(text: str, seen: Audit | None, said: Application, advice: Advice, choose: Any) -> tuple[Advice, Comparison]:
    try:
        other_data, other = suppose(seen, said, read_changes(text))
        then = choose(other_data, application=other)
    except Unusable as error:
        raise Unusable(f"--compare {text}: {error}") from None
    return then, compare(advice, then)
