"""Everything that the template shows, in its order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ganwise import doctor, knowledge
from ganwise.artifacts import to_json
from ganwise.doctor.meaning import MEANINGS, options
from ganwise.report import grids, scales, words
from ganwise.report.curves import Line, Plot, plot
from ganwise.report.gather import Candidate, Run, Study, number
from ganwise.report.grids import Picture

PALETTE = 8
OTHER_POINTS = 120
STRIP = 8


class Sources:
    """Numbers the sources in the order in which the page names them, so that its list, at the end, is complete."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def numbers(self, keys: Iterable[str] | None) -> list[int]:
        unique = list(dict.fromkeys(str(key) for key in keys or ()))
        self.keys += [key for key in unique if key not in self.keys]
        return [self.keys.index(key) + 1 for key in unique]

    def listed(self) -> list[tuple[str, str | None]]:
        """Reference and address; a key of an unknown bibliography stands for itself."""
        known = knowledge.sources()
        return [_reference(known[key]) if key in known else (key, None) for key in self.keys]


def _reference(source: knowledge.Source) -> tuple[str, str | None]:
    """The line without its address, which stands behind it as a link."""
    if "eprint" in source.fields:
        number = source.fields["eprint"]
        return source.line.removesuffix(f" arXiv:{number}."), f"https://arxiv.org/abs/{number}"
    found = re.search(r"https://\S+[^\s.]", source.line)
    return (source.line.replace(found[0], "").rstrip(" .,") + ".", found[0]) if found else (source.line, None)


class Sheet(NamedTuple):
    """Samples of one candidate, or of one more of its runs."""

    name: str
    note: str
    verdict: str
    picture: Picture | None


class Samples(NamedTuple):
    """Real beside generated, how the generated ones came to be, and everybody else's."""

    who: str
    note: str
    real: Picture | None
    fake: Picture | None
    strip: list[tuple[str, Picture]]
    others: list[Sheet]
    more: list[Sheet]


def samples(study: Study) -> Samples:
    featured = study.featured
    run = featured.shown if featured else None
    shape = _shape(study)
    others = [_sheet(c, c.shown, c.name, shape) for c in study.candidates if c is not featured]
    again = [
        _sheet(c, r, f"{c.name}, seed {r.seed}", shape)
        for c in study.candidates
        for r in c.runs
        if r is not c.shown and r is not run
    ]
    if featured is None or run is None:
        return Samples(featured.name if featured else "", "", _real(study, shape), None, [], others, again)
    fake = run.folder.grid if run.folder.grid.is_file() else run.strip[-1]
    large = grids.picture(fake, grids.LARGE, shape)
    return Samples(featured.name, _note(featured, run), _real(study, shape), large, _strip(run, shape), others, again)


def _shape(study: Study) -> tuple[int, ...] | None:
    if study.points:
        return None
    found = next((r.told["data"]["shape"] for r in study.runs if r.told.get("data", {}).get("shape")), None)
    return tuple(found or study.audit.get("shape") or (1, 1, 1))


def _real(study: Study, shape: tuple[int, ...] | None) -> Picture | None:
    path = next((r.folder.real_grid for r in study.runs if r.folder.real_grid.is_file()), None)
    return grids.picture(path, grids.LARGE, shape) if path else None


def _sheet(candidate: Candidate, run: Run | None, name: str, shape: tuple[int, ...] | None) -> Sheet:
    if run is None:
        return Sheet(name, "no samples were drawn", candidate.verdict, None)
    path = run.folder.grid if run.folder.grid.is_file() else run.strip[-1] if run.strip else run.folder.grid
    verdict = run.verdict if run.diagnosis else candidate.verdict
    return Sheet(name, _note(candidate, run), verdict, grids.picture(path, grids.SMALL, shape, crop=True))


def _note(candidate: Candidate, run: Run) -> str:
    """The run's own score: a grid shows one run, not the candidate's mean."""
    what = words.metric(candidate.metric)
    value = next((s.get("value") for s in run.scores if s.get("metric") == candidate.metric), None)
    seed = f"seed {run.seed}"
    return f"{seed}, not scored" if value is None else f"{seed}, {what.label} {words.figure(value, what.times)}"


