"""What would be tried next: what is undecided, what was healed, what left sick, who was not raced."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ganwise.doctor.meaning import in_words, options
from ganwise.report.gather import Candidate, Json, Study, number
from ganwise.report.words import plural
from ganwise.types import SICK

MOST, MOST_SICK = 6, 2
MANY_SEEDS = 30
"""More seeds than anybody would pay for."""


class Idea(NamedTuple):
    """What to try, why, and the command; empty where there is none."""

    what: str
    because: str
    command: str = ""


def ideas(study: Study) -> list[Idea]:
    """In the order of how likely they change the answer; none of a single run."""
    if study.single or not study.candidates:
        return []
    found = chain(_interrupted(study), _undecided(study), _longer(study), _healed(study), _sick(study), _unraced(study))
    return list(islice(found, MOST))


def _race(study: Study, *options: str, joined: str = "") -> str:
    """The command that goes on with this race."""
    source, out = str(study.request.get("source") or "DATA"), str(study.result.get("out") or study.folder)
    return shlex.join(["ganwise", "race", source, *filter(None, [joined]), "--out", out, "--resume", *options])


def _interrupted(study: Study) -> Iterator[Idea]:
    if study.interrupted:
        yield Idea("Go on", "the race was interrupted; nothing that is finished is done again", _race(study))


def _undecided(study: Study) -> Iterator[Idea]:
    told: Json = study.result.get("undecided") or {}
    pair = " from ".join(str(name) for name in told.get("pair") or [])
    more, seconds = number(told.get("more_seeds")), number(told.get("more_seconds"))
    if not pair:
        return
    if more is None or more > MANY_SEEDS:
        many = "no number of seeds" if more is None else f"only {more:,.0f} seeds more each, too many to pay for,"
        yield Idea(f"Leave {pair.replace(' from ', ' and ')} tied", f"{many} would tell them apart: choose by cost or by eye")
        return
    time = f", some {seconds:,.0f} s of training together" if seconds else ""
    seeds = int(number(study.plan.get("seeds")) or 0) + int(more)
    because = f"{plural(int(more), 'seed')} more each{time}, would likely do, if the difference is as large as it looks"
    yield Idea(f"Tell {pair}", because, _race(study, "--seeds", str(seeds)))


def _longer(study: Study) -> Iterator[Idea]:
    """Where the best checkpoint is the last one, more training may well be better."""
    best = study.recommended
    runs = [run for run in best.runs if run.told.get("best") and run.told.get("steps")] if best else []
    last = [run for run in runs if float(run.told["best"].get("step", 0)) >= 0.99 * float(run.told["steps"])]
    budget = str(study.request.get("budget") or "")
    if best and runs and 2 * len(last) > len(runs) and budget:
        twice = re.sub(r"\d+(\.\d+)?", lambda found: f"{2 * float(found[0]):g}", budget, count=1)
        how = f"{len(last)} of its {plural(len(runs), 'run')} were best at their very end"
        yield Idea(f"Train {best.name} longer", how, _race(study, "--budget", twice))


def _healed(study: Study) -> Iterator[Idea]:
    for candidate in study.candidates:
        runs = {run.id: run for run in candidate.runs}
        for told in candidate.row.get("healed") or []:
            run = runs.get(str(told.get("run")))
            if run is None or run.verdict in SICK:
                continue
            change = shlex.join(options(told.get("change") or {}))
            recipe = Path(str(study.result.get("out") or study.folder)) / "runs" / str(told["run"]) / "recipe.json"
            because = f"{change} healed it of {str(told.get('problem')).replace('_', ' ')}: from the start it may do better"
            joined = f"{candidate.name}-healed={recipe}"
            yield Idea(f"Enter {candidate.name} as it was healed", because, _race(study, joined=joined))
            break


def _sick(study: Study) -> Iterator[Idea]:
    found = [idea for candidate in study.candidates if candidate.sick and (idea := _remedy(study, candidate))]
    yield from found[:MOST_SICK]


def _remedy(study: Study, candidate: Candidate) -> Idea | None:
    """The first remedy of the worst finding, where no run of the candidate was healed by one."""
    findings = [(run, f) for run in candidate.runs for f in run.diagnosis.get("findings", []) if f.get("severity") in SICK]
    findings = [(run, f) for run, f in findings if f.get("remedies")]
    if not findings or candidate.row.get("healed"):
        return None
    run, finding = findings[0]
    remedy = finding["remedies"][0]
    out = Path(str(study.result.get("out") or study.folder))
    problem = str(finding.get("problem")).replace("_", " ")
    because = f"{problem}: {in_words(remedy['change'])}, since {remedy['because']}"
    return Idea(f"Heal {candidate.name}", because, shlex.join(["ganwise", "doctor", str(out / "runs" / run.id), "--heal"]))


def _unraced(study: Study) -> Iterator[Idea]:
    raced = {candidate.name for candidate in study.candidates}
    for told in study.advice.get("candidates", []):
        if told.get("name") not in raced:
            first: Json = next(iter(told.get("reasons") or []), {})
            because = f"number {told.get('rank')} of the short list was not raced"
            because += f": {first['because']}" if first.get("because") else ""
            yield Idea(f"Let {told['name']} join", because, _race(study, joined=str(told["name"])))
            return
