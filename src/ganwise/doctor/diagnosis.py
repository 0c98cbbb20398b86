"""All detectors together: from records and scores to a verdict, and what could not be judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ganwise.doctor.balance import imbalance
from ganwise.doctor.diversity import mode_collapse, prototypes
from ganwise.doctor.gradients import vanishing_gradient
from ganwise.doctor.meaning import told
from ganwise.doctor.memorization import copies, memorization
from ganwise.doctor.progress import METRICS, non_convergence
from ganwise.doctor.series import opened, series, warmed_up
from ganwise.doctor.stability import instability, not_finite
from ganwise.doctor.thresholds import WINDOW_RECORDS
from ganwise.doctor.traits import Traits
from ganwise.recipe import Recipe
from ganwise.types import Finding, Problem, Record, Score, Verdict

Detector = Callable[[Sequence[Record], Traits], Finding | None]


class Watch(NamedTuple):
    """A detector, the signals of which it needs at least one, and the step from which it reads them."""

    problem: Problem
    reads: tuple[str, ...]
    start: Callable[[Sequence[Record], Traits], int]
    detect: Detector


def _at_once(records: Sequence[Record], traits: Traits) -> int:
    return 0


WATCHES: tuple[Watch, ...] = (
    Watch("not_finite", (), _at_once, not_finite),
    Watch("vanishing_gradient", ("grad_g", "grad_d", "saturated"), warmed_up, vanishing_gradient),
    Watch("mode_collapse", ("spread", "spread_features", "coverage"), opened, mode_collapse),
    Watch("imbalance", ("loss_d", "accuracy_real", "accuracy_fake", "prob_real", "k", "sign_real"), warmed_up, imbalance),
    Watch("instability", ("grad_d", "grad_g", "loss_d", "sigma_d", "sigma_g", "update_d", "update_g"), warmed_up, instability),
    Watch("non_convergence", (*METRICS, "score_real", "score_fake", "loss_d", "loss_g", "m_global"), warmed_up, non_convergence),
    Watch("memorization", ("novel",), warmed_up, memorization),
)


class Diagnosis(NamedTuple):
    """``unknown`` says that too little was recorded to call the run healthy."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    not_judged: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        findings = [
            {**one._asdict(), "remedies": [{**r._asdict(), "change": dict(r.change)} for r in one.remedies], **told(one.problem)}
            for one in self.findings
        ]
        return {"verdict": self.verdict, "findings": findings, "not_judged": list(self.not_judged)}


def diagnose(
    records: Sequence[Record],
    recipe: Recipe | None = None,
    scores: Sequence[Score] = (),
    *,
    running: bool = False,
    loss: str | None = None,
    coarse: bool = False,
) -> Diagnosis:
    """What is wrong with a run, so far as its records and scores tell.

    ``loss`` names a loss of the catalog where there is no recipe; without either nothing is assumed about it. Of a ``running``
    run it is only a warning that its samples have not become diverse yet. ``coarse`` records count something other than updates.
    """
    traits = Traits.of(recipe, running, loss, coarse)
    findings = tuple(found for watch in WATCHES if (found := watch.detect(records, traits)))
    measured = {score.metric: score for score in scores}
    findings += examine(measured, traits, records[-1].step if records else 0)
    gaps = {watch.problem: gap for watch in WATCHES if (gap := _gap(watch, records, traits, measured))}
    not_judged = tuple(f"{problem}: {gap}" for problem, gap in gaps.items())
    return Diagnosis(_verdict(findings, len(gaps)), findings, not_judged)


def _verdict(findings: Sequence[Finding], gaps: int) -> Verdict:
    """The worst finding. Finite numbers alone prove no health, so that a run judged on nothing else is unknown."""
    severities = {finding.severity for finding in findings}
    for worst in ("failed", "failing", "warning"):
        if worst in severities:
            return worst
    return "unknown" if gaps >= len(WATCHES) - 1 else "healthy"


def _gap(watch: Watch, records: Sequence[Record], traits: Traits, scores: Mapping[str, Score]) -> str | None:
    """Why a problem can't be judged; None where it can."""
    if not watch.reads:
        return None if any(record.signals for record in records) else "nothing is recorded"
    if watch.problem == "memorization" and {"memorization", "novelty"} <= set(scores):
        return None
    start = watch.start(records, traits)
    counts = [sum(step >= start for step, _ in series(records, name)) for name in watch.reads]
    if max(counts) >= WINDOW_RECORDS:
        return None
    where = f" from step {start:,} on" if start else ""
    return f"fewer than {WINDOW_RECORDS} records{where} hold {' or '.join(watch.reads)}"


def examine(scores: Mapping[str, Score], traits: Traits, step: int) -> tuple[Finding, ...]:
    """What only the scores of the finished model show: a few perfect prototypes, or copies of the training images."""
    return tuple(found for look in (prototypes, copies) if (found := look(scores, traits, step)))
