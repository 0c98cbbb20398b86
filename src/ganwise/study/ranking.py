"""What came of a race: the ranking as race.json has it, who left when and why, and whom to recommend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganwise.artifacts import RunDirectory, read_json
from ganwise.metrics import ranking_metric
from ganwise.study import statistics
from ganwise.study.halving import SHARES, Decision, Ladder
from ganwise.study.plan import Entrant
from ganwise.types import SICK, Kind

VERDICTS = ("unknown", "healthy", "warning", "failing", "failed")
NORMAL = 1.96
"""Standard errors in half of a 95 % interval."""
COSTS = ("seconds", "images", "steps", "flops")


class Outcome(NamedTuple):
    """What became of one candidate. Of ``runs`` those that were healed stand in the place of their parents."""

    entrant: Entrant
    runs: list[RunDirectory]
    told: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    verdict: str

    @property
    def error(self) -> str | None:
        """The last words of a run that broke off."""
        pairs = zip(self.runs, self.told, strict=True)
        return next((f"{run.path.name}: {told['broken']}" for run, told in pairs if "broken" in told), None)

    @property
    def cost(self) -> dict[str, float]:
        """Means over the runs that were begun."""
        begun = [told for told in self.told if "steps" in told]
        found = {name: _mean([told.get(name, 0.0) for told in begun]) for name in COSTS}
        return found | {"seconds_to_best": _mean([told.get("best", {}).get("seconds", 0.0) for told in begun])}


def rank(
    out: Path,
    entrants: Sequence[Entrant],
    kind: Kind,
    stopped: int = 0,
    ladder: Ladder | None = None,
    decided: Decision | None = None,
) -> dict[str, Any]:
    """The ranking of the runs in ``out``: healthy candidates by their score on the test part, then those that left before it, by
    the rung that they reached and their order there on validation, and the sick ones, which can't win.

    Of a race that is ``decided`` only the finalists have scores: a candidate may have left that was one before the race went on.
    ``stopped`` is the signal that interrupted the race, 0 for none.
    """
    metric = ranking_metric(kind)
    outcomes = [_measured(outcome(out, entrant), decided) for entrant in entrants]
    scored = [o for o in outcomes if any(s["metric"] == metric for s in o.scores)]
    healthy = [o for o in scored if o.verdict not in SICK]
    others = sorted((o for o in outcomes if o not in scored), key=lambda o: _order(o, decided))
    rows = _standings(healthy, metric, 0)
    rows += [_row(o, None, len(rows) + 1 + i) for i, o in enumerate(o for o in others if o.verdict not in SICK)]
    rows += _standings([o for o in scored if o not in healthy], metric, len(rows))
    rows += [_row(o, None, len(rows) + 1 + i) for i, o in enumerate(o for o in others if o.verdict in SICK)]
    leader = rows[0] if healthy else None
    unscored = [o.entrant.name for o in outcomes if o.verdict not in SICK and _due(o, decided)]
    if ladder and decided:
        rows = [row | _way(row["recipe"], ladder, decided) for row in rows]
    return {
        "ranking": rows,
        "metric": metric,
        "winner": leader["recipe"] if leader and len(healthy) > 1 and not (leader["tied_with"] or unscored) else None,
        "recommended": _recommended(leader, rows, metric) if leader else None if stopped else _unmeasured(rows, outcomes),
        "unscored": unscored,
        "undecided": _undecided(healthy, metric),
        "interrupted": stopped != 0,
        "signal": stopped,
        "ladder": _ladder(ladder, decided) if ladder and decided else [],
        "cost": _total(outcomes),
        "out": str(out),
    }


def outcome(out: Path, entrant: Entrant) -> Outcome:
    """What the directories of a candidate's runs tell."""
    found = [RunDirectory.open(path.parent) for path in sorted((out / "runs").glob(f"{entrant.name}-s*/run.json"))]
    pairs = [(run, told) for run in found if (told := run.read())["name"] == entrant.name and "healed" not in told]
    scores = [s | {"seed": run.read()["seed"]} for run in counted(pairs) for s in _scores(run)]
    verdicts = [read_json(run.doctor)["verdict"] for run, _ in pairs if run.doctor.is_file()]
    worst = max(verdicts, key=VERDICTS.index, default="unknown")
    return Outcome(entrant, [run for run, _ in pairs], [told for _, told in pairs], scores, worst)


