"""Everything that the template shows, in its order."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from ganwise import doctor
from ganwise.doctor.meaning import MEANINGS, options
from ganwise.report import costs, forward, grids, lanes, scales, words
from ganwise.report.cases import cases
from ganwise.report.curves import Line, Plot, plot
from ganwise.report.gather import Candidate, Run, Study, number
from ganwise.report.grids import Picture
from ganwise.report.sources import Sources

PALETTE, GRAY = 8, 6
"""Colors of the style, and which of them is gray."""
OTHER_POINTS = 120
STRIP = 8
FEW = 6
"""Candidates up to which all are named at the ends of their curves."""
NEIGHBORS = "neighbors.png"
"""Written when a race ends: samples, and below each the nearest training image."""


class Sheet(NamedTuple):
    """Samples of one candidate, or of one more of its runs."""

    name: str
    note: str
    verdict: str
    picture: Picture | None


class Samples(NamedTuple):
    """Real beside generated, how the generated ones came to be, all candidates side by side, and the training images that are
    nearest to the generated ones."""

    who: str
    note: str
    real: Picture | None
    fake: Picture | None
    strip: list[tuple[str, Picture]]
    others: list[Sheet]
    more: list[Sheet]
    neighbors: Picture | None


def samples(study: Study) -> Samples:
    featured = study.featured
    run = featured.shown if featured else None
    shape = _shape(study)
    others = [] if study.single else [_sheet(c, c.shown, c.name, shape) for c in study.candidates]
    near = grids.picture(study.folder / NEIGHBORS, grids.LARGE, shape)
    again = [
        _sheet(c, r, f"{c.name}, seed {r.seed}", shape)
        for c in study.candidates
        for r in c.runs
        if r is not c.shown and r is not run
    ]
    if featured is None or run is None:
        return Samples(featured.name if featured else "", "", _real(study, shape), None, [], others, again, near)
    fake = run.folder.grid if run.folder.grid.is_file() else run.strip[-1]
    large = grids.picture(fake, grids.LARGE, shape)
    return Samples(featured.name, _note(featured, run), _real(study, shape), large, _strip(run, shape), others, again, near)


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
    if value is None and candidate.left:
        return f"{seed}, left at {number(candidate.left.get('rung')) or 0.0:.0%}"
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
    """A color for each candidate, finalists first; where colors run out all others are gray."""
    ordered = [c.name for c in (*study.finalists, *study.leavers)]
    colors = [color for color in range(PALETTE) if color != GRAY or len(ordered) <= PALETTE]
    return {name: colors[i] if i < len(colors) else GRAY for i, name in enumerate(ordered)}


def legend(colors: dict[str, int]) -> list[tuple[str, int]]:
    """The names beside their colors; those that share the gray one are counted."""
    shared = [name for name, color in colors.items() if color == GRAY]
    named = [(name, color) for name, color in colors.items() if color != GRAY or len(shared) == 1]
    return named + [(words.plural(len(shared), "other"), GRAY)] * (len(shared) > 1)


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
            named = last and (len(study.candidates) <= FEW or not candidate.left)
            lines.append(Line(run.name, colors[run.name], points, dots=True, strong=strong, label=named))
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
        "legend": legend(palette(study)),
        "ranged": any(c.row.get("rank_low") != c.row.get("rank_high") for c in study.candidates),
        "progress": progress(study),
        "course": lanes.course(study, palette(study)),
        "leavers": lanes.leavers(study),
        "scatter": costs.scatter(study, palette(study)),
        "costs": costs.costs(study),
        "ideas": forward.ideas(study),
        "panels": panels(shown),
        "other_panels": [(run.id, made) for run in others if (made := panels(run, smooth=False))],
        "cases": cases(study, _shape(study)),
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
