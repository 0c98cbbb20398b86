"""A small strict reader of BibTeX: one field on a line, each value in braces, nothing left over."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

_ENTRY = re.compile(r"@(\w+)\{([\w-]+),\n((?:  \w+ = \{.*\},\n)+)\}\n")
_FIELD = re.compile(r"  (\w+) = \{(.*)\},\n")
_ACCENT = re.compile(r"\{\\(['\"]?)(\w)\}")  # {\'e}, {\"a}, {\o}
_MARKS = {"'": "\u0301", '"': "\u0308"}
_LETTERS = {"o": "ø", "l": "ł", "i": "ı"}
_VENUES = ("booktitle", "journal", "institution", "howpublished", "publisher")


class Source(NamedTuple):
    """One entry of a bibliography."""

    key: str
    kind: str
    fields: Mapping[str, str]
    bibtex: str

    @property
    def line(self) -> str:
        """Authors (year). Title. Venue. arXiv number."""
        names = [name.split(",")[0] for name in _plain(self.fields["author"]).split(" and ")]
        who = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
        venue = next((f" {self.fields[v]}." for v in _VENUES if v in self.fields), "")
        number = f" arXiv:{self.fields['eprint']}." if "eprint" in self.fields else ""
        title = self.fields["title"]
        return f"{who} ({self.fields['year']}). {title}{'' if title[-1] in '?!' else '.'}{venue}{number}"


def _plain(text: str) -> str:
    """Text with TeX's accents as letters."""
    letters = _ACCENT.sub(lambda m: m[2] + _MARKS[m[1]] if m[1] else _LETTERS[m[2]], text)
    return unicodedata.normalize("NFC", letters).replace("{", "").replace("}", "")


def read(text: str, where: str) -> dict[str, Source]:
    """The entries by key.

    Raises:
        ValueError: Text that is no entry, a key that comes twice, or an entry without author, title, year or place.
    """
    found: dict[str, Source] = {}
    for kind, key, body in _ENTRY.findall(text):
        fields = dict(_FIELD.findall(body))
        missing = {"author", "title", "year"} - fields.keys()
        if key in found or missing or not fields.keys() & {*_VENUES, "eprint"}:
            raise ValueError(f"{where}: {key}: twice, or without {', '.join(sorted(missing)) or 'a venue or eprint'}")
        found[key] = Source(key, kind, fields, f"@{kind}{{{key},\n{body}}}\n")
    left = _ENTRY.sub("", text).strip()
    if left:
        raise ValueError(f"{where}: not an entry: {left.splitlines()[0]!r}")
    return found
