"""Copies of the training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from ganwise.doctor import remedies
from ganwise.doctor.series import judged, lasting, smoothed
from ganwise.doctor.thresholds import COPIES, COPYING
from ganwise.doctor.traits import Traits
from ganwise.types import Finding, Record, Score, Verdict


def memorization(records: Sequence[Record], traits: Traits) -> Finding | None:
    """Fakes whose nearest training sample is nearer than that of held-out samples."""
    values = smoothed(judged(records, traits, "near"))
    grades: tuple[tuple[float, Verdict], ...] = ((COPIES / 2, "failing"), (COPIES, "warning"))
    for limit, severity in grades:
        since = lasting(values, limit)
        if since is not None:
            now = median(v for s, v in values if s >= since)
            evidence = f"the nearest training sample is {now:.2f} times as far away as for a held-out one since step {since:,}"
            return _finding(traits, severity, since, f"{evidence} (limit {limit})")
    return None


def copies(scores: Mapping[str, Score], traits: Traits, step: int) -> Finding | None:
    """Both signs are asked for: blurred samples are near to every image, and few test images make the other one noisy."""
    if not {"memorization", "novelty"} <= set(scores) or scores["novelty"].features != "pixels[0,1]":
        return None
    near, new = scores["memorization"].value, scores["novelty"].value
    if max(near, new) >= COPYING:
        return None
    evidence = f"the nearest training image is {near:.2f} times as far away as for a test image, and {new:.2f} times when the "
    evidence += f"nearest test image is taken into account ({scores['novelty'].protocol})"
    return _finding(traits, "failing" if max(near, new) < COPIES else "warning", step, evidence)


def _finding(traits: Traits, severity: Verdict, since: int, evidence: str) -> Finding:
    cures = remedies.prescribe(traits.recipe, *remedies.original(traits))
    return Finding("memorization", severity, since, evidence, cures, ("karras2020ada",))
