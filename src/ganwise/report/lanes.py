"""The race as one picture: how far each run came, which rungs it stood on, where it left and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ganwise.report.curves import Tick
from ganwise.report.gather import Candidate, Json, Run, Study, number
from ganwise.report.words import metric
from ganwise.types import SICK

UNITS = (("seconds", "seconds of training"), ("images", "images"), ("flops", "operations"))


class Track(NamedTuple):
    """One run: how far it came, in percent of a whole run's budget, whether it ended sick, and where it was healed."""

    end: float
    sick: bool
    healed: float | None


class Place(NamedTuple):
    """Where a candidate stood in the order of a rung."""

    at: float
    place: int
    on: bool


class Lane(NamedTuple):
    """One candidate: its runs, its places, and what became of it. ``fate`` is final, rank, sick, broken or open."""

    name: str
    color: int
    fate: str
    why: str
    tracks: list[Track]
    places: list[Place]
    says: str


class Course(NamedTuple):
    """The whole race: ``rungs`` with their shares of a run's budget, of which a whole one is ``whole``."""

    lanes: list[Lane]
    rungs: list[Tick]
    whole: str


def course(study: Study, palette: Mapping[str, int]) -> Course | None:
    """None of a race without a ladder, and of a single run."""
    rungs = _rungs(study)
    if not rungs:
        return None
    lanes = [_lane(candidate, palette[candidate.name], rungs) for candidate in study.candidates]
    shares = [number(rung.get("share")) or 0.0 for rung in rungs]
    return Course(lanes, [Tick(f"{share:.0%}", 100 * share) for share in shares], whole(study))


def _rungs(study: Study) -> list[Json]:
    """As they were decided; of a race that was killed as they were planned."""
    return list(study.result.get("ladder") or study.plan.get("ladder") or [])


def whole(study: Study) -> str:
    """What a run to the end may spend, in words."""
    found = [(amount, name) for unit, name in UNITS if (amount := number(study.plan.get(unit)))]
    if not found:
        return ""
    amount, name = found[0]
    return f"{amount:.2g} {name}" if amount >= 1e9 else f"{amount:,.0f} {name}" if amount >= 100 else f"{amount:.1f} {name}"


def _lane(candidate: Candidate, color: int, rungs: list[Json]) -> Lane:
    tracks = [_track(candidate, run) for run in candidate.runs]
    places = [place for rung in rungs if (place := _place(candidate.name, rung)) is not None]
    fate = str(candidate.left.get("why") or ("final" if candidate.scores else "open"))
    fate = "sick" if fate == "final" and candidate.sick else fate
    why = _why(candidate, fate)
    reached = max((track.end for track in tracks), default=0.0)
    where = ", ".join(f"{place.place} at {place.at:.0f} %" for place in places)
    says = f"{candidate.name}: {why}; trained to {reached:.0f} %{'; place ' + where if where else ''}"
    return Lane(candidate.name, color, fate, why, tracks, places, says)


def _place(name: str, rung: Json) -> Place | None:
    names = [str(one.get("recipe")) for one in rung.get("order") or []]
    if name not in names:
        return None
    return Place(round(100 * (number(rung.get("share")) or 0.0), 1), names.index(name) + 1, name in (rung.get("on") or []))


def _track(candidate: Candidate, run: Run) -> Track:
    parent = next((one for one in candidate.parents if one.told.get("healed") == run.id), None)
    looks = parent.told.get("looks") or [] if parent else []
    healed = number(looks[-1].get("rung")) if looks else None
    return Track(round(100 * _share(run), 1), run.verdict in SICK, None if healed is None else round(100 * healed, 1))


def _share(run: Run) -> float:
    """Of its budget: what it has spent, a sick parent's share with it."""
    limit: Mapping[str, Any] = run.told.get("job", {}).get("limit", {})
    for unit, _ in UNITS:
        if allowed := number(limit.get(unit)):
            return min(1.0, (number(run.told.get(unit)) or 0.0) / allowed)
    return 0.0


def _why(candidate: Candidate, fate: str) -> str:
    left = candidate.left
    share = f"{number(left.get('rung')) or 0.0:.0%}"
    said = {
        "final": "in the final",
        "open": "not scored",
        "sick": f"sick at {share}" if left else "sick in the end",
        "broken": f"broke off by {share}",
        "rank": f"left at {share}, place {left.get('place')} of {left.get('of')}",
    }.get(fate, fate)
    sick = [p.replace("_", " ") for look in candidate.row.get("looks") or [] for p in look.get("findings") or []]
    if fate == "rank" and candidate.sick:
        said += f"; sick{': ' if sick else ''}{', '.join(dict.fromkeys(sick))}"
    if fate == "sick" and sick:
        said += f": {', '.join(dict.fromkeys(sick))}"
    if candidate.row.get("protected"):
        said += "; kept once as a late bloomer"
    if healed := candidate.row.get("healed"):
        said += f"; healed of {', '.join(dict.fromkeys(str(h.get('problem')).replace('_', ' ') for h in healed))}"
    return said


class Leaver(NamedTuple):
    """Who left before the test part: ``score`` is the mean over seeds on validation, at the rung where it left."""

    candidate: Candidate
    rung: str
    place: str
    score: float | None
    why: str


def leavers(study: Study) -> list[Leaver]:
    return [_leaver(study, candidate) for candidate in study.leavers]


def _leaver(study: Study, candidate: Candidate) -> Leaver:
    left = candidate.left
    rung, place = f"{number(left.get('rung')) or 0.0:.0%}", f"{left.get('place')} of {left.get('of')}"
    return Leaver(candidate, rung, place, validated(study, candidate), _why(candidate, str(left.get("why"))))


def validated(study: Study, candidate: Candidate) -> float | None:
    """The mean over seeds on validation at the last rung that was decided, as the ladder compares: of logarithms."""
    found = None
    for rung in _rungs(study):
        for one in rung.get("order") or []:
            if one.get("recipe") == candidate.name:
                found = number(one.get("mean_log"))
    return None if found is None or not metric(study.metric).lower else math.exp(found)
