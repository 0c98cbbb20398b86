"""What a person can say about an application: the data that they have, what they need, and their limits."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from ganwise.catalog import closest
from ganwise.recipe import Frozen
from ganwise.types import Kind, Shape, Unusable, Value

Device = Literal["cpu", "cuda", "mps", "unknown"]
Stated = Literal["cpu", "cuda", "mps"]
Labels = Literal["none", "few", "all"]
Domain = Literal["one", "many"]

WANTS = (
    "diversity",
    "quality",
    "stability",
    "convergence-measure",
    "reconstruction",
    "generalization",
    "speed",
    "coverage",
    "classes",
    "privacy",
)
"""What an application may need."""

RANGES: Mapping[str, tuple[float, float]] = {
    "height": (4, 8192),
    "width": (4, 8192),
    "channels": (1, 64),
    "columns": (1, 1_000_000),
    "n": (1, 1e12),
    "classes": (0, 1_000_000),
    "labeled_share": (0, 1),
    "memory_gb": (0.1, 100_000),
    "seconds": (10, 10 * 365 * 86400),
}
"""The least and the most that each number may be. ``seconds``: in less than ten no GAN of this catalog learns anything."""

OTHER_NAMES = ("image", "side", "time")
"""Keys that stand for others: ``image = "64x64x1"``, ``side = 64``, ``time = "2h"``."""

_REPLACES = {
    "height": ("kind", "columns", "discrete"),
    "columns": ("kind", "height", "width", "channels", "sparse", "aligned"),
    "labels": ("labeled_share",),
    "labeled_share": ("labels",),
}
"""What a new statement takes back, since the two are about the same thing."""

_TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Application(Frozen):
    """An application; None is what was not said. ``seconds`` of computing on ``device``, ``memory_gb`` on the same.

    ``labeled_share`` is the share of the samples with a label, from 0 to 1; ``domain`` one: every sample shows one kind of
    thing, such as a face; ``aligned``: at the same place in each; ``sparse``: mostly plain background; ``discrete``: a table
    with columns of categories; ``private``: nobody may learn who was among the training samples. Height and width in pixels.

    Raises:
        Unusable: A key that does not exist, a number out of range, or two statements that contradict each other.
    """

    title: str | None = None
    kind: Kind | None = None
    height: int | None = None
    width: int | None = None
    channels: int | None = None
    columns: int | None = None
    n: int | None = None
    classes: int | None = None
    labels: Labels | None = None
    labeled_share: float | None = None
    domain: Domain | None = None
    aligned: bool | None = None
    sparse: bool | None = None
    discrete: bool | None = None
    want: tuple[str, ...] = Field(())
    device: Stated | None = None
    memory_gb: float | None = None
    seconds: float | None = None
    private: bool | None = None

    __hash__ = Frozen.__hash__

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, said: Any) -> Any:
        return _spelled_out(said) if isinstance(said, Mapping) else said

    @field_validator(*RANGES, mode="before")
    @classmethod
    def _number(cls, number: Any, about: ValidationInfo) -> Any:
        if isinstance(number, bool):  # which would count as 0 or 1
            raise Unusable(f"{about.field_name} = {str(number).lower()}: a number is expected")
        return number

    @field_validator("want", mode="before")
    @classmethod
    def _several(cls, want: Any) -> Any:
        names = needs(want) if isinstance(want, str) else want
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            return names  # which is refused
        return tuple(dict.fromkeys(name for name in names if name))

    @model_validator(mode="after")
    def _consistent(self) -> Application:
        known(self.want)
        for name, (least, most) in RANGES.items():
            number = getattr(self, name)
            if number is not None and not least <= number <= most:
                shown = f"{number:g}" if abs(number) < 1e300 else "a huge number"
                raise Unusable(f"{name} = {shown} is out of range: from {least:,g} to {most:,g}")
        for one, two in _contradictions(self):
            raise Unusable(f"{one} contradicts {two}: leave one of them out")
        return self

    @property
    def shape(self) -> Shape | None:
        """``(C, H, W)`` or ``(D,)``; None where it can't be told yet. An image without channels named has three."""
        if self.height and self.width:
            return (self.channels or 3, self.height, self.width)
        return (self.columns,) if self.columns else None

    @property
    def said(self) -> dict[str, Any]:
        """All that was said, by key."""
        return {name: value for name, value in self if value not in (None, ())}

    def but(self, **changes: Any) -> Application:
        """This application with other statements, checked again; a statement of None is taken back."""
        new = _spelled_out(changes)
        dropped = {name for trigger, names in _REPLACES.items() if new.get(trigger) is not None for name in names}
        return _made({k: v for k, v in self.said.items() if k not in dropped} | new)


KEYS = (*Application.model_fields, *OTHER_NAMES)


def needs(text: str) -> tuple[str, ...]:
    """The needs in a text, separated by commas, pluses or spaces, each once."""
    return tuple(dict.fromkeys(name for name in re.split(r"[,+\s]+", text) if name))


def known(want: Sequence[str]) -> None:
    """Refuses a need that nobody has heard of.

    Raises:
        Unusable: A need outside `WANTS`.
    """
    for need in want:
        if need not in WANTS:
            raise Unusable(f"--want {need}: unknown need: {closest(need, WANTS)}")


