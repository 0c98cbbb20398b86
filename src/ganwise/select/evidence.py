"""Evidence from measurement beside the rules: rows of who was trained on what, how it was measured, and what came out.

A row speaks for a GAN only on similar data, and only against rows of its own group: the same data, protocol, features, budget and
metric. Its weight is bounded, and one seed has none.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple, get_args, get_type_hints

from ganwise.catalog import AUTO, RECIPES, closest, default_architecture
from ganwise.recipe import Recipe
from ganwise.select.judge import WEIGHTS, Reason
from ganwise.select.space import Tags
from ganwise.types import Direction, Kind, Shape, Unusable

SIMILAR_SIZE = 2.0
"""Sides of images, or numbers of vectors, may differ by this factor: a network then has one stage more or less. Ours."""
SIMILAR_COUNT = 10.0
"""Numbers of samples may: between hundreds and thousands of them another GAN wins. Ours."""
LEAST_ROWS = 3
"""A median of two is neither's measure."""
MATTERS = 0.1
"""Of the group's range: one mode of 25 more than nothing is no merit, however certain it is. Ours."""
BOUND = WEIGHTS["replicated"]
"""All measurements together move a score by no more than one replicated finding: they are few, and short runs of ours."""
OURS = "ganwise2026measurements"

Side = Literal["prefers", "avoids", "tied"]


class Measured(NamedTuple):
    """What one group of measurements says of a candidate; ``points`` is what it adds to the score.

    ``source`` says where the row comes from; ``sources`` are keys of the bibliography, none where it is a user's own.
    """

    group: str
    effect: Side
    points: float
    says: str
    source: str
    sources: tuple[str, ...]


class Row(NamedTuple):
    """One GAN trained and measured: the mean over ``seeds`` with a 95 % interval, None where one seed gives none.

    ``fingerprint`` is that of the recipe's JSON; ``content`` the data's hash, both empty where unknown.
    """

    data: str
    kind: Kind
    shape: Shape
    n: int
    content: str
    recipe: str
    architecture: str
    fingerprint: str
    protocol: str
    features: str
    budget: str
    metric: str
    direction: Direction
    value: float
    low: float | None
    high: float | None
    seeds: int
    source: str

    @property
    def group(self) -> tuple[object, ...]:
        """What has to be equal before two values may be compared."""
        data = (self.data, self.kind, self.shape, self.n, self.content)
        return (*data, self.protocol, self.features, self.budget, self.metric, self.direction)


_TEXTS = tuple(name for name, kind in get_type_hints(Row).items() if kind is str)


def fingerprint(recipe: Recipe) -> str:
    """The first 12 digits of the SHA-256 of a recipe's JSON."""
    return hashlib.sha256(recipe.to_json().encode()).hexdigest()[:12]