def counted(runs: Sequence[tuple[RunDirectory, Mapping[str, Any]]]) -> list[RunDirectory]:
    """Those, of the runs of a candidate and what is told of each, that trained as long as the race has it: what broke off, or was
    not begun in time, counts only where nothing else has a model.
    """
    whole = [run for run, told in runs if not {"broken", "closed"} & told.keys() and run.model.is_file()]
    return whole or [run for run, _ in runs]


def _measured(one: Outcome, decided: Decision | None) -> Outcome:
    """Without scores, if the race is decided and it is no finalist. What an earlier race has measured stands until then."""
    return one._replace(scores=[]) if decided and decided.done and one.entrant.name not in decided.finalists else one


def _due(one: Outcome, decided: Decision | None) -> bool:
    """Whether a finalist has a run that was to be scored, and was not."""
    runs = counted(list(zip(one.runs, one.told, strict=True)))
    final = decided is not None and one.entrant.name in decided.finalists
    return final and any(run.model.is_file() and not run.scores.is_file() for run in runs)


def _unmeasured(rows: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> str | None:
    """Where no healthy candidate has a score: the first that has a model and did not break off, in the order of the ranking."""
    pairs = {o.entrant.name: zip(o.runs, o.told, strict=True) for o in outcomes if o.verdict not in SICK}
    able = {name for name, runs in pairs.items() if any(run.model.is_file() and _seen(told) for run, told in runs)}
    return next((row["recipe"] for row in rows if row["recipe"] in able), None)


def _seen(told: Mapping[str, Any]) -> bool:
    """Whether a run was looked at where it ended, and had a value. One may also break off after that, when it is scored."""
    last = next(reversed(told.get("looks", [])), None)
    return last is not None and math.isfinite(float(last["value"])) and ("broken" not in told or last["rung"] == SHARES[-1])


def _scores(run: RunDirectory) -> list[dict[str, Any]]:
    """Those of a run that are numbers: of what has diverged some are not."""
    scores = read_json(run.scores)["scores"] if run.scores.is_file() else []
    scores = [s | {side: float(s[side]) for side in ("value", "low", "high")} for s in scores]
    return [s for s in scores if math.isfinite(s["value"])]


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 2) if values else 0.0