def _spelled_out(said: Mapping[str, Any]) -> dict[str, Any]:
    """Short forms replaced by what they stand for, and the kind that follows from the size.

    Raises:
        Unusable: An unknown key, or two forms of one statement that differ.
    """
    for name in said:
        if name not in KEYS:
            raise Unusable(f"unknown key '{name}': {closest(name, KEYS)}")
    found = {name: value for name, value in said.items() if name not in OTHER_NAMES}
    for short, means in _short_forms(said).items():
        for name, value in means.items():
            if found.get(name) not in (None, value, str(value)):
                raise Unusable(f"{short} = {said[short]} contradicts {name} = {found[name]}: leave one of them out")
        found |= means
    if found.get("domain") == "single":
        found["domain"] = "one"
    sized = "image" if found.get("height") is not None else "vector" if found.get("columns") is not None else None
    return found | ({"kind": sized} if sized and found.get("kind") is None else {})


def _short_forms(said: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each of `OTHER_NAMES` that was said stands for."""
    spelled: Mapping[str, Callable[[Any], dict[str, Any]]] = {
        "image": lambda text: _image(str(text)),
        "side": lambda side: {"height": side, "width": side},
        "time": lambda text: {"seconds": duration(str(text))},
    }
    return {name: spelled[name](said[name]) for name in OTHER_NAMES if said.get(name) is not None}


def _image(text: str) -> dict[str, int]:
    match = re.fullmatch(r"(-?\d{1,9})(?:x(-?\d{1,9}))?(?:x(\d{1,9}))?", text.strip().lower())
    if not match:
        raise Unusable(f"image = {text}: not a size; write height, width and channels, as in 64x64x3 or 28x28x1")
    height, width, channels = match.groups()
    return {"height": int(height), "width": int(width or height), **({"channels": int(channels)} if channels else {})}


def duration(text: str) -> float:
    """Seconds of ``90s``, ``3m``, ``2h``, ``1d`` or a bare number.

    Raises:
        Unusable: Not a time.
    """
    units = "s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?"
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)\s*({units})?", text.strip().lower())
    if not match:
        raise Unusable(f"time = {text}: not a time; write it as in 90s, 30m, 2h or 1d")
    return float(match[1]) * _TIMES[(match[2] or "s")[0]]


def _contradictions(a: Application) -> list[tuple[str, str]]:
    """Pairs of statements of which at most one can be true."""
    image = a.kind == "image"
    size, few = f"{a.height}x{a.width} pixels", a.labeled_share
    pairs: list[tuple[bool, str, str]] = [
        (a.kind == "vector" and a.height is not None, "kind = vector", size),
        (image and a.columns is not None, "kind = image", f"columns = {a.columns}"),
        (a.kind == "vector" and a.channels is not None, "kind = vector", f"channels = {a.channels}"),
        (image and a.discrete is True, "kind = image", "discrete = true, which is about the columns of a table"),
        (a.kind == "vector" and a.sparse is True, "kind = vector", "sparse = true, which is about pictures"),
        (a.kind == "vector" and a.aligned is True, "kind = vector", "aligned = true, which is about pictures"),
        (a.labels in ("few", "all") and a.classes == 0, f"labels = {a.labels}", "classes = 0"),
        (a.labels == "none" and bool(a.labeled_share), "labels = none", f"labeled_share = {a.labeled_share}"),
        (a.labels == "all" and a.labeled_share not in (None, 1), "labels = all", f"labeled_share = {a.labeled_share}"),
        (a.labels == "few" and few is not None and not 0 < few < 0.5, "labels = few", f"labeled_share = {a.labeled_share}"),
        (a.classes is not None and a.n is not None and a.classes > a.n, f"classes = {a.classes}", f"n = {a.n}"),
        (a.labels == "none" and "classes" in a.want, "labels = none", "want = classes, which only labels can teach"),
        (a.classes == 0 and "classes" in a.want, "classes = 0", "want = classes"),
        (a.private is False and "privacy" in a.want, "private = false", "want = privacy"),
    ]
    return [(one, two) for both, one, two in pairs if both]


def read(said: Mapping[str, Any], where: str) -> Application:
    """The application that ``said`` holds, such as the content of a TOML file.

    Raises:
        Unusable: As `Application`, or a value of another type.
    """
    try:
        return _made(said)
    except Unusable as error:
        raise Unusable(f"{where}: {error}") from None


def _made(said: Mapping[str, Any]) -> Application:
    try:
        return Application.model_validate(dict(said))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise Unusable(f"{name} = {first['input']}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None


def read_file(path: Path) -> Application:
    """The application in a TOML file.

    Raises:
        Unusable: No file, not TOML, or as `read`.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows editors begin a file with a mark
    except OSError as error:
        raise Unusable(f'{path}: {error.strerror}; expected a TOML file such as: image = "32x32x3"') from None
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path}: not TOML: {error}") from None
    return read(said, str(path))


def read_changes(text: str) -> dict[str, Value]:
    """The statements of ``labels=all,n=500``; several needs are joined by a plus: ``want=diversity+quality``.

    Raises:
        Unusable: No statement, an unknown key, or one that comes twice.
    """
    found: dict[str, Value] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            form = "want=diversity+quality" if name in WANTS else "labels=all or n=500,device=cuda"
            raise Unusable(f"'{part.strip()}' is no statement; write one as in {form}")
        if name not in KEYS:
            raise Unusable(f"'{part.strip()}': unknown key '{name}': {closest(name, KEYS)}")
        if name in found:
            raise Unusable(f"{name} is said twice, as {found[name]} and as {value}: leave one of them out")
        found[name] = value
    return found
