"""The sources that a page names, numbered."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ganwise import knowledge


class Sources:
    """Numbers the sources in the order in which the page names them, so that its list, at the end, is complete."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def numbers(self, keys: Iterable[str] | None) -> list[int]:
        unique = list(dict.fromkeys(str(key) for key in keys or ()))
        self.keys += [key for key in unique if key not in self.keys]
        return [self.keys.index(key) + 1 for key in unique]

    def listed(self) -> list[tuple[str, str | None]]:
        """Reference and address; a key of an unknown bibliography stands for itself."""
        known = knowledge.sources()
        return [_reference(known[key]) if key in known else (key, None) for key in self.keys]


def _reference(source: knowledge.Source) -> tuple[str, str | None]:
    """The line without its address, which stands behind it as a link."""
    if "eprint" in source.fields:
        number = source.fields["eprint"]
        return source.line.removesuffix(f" arXiv:{number}."), f"https://arxiv.org/abs/{number}"
    found = re.search(r"https://\S+[^\s.]", source.line)
    return (source.line.replace(found[0], "").rstrip(" .,") + ".", found[0]) if found else (source.line, None)
