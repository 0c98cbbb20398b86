"""The generated part of docs/selection.md: each arm's outcomes with intervals, regret, and every run's recipe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

PAGE = Path(__file__).parents[1] / "docs" / "selection.md"
MARK = "<!-- generated: everything below is made by benchmarks/selection_regret.py page -->"
TITLES = {
    "grid": ("Grid of 25 Gaussians", "20 CPU seconds a run, sliced Wasserstein distance"),
    "digits": ("Digits, 8x8", "20 CPU seconds a run, KID x1000"),
    "mnist-10k": ("mnist-10k, 28x28", "120 CPU seconds a run, KID x1000"),
    "cifar10-10k": ("10,000 images of CIFAR-10, 32x32", "600 CPU seconds a run, KID x1000"),
}
ARMS = {"list": "short list", "random": "random", "popular": "popular"}
WANTED = {"list": 5, "random": 12, "popular": 1}
SEEDS = 3
DRAWS, SEED = 2_000, 5
Row = dict[str, Any]
Floats = npt.NDArray[np.float64]


class Arm(NamedTuple):
    """The runs of one arm on one data set: a row a recipe, a column a seed. A run without a score has infinity."""

    names: list[str]
    scores: list[Floats]
    failed: list[Floats]


def failed(row: Row) -> bool:
    """Broke off, no finite score, failed by the doctor, or worse than one Gaussian."""
    return bool(row["broken"]) or row["value"] is None or row["verdict"] == "failed" or row["value"] > row["floor"]


def arm_of(rows: Sequence[Row]) -> Arm:
    """Recipes in the order of their names; of a list in that of their rank, which is the order of ``rows``."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["recipe"]].append(row)
    values = [np.array([np.inf if row["value"] is None else row["value"] for row in group]) for group in groups.values()]
    return Arm(list(groups), values, [np.array([failed(row) for row in group], float) for group in groups.values()])


def medians(arm: Arm) -> Floats:
    """Each recipe's score: the median over its seeds."""
    return np.array([np.median(values) for values in arm.scores])


def best_of(scores: Floats, count: int) -> float:
    """The mean over all choices of ``count`` recipes of the best one's score; of fewer recipes, of all."""
    return float(np.mean([min(chosen) for chosen in combinations(scores, min(count, len(scores)))]))


def outcomes(arms: Mapping[str, Arm]) -> dict[str, float]:
    """Every number of the protocol, by name, for one set of runs."""
    scores = {name: medians(arm) for name, arm in arms.items()}
    found: dict[str, float] = {}
    for name, values in scores.items():
        found |= {f"{name} best": float(values.min()), f"{name} median": float(np.median(values))}
        found[f"{name} failed"] = float(np.concatenate(arms[name].failed).mean())
    if "random" in scores:
        found["random best of 5"] = best_of(scores["random"], 5)
    if "list" not in scores:
        return found
    least = min(float(values.min()) for values in scores.values())
    found |= {"regret of the list's best": found["list best"] - least, "regret of the list's first": scores["list"][0] - least}
    if "random" in scores:
        found["list median - random median"] = found["list median"] - found["random median"]
        found["list best - random best of 5"] = found["list best"] - found["random best of 5"]
        found["list first - random median"] = float(scores["list"][0]) - found["random median"]
        found["share of random recipes that beat the list's first"] = float((scores["random"] < scores["list"][0]).mean())
    if "popular" in scores:
        found["list first - popular"] = float(scores["list"][0]) - found["popular median"]
        found["list best - popular"] = found["list best"] - found["popular median"]
    return found


def resampled(arm: Arm, rng: np.random.Generator, recipes: bool) -> Arm:
    """Seeds drawn anew within each recipe, and before that the recipes where chance chose them."""
    count = len(arm.names)
    chosen = rng.integers(count, size=count) if recipes else np.arange(count)
    names, scores, failures = [], [], []
    for one in chosen:
        seeds = rng.integers(len(arm.scores[one]), size=len(arm.scores[one]))
        names.append(arm.names[one])
        scores.append(arm.scores[one][seeds])
        failures.append(arm.failed[one][seeds])
    return Arm(names, scores, failures)


def intervals(arms: Mapping[str, Arm], draws: int = DRAWS) -> dict[str, tuple[float, float, float]]:
    """Each outcome with the bounds of its 95 % interval."""
    rng = np.random.default_rng(SEED)
    drawn: dict[str, list[float]] = defaultdict(list)
    for _ in range(draws):
        again = {name: resampled(arm, rng, recipes=name == "random") for name, arm in arms.items()}
        for outcome, value in outcomes(again).items():
            drawn[outcome].append(value)
    # a difference of two arms without any score is no number
    bounds = {name: np.nanquantile(values, (0.025, 0.975), method="nearest") for name, values in drawn.items()}
    return {name: (value, *map(float, bounds[name])) for name, value in outcomes(arms).items()}


def page(rows: Sequence[Row], order: Mapping[str, Sequence[str]]) -> str:
    """Everything below the mark. ``order`` is the short list of each data set by rank."""
    lines = ["", "## Results", "", *_stand(rows)]
    for name, (title, unit) in TITLES.items():
        mine = [row for row in rows if row["data"] == name]
        lines += ["", f"### {title}", "", f"{unit}; lower is better.", ""]
        lines += _data(mine, order.get(name, ()), 1.0 if name == "grid" else 1000.0) if mine else ["Not yet run."]
    return "\n".join(lines) + "\n"


