"""What a row of the catalog is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from ganwise.recipe import Recipe
from ganwise.types import Value

Axis = Literal["architecture", "loss", "regularizers", "divergence", "conditioning", "augmentation"]
AUTO = "auto"


class Fit(NamedTuple):
    """What an entry demands of another axis: one of ``names`` (``only``), or none of them."""

    axis: Axis
    names: tuple[str, ...]
    only: bool
    because: str
    sources: tuple[str, ...]


class Entry(NamedTuple):
    """One row of the catalog."""

    says: str
    sources: tuple[str, ...]
    formula: str = ""
    options: Mapping[str, Value] = MappingProxyType({})  # with their defaults
    traits: Mapping[str, Value] = MappingProxyType({})
    fits: tuple[Fit, ...] = ()
    recipe: Recipe | None = None  # of a named GAN, which alone has the fields below too
    application: str = ""  # what it is for
    behavior: str = ""  # how it compares
    needs: str = ""  # of the data
    deviations: tuple[str, ...] = ()  # of the recipe from its paper
    published: Mapping[str, str] = MappingProxyType({})  # figure -> value with its protocol and evidence tag


_READABLE = 40


def closest(name: str, names: Iterable[str]) -> str:
    """The end of an error about an unknown name: the likeliest names, then all where a reader can take them in."""
    names = sorted(set(names))
    many = len(names) > _READABLE
    likely = difflib.get_close_matches(name, names, n=3, cutoff=0 if many else 0.5)
    meant = f"did you mean {' or '.join(likely)}? " if likely else ""
    return f"{meant}known: {f'{len(names)} names' if many else ', '.join(names) or 'none yet'}"
