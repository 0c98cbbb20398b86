"""The selection framework's worked application: its four questions asked here, its four GANs raced against our first choices."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from ganwise import machine
from ganwise.audit import audit
from ganwise.build import build
from ganwise.catalog.recipes import named
from ganwise.catalog.settings import adam, both, choice
from ganwise.data import Dataset, load
from ganwise.knowledge import rules
from ganwise.recipe import Choice, Recipe
from ganwise.reproduce import sets
from ganwise.reproduce.plots import COLORS, panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Interrupted, Row, Scale, Verdict, Work
from ganwise.select import Device, select
from ganwise.study import budget as budgets
from ganwise.study import plan as plans
from ganwise.study import race
from ganwise.study.plan import Entrant
from ganwise.train import train
from ganwise.types import Audit

WANT = ("diversity", "quality")
PAPERS = ("wgan-gp", "lsgan", "rsgan", "sngan")
"""The framework's answer to its second question."""
RELATIVES = {"rsgan": ("rasgan", "ralsgan", "rahinge")}
FRAMEWORK = "motwani2020selection"
MACHINES: dict[str, tuple[Device, float | None]] = {"a GPU": ("cuda", None), "a processor, ten minutes": ("cpu", 600.0)}
WITHOUT = "without the rules for which only the framework speaks"
LISTED = 8
BASELINE = "dcgan"
BUDGET, SEEDS = {"here": "images:360k", "paper": "images:30M"}, {"here": 2, "paper": 3}
PARTS = {"here": (5_000, 150, 300), "paper": (45_000, 5_000, 10_000)}
"""Training, validation and test images. A race on a processor can't afford to look at more than some hundreds."""
PENALTIES: dict[str, tuple[Choice, ...]] = {
    "none": (),
    "spectral normalization": (choice("spectral-norm"),),
    "gradient penalty": (choice("gradient-penalty", weight=10.0),),
}


def cells(experiment: str, scale: Scale) -> list[Cell]:
    made = [Cell("selection"), Cell("costs", {"steps": 1 if scale == "sample" else 6, "rounds": 1 if scale == "sample" else 3})]
    return made if scale == "sample" else [*made, Cell("race", {"budget": BUDGET[scale], "seeds": SEEDS[scale]})]


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    data = _data(work)
    if cell.name == "selection":
        return _selected(audit(data))
    if cell.name == "costs":
        return {"seconds": _costs(data, int(cell.options["steps"]), int(cell.options["rounds"]), work.device)}
    return _raced(cell, data, folder / "race", work)


def _data(work: Work, parts: tuple[int, int, int] = PARTS["paper"]) -> Dataset:
    """Without labels: none of the paper's four reads them, and with them SNGAN's conditional form takes its place."""
    if work.scale == "sample":
        return sets.colored_digits(900)
    whole = load(work.wanted)
    unlabeled = replace(whole, labels=np.full(len(whole), -1), classes=())
    return sets.divided(unlabeled, *parts, 50_000)


def _selected(seen: Audit) -> Row:
    """What selection answers on each machine, and whom it lists once the framework's own rules are left out."""
    found: Row = {}
    for name, (device, seconds) in MACHINES.items():
        advice = select(seen, WANT, device=device, seconds=seconds, limit=LISTED)
        found[name] = {
            "before": advice.before,
            "valid": advice.valid,
            "after": advice.after,
            "listed": [candidate.name for candidate in advice.candidates],
            "independent": independent(seen, device, seconds),
            "answers": [question.answer for question in advice.questions],
        }
    return {"machines": found}


def independent(seen: Audit, device: Device, seconds: float | None) -> list[str]:
    """The short list without the rules that no one but the framework speaks for: with them agreement would be no evidence."""
    advice = select(seen, WANT, device=device, seconds=seconds, limit=LISTED, without=alone())
    return [candidate.name for candidate in advice.candidates]


def alone() -> list[str]:
    """The rules for which only the framework speaks."""
    return [rule.name for rule in rules() if set(rule.sources) == {FRAMEWORK}]


def _costs(data: Dataset, steps: int, rounds: int, device: str) -> dict[str, float]:
    """Seconds a step of DCGAN's networks with five discriminator updates, by penalty: medians of interleaved rounds."""
    spent: dict[str, list[float]] = {name: [] for name in PENALTIES}
    for _ in range(rounds):
        for name, penalties in PENALTIES.items():
            schedule = both(adam(2e-4, 0.0, 0.9), discriminator_steps=5)
            recipe = Recipe(architecture=choice("dcgan"), loss=choice("hinge"), regularizers=penalties, schedule=schedule)
            gan = build(recipe, data.shape, device=device)
            gan.precision = machine.precision("auto", device, gan.generator)
            first, *_, last = train(gan, data, steps=steps + 1, every=1)
            spent[name].append((last.seconds - first.seconds) / steps)
    return {name: median(each) for name, each in spent.items()}


