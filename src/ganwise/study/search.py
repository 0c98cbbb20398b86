"""The search within a candidate: a few settings of its recipe's own numbers, tried before the race and under the same budget.

Every candidate gets as many settings, the first of them the recipe as it is. Each trains to the first rung with a seed that the
race does not use, so that the luck that chose a setting is not counted again, and is judged on validation alone. The best takes
the candidate's place. Optuna proposes: settings of one candidate one after another, those of all candidates at the same time, so
that what is proposed depends on no timing; a search that was ended replays what its runs have left. Sources: lucic2018equal found
that tuning decides more than the loss; akiba2019optuna, ask and tell; bergstra2011algorithms, the sampler.
"""

from __future__ import annotations

import math
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ganwise import ramp
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.catalog import check, options
from ganwise.data import Dataset, save
from ganwise.metrics import ranking_metric
from ganwise.recipe import Recipe, change, from_data
from ganwise.study.engine import Ended, Engine, Task
from ganwise.study.halving import SHARES, Ladder, Look, Rung
from ganwise.study.looks import known
from ganwise.study.plan import Entrant, Plan
from ganwise.study.race import Clock, Race
from ganwise.types import SICK, Unusable, Value

if TYPE_CHECKING:
    import optuna

SEED = 1_000_000
"""Of all runs of a search; races count theirs from 0."""
RATES, CONSTANTS, MOST_STEPS = 4.0, 10.0, 5
"""Rates are tried from a fourth to four times the recipe's, constants from a tenth to ten times; D takes 5 steps at most."""
RANDOM = 4
"""Settings before the sampler learns from results."""
GAIN = 0.1
"""A setting takes the recipe's place if its value is so much better, as a share: less is what two seeds of one recipe differ by
at the first rung (on ring the logarithm's deviation between seeds is .05 to .08)."""
_CONSTANTS = {
    "r1": "gamma",
    "r2": "gamma",
    "gradient-penalty": "weight",
    "dragan": "weight",
    "lecam": "weight",
    "pulling-away": "weight",
    "weight-clipping": "limit",
}
_TIED = {"regularizers.r1.gamma": "regularizers.r2.gamma"}
_LOSSES = {"boundary-equilibrium": ("gamma", 0.3, 0.9)}


class Knob(NamedTuple):
    """A number of a recipe and where it is tried: as a factor of what the recipe has, or where it is ``plain`` in its place.

    ``paths`` are as `recipe.change` takes them; all get the same factor.
    """

    paths: tuple[str, ...]
    own: tuple[float | str, ...]
    low: float
    high: float
    plain: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.own[0], int)

    def set(self, number: float) -> dict[str, Value]:
        if self.plain:
            return {path: int(number) if self.whole else _short(number) for path in self.paths}
        return {path: _times(own, number) for path, own in zip(self.paths, self.own, strict=True)}


def _short(number: float) -> float:
    return float(f"{number:.3g}")


def _times(own: float | str, factor: float) -> float | str:
    """A number or a ramp, so many times as large."""
    if not isinstance(own, str):
        return _short(own * factor)
    told = ramp.parse(own)
    return f"{told.start * factor:.3g} -> {told.end * factor:.3g} {told.shape} {told.updates}"


def space(recipe: Recipe) -> tuple[Knob, ...]:
    """What a search may turn: both learning rates, the discriminator's steps, and constants whose right size the data decide."""
    schedule = recipe.schedule
    knobs = [
        Knob((f"schedule.{player}.learning_rate",), (getattr(schedule, player).learning_rate,), 1 / RATES, RATES)
        for player in ("discriminator", "generator")
    ]
    steps = schedule.discriminator_steps
    knobs.append(Knob(("schedule.discriminator_steps",), (steps,), 1, max(MOST_STEPS, steps), plain=True))
    found: dict[str, Any] = {}
    for pick in recipe.regularizers:
        if option := _CONSTANTS.get(pick.name):
            found[f"regularizers.{pick.name}.{option}"] = options("regularizers", pick)[option]
    for path in list(found):
        if path in found:
            paths = tuple(one for one in (path, _TIED.get(path, "")) if one in found)
            knobs.append(Knob(paths, tuple(found.pop(one) for one in paths), 1 / CONSTANTS, CONSTANTS))
    if recipe.loss.name in _LOSSES:
        option, low, high = _LOSSES[recipe.loss.name]
        knobs.append(Knob((f"loss.{option}",), (float(options("loss", recipe.loss)[option]),), low, high, plain=True))
    return tuple(knobs)


