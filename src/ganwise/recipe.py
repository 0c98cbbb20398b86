"""A GAN written as data: the framework's four choices, and how it is trained. Primitives only, so that JSON holds all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError, model_validator

from ganwise import ramp
from ganwise.types import Unusable, Value

Options = Annotated[Mapping[str, Value], AfterValidator(MappingProxyType), PlainSerializer(dict)]


class Frozen(BaseModel):
    """Immutable, equal and hashed by content, and strict about field names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


class Choice(Frozen):
    """One entry of an axis of the catalog, with the options that differ from the entry's defaults."""

    name: str
    options: Options = Field(default_factory=lambda: MappingProxyType({}))

    __hash__ = Frozen.__hash__


def _within(low: float, high: float) -> AfterValidator:
    """Every value of a number or ramp lies in [low, high)."""

    def check(number: float | str) -> float | str:
        least, most = ramp.ends(number)
        if not (low <= least and most < high):
            raise ValueError(f"{number} leaves the range from {low:g} to {high:g}")
        return number

    return AfterValidator(check)


def _moves(rate: float | str) -> float | str:
    if ramp.ends(rate)[1] <= 0:
        raise ValueError(f"{rate} never moves a weight: a rate is greater than 0")
    return rate


Positive = Annotated[float | str, _within(0.0, float("inf"))]
Rate = Annotated[Positive, AfterValidator(_moves)]
Share = Annotated[float | str, _within(0.0, 1.0)]


class Optimizer(Frozen):
    """How one player's weights move. ``momentum`` is read by sgd and rmsprop, the betas by adam.

    Each number may be a ramp over this player's updates: ``"2e-4 -> 0 linear 50000"``. A ramp of rmsprop's momentum begins above
    0: torch makes room for it at the first update or never.
    """

    name: Literal["adam", "rmsprop", "sgd"] = "adam"
    learning_rate: Rate = 2e-4
    beta1: Share = 0.5
    beta2: Share = 0.999
    momentum: Share = 0.0

    @model_validator(mode="after")
    def _begins_with_its_momentum(self) -> Optimizer:
        if self.name == "rmsprop" and ramp.at(self.momentum, 0) == 0 < ramp.ends(self.momentum)[1]:
            raise ValueError(
                f"momentum {self.momentum}: rmsprop has it from its first update on or never; begin above 0, as at 0.01"
            )
        return self


class Boost(Frozen):
    """More discriminator steps at the first rounds and at each so many, as WGAN's critic takes; 0 steps boost nothing."""

    steps: int = Field(0, ge=0)
    first: int = Field(25, ge=0)
    period: int = Field(500, ge=1)

    def rounds(self, t: int) -> int:
        """How many of the rounds before ``t`` are boosted: those before ``first``, then the multiples of ``period``."""
        later = (t - 1) // self.period - (self.first - 1) // self.period if t > self.first else 0
        return min(t, self.first) + later if self.steps else 0


class Stall(Frozen):
    """Multiplies both rates by ``factor`` when the mean of a signal over ``window`` steps has not fallen; 0 never does."""

    signal: str = "m_global"
    window: int = Field(0, ge=0)
    factor: float = Field(0.5, gt=0, lt=1)
    floor: float = Field(0.01, ge=0, le=1)  # of the rates: they fall no further


class Schedule(Frozen):
    """Who moves when, how far, and on how much data. One step is one round of both players."""

    batch: int = Field(64, ge=2)
    discriminator_steps: int = Field(1, ge=1)
    generator_steps: int = Field(1, ge=1)
    boost: Boost = Boost()
    simultaneous: bool = False  # both gradients are taken before either player moves
    # the generator's pass reuses the discriminator's latents. Fresh ones are berthelot2017began's z_D and z_G, section 3.4;
    # kim2017begantensorflow shares them, as the original GAN's code does
    shared_latents: bool = False
    discriminator: Optimizer = Optimizer()
    generator: Optimizer = Optimizer()
    stall: Stall = Stall()
    ema: Share = 0.999  # decay per step of the averaged generator; 0 keeps the raw one
    ema_half_life: Positive = 0.0  # in images; where it is not 0 it decides the decay: .5^(batch / half-life)

    def critic_updates(self, t: int) -> int:
        """Discriminator updates of all steps before ``t``."""
        return t * self.discriminator_steps + self.boost.rounds(t) * (self.boost.steps - self.discriminator_steps)

    def decay(self, t: int) -> float:
        """Of the averaged generator at step ``t``."""
        half_life = ramp.at(self.ema_half_life, t)
        return 0.5 ** (self.batch / half_life) if half_life > 0 else ramp.at(self.ema, t)

    def warm_decay(self, t: int) -> float:
        """`decay`, less in the first steps, or the average would long hold the random weights that it began with.

        As in TensorFlow's ExponentialMovingAverage, where the number of updates is given.
        """
        return min(self.decay(t), (1 + t) / (10 + t))