@cache
def shipped() -> tuple[Row, ...]:
    """What this project has measured, as far as it compares GANs."""
    folder = files("ganwise.knowledge").joinpath("measured")
    texts = sorted((file.name, file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name.endswith(".jsonl"))
    return tuple(row for name, text in texts for row in read_rows(text, name))


def named(words: Sequence[str]) -> tuple[Row, ...]:
    """What ships, and beside it what each path holds; the word ``none`` leaves out what ships.

    Raises:
        Unusable: As `own`.
    """
    ours = () if "none" in words else shipped()
    theirs = (row for word in words if word != "none" for row in own(Path(word)))
    return tuple(dict.fromkeys((*ours, *theirs)))  # a row that is given twice is no second measurement


def own(path: Path) -> tuple[Row, ...]:
    """A user's measurements: a race's folder, a file of rows, or a folder of such.

    Raises:
        Unusable: Nothing there, or a row that is none: the line and the field are named.
    """
    if not path.exists():
        raise Unusable(f"--evidence {path}: there is nothing; give a race's folder or a .jsonl file of rows")
    found = _of_file(path) if path.is_file() else _of_folder(path)
    if not found:
        raise Unusable(f"--evidence {path}: holds no finished race and no .jsonl file of rows")
    return found


def _of_file(path: Path) -> tuple[Row, ...]:
    try:
        return read_rows(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: can't be read as evidence: {error}") from None


def _of_folder(path: Path) -> tuple[Row, ...]:
    races = sorted(path.rglob("race.json"))
    inside = {race.parent for race in races}  # the runs of a race keep records of another kind
    rows = [file for file in sorted(path.rglob("*.jsonl")) if not inside & {*file.parents}]
    return (*(row for file in races for row in _of_race(file)), *(row for file in rows for row in _of_file(file)))


def read_rows(text: str, where: str) -> tuple[Row, ...]:
    """Rows from JSON lines.

    Raises:
        Unusable: A line is no JSON object, or a field is missing, unknown or of the wrong kind.
    """
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    return tuple(_row(line, f"{where}:{i}") for i, line in lines)


def _row(line: str, here: str) -> Row:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{here}: not JSON: {error}") from None
    if not isinstance(said, dict):
        raise Unusable(f"{here}: a row is a JSON object with the fields {', '.join(Row._fields)}")
    for name in said:
        if name not in Row._fields:
            raise Unusable(f"{here}: unknown field '{name}': {closest(name, Row._fields)}")
    for name in Row._fields:
        if name not in said:
            raise Unusable(f"{here}: lacks the field '{name}'")
    return _checked(said, here)


def _checked(said: Mapping[str, Any], here: str) -> Row:
    """The row whose fields are all there, each of its kind."""
    for name in _TEXTS:
        if not isinstance(said[name], str):
            raise Unusable(f"{here}: {name} = {said[name]!r} is no text")
    shape = said["shape"] if isinstance(said["shape"], list) else [None]
    if not all(type(one) is int and one > 0 for one in (said["n"], said["seeds"], *shape)) or len(shape) not in (1, 3):
        raise Unusable(f"{here}: shape, n and seeds are whole numbers above 0, shape as [3, 32, 32] or [30]")
    value, low, high = (said[name] for name in ("value", "low", "high"))
    if value is None or not all(one is None or _finite(one) for one in (value, low, high)):
        raise Unusable(f"{here}: value, low and high are numbers; low and high may be null")
    if (low is None) != (high is None) or (low is not None and not low <= value <= high):
        raise Unusable(f"{here}: value = {value} does not lie in its interval: low = {low}, high = {high}")
    if said["kind"] not in get_args(Kind) or said["direction"] not in get_args(Direction):
        raise Unusable(f"{here}: kind is image or vector, direction lower or higher")
    if (said["kind"] == "image") != (len(shape) == 3):
        raise Unusable(f"{here}: kind = {said['kind']} contradicts shape = {shape}; an image has three numbers, a vector one")
    return Row(**{**said, "shape": tuple(shape)})


def _finite(one: object) -> bool:
    return isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= sys.float_info.max


def _of_race(file: Path) -> list[Row]:
    """The rows of a race: each recipe's mean over its seeds by the metric that ranked, on the race's own test part."""
    try:
        names = (file.name, "plan.json", "data/dataset.json", "audit.json")
        result, plan, about, facts = (_json(file.parent / name) for name in names)
        return [row for standing in result["ranking"] if (row := _standing(standing, result, plan, about, facts, file))]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Unusable(f"{file}: no race that can be read ({error}); give the folder that ganwise race wrote") from None


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _standing(
    standing: Mapping[str, Any], result: Mapping[str, Any], plan: Mapping[str, Any], about: Mapping[str, Any],
    facts: Mapping[str, Any], file: Path,
) -> Row | None:  # fmt: skip
    scores = [score for score in standing["scores"] if score["metric"] == result["metric"]]
    values = [float(score["value"]) for score in scores]
    if not values or not all(map(math.isfinite, values)):
        return None
    told = _json(file.parent / "runs" / Path(standing["runs"][0]).name / "run.json")
    recipe, first, shape = Recipe.model_validate(told["job"]["recipe"]), scores[0], tuple(facts["shape"])
    named = recipe.architecture.name
    mean, low, high = interval(values)
    row = Row(
        data=about["name"],
        kind=about["kind"],
        shape=shape,
        n=int(facts["n"]),
        content=about["content"],
        recipe=standing["recipe"],
        architecture=default_architecture(recipe, shape) if named == AUTO else named,
        fingerprint=fingerprint(recipe),
        protocol=first["protocol"],
        features=first["features"],
        budget=f"{plan['budget']} for {len(plan['entrants'])} recipes with {plan['seeds']} seeds",
        metric=first["metric"],
        direction=first["direction"],
        value=mean,
        low=low,
        high=high,
        seeds=len(scores),
        source=str(file.parent),
    )
    return _checked({**row._asdict(), "shape": list(shape)}, str(file))


_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Student's t at 97.5 %, for 1 to 9 degrees of freedom; 1.96 beyond."""


def interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The mean with its 95 % interval by Student's t; without one where there is a single value."""
    mean, n = math.fsum(values) / len(values), len(values)
    if n < 2:
        return mean, None, None
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = (_T[n - 2] if n - 2 < len(_T) else 1.96) * deviation / math.sqrt(n)
    return mean, mean - half, mean + half


def similar(rows: Iterable[Row], kind: Kind, shape: Shape, n: int) -> list[list[Row]]:
    """The groups that were measured on data like these, each with rows enough to have a middle."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if _alike(row, kind, shape, n):
            found.setdefault(row.group, []).append(row)
    return [group for group in found.values() if len(group) >= LEAST_ROWS]


def _alike(row: Row, kind: Kind, shape: Shape, n: int) -> bool:
    if row.kind != kind or len(row.shape) != len(shape) or _apart(row.n, n) > SIMILAR_COUNT:
        return False
    if len(shape) == 1:
        return _apart(row.shape[0], shape[0]) <= SIMILAR_SIZE
    return row.shape[0] == shape[0] and _apart(max(row.shape[1:]), max(shape[1:])) <= SIMILAR_SIZE


def _apart(one: int, other: int) -> float:
    return max(one, other) / max(1, min(one, other))


def weigh(name: str, recipe: Recipe, tags: Tags, groups: Sequence[Sequence[Row]]) -> tuple[Measured, ...]:
    """What each group says of one GAN; a group in which it does not stand says nothing."""
    found = []
    for group in groups:
        mine = [row for row in group if _same(row, name, recipe, tags)]
        found += [_judge(mine[0], group)] if mine else []
    total = abs(math.fsum(one.points for one in found))
    return tuple(one._replace(points=one.points * min(1.0, BOUND / total)) for one in found) if total else tuple(found)


def _same(row: Row, name: str, recipe: Recipe, tags: Tags) -> bool:
    """The named GAN with the same architecture, unaugmented or augmented alike, or the very recipe under any name."""
    if row.architecture != recipe.architecture.name:
        return False
    if row.recipe in RECIPES:
        return f"recipe.{row.recipe}" in tags and recipe.augmentation is None
    return row.recipe == name or row.fingerprint == fingerprint(recipe)


def _judge(row: Row, group: Sequence[Row]) -> Measured:
    """For or against it where its interval lies on one side of the group's median, and far enough from it to matter."""
    values = [one.value for one in group]
    middle = median(values)
    matters = abs(row.value - middle) > MATTERS * (max(values) - min(values))
    above = matters and row.low is not None and row.low > middle
    below = matters and row.high is not None and row.high < middle
    effect: Side = "tied"
    if row.seeds > 1 and (above or below):
        effect = "prefers" if above == (row.direction == "higher") else "avoids"
    strength = WEIGHTS["replicated"] if row.seeds >= 3 else WEIGHTS["reported"]
    points = {"prefers": strength, "avoids": -strength, "tied": 0.0}[effect]
    sources = (OURS,) if row in shipped() else ()
    return Measured(f"measured:{row.data}/{row.metric}", effect, points, _words(row, middle, len(group)), row.source, sources)


def _words(row: Row, middle: float, count: int) -> str:
    span = f" ({row.low:.4g} to {row.high:.4g})" if row.low is not None and row.high is not None else ""
    shape = "x".join(map(str, row.shape))
    return (
        f"{row.metric} {row.value:.4g}{span}, {row.direction} is better, the median of {count} GANs {middle:.4g}: {row.recipe} "
        f"with {row.architecture} on {row.data} ({row.n:,} of {shape}), {row.seeds} seed{'s' if row.seeds > 1 else ''}, "
        f"{row.budget}, {row.protocol}"
    )


def as_reasons(measured: Iterable[Measured]) -> tuple[Reason, ...]:
    """What was measured and told a difference, beside the rules' reasons."""
    told = (one for one in measured if one.effect != "tied")
    return tuple(Reason(one.group, one.effect, one.says, one.sources, one.points, "measured") for one in told)  # type: ignore[arg-type]
