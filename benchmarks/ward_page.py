"""The ward's page: its table of injections, and what the doctor said of its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from ward_cases import CELLS, COPIES, HEALED, INJECTIONS, LEARNED, LOST, MEASURED, SEEDS, WORSE, Injection, Part
from ward_judge import Row, Said, healed, share, summary

from ganwise.types import Problem

PROBLEMS: tuple[str, ...] = get_args(Problem)
SHORT = {
    "mode_collapse": "collapse",
    "vanishing_gradient": "vanishing",
    "non_convergence": "no convergence",
    "not_finite": "not finite",
}

HEAD = """# The ward: runs made sick on purpose

What the doctor is worth shows on runs of which we know what is wrong, because we broke them. `benchmarks/ward_cases.py` is this
page's table as data: which problems count as a right answer to which injection was committed before any threshold of the doctor
was calibrated on these runs. `benchmarks/ward.py` makes the runs, judges them, heals them and writes this page.

The test part was set aside, but it is not strictly unseen: figures of it stood on this page while thresholds were calibrated on
the other part, and whoever calibrated them read its summary once, by their word after the last one was set; no record of it.
"""


def write(path: Path, said: Sequence[Said], outcomes: Sequence[Row], healing: Sequence[Row]) -> None:
    parts = [HEAD, results(said), heals(healing, outcomes), "## What counts as sick\n", criterion(), excluded(said)]
    parts += ["## Cells\n", CELLS_SAY, cells(), "\n## Injections\n", table()]
    path.write_text("\n".join(part for part in parts if part).rstrip() + "\n")


CELLS_SAY = (
    "Each cell unbroken is the healthy twin. The test part is whole data sets (MNIST at 12 pixels, the grid) and recipes (lsgan, "
    "sngan, rsgan, wgan-gp)\nthat the calibration part has no run of. Networks are small, and a run ends after 20 CPU seconds at "
    "the latest.\n"
)


def results(said: Sequence[Said]) -> str:
    """The numbers of either part and its confusion matrix."""
    return "\n".join(_part(said, part) for part in ("test", "calibration"))


def _part(said: Sequence[Said], part: Part) -> str:
    found = summary(said, part)
    delay = "none" if found.delay is None else f"{found.delay:.0%} of the run; one that never is counts as the whole run"
    lines = [
        f"## The {part} part\n",
        f"- right problem named at the end: {share(found.right, found.sick)} of the sick runs",
        f"- alarms of healthy runs at the end: {share(found.alarmed, found.healthy)}; at any moment: "
        f"{share(found.ever, found.healthy)}",
        f"- median delay from the onset to the first right alarm: {delay}\n",
        "An alarm is a finding that is failing or failed; a warning is none. The doctor reads records alone, no scores.\n",
        matrix(said, part),
    ]
    return "\n".join(lines)


def matrix(said: Sequence[Said], part: Part) -> str:
    """Injection by problem: in how many sick runs each problem was named; right ones are bold, and a run may have several."""
    heads = [SHORT.get(problem, problem) for problem in PROBLEMS]
    lines = [f"| injection | sick runs | right | {' | '.join(heads)} | no alarm |", "|---|---|---|" + "---|" * (len(heads) + 1)]
    mine = [one for one in said if one.part == part and one.standing in ("sick", "healthy")]
    for name in ("", *INJECTIONS):
        runs = [one for one in mine if one.row["injection"] == name]
        if not runs:
            continue
        counts, right = Counter(problem for one in runs for problem in one.problems), INJECTIONS[name].right if name else ()
        cells = [f"**{counts[p]}**" if p in right else f"{counts[p] or ''}" for p in PROBLEMS]
        named = str(sum(one.right for one in runs)) if name else ""
        quiet = sum(not one.problems for one in runs)
        lines.append(f"| {name or '*healthy*'} | {len(runs)} | {named} | {' | '.join(cells)} | {quiet or ''} |")
    return "\n".join(lines) + "\n"


def heals(healing: Sequence[Row], outcomes: Sequence[Row]) -> str:
    """How many sick runs a remedy healed, and of which injections."""
    if not healing:
        return ""
    found = healed(healing, outcomes)
    well, treated = [one for one in found if one.well], [one for one in found if one.row["tried"]]
    cured = [one for one in found if one.row["cured"]]
    lines = [
        "## Healing\n",
        f"Remedies, three at most, from the last checkpoint that the doctor saw healthy, or anew where there is none: "
        f"{share(len(well), len(found))}\nof the sick runs are sick no longer and end within {HEALED:g} times their twin's "
        f"score.\n"
        f"Of those that were treated it is {share(sum(one.well for one in treated), len(treated))}; the others have a\nfault "
        f"outside the recipe (float16, padding), or the doctor saw nothing.\n",
        f"Of the {len(well)} healed, {sum(one.undone for one in well)} end exactly as their twins: most injections are settings "
        f"that no recipe of the catalog comes near, which healing\nsets right first (`ganwise.doctor.slips`), and that takes the "
        f"injection back. Finer faults would be healed less often than this table says.\nCalled cured (by the doctor, and no "
        f"worse than before): {len(cured)}, of which {sum(one.well for one in cured)} are healed by the rule above.\n",
        "| injection | sick runs | treated | healed | exactly as the twin |",
        "|---|---|---|---|---|",
    ]
    for name in INJECTIONS:
        mine = [one for one in found if one.row["injection"] == name]
        if mine:
            counts = (len(mine), sum(bool(o.row["tried"]) for o in mine), sum(o.well for o in mine), sum(o.undone for o in mine))
            lines.append(f"| {name} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines) + "\n"


def criterion() -> str:
    """What makes a run sick, in words."""
    return (
        f"A run is sick where its score (KID of images, sliced Wasserstein distance of points, on the validation part, of the "
        f"averaged generator)\nis at least {WORSE:g} times that of the worst of its healthy twins ({len(SEEDS)} seeds where all "
        f"are made); or where its coverage is at most {LOST:g} times theirs, which\nhas to be {MEASURED:g} or more; or where "
        f"memorization and novelty both fall under {COPIES:g}, which no twin's do; or where a number is not finite.\nThe "
        f"doctor's records have no part in it. An injection that does not make a run sick counts nothing, and so does a cell "
        f"of which a twin ends above\n{LEARNED:g} times the untrained generator's score.\n"
    )


def excluded(said: Sequence[Said]) -> str:
    """The runs that count nothing, and why."""
    lines = []
    for why in sorted({one.standing for one in said} - {"sick", "healthy"}):
        names = ", ".join(f"`{one.row['name']}`" for one in said if one.standing == why)
        lines.append(f"- {why}: {names}")
    return "Runs that count nothing:\n\n" + "\n".join(lines) + "\n" if lines else ""


def cells() -> str:
    """The healthy twins."""
    lines = ["| cell | recipe | data | steps | part |", "|---|---|---|---|---|"]
    for name, cell in CELLS.items():
        side = f", {cell.size} pixels" if cell.size else ""
        lines.append(f"| `{name}` | {cell.recipe} | {cell.data}{side} | {cell.steps:,} | {cell.part} |")
    return "\n".join(lines)


def table() -> str:
    """Which problems count as right for which injection, and where each is made."""
    return "\n".join(
        f"### {name}\n\n{one.says}\nRight: **{', '.join(one.right)}**: {one.because} [{', '.join(one.sources)}].\n"
        f"In {', '.join(_cell(cell) for cell in one.cells)}{_onset(one)}.\n"
        for name, one in INJECTIONS.items()
    )


def _cell(name: str) -> str:
    return f"`{name}`" + (" (test)" if CELLS[name].part == "test" else "")


def _onset(one: Injection) -> str:
    return f"; from {one.onset:.0%} of the run on" if one.onset else ""