class Recipe(Frozen):
    """Architecture, loss, regularizers and divergence, and how they are trained.

    A ``divergence`` of None is the one that the loss minimizes by itself. An option may be ``auto``: then the data's shape
    or the network decides, when the GAN is built.
    """

    architecture: Choice
    loss: Choice
    regularizers: tuple[Choice, ...] = ()
    divergence: Choice | None = None
    conditioning: Choice | None = None
    augmentation: Choice | None = None
    schedule: Schedule = Schedule()

    __hash__ = Frozen.__hash__

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2)


def from_json(text: str, where: str = "recipe") -> Recipe:
    """The recipe that ``text`` holds; ``where`` names it in an error.

    Raises:
        Unusable: The text is no JSON, or no recipe; the first wrong field is named.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Unusable(f"{where}: not JSON: {error}") from None
    return from_data(data, where)


def from_data(data: object, where: str = "recipe") -> Recipe:
    """The recipe that a JSON object describes.

    Raises:
        Unusable: It describes none; the first wrong field is named.
    """
    try:
        return Recipe.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise Unusable(f"{where}: not a recipe: {field}: {first['msg'].lower()}") from None


def read(path: Path) -> Recipe:
    try:
        return from_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: can't be read as a recipe: {error}") from None


def change(recipe: Recipe, changes: Mapping[str, Value]) -> Recipe:
    """``recipe`` with parts replaced, as in ``{"loss.margin": 2, "schedule.generator.learning_rate": 1e-4}``.

    A choice's part is its ``name`` or one of its options; a regularizer is addressed by its name, ``regularizers.r1.gamma``, and
    added when it is not there (``regularizers.r1`` = True) or taken out (= False).

    Raises:
        Unusable: A path that leads nowhere, or a value that its field refuses.
    """
    data = recipe.model_dump(mode="json")
    for path, value in changes.items():
        head, *rest = path.split(".")
        if head not in data or not rest:
            raise Unusable(f"--set {path}: a recipe has no such part; parts are {', '.join(data)} (as in loss.margin=2)")
        if head == "regularizers":
            _set_regularizer(data["regularizers"], path, rest, value)
        elif head == "schedule":
            _set_field(data["schedule"], path, rest, value)
        else:
            data[head] = _set_choice(data[head], path, rest, value)
    return from_data(data, "--set " + " ".join(f"{k}={v}" for k, v in changes.items()))


def _set_choice(choice: dict[str, Any] | None, path: str, rest: list[str], value: Value) -> dict[str, Any]:
    if len(rest) != 1:
        raise Unusable(f"--set {path}: expected one part after the dot, as in loss.name or loss.margin")
    if rest[0] == "name":
        return {"name": value, "options": {}}  # another entry has other options
    if choice is None:
        raise Unusable(f"--set {path}: this recipe has none there; set its name first")
    return {**choice, "options": {**choice["options"], rest[0]: value}}


def _set_regularizer(regularizers: list[dict[str, Any]], path: str, rest: list[str], value: Value) -> None:
    name = rest[0]
    found = next((r for r in regularizers if r["name"] == name), None)
    if len(rest) == 1 and isinstance(value, bool):
        if found and not value:
            regularizers.remove(found)
        if not found and value:
            regularizers.append({"name": name, "options": {}})
    elif len(rest) == 2 and found:
        found["options"][rest[1]] = value
    elif len(rest) == 2:
        regularizers.append({"name": name, "options": {rest[1]: value}})
    else:
        raise Unusable(f"--set {path}: expected regularizers.NAME.OPTION=value, or regularizers.NAME=true or false")


def _set_field(tree: dict[str, Any], path: str, rest: list[str], value: Value) -> None:
    for part in rest[:-1]:
        tree = tree[part] if isinstance(tree.get(part), dict) else {}
    if rest[-1] not in tree or isinstance(tree[rest[-1]], dict):
        raise Unusable(f"--set {path}: the schedule has no such part; parts are {', '.join(tree) or 'none there'}")
    tree[rest[-1]] = value