def _total(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Of all runs together; what a sick run had cost is counted by the healed one."""
    return {name: round(sum(told.get(name, 0.0) for o in outcomes for told in o.told), 2) for name in COSTS}


def _order(one: Outcome, decided: Decision | None) -> tuple[int, float, int]:
    """Those that left late stand before those that left early, each rung in its order; then whoever broke off."""
    cuts = decided.cuts if decided else ()
    for number, cut in reversed(list(enumerate(cuts))):
        names = [name for name, _ in cut.order]
        if one.entrant.name in names:
            return -number, names.index(one.entrant.name), 0
    return 1, 0.0, bool(one.error)


def _standings(group: Sequence[Outcome], metric: str, before: int) -> list[dict[str, Any]]:
    if not group:
        return []
    mine = _scored(group, metric)
    standings = statistics.rank(*_compared(mine), samples=_samples(mine), seeds=_seeds(mine))
    found = {o.entrant.name: o for o in group}
    return [_row(found[s.name], s, before + s.rank, before) for s in standings]


def _undecided(group: Sequence[Outcome], metric: str) -> dict[str, Any] | None:
    """What would settle who wins, where that is open."""
    if len(group) < 2:
        return None
    mine, seconds = _scored(group, metric), {o.entrant.name: o.cost["seconds"] for o in group}
    open_still = statistics.settle(*_compared(mine), seconds, samples=_samples(mine), seeds=_seeds(mine))
    return open_still._asdict() | {"pair": list(open_still.pair)} if open_still else None


def _scored(group: Sequence[Outcome], metric: str) -> dict[str, list[dict[str, Any]]]:
    return {o.entrant.name: [s for s in o.scores if s["metric"] == metric] for o in group}


def _samples(mine: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[float]]:
    """Standard errors of the scores from their samples; none where the interval is no number."""
    errors = {name: [(s["high"] - s["low"]) / 2 / NORMAL for s in scores] for name, scores in mine.items()}
    return {name: [error if math.isfinite(error) else 0.0 for error in each] for name, each in errors.items()}


def _seeds(mine: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[int]]:
    return {name: [s["seed"] for s in scores] for name, scores in mine.items()}


def _compared(mine: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[dict[str, list[float]], bool, float]:
    """Values, whether lower is better, and the size of score that the test samples can't tell from zero."""
    every = [s for scores in mine.values() for s in scores]
    halves = [half for s in every if math.isfinite(half := (s["high"] - s["low"]) / 2)]
    values = {name: [float(s["value"]) for s in scores] for name, scores in mine.items()}
    return values, every[0]["direction"] == "lower", float(np.median(halves or [0.0])) + 1e-12


def _row(one: Outcome, standing: statistics.Standing | None, rank: int, before: int = 0) -> dict[str, Any]:
    return {
        "recipe": one.entrant.name,
        "rank": rank,
        "rank_low": before + standing.rank_low if standing else None,
        "rank_high": before + standing.rank_high if standing else None,
        "tied_with": list(standing.tied_with) if standing else [],
        "interval": {"mean": standing.mean, "low": standing.low, "high": standing.high} if standing else None,
        "summary": summary(one.scores),
        "scores": one.scores,
        "seeds": sorted({s["seed"] for s in one.scores}),
        "cost": one.cost,
        "verdict": one.verdict,
        "error": one.error,
        "short": [f"{run.path.name} {words}" for run, told in zip(one.runs, one.told, strict=True) if (words := _short(told))],
        "looks": [look for told in one.told for look in _looks(told)],
        "healed": [_healing(run, told) for run, told in zip(one.runs, one.told, strict=True) if "lineage" in told],
        "runs": [str(run.path) for run in one.runs],
    }


def summary(scores: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Each metric's mean over the seeds."""
    metrics = dict.fromkeys(s["metric"] for s in scores)
    return {m: float(np.mean([s["value"] for s in scores if s["metric"] == m])) for m in metrics}


def _short(told: Mapping[str, Any]) -> str | None:
    """What a run got of its share, where that was less for want of time."""
    share = told.get("job", {}).get("limit", {}).get("seconds")
    last = next(reversed(told.get("looks", [])), None)  # what was short before was made up for since
    cut = told.get("closed") or (last["rung"] if last and last["short"] else None)
    if "broken" in told or not cut or not share:
        return None
    return f"got {told['seconds']:.0f} of its {share * cut:.0f} s" if last else "was not begun"


def _looks(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    kept = ("rung", "value", "verdict", "findings", "short")
    return [{"seed": told["seed"], **{name: look[name] for name in kept}} for look in told.get("looks", [])]


def _healing(run: RunDirectory, told: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("problem", "change", "from_step", "because")
    parent = Path(told["lineage"]["parent"]).name
    return {"seed": told.get("seed"), "parent": parent, "run": run.path.name} | {name: told["lineage"][name] for name in kept}


def _way(name: str, ladder: Ladder, decided: Decision) -> dict[str, Any]:
    """How far a candidate came: the share of its budget at the last rung that it was admitted to, and why it left."""
    left = next((one for one in decided.left if one.name == name), None)
    reached = [number for number, cut in enumerate(decided.cuts) if name in dict(cut.order)]
    number = left.rung if left else min(max(reached, default=-1) + (not decided.done), len(ladder.rungs) - 1)
    told = None
    if left:
        cut = decided.cuts[left.rung]
        told = {"rung": ladder.rungs[left.rung].share, "place": left.place, "of": len(cut.order), "why": left.why}
    return {
        "rung": ladder.rungs[number].share,
        "left": told,
        "protected": any(name in cut.protected for cut in decided.cuts),
    }


def _ladder(ladder: Ladder, decided: Decision) -> list[dict[str, Any]]:
    found = []
    for number, rung in enumerate(ladder.rungs):
        cut = decided.cuts[number] if number < len(decided.cuts) else None
        order = [{"recipe": name, "mean_log": value} for name, value in cut.order] if cut else []
        after = {"order": order, "on": list(cut.on) if cut else [], "protected": list(cut.protected) if cut else []}
        found.append(rung._asdict() | after)
    return found


def _recommended(leader: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], metric: str) -> str:
    """The cheapest of the best: tied with the leader, and so close that the leader's own score can't tell them apart.

    With two or three seeds a tie alone is weak evidence, so a tied candidate has to lie within the interval that the leader's
    test samples give, and to reach its best checkpoint in four fifths of the leader's time or less.
    """
    scores = [s for s in leader["scores"] if s["metric"] == metric]
    low, high = (float(np.mean([s[side] for s in scores])) for side in ("low", "high"))
    cheap = 0.8 * leader["cost"]["seconds_to_best"]
    near = [r for r in rows if r["recipe"] in leader["tied_with"] and low <= r["summary"][metric] <= high]
    cheaper = [r for r in near if r["cost"]["seconds_to_best"] <= cheap]
    best: Mapping[str, Any] = min(cheaper, key=lambda r: float(r["cost"]["seconds_to_best"]), default=leader)
    return str(best["recipe"])