def _stand(rows: Sequence[Row]) -> list[str]:
    lines = [
        "Finished runs, of those that the protocol names:",
        "",
        "| data | short list | random | popular |",
        "|---|---|---|---|",
    ]
    for name, (title, _) in TITLES.items():
        counts = [sum(row["data"] == name and row["arm"] == arm for row in rows) for arm in ARMS]
        cells = [
            f"{count} of {SEEDS * wanted}" if count else "not yet run"
            for count, wanted in zip(counts, WANTED.values(), strict=True)
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def _data(rows: Sequence[Row], listed: Sequence[str], scale: float) -> list[str]:
    arms = {}
    for arm in ARMS:
        mine = [row for row in rows if row["arm"] == arm]
        mine.sort(key=lambda row: (listed.index(row["recipe"]) if row["recipe"] in listed else len(listed), row["recipe"]))
        if mine:
            arms[arm] = arm_of(mine)
    found = intervals(arms)
    told: Callable[[str], str] = lambda name: _cell(found[name], scale) if name in found else "not yet run"  # noqa: E731
    lines = ["| arm | best | median | failed runs |", "|---|---|---|---|"]
    for arm, words in ARMS.items():
        share = f"{_share(found[f'{arm} failed'])}" if f"{arm} failed" in found else "not yet run"
        lines.append(f"| {words} | {told(f'{arm} best')} | {told(f'{arm} median')} | {share} |")
    lines += [f"| random, best of 5 | {told('random best of 5')} | | |"] if "random best of 5" in found else []
    floor, yard = rows[0]["floor"], next((row["yardsticks"] for row in rows if row["yardsticks"]), {})
    marks = [f"one Gaussian {floor * scale:.3g}", *(f"{_YARD[side]} {value * scale:.3g}" for side, value in yard.items())]
    lines += ["", f"Beside it: {', '.join(marks)}.", ""]
    lines += _modes(rows)
    rest = [name for name in found if name.startswith(("regret", "list median -", "list best -", "list first -", "share of"))]
    if rest:
        lines += ["| comparison | value and 95 % interval |", "|---|---|"]
        lines += [f"| {name} | {_share(found[name]) if name.startswith('share') else told(name)} |" for name in rest]
        lines.append("")
    return lines + _recipes(rows, arms, scale)


_YARD = {"real": "real data", "mixture": "a mixture of ten"}


def _cell(value: tuple[float, float, float], scale: float) -> str:
    middle, low, high = (_number(each * scale) for each in value)
    return f"{middle} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "none"


def _share(value: tuple[float, float, float]) -> str:
    return "{:.0%} ({:.0%} to {:.0%})".format(*value)


def _modes(rows: Sequence[Row]) -> list[str]:
    """On the grid: modes held and good samples, a recipe by the median over its seeds. The distance alone forgives a blur."""
    if not any("held" in row for row in rows):
        return []
    lines = ["| arm | most modes held | median | most good samples | median |", "|---|---|---|---|---|"]
    for arm, words in ARMS.items():
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row["arm"] == arm:
                groups[row["recipe"]].append(row)
        if groups:
            held, good = ([np.median([run.get(k, 0) for run in runs]) for runs in groups.values()] for k in ("held", "good"))
            cells = f"{max(held):.0f} of 25 | {np.median(held):.1f} | {max(good):.0%} | {np.median(good):.0%}"
            lines.append(f"| {words} | {cells} |")
    return [*lines, ""]


def _recipes(rows: Sequence[Row], arms: Mapping[str, Arm], scale: float) -> list[str]:
    """Every recipe by its score, with what it is made of and what became of its runs."""
    table = []
    for arm, words in ARMS.items():
        for name, score in zip(arms[arm].names, medians(arms[arm]), strict=True) if arm in arms else ():
            runs = [row for row in rows if (row["arm"], row["recipe"]) == (arm, name)]
            table.append((float(score), words, name, runs))
    toy = any("held" in row for row in rows)
    lines = [
        f"| recipe | arm | made of | score of each seed | {'modes, good | ' if toy else ''}steps | doctor | failed |",
        "|---" * (8 if toy else 7) + "|",
    ]
    for _, words, name, runs in sorted(table, key=lambda entry: entry[0]):
        scores = ", ".join("none" if run["value"] is None else _number(run["value"] * scale) for run in runs)
        held = f"{', '.join(_held(run) for run in runs)} | " if toy else ""
        steps = f"{sorted(run['steps'] or 0 for run in runs)[len(runs) // 2]:,}"
        verdicts = ", ".join(sorted({run["verdict"] or "none" for run in runs}))
        bad = sum(map(failed, runs))
        lines.append(
            f"| {name} | {words} | {runs[0]['made_of']} | {scores} | {held}{steps} | {verdicts} | {bad} of {len(runs)} |"
        )
    return lines


def _held(run: Row) -> str:
    return f"{run['held']} / {run['good']:.0%}" if "held" in run else "none"


def write(rows: Sequence[Row], order: Mapping[str, Sequence[str]]) -> None:
    before = PAGE.read_text().split(MARK)[0]
    PAGE.write_text(before + MARK + "\n" + page(rows, order))
