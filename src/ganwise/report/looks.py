"""The curves that show a finding: which signals tell of which problem, and where the doctor draws its lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from ganwise.doctor import thresholds as limits
from ganwise.doctor.balance import leads
from ganwise.doctor.series import Series, judged, series
from ganwise.doctor.stability import unrest
from ganwise.doctor.traits import Traits
from ganwise.report.curves import Line, Plot, axis, plot
from ganwise.types import Finding, Problem, Record

MOST = 3
"""Plots of one finding."""
SMOOTHED = 100
"""Points from which on medians are drawn over a line."""
SHOWN = 9999.0
"""Largest ratio that is drawn, and that the evidence names."""
BEYOND = 1e-12
"""Least value of a ratio on a logarithmic axis."""
Rules = Callable[[Sequence[Series]], list[tuple[str, float]]]


class Look(NamedTuple):
    """One plot: signals with their names, the thresholds, and the words of the evidence that it is the picture of.

    ``derive`` makes its lines where they are not recorded as such.
    """

    title: str
    signals: tuple[tuple[str, str], ...] = ()
    rules: Rules = lambda lines: []
    cues: tuple[str, ...] = ()
    derive: Callable[[Sequence[Record], Traits], Series] | None = None
    log: bool | None = None


def _at(*rules: tuple[str, float]) -> Rules:
    return lambda lines: list(rules)


def _early(values: Series) -> float | None:
    early = [abs(value) for step, value in values if step <= limits.EARLY_SHARE * values[-1][0]]
    return median(early) if len(early) >= limits.EARLY_RECORDS else None


def _of_early(word: str, share: float, least: float = 0.0) -> Rules:
    """A share of the early median of each line."""
    return lambda lines: [(word, max(share * early, least)) for line in lines if line and (early := _early(line)) is not None]


def _of_best(lines: Sequence[Series]) -> list[tuple[str, float]]:
    best = min((value for line in lines for _, value in line), default=0.0)
    return [(f"{limits.LAST:g} × best", limits.LAST * best)]


def _of_most(lines: Sequence[Series]) -> list[tuple[str, float]]:
    best = max((value for line in lines for _, value in line), default=0.0)
    return [("half of its best", limits.DROPPED * best)]


def _ratio(above: str, below: str) -> Callable[[Sequence[Record], Traits], Series]:
    def derive(records: Sequence[Record], traits: Traits) -> Series:
        under = dict(series(records, below))
        return [(step, max(value / under[step], BEYOND)) for step, value in series(records, above) if under.get(step, 0) > 0]

    return derive


def _unrest(records: Sequence[Record], traits: Traits) -> Series:
    return unrest(judged(records, traits, "loss_d"))


def _leads(records: Sequence[Record], traits: Traits) -> Series:
    return [(step, min(value, SHOWN)) for step, value in leads(records, traits)]


def _size(records: Sequence[Record], traits: Traits) -> Series:
    return [(step, abs(value)) for step, value in series(records, "loss_d")]


LOSSES = Look("Losses", (("loss_d", "D"), ("loss_g", "G")), cues=("loss",))
TOO_STEEP = _at(("alarm above", limits.GRADIENT))
GRADIENTS = Look("Gradient norms", (("grad_d", "D"), ("grad_g", "G")), TOO_STEEP, ("gradient norm", "grad_"), log=True)
FADED = _of_early("failing below", limits.DEAD)
SILENT = _of_early("alarm below", limits.FLAT_CRITIC, limits.ROUNDING)
WON = _at(("has won", limits.SURE), ("blind", limits.BLIND))
SIGMAS = (("sigma_d", "D"), ("sigma_g", "G"))
EARLY = _at(("limit while it warms up", limits.LARGE))
ACCURACY = (("accuracy_real", "on real"), ("accuracy_fake", "on fakes"))
SPREAD = _at(("failing below", limits.COLLAPSED), ("warning", limits.NARROW))

LOOKS: dict[Problem, tuple[Look, ...]] = {
    "mode_collapse": (
        Look("Distance of two fakes, real = 1", (("spread", "fakes"),), SPREAD, ("real samples (",)),
        Look("Distance of two fakes in features, real = 1", (("spread_features", "fakes"),), SPREAD, ("in features",)),
        Look("Coverage of a small probe", (("coverage", "coverage"),), _of_most, ("coverage",)),
        LOSSES,
    ),
    "vanishing_gradient": (
        Look("Generator's gradient norm", (("grad_g", "G"),), FADED, ("generator's grad",), log=True),
        Look("D's gradient norm", (("grad_d", "D"),), FADED, ("discriminator's grad",), log=True),
        Look("Fakes where G's loss has no slope", (("saturated", "share"),), _at(("alarm above", limits.FLAT)), ("no slope",)),
        Look("Units never set off", (("dead_d", "D"), ("dead_g", "G")), _at(("alarm above", limits.UNITS)), ("set off",)),
        Look("Size of the critic's loss", (), SILENT, ("|loss|",), _size, True),
        Look("Discriminator's accuracy", ACCURACY, _at(("has won", limits.SURE))),
        LOSSES,
    ),
    "imbalance": (
        Look("G's loss over D's", (), _at(("alarm above", limits.LEAD)), ("times smaller",), _leads),
        Look("Discriminator's accuracy", ACCURACY, WON, ("is right on", "D sees")),
        Look("D's probability of real", (("prob_real", "real"), ("prob_fake", "fakes")), cues=("sure of both",)),
        Look("D's accuracy on real samples", (("accuracy_real", "trained"), ("accuracy_held", "held out")), cues=("held-out",)),
        Look("BEGAN's controller k", (("k", "k"),), cues=("k is at",)),
        Look("Mean sign on training images", (("sign_real", "sign"),), _at(("alarm above", limits.SIGNED)), ("mean sign",)),
        Look(
            "D's pace over G's",
            (),
            _at(("D races", limits.PACES), ("G races", 1 / limits.PACES)),
            ("weights move",),
            _ratio("update_d", "update_g"),
            True,
        ),
        LOSSES,
    ),
    "instability": (
        Look("Deviation of D's loss over its mean", (), _at(("failing above", limits.ERRATIC)), ("deviation",), _unrest),
        GRADIENTS,
        Look("Top singular values", SIGMAS, EARLY, ("singular value",)),
        Look(
            "Move of one update, share of weights",
            (("update_d", "D"), ("update_g", "G")),
            _at(("limit", limits.HASTY)),
            ("moves",),
        ),
        LOSSES,
    ),
    "non_convergence": (
        *(Look(name, ((signal, name),), _of_best, (signal,)) for signal, name in (("fid", "FID"), ("kid", "KID"))),
        Look("Sliced Wasserstein distance", (("sliced_wasserstein", "W"),), _of_best, ("sliced_w",)),
        Look("Scores", (("score_real", "real"), ("score_fake", "fakes")), cues=("score_",)),
        Look("BEGAN's measure M", (("m_global", "M"),), cues=("M_global",)),
        LOSSES,
    ),
    "not_finite": (LOSSES, GRADIENTS, Look("Scores", (("score_real", "real"), ("score_fake", "fakes")), cues=("score_",))),
    "memorization": (
        Look(
            "Distance to training samples over held-out ones",
            (("novel", "fakes"), ("near", "near")),
            _at(("warning below", limits.COPYING), ("failing", limits.COPIES)),
            ("from training samples",),
        ),
        Look("D's accuracy on real samples", (("accuracy_real", "trained"), ("accuracy_held", "held out"))),
        LOSSES,
    ),
}


OVERVIEW = (LOOKS["non_convergence"][0], LOOKS["non_convergence"][1], LOOKS["mode_collapse"][0], LOSSES)
"""What is shown of a run in which nothing was found."""


def plots(finding: Finding, records: Sequence[Record], traits: Traits) -> list[Plot]:
    """The curves of a finding, the one that its evidence speaks of first, with its thresholds and where the alarm begins."""
    looks = sorted(LOOKS[finding.problem], key=lambda look: not any(cue in finding.evidence for cue in look.cues))
    made = (_plot(look, finding.since_step, records, traits) for look in looks)
    return [one for one in made if one][:MOST]


def overview(records: Sequence[Record], traits: Traits) -> list[Plot]:
    """The curves of a run without a finding."""
    made = (_plot(look, None, records, traits) for look in OVERVIEW)
    return [one for one in made if one][:MOST]


def _plot(look: Look, since: int | None, records: Sequence[Record], traits: Traits) -> Plot | None:
    derived = [("", look.derive(records, traits))] if look.derive else []
    named = [
        (name, values) for name, values in [*derived, *((n, series(records, s)) for s, n in look.signals)] if len(values) > 1
    ]
    if not named:
        return None
    rules = look.rules([values for _, values in named])
    heights = [value for _, values in named for _, value in values] + [value for _, value in rules]
    positive = [value for value in heights if value > 0]
    high = look.log and positive and min(heights) >= 0 and max(positive) > 10 * min(positive)
    lines = [
        Line(name, color, [(float(step), value) for step, value in values], smooth=len(values) > SMOOTHED, label=len(named) > 1)
        for color, (name, values) in enumerate(named)
    ]
    scale = axis(heights, log=True if high else None)
    return plot(look.title, lines, "steps", y=scale, rules=rules, since=since)
