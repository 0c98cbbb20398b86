"""The ward's page: its table of injections, and what the doctor said of its runs."""

from __future__ import annotations

from ward_cases import CELLS, COPIES, HEALED, INJECTIONS, LOST, SEEDS, WORSE, Injection

START, END = "<!-- made by benchmarks/ward.py -->", "<!-- end -->"


def table() -> str:
    """Which problems count as right for which injection, and where each is made."""
    rows = [
        f"### {name}\n\n{one.says} Right: **{', '.join(one.right)}**: {one.because} [{', '.join(one.sources)}]. "
        f"In {', '.join(_cell(cell) for cell in one.cells)}{_onset(one)}.\n"
        for name, one in INJECTIONS.items()
    ]
    return "\n".join(rows)


def _cell(name: str) -> str:
    return f"`{name}`" + (" (test)" if CELLS[name].part == "test" else "")


def _onset(one: Injection) -> str:
    return f"; from {one.onset:.0%} of the run on" if one.onset else ""


def cells() -> str:
    """The healthy twins."""
    lines = ["| cell | recipe | data | steps | part |", "|---|---|---|---|---|"]
    for name, cell in CELLS.items():
        side = f", {cell.size} pixels" if cell.size else ""
        lines.append(f"| `{name}` | {cell.recipe} | {cell.data}{side} | {cell.steps:,} | {cell.part} |")
    return "\n".join(lines)


def criterion() -> str:
    """What makes a run sick, in words."""
    return (
        f"A run is sick where its score (KID of images, sliced Wasserstein distance of points, on the validation part, of the "
        f"averaged generator) is at least {WORSE:g} times that of the worst of its {len(SEEDS)} healthy twins; or where its "
        f"coverage is at most {LOST:g} times theirs; or where memorization and novelty both fall under {COPIES:g}, which no "
        f"twin's do; or where a number is not finite. The doctor's records have no part in it. An injection that does not make "
        f"a run sick counts nothing, and is listed. A healed run ends within {HEALED:g} times its twin's score."
    )