def required() -> None:
    """Makes sure that there is a sampler to search with.

    Raises:
        Unusable: The extra is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise Unusable("--tune needs the extra: pip install 'ganwise[search]'") from None


class Proposals:
    """The settings of one candidate, one after another. The same results bring the same proposals."""

    def __init__(self, entrant: Entrant) -> None:
        import optuna

        self.recipe, self.knobs = entrant.recipe, space(entrant.recipe)
        sampler = optuna.samplers.TPESampler(n_startup_trials=RANDOM, seed=zlib.crc32(entrant.name.encode()))
        with _quiet():
            self.study = optuna.create_study(sampler=sampler)
        self.trial: optuna.trial.Trial | None = None
        self.count = 0

    def ask(self) -> dict[str, Value]:
        """What to change next; the first time nothing."""
        from optuna.distributions import FloatDistribution, IntDistribution

        places: dict[str, Any] = {}
        for knob in self.knobs:
            low, high = knob.low, knob.high
            places[knob.paths[0]] = (
                IntDistribution(int(low), int(high)) if knob.whole else FloatDistribution(low, high, log=not knob.plain)
            )
        if not self.count:
            self.study.enqueue_trial({knob.paths[0]: knob.own[0] if knob.plain else 1.0 for knob in self.knobs})
        self.trial = self.study.ask(fixed_distributions=places)
        self.count += 1
        if self.count == 1:
            return {}
        found: dict[str, Value] = {}
        for knob in self.knobs:
            found |= knob.set(self.trial.params[knob.paths[0]])
        return found

    def tell(self, look: Look | None) -> None:
        """What came of it: a run that is sick, or has no value, says only that it was tried."""
        from optuna.trial import TrialState

        assert self.trial is not None
        with _quiet():
            if (value := _value(look)) is None:
                self.study.tell(self.trial, state=TrialState.FAIL)
            else:
                self.study.tell(self.trial, value)


@contextmanager
def _quiet() -> Any:
    """Without a line a trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _value(look: Look | None) -> float | None:
    if look is None or look.value is None or not math.isfinite(look.value) or look.verdict in SICK:
        return None
    return look.value


class Tried(NamedTuple):
    """A setting and what came of it at the first rung: its value on validation, lower is better, and the doctor's verdict."""

    change: Mapping[str, Value]
    value: float | None
    verdict: str
    run: str


class OneRung(Plan):
    """One setting of each candidate, to the first rung."""

    __slots__ = ()

    @property
    def ladder(self) -> Ladder:
        names = tuple(entrant.name for entrant in self.entrants)
        return Ladder(names, 1, (Rung(SHARES[0], len(names)),))


class Round(Race):
    """Trains one setting of each candidate to the first rung: by the seed of searches, and never near the test part."""

    def _job(self, entrant: Entrant, seed: int) -> dict[str, Any]:
        return super()._job(entrant, SEED)

    def _unscored(self) -> list[Task]:
        return []


@dataclass
class _Open:
    """An engine that stays open between rounds; whoever made it closes it."""

    engine: Engine
    slots: int

    def start(self, task: Task) -> None:
        self.engine.start(task)

    def finished(self, timeout: float) -> list[Ended]:
        return self.engine.finished(timeout)

    def stop(self, number: int, task: Task | None = None) -> None:
        self.engine.stop(number, task)

    def close(self) -> None:
        pass