def entrants(listed: Sequence[Entrant]) -> tuple[Entrant, ...]:
    """The paper's four, the first of ours that is none of them, and the plain baseline."""
    known = {entrant.name: entrant for entrant in listed}
    ours = next(entrant for entrant in listed if entrant.name not in (*PAPERS, BASELINE))
    return tuple(known.get(name) or Entrant(name, named(name)) for name in (*PAPERS, ours.name, BASELINE))


def _raced(cell: Cell, data: Dataset, folder: Path, work: Work) -> Row:
    """A race can't go on: one that was stopped begins again. Selection sees all of ``data``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    device, seconds = MACHINES["a GPU" if work.device.startswith("cuda") else "a processor, ten minutes"]
    advice = select(audit(data), WANT, device=device, seconds=seconds, limit=LISTED)
    listed = entrants([Entrant(candidate.name, candidate.recipe) for candidate in advice.candidates])
    data = _data(work, PARTS[work.scale])
    budget, begun = budgets.parse(str(cell.options["budget"])), time.monotonic()
    plan = plans.plan(listed, data, budget, int(cell.options["seeds"]), work.device, begun, trim=False)._replace(workers=1)
    work.say(f"{len(listed)} candidates, {plan.seeds} seeds, {plan.images or 0:,} images each, n = {plan.n}")
    before = _spent()
    result = race.race(plan, data, budget, folder, work.device, lambda running: None, begun)
    if result["interrupted"]:
        work.stop.signal = int(result["signal"])
        raise Interrupted
    kept = ("recipe", "rank", "tied_with", "interval", "summary", "cost", "verdict", "error")
    rows = [
        {name: row[name] for name in kept} | {"kid": [s for s in row["scores"] if s["metric"] == "kid"]}
        for row in result["ranking"]
    ]
    return {"ranking": rows, "n": plan.n, "images": plan.images, "cpu_seconds": round(_spent() - before, 1)}


def _spent() -> float:
    """CPU seconds of this process and of those that it has begun: the trials."""
    return sum(os.times()[:4])


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    found = {row["cell"]: row for row in rows}
    if not {"selection", "costs"} <= found.keys():
        return Conclusion((), "unjudged", "selection or costs have not been measured")
    chosen = found["selection"]["machines"]
    ranking = found["race"]["ranking"] if "race" in found else []
    ours = [*_listed(chosen), *_ratios(found["costs"]["seconds"]), *standings(ranking)]
    kept = {name: (stay(each["listed"]), stay(each["independent"])) for name, each in chosen.items()}
    verdict = judge([independent for _, independent in kept.values()], found["costs"]["seconds"], ranking, scale)
    said = "; ".join(
        f"on {name} the short list keeps {every} of the paper's 4 losses, {few} {WITHOUT}" for name, (every, few) in kept.items()
    )
    return Conclusion(ours, verdict, f"{said}; {_race_said(ranking)}", _notes(chosen, ranking, found.get("race", {})))


def stay(listed: Sequence[str]) -> int:
    """How many of the paper's four are on a list, a relativistic GAN of averages for that of pairs.

    The paper itself puts relativism with least squares above relativism alone.
    """
    return sum(bool({name, *RELATIVES.get(name, ())} & set(listed)) for name in PAPERS)


def judge(kept: Sequence[int], seconds: dict[str, float], ranking: Sequence[Row], scale: Scale) -> Verdict:
    """Reproduced where all four are on every list, the normalization is the cheaper one and one of the four leads the race.

    The lists are those without the framework's own rules. A tie with the leader counts as leading. Close where three are on every
    list and the normalization is cheaper.
    """
    if scale == "sample" or not ranking:
        return "unjudged"
    cheaper = seconds["spectral normalization"] < seconds["gradient penalty"]
    if min(kept) == len(PAPERS) and cheaper and set(PAPERS) & leaders(ranking):
        return "reproduced"
    return "close" if min(kept) >= len(PAPERS) - 1 and cheaper else "not reproduced"


def leaders(ranking: Sequence[Row]) -> set[str]:
    """The first of a race and those who are tied with it."""
    return {ranking[0]["recipe"], *ranking[0]["tied_with"]}


def _listed(chosen: dict[str, Row]) -> list[Figure]:
    found = [
        Figure(f"of the paper's 4 losses on our short list of {len(each[key])}, {name}{how}", stay(each[key]))
        for name, each in chosen.items()
        for key, how in (("listed", ""), ("independent", f", {WITHOUT}"))
    ]
    each = next(iter(chosen.values()))
    words = {"before": "combinations of our catalog", "valid": "of them valid", "after": "left after the four questions"}
    return found + [Figure(f"{what} (our count)", each[key]) for key, what in words.items()]


def _ratios(seconds: dict[str, float]) -> list[Figure]:
    plain = seconds["none"]
    return [Figure(f"cost of a step with {name}, plain = 1", spent / plain) for name, spent in seconds.items() if name != "none"]


def standings(ranking: Sequence[Row]) -> list[Figure]:
    """KID of each candidate in thousandths, by rank, with the interval that the race ranks by."""
    found = []
    for row in (row for row in ranking if row["interval"]):
        mean, low, high = (None if end is None else 1000 * float(end) for end in row["interval"].values())
        found.append(Figure(f"KID x1000 of {row['recipe']} in the race", mean or 0.0, low, high, len(row["kid"])))
    return found


def _race_said(ranking: Sequence[Row]) -> str:
    if not ranking:
        return "no race was run"
    tied = sorted(leaders(ranking) - {ranking[0]["recipe"]})
    return f"in the race {ranking[0]['recipe']} came first" + (f", tied with {', '.join(tied)}" if tied else ", alone")


def _notes(chosen: dict[str, Row], ranking: Sequence[Row], raced: Row) -> list[str]:
    notes = []
    for name, each in chosen.items():
        notes.append(f"{name}: listed are {', '.join(each['listed'])}; {WITHOUT}: {', '.join(each['independent'])}")
    answers = next(iter(chosen.values()))["answers"]
    notes += [f"question {number}: {answer}" for number, answer in enumerate(answers, 1)]
    notes.append(f"those {WITHOUT} are judged: agreement by our rules that cite the paper alone would be no evidence")
    notes.append("the paper's own counts could not be read: before, valid and after are of our catalog and show its arithmetic")
    for row in ranking:
        notes.append(
            f"race, rank {row['rank']}: {row['recipe']}: coverage {row['summary'].get('coverage', math.nan):.2f}, "
            f"{row['cost']['steps']:.0f} steps in {row['cost']['seconds']:.0f} s, {row['verdict']}"
        )
    if ranking:
        notes.append(f"a run was shown {raced['images']:,} images: such a race ranks beginnings, not ends; n = {raced['n']}")
    return notes


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """KID of each candidate, and what each of them draws."""
    ranking = [row for each in rows if each["cell"] == "race" for row in each["ranking"] if row["interval"]]
    if not ranking:
        return
    sheet, (panel,) = panels(width=6.2, height=3.2)
    for place, (figure, row) in enumerate(zip(standings(ranking), ranking, strict=True)):
        color = COLORS[0] if row["recipe"] in PAPERS else COLORS[1]
        if figure.low is not None and figure.high is not None:
            panel.plot([figure.low, figure.high], [place, place], color=color, linewidth=2)
        panel.plot([1000 * score["value"] for score in row["kid"]], [place] * len(row["kid"]), "o", color=color, markersize=5)
    panel.set(yticks=range(len(ranking)), yticklabels=[row["recipe"] for row in ranking])
    panel.set(xlabel="KID x1000, lower is better: a dot each seed, lines 95 %", title="The race (blue: the paper's four)")
    panel.invert_yaxis()
    save(sheet, out / "race.png")
    _draw_samples([row["recipe"] for row in ranking], out)


def _draw_samples(names: Sequence[str], out: Path) -> None:
    files = {name: out / "work" / "race" / "race" / "runs" / f"{name}-s0" / "samples.png" for name in names}
    files = {name: file for name, file in files.items() if file.is_file()}
    if not files:
        return
    columns = math.ceil(len(files) / 2)
    sheet, places = panels(2, columns, width=2.9, height=3.1)
    for panel in places:
        panel.axis("off")
    for panel, (name, file) in zip(places, files.items(), strict=False):
        panel.imshow(np.asarray(Image.open(file)))
        panel.set_title(name)
    save(sheet, out / "samples.png")
