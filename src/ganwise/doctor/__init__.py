"""Diagnosis of a run from its records: pure detectors, each with its thresholds, their origin, and remedies for the recipe.

`diagnosis` puts the detectors together (`gradients`, `diversity`, `balance`, `stability`, `progress`, `memorization`),
`thresholds` holds every number, `traits` what a loss's name tells, `remedies` the changes to the recipe, `readers` anybody's
logs, `stop` when to end.
"""

from ganwise.doctor.diagnosis import WATCHES, Detector, Diagnosis, Watch, diagnose, examine
from ganwise.doctor.memorization import repeats
from ganwise.doctor.remedies import prescribe
from ganwise.doctor.series import Series, lasting, opened, series, warmed_up
from ganwise.doctor.thresholds import COLLAPSED, COPIES, COPYING, NARROW
from ganwise.doctor.traits import KINDS, Traits, kind

__all__ = [
    "COLLAPSED",
    "COPIES",
    "COPYING",
    "KINDS",
    "NARROW",
    "WATCHES",
    "Detector",
    "Diagnosis",
    "Series",
    "Traits",
    "Watch",
    "diagnose",
    "examine",
    "kind",
    "lasting",
    "opened",
    "prescribe",
    "repeats",
    "series",
    "warmed_up",
]