def _strip(run: Run, shape: tuple[int, ...] | None) -> list[tuple[str, Picture]]:
    paths = run.strip
    if len(paths) > STRIP:  # evenly spaced, with the first and the last
        paths = [paths[round(i * (len(paths) - 1) / (STRIP - 1))] for i in range(STRIP)]
    made = [(_step(p.stem), grids.picture(p, grids.STRIP, shape, crop=True)) for p in paths]
    return [(step, one) for step, one in made if one is not None]


def _step(stem: str) -> str:
    return f"step {int(stem):,}" if stem.isdigit() else stem


def palette(study: Study) -> dict[str, int]:
    return {c.name: i % PALETTE for i, c in enumerate(study.candidates)}


def progress(study: Study) -> Plot | None:
    """The validation metric of every run against computing time."""
    colors, best, what = palette(study), study.recommended, words.metric(study.metric)
    lines = []
    for candidate in study.candidates:
        runs = [(run, _checks(run, study.metric)) for run in candidate.runs]
        longest = max((points[-1][0] for _, points in runs if points), default=0)
        for run, points in runs:
            last = bool(points) and points[-1][0] == longest
            strong = best is not None and candidate.name == best.name
            lines.append(Line(run.name, colors[run.name], points, dots=True, strong=strong, label=last))
    unit = "GPU" if any(str(r.told.get("device", "")).startswith("cuda") for r in study.runs) else "CPU"
    return plot(f"{what.label} on validation", lines, f"{unit} seconds of training", times=what.times, tall=True)


def _checks(run: Run, metric: str) -> list[tuple[float, float]]:
    pairs = [(number(row["seconds"]), number(row.get(metric))) for row in run.checks]
    return [(x, y) for x, y in pairs if x is not None and y is not None]


PANELS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Losses", (("loss_d", "discriminator"), ("loss_g", "generator"))),
    ("Spread of the samples, real = 1", (("spread", "generated"),)),
    ("Discriminator's accuracy", (("accuracy_real", "on real"), ("accuracy_fake", "on generated"))),
    ("Gradient norms", (("grad_d", "discriminator"), ("grad_g", "generator"))),
    ("BEGAN's controller k", (("k", "k"),)),
    ("BEGAN's convergence measure M", (("m_global", "M"), ("M_global", "M"))),
)
"""What is drawn of one run: the title, and the signals with their names."""


def panels(run: Run | None, smooth: bool = True) -> list[Plot]:
    made = [_panel(run, title, signals, smooth) for title, signals in PANELS] if run else []
    return [one for one in made if one is not None]