class Tuned(NamedTuple):
    """The plan with the settings that were chosen, the signal that ended the search (0 for none), and what `tune.json` says."""

    plan: Plan
    stopped: int
    told: Mapping[str, Any]

    def note(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """A race's result with what the search changed, gained and cost."""
        found, kept = self.told["candidates"], ("change", "value", "before")
        rows = [
            row | {"tuned": {name: one[name] for name in kept} if (one := found.get(row["recipe"])) else None}
            for row in result["ranking"]
        ]
        cost = {name: round(spent + self.told["cost"].get(name, 0), 2) for name, spent in result["cost"].items()}
        return {**result, "ranking": rows, "cost": cost, "tune": self.told}


@dataclass
class Search:
    """A search under way in ``out``/tune."""

    plan: Plan
    data: Dataset
    out: Path
    device: str
    clock: Clock
    engine: Engine
    say: Callable[[str], None]
    tried: dict[str, list[Tried]] = field(default_factory=dict, init=False)

    def go(self) -> Tuned:
        """Tries the settings of all candidates that were not tuned yet. All that is there already is read, not repeated."""
        before = read_json(self.out / "tune.json")["candidates"] if (self.out / "tune.json").is_file() else {}
        new = [entrant for entrant in self.plan.entrants if entrant.name not in before]
        asking = {entrant.name: Proposals(entrant) for entrant in new}
        self.tried = {entrant.name: [] for entrant in new}
        stopped = 0
        for number in range(self.plan.tune if new else 0):
            settings = {entrant: asking[entrant.name].ask() for entrant in new}
            if stopped := self._round(number, settings, asking):
                break
            self.say(f"search: {number + 1} of {self.plan.tune} settings of each candidate tried")
        found = before | ({} if stopped else {entrant.name: _best(entrant, self.tried[entrant.name]) for entrant in new})
        told = {"format": 1, "settings": self.plan.tune, "share": SHARES[0], "seed": SEED, "cost": self._cost()}
        told |= {"metric": ranking_metric(self.data.kind), "candidates": found}
        if not stopped:
            write_json(self.out / "tune.json", told)
        chosen = {entrant.name: entrant.recipe for entrant in self.plan.entrants}
        chosen |= {name: from_data(one["recipe"]) for name, one in found.items() if name in chosen}
        return Tuned(self.plan._replace(entrants=tuple(Entrant(*one) for one in chosen.items())), stopped, told)

    def _round(self, number: int, settings: Mapping[Entrant, dict[str, Value]], asking: Mapping[str, Proposals]) -> int:
        entrants = tuple(Entrant(f"{e.name}-t{number}", _changed(e, changes)) for e, changes in settings.items())
        plan = OneRung(*self.plan._replace(entrants=entrants, seeds=1))
        round_ = Round(
            plan,
            self.data.kind,
            self.out / "tune",
            self.out / "data",
            self.device,
            self._clock(number, len(entrants)),
            _Open(self.engine, self.engine.slots),
            lambda running: None,  # who watches a race looks for its runs, not for these
        )
        for tried in entrants:
            _only(tried.recipe, round_.run(tried.name, 0))
        if stopped := round_.go():
            return stopped
        for (entrant, changes), tried in zip(settings.items(), entrants, strict=True):
            run = round_.run(tried.name, 0)
            look = dict(known(run, plan.limit, plan.ladder, round_.metric)).get(0)
            asking[entrant.name].tell(look)
            verdict = look.verdict if look else "unknown"
            self.tried[entrant.name].append(Tried(changes, look.value if look else None, verdict, run.path.name))
        return 0

    def _clock(self, number: int, count: int) -> Clock:
        """A round gets its part of the wall's time; the rounds after it and the whole ladder are still to come."""
        if not self.clock.rungs or self.plan.seconds is None:
            return Clock()
        one = self.plan.seconds_a_round(count)
        rest = (self.plan.tune - number - 1) * one + sum(self.clock.rungs) + self.clock.scoring
        return self.clock._replace(rungs=(one,), scoring=rest)

    def _cost(self) -> dict[str, float]:
        told = [RunDirectory(path.parent).read() for path in sorted((self.out / "tune" / "runs").glob("*/run.json"))]
        return {name: round(sum(one.get(name, 0) for one in told), 2) for name in ("seconds", "images", "steps", "flops")}


def _only(recipe: Recipe, run: RunDirectory) -> None:
    """Takes a run of another setting away. What is proposed rests on the results before, and these may be others than last time:
    what broke off was tried again, the budget has grown, or optuna is of another version.
    """
    if run.run.is_file() and from_data(run.read()["job"]["recipe"]) != recipe:
        shutil.rmtree(run.path)


def _changed(entrant: Entrant, changes: Mapping[str, Value]) -> Recipe:
    recipe = change(entrant.recipe, changes) if changes else entrant.recipe
    check(recipe)
    return recipe


def _best(entrant: Entrant, tried: Sequence[Tried]) -> dict[str, Any]:
    """The setting that was best on validation; the recipe as it is where none was healthy, or better by more than chance."""
    able = [one for one in tried if one.verdict not in SICK and one.value is not None and math.isfinite(one.value)]
    best = min(able, key=lambda one: one.value or 0.0, default=tried[0])
    if tried[0] in able and (best.value or 0.0) > (own := tried[0].value or 0.0) - GAIN * abs(own):
        best = tried[0]
    asked, recipe = (one.model_dump(mode="json") for one in (entrant.recipe, _changed(entrant, best.change)))
    said = {"change": dict(best.change), "value": best.value, "before": tried[0].value}
    return {"asked": asked, "recipe": recipe, **said, "tried": [one._asdict() for one in tried]}


def _number(value: float | None) -> str:
    return "sick" if value is None else f"{value:.4g}"


def tune(
    plan: Plan,
    data: Dataset,
    out: Path,
    device: str,
    clock: Clock,
    engine: Engine,
    say: Callable[[str], None] = lambda line: None,
) -> Tuned:
    """Searches ``plan.tune`` settings of every candidate in ``out``/tune, or reads those that were searched before.

    Raises:
        Unusable: The extra is not installed.
    """
    required()
    if not (out / "data" / "dataset.json").is_file():
        save(data, out / "data")
    tuned = Search(plan, data, out, device, clock, engine, say).go()
    for name, one in tuned.told["candidates"].items():
        what = ", ".join(f"{path}={value}" for path, value in one["change"].items()) or "as it is"
        say(f"{name}: {what} ({_number(one['before'])} before, {_number(one['value'])} now, on validation)")
    return tuned
