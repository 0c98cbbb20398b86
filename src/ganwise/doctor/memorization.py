"""Copies of the training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganwise.doctor import remedies
from ganwise.doctor.series import judged, lasting, level, smoothed
from ganwise.doctor.thresholds import BLURRED, COPIED, COPIES, COPYING
from ganwise.doctor.traits import Traits
from ganwise.types import Finding, Record, Score, Verdict


def memorization(records: Sequence[Record], traits: Traits) -> Finding | None:
    """Fakes nearer to training samples than to held-out ones, which blur does not make. ``near`` has to agree for the worse."""
    new, near = judged(records, traits, "novel"), dict(judged(records, traits, "near"))
    both = [(step, max(value, near.get(step, value))) for step, value in new]
    grades: tuple[tuple[list[tuple[int, float]], float, Verdict], ...] = ((both, COPIES, "failing"), (new, COPYING, "warning"))
    for values, limit, severity in grades:
        since = lasting(smoothed(values), limit, share_only=True)
        if since is not None:
            now = level(values, since)
            evidence = f"fakes are {now:.2f} times as far from training samples as from held-out ones since step {since:,}"
            return _finding(traits, severity, since, f"{evidence} (limit {limit})")
    return None


def repeats(memorization: float, novelty: float, limit: float) -> bool:
    """Whether samples with these scores (`ganwise.metrics.neighbors.copying`) repeat training samples, and are not just blurred.

    What copies is near to one seen sample and to nothing else: both scores fall alike. What is blurred is near to everything:
    memorization falls far, and novelty a little, since of two sets the larger one holds the nearer neighbor of the middle.
    """
    alike = novelty < COPIED or memorization > BLURRED * novelty
    return memorization < limit and novelty < limit and alike  # NaN is neither


def copies(scores: Mapping[str, Score], traits: Traits, step: int) -> Finding | None:
    """Copies that the scores of the finished model show."""
    if not {"memorization", "novelty"} <= set(scores) or scores["novelty"].features != "pixels[0,1]":
        return None
    near, new = scores["memorization"].value, scores["novelty"].value
    if not repeats(near, new, COPYING):
        return None
    evidence = f"the nearest training image is {near:.2f} times as far away as for a test image, and {new:.2f} times when the "
    evidence += f"nearest test image is taken into account ({scores['novelty'].protocol})"
    return _finding(traits, "failing" if repeats(near, new, COPIES) else "warning", step, evidence)


def _finding(traits: Traits, severity: Verdict, since: int, evidence: str) -> Finding:
    cures = remedies.prescribe(traits.recipe, *remedies.original(traits))
    return Finding("memorization", severity, since, evidence, cures, ("karras2020ada",))