def _panel(run: Run, title: str, signals: Sequence[tuple[str, str]], smooth: bool) -> Plot | None:
    lines = []
    for color, (signal, name) in enumerate(signals):
        points = [(float(r.step), r.signals[signal]) for r in run.records if signal in r.signals]
        kept = points if smooth else points[:: max(1, len(points) // OTHER_POINTS)]
        lines.append(Line(name, color, kept, smooth=smooth, label=len(signals) > 1 and bool(points)))
    rules = [("collapsed", doctor.COLLAPSED)] if signals[0][0] == "spread" else []
    return plot(title, lines, "steps", rules=rules)


class Case(NamedTuple):
    """What the doctor said alike about runs of one candidate: ``seen`` holds the runs, each with its evidence."""

    name: str
    verdict: str
    finding: dict[str, Any] | None
    seen: list[tuple[Run, str]]
    note: str


def cases(study: Study) -> list[Case]:
    """What was found first, in the order of the ranking. Runs of a candidate that got the same remedies share a case."""
    merged: dict[tuple[str, str, str], Case] = {}
    for candidate in study.candidates:
        for case in (c for run in candidate.runs for c in _cases_of(candidate, run)):
            finding = case.finding or {}
            key = (case.name, case.verdict + case.note, to_json([finding.get("problem"), finding.get("remedies")]))
            merged.setdefault(key, case._replace(seen=[])).seen.extend(case.seen)
    return sorted(merged.values(), key=lambda case: case.finding is None and case.verdict != "broke off")


def _cases_of(candidate: Candidate, run: Run) -> list[Case]:
    said, name = run.diagnosis, candidate.name
    if run.status == "running" and candidate.row.get("error"):
        return [Case(name, "broke off", None, [(run, str(candidate.row["error"]))], "")]
    if not said.get("findings"):
        not_judged = "; ".join(str(n) for n in said.get("not_judged", []))
        return [Case(name, run.verdict if said else run.status, None, [(run, "")], not_judged)]
    return [Case(name, str(f.get("severity")), f, [(run, _evidence(f))], "") for f in said["findings"]]


def _evidence(finding: dict[str, Any]) -> str:
    return f"since step {int(finding.get('since_step', 0)):,}: {finding.get('evidence', '')}"


def shortlist(study: Study) -> list[dict[str, Any]]:
    """The short list with its reasons, and what of it was raced."""
    raced = {c.name for c in study.candidates}
    return [{**c, "raced": c.get("name") in raced} for c in study.advice.get("candidates", [])]


def problems(study: Study) -> list[list[dict[str, Any]]]:
    """What the audit found, in groups that one fix is for: corrupt files come in dozens."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for found in study.audit.get("problems") or []:
        groups.setdefault((str(found.get("severity")), str(found.get("fix"))), []).append(found)
    return list(groups.values())


def questions(study: Study) -> list[dict[str, Any]]:
    """The four questions, each with its reasons: (rule, what it says)."""
    return [{**q, "reasons": q.get("reasons") or [("", q.get("because", ""))]} for q in study.advice.get("questions", [])]


def entered(study: Study) -> list[str]:
    """Raced candidates that selection did not name: entered by hand."""
    named = {c.get("name") for c in study.advice.get("candidates", [])}
    return [c.name for c in study.candidates if c.name not in named] if study.advice else []


def protocol(study: Study) -> list[tuple[str, str]]:
    """One line a metric: by what features, and how it was measured."""
    rows = [s for c in study.candidates for s in c.scores]
    pairs = ((words.metric(str(s.get("metric"))).label, f"{s.get('features', '')}: {s.get('protocol', '')}") for s in rows)
    return list(dict.fromkeys(pairs))


def conditions(study: Study) -> list[tuple[str, str]]:
    """What the numbers depend on besides."""
    told = next((r.told for r in study.runs if r.told.get("versions")), {})
    plan, request = study.plan, study.request
    versions = ", ".join(f"{name} {version}" for name, version in told.get("versions", {}).items())
    seeds = sorted({run.seed for run in study.runs})
    said = {
        "Budget": str(request.get("budget") or plan.get("budget") or ""),
        "For each run": _share(study),
        "Seeds": ", ".join(str(s) for s in seeds),
        "At the same time": words.plural(int(plan["workers"]), "run") if plan.get("workers") else "",
        "Device": ", ".join(str(told[k]) for k in ("device", "precision") if told.get(k)),
        "Threads": str(told.get("threads", "")),
        "Versions": versions,
        "Data": str(request.get("source") or told.get("data", {}).get("source", "")),
        "Data, SHA-256": str(request.get("content") or told.get("data", {}).get("content", "")),
        "Model, SHA-256": _model(study),
        "Parameters": ", ".join(f"{v:,} {k}" for k, v in told.get("parameters", {}).items()) if study.single else "",
    }
    return [(name, text) for name, text in said.items() if text]


def _share(study: Study) -> str:
    seconds, images = number(study.plan.get("seconds")), number(study.plan.get("images"))
    if images:
        return f"{images:,.0f} images"
    return f"{seconds:.0f} seconds of computing, at most" if seconds else ""


def _model(study: Study) -> str:
    best = study.recommended
    run = best.shown if best else None
    return f"{run.told['model_sha256']} ({run.id})" if run and run.told.get("model_sha256") else ""


def context(study: Study) -> dict[str, Any]:
    featured = study.featured
    shown = (featured.shown or next(iter(featured.runs), None)) if featured else None
    others = [run for run in study.runs if run is not shown]
    return {
        "study": study,
        "verdict": words.verdict(study),
        "featured": featured,
        "shown": shown,
        "measures": scales.measures(featured) if featured else [],
        "samples": samples(study),
        "standings": scales.standings(study),
        "palette": palette(study),
        "progress": progress(study),
        "panels": panels(shown),
        "other_panels": [(run.id, made) for run in others if (made := panels(run, smooth=False))],
        "cases": cases(study),
        "data": words.data(study.audit),
        "problems": problems(study),
        "questions": questions(study),
        "candidates": shortlist(study),
        "entered": entered(study),
        "protocol": protocol(study),
        "conditions": conditions(study),
        "commands": words.again(study, shown),
        "sources": Sources(),
        "meanings": MEANINGS,
        "options": lambda change: shlex.join(options(change)),
        "figure": words.figure,
        "metric": words.metric,
        "interval": scales.interval,
        "plural": words.plural,
    }
