"""The doctor's page of one run, ours or anybody's: what was seen, why it matters, what to do, and what if nothing is done."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ganwise.artifacts import RunDirectory, write_bytes
from ganwise.doctor import Diagnosis, prescribe
from ganwise.doctor.gather import Log
from ganwise.doctor.meaning import MEANINGS, Meaning, headline, in_order, in_words, options
from ganwise.doctor.slips import slip
from ganwise.doctor.stop import Advice
from ganwise.doctor.traits import Traits
from ganwise.report import grids, looks, words
from ganwise.report.curves import Plot
from ganwise.report.gather import Run
from ganwise.report.grids import Picture
from ganwise.report.shots import caption, shots
from ganwise.report.sources import Sources
from ganwise.types import Finding, Remedy, Unusable

PAGE = "doctor.html"
"""Beside a run of ours."""


class Step(NamedTuple):
    """One remedy: what to type, or in words where there is nothing to type."""

    command: str
    words: str
    because: str
    sources: tuple[str, ...]


class Case(NamedTuple):
    """All that the page says of one finding."""

    finding: Finding
    meaning: Meaning
    plots: list[Plot]
    pictures: list[tuple[str, Picture]]
    steps: list[Step]


def pictures(log: Log, since: int) -> list[dict[str, Any]]:
    """The ``pictures`` of a finding's JSON: of a run of ours the grids around the alarm, with their files; of others none."""
    found = shots(RunDirectory(Path(log.path)), since) if log.recipe else []
    return [{"name": shot.name, "step": shot.step, "path": str(shot.path)} for shot in found]


def first(diagnosis: Diagnosis, log: Log) -> Remedy | None:
    """What comes before the findings' own remedies: settings of a sick run of ours that no recipe of the catalog comes near."""
    if log.recipe is None or not diagnosis.findings or (odd := slip(log.recipe)) is None:
        return None
    return next(iter(prescribe(log.recipe, odd)), None)


def steps(remedies: Sequence[Remedy], run: Run | None) -> list[Step]:
    """The remedies in their order, as commands for a run of ours."""
    again = words.train_again(run) if run and run.told.get("steps") and run.told.get("data") else ""
    return [Step(_command(again, one) if run else "", in_words(one.change), one.because, one.sources) for one in remedies]


def _command(again: str, remedy: Remedy) -> str:
    changes = shlex.join(options(remedy.change))
    return f"{again} {changes}" if again else changes


def context(diagnosis: Diagnosis, log: Log, stop: Advice) -> dict[str, Any]:
    """What the template shows."""
    path = Path(log.path)
    run = Run(RunDirectory.open(path), RunDirectory.open(path).read()) if log.recipe else None
    traits = Traits.of(log.recipe, False, log.loss, log.coarse)
    return {
        "headline": headline(diagnosis.verdict, diagnosis.findings),
        "diagnosis": diagnosis,
        "log": log,
        "stop": stop,
        "run": run,
        "first": steps([odd], run)[0] if (odd := first(diagnosis, log)) else None,
        "heal": shlex.join(["ganwise", "doctor", log.path, "--heal"]) if run else "",
        "cases": [_case(finding, log, run, traits) for finding in in_order(diagnosis.findings)],
        "overview": [] if diagnosis.findings else looks.overview(log.records, traits),
        "not_judged": [_gap(text) for text in diagnosis.not_judged],
        "last": log.records[-1].step if log.records else 0,
        "sources": Sources(),
        "sentence": _sentence,
        "points": run is not None and len(run.told.get("data", {}).get("shape", (1, 1, 1))) != 3,
    }


def _case(finding: Finding, log: Log, run: Run | None, traits: Traits) -> Case:
    shape = tuple(run.told.get("data", {}).get("shape", ())) if run else ()
    found = shots(run.folder, finding.since_step) if run else []
    made = [(caption(s), grids.picture(s.path, grids.SMALL, shape if len(shape) == 3 else None, crop=True)) for s in found]
    drawn = [(caption, picture) for caption, picture in made if picture]
    curves = looks.plots(finding, log.records, traits)
    return Case(finding, MEANINGS[finding.problem], curves, drawn, steps(finding.remedies, run))


def _sentence(text: str) -> str:
    """Evidence that begins a line; the names of metrics and signals keep their own spelling."""
    first, space, rest = text.partition(" ")
    first = first.upper() if first in ("fid", "kid") else first if "_" in first else first[:1].upper() + first[1:]
    return f"{first}{space}{rest}"


def _gap(text: str) -> tuple[str, str]:
    """A problem's name for people, and for lack of what it could not be judged."""
    problem, _, lack = text.partition(": ")
    return next((m.name for name, m in MEANINGS.items() if name == problem), problem), lack


def render(diagnosis: Diagnosis, log: Log, stop: Advice) -> str:
    """The page's text; everything in it is escaped."""
    from ganwise.report import environment

    return environment().get_template("clinic.html.j2").render(context(diagnosis, log, stop))


def write(path: Path, diagnosis: Diagnosis, log: Log, stop: Advice) -> Path:
    """Writes the page, all or nothing; returns where.

    Raises:
        Unusable: It can't be written there.
    """
    try:
        write_bytes(path, render(diagnosis, log, stop).encode(errors="replace"))
    except OSError as error:
        raise Unusable(f"--page {path}: can't be written: {error.strerror}; name another file") from None
    return path


def beside(diagnosis: Diagnosis, log: Log, stop: Advice) -> Path | None:
    """Writes the page into the directory of a run of ours; None for anybody else's log and on a disk that is read only."""
    if log.recipe is None:
        return None
    with suppress(Unusable):
        return write(Path(log.path) / PAGE, diagnosis, log, stop)
    return None
