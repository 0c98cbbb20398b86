"""What the doctor said of the runs of a race, alike ones together, with what it saw of the sick ones."""

from __future__ import annotations

from typing import Any, NamedTuple

from ganwise.artifacts import to_json
from ganwise.doctor.traits import Traits
from ganwise.recipe import from_data
from ganwise.report import grids, looks
from ganwise.report.curves import Plot
from ganwise.report.gather import Candidate, Run, Study
from ganwise.report.grids import Picture
from ganwise.report.shots import caption, shots
from ganwise.types import SICK, Finding, Unusable

CURVES = 2
"""Plots of one case."""


class Case(NamedTuple):
    """What the doctor said alike about runs of one candidate: ``seen`` holds the runs, each with its evidence."""

    name: str
    verdict: str
    finding: dict[str, Any] | None
    seen: list[tuple[Run, str]]
    note: str = ""
    pictures: tuple[tuple[str, Picture], ...] = ()
    plots: tuple[Plot, ...] = ()


def cases(study: Study, shape: tuple[int, ...] | None) -> list[Case]:
    """What was found first, in the order of the ranking. Runs of a candidate that got the same remedies share a case."""
    merged: dict[tuple[str, str, str], Case] = {}
    for candidate in study.candidates:
        for case in (c for run in (*candidate.runs, *candidate.parents) for c in _cases_of(candidate, run)):
            finding = case.finding or {}
            key = (case.name, case.verdict + case.note, to_json([finding.get("problem"), finding.get("remedies")]))
            merged.setdefault(key, case._replace(seen=[])).seen.extend(case.seen)
    ordered = sorted(merged.values(), key=lambda case: case.finding is None and case.verdict != "broke off")
    return [_illustrated(case, shape) for case in ordered]


def _illustrated(case: Case, shape: tuple[int, ...] | None) -> Case:
    """Of a sick run what the doctor saw: samples around the alarm, and the curves that tell of it."""
    if case.finding is None or case.verdict not in SICK:
        return case
    run, since = case.seen[0][0], int(case.finding.get("since_step", 0))
    made = [(caption(shot), grids.picture(shot.path, grids.STRIP, shape, crop=True)) for shot in shots(run.folder, since)]
    return case._replace(pictures=tuple((text, one) for text, one in made if one), plots=tuple(_plots(run, case.finding)))


def _plots(run: Run, finding: dict[str, Any]) -> list[Plot]:
    if not run.told.get("recipe") or finding.get("problem") not in looks.LOOKS or len(run.records) < 2:
        return []
    told = (finding["problem"], finding.get("severity"), int(finding.get("since_step", 0)), str(finding.get("evidence", "")))
    try:
        traits = Traits.of(from_data(run.told["recipe"]))
    except Unusable:  # of another version: the words have to do
        return []
    return looks.plots(Finding(*told, remedies=(), sources=()), run.records, traits)[:CURVES]  # type: ignore[arg-type]


def _cases_of(candidate: Candidate, run: Run) -> list[Case]:
    said, name = run.diagnosis, candidate.name
    if "broken" in run.told:
        return [Case(name, "broke off", None, [(run, str(run.told["broken"]))])]
    if run.status == "running" and candidate.row.get("error"):
        return [Case(name, "broke off", None, [(run, str(candidate.row["error"]))])]
    if not said.get("findings"):
        not_judged = "; ".join(str(n) for n in said.get("not_judged", []))
        return [Case(name, run.verdict if said else run.status, None, [(run, "")], not_judged)]
    return [Case(name, str(f.get("severity")), f, [(run, _evidence(f))]) for f in said["findings"]]


def _evidence(finding: dict[str, Any]) -> str:
    return f"since step {int(finding.get('since_step', 0)):,}: {finding.get('evidence', '')}"
