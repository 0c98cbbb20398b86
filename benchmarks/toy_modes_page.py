"""The page of the toy study: a table for each mixture, what failed and why, and a picture of every recipe's samples."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ganwise.catalog import RECIPES
from ganwise.data import toy_modes

Row = dict[str, Any]
Group = list[Row]
TITLES = {
    "ring": "Ring: 8 Gaussians at radius 2, standard deviation .02",
    "grid": "Grid: 25 Gaussians 2 apart, standard deviation .05",
}
HEAD = "| recipe | modes found | modes held | good samples | KL of modes | steps | doctor |"
TILE, COLUMNS = 150, 8


def spread(values: list[float], form: str) -> str:
    """Median, and the extremes where they differ."""
    middle, low, high = (form.format(v) for v in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def grouped(rows: list[Row], toy: str) -> list[tuple[str, Group]]:
    """Runs by recipe; those that hold most modes first, then by the share of good samples."""
    groups: dict[str, Group] = defaultdict(list)
    for row in rows:
        if row["data"] == toy:
            groups[row["recipe"]].append(row)
    return sorted(groups.items(), key=lambda g: (-median(r["held"] for r in g[1]), -median(r["good"] for r in g[1])))


def table(rows: list[Row], toy: str) -> list[str]:
    lines = [HEAD, "|---" * 7 + "|"]
    for name, group in grouped(rows, toy):
        told = [spread([row[key] for row in group], form) for key, form in (("modes", "{:.0f}"), ("held", "{:.0f}"))]
        told += [spread([100 * row["good"] for row in group], "{:.0f}%"), spread([row["kl"] for row in group], "{:.2f}")]
        told.append(f"{median(row['steps'] for row in group):,.0f}")
        verdicts = sorted({row["verdict"] for row in group})
        mark = " †" if RECIPES[name].recipe and RECIPES[name].recipe.conditioning else ""
        lines.append(f"| {name}{mark} | {' | '.join(told)} | {', '.join(verdicts)} |")
    return lines


def failures(rows: list[Row], changed: list[Row], toy: str) -> list[str]:
    """Recipes that hold fewer than half of the modes, by cause, with the problems that the doctor saw in their runs."""
    modes = len(toy_modes(toy)[0])
    failed: dict[str, list[str]] = defaultdict(list)
    for name, group in grouped(rows, toy):
        if median(row["held"] for row in group) >= modes / 2:
            continue
        problems = sorted({finding.split(":")[0].replace("_", " ") for row in group for finding in row["findings"]})
        failed[cause(name)].append(f"**{name}**" + (f" (the doctor: {', '.join(problems)})" if problems else ""))
    seen = {
        row["recipe"]: f"finds {row['modes']} and holds {row['held']} of the ring" for row in changed if row["data"] == "ring"
    }
    causes = {why: CAUSES[why].format_map(seen) for why in failed}
    return [f"- {causes[why][0].upper()}{causes[why][1:]}: {', '.join(names)}." for why, names in failed.items()]


CAUSES = {
    "free": "nothing bounds the discriminator's slope, so that the players circle the modes instead of settling, as on the "
    "Dirac-GAN; fcgan with R1 {fcgan} (below)",
    "slow": "five critic steps for one of the generator, which makes 1,000 to 2,500 small updates in this time; it still moves",
    "slope": "a slope of 1 is too flat to tell a mode of this width from what surrounds it (likely; a narrower noise did not "
    "cure it, below)",
    "ten": "ten generator steps for one of the discriminator; with one geometric-gan {geometric-gan} (below)",
    "margin": "the discriminator's scores are asked to differ by the samples' distance and no more, which does not sharpen "
    "modes (likely; with R1 lossgan {lossgan}, below)",
    "coder": "an auto-encoder rebuilds points between the modes, too: in the plane its error tells little (likely)",
    "rate": "its learning rate is made for longer training: at 1e-3 and with R1 the same loss is r1gan",
}


def cause(name: str) -> str:
    """Which of the causes applies to a recipe, by what it is made of."""
    recipe = RECIPES[name].recipe
    assert recipe is not None
    penalties = {one.name for one in recipe.regularizers}
    if recipe.loss.name in ("boundary-equilibrium", "energy-margin"):
        return "coder"
    if recipe.loss.name in ("loss-sensitive", "generalized-loss-sensitive"):
        return "margin"
    if recipe.schedule.generator_steps > 1:
        return "ten"
    if "dragan" in penalties:
        return "slope"
    if recipe.schedule.discriminator_steps > 1:
        return "slow"
    return "rate" if penalties else "free"


CHANGED = {
    "fcgan": "fcgan with R1, gamma .1 every fourth step",
    "rasgan": "rasgan with R1, gamma .1",
    "lossgan": "lossgan with R1, gamma .1",
    "geometric-gan": "geometric-gan with one generator step",
    "wgan-gp": "wgan-gp at a learning rate of 1e-3",
    "dragan": "dragan with noise of .02 for .5 of the deviation",
}


def controls(rows: list[Row]) -> list[str]:
    """The recipes with one change each, both toys side by side."""
    seconds = ", ".join(f"{each:g}" for each in sorted({row["seconds"] for row in rows}))
    lines = [
        "",
        "## Controls",
        "",
        f"One change each, seed 0, {seconds} CPU seconds and the same judgment (modes found / held, good samples, steps), on a",
        "busy machine. *Likely* above means that no control shows it.",
        "",
        "| changed | ring | grid |",
        "|---|---|---|",
    ]
    for name, said in CHANGED.items():
        found = {
            row["data"]: f"{row['modes']} / {row['held']}, {row['good']:.0%}, {row['steps']:,}"
            for row in rows
            if row["recipe"] == name
        }
        lines.append(f"| {said} | {found.get('ring', 'not run')} | {found.get('grid', 'not run')} |")
    return lines


def picture(rows: list[Row], path: Path) -> None:
    """Samples of each recipe's first seed over the centers, ring above grid, in the catalog's order."""
    names = [name for name in RECIPES if any(row["recipe"] == name and row["points"] for row in rows)]
    lines = -(-len(names) // COLUMNS)
    image = Image.new("RGB", (COLUMNS * TILE, 2 * lines * (TILE + 14)), "white")
    draw = ImageDraw.Draw(image)
    for half, toy in enumerate(("ring", "grid")):
        centers, _ = toy_modes(toy)
        scale = (TILE / 2 - 8) / (1.25 * np.abs(centers).max())
        for place, name in enumerate(names):
            left, top = place % COLUMNS * TILE, (half * lines + place // COLUMNS) * (TILE + 14)
            draw.text((left + 4, top), name, fill="black")
            points = next((row["points"] for row in rows if (row["recipe"], row["data"]) == (name, toy) and row["points"]), [])
            for marks, color, size in ((centers, "#f2a93b", 3), (points, "#1f4e8c", 1)):
                for x, y in marks:
                    px, py = left + TILE / 2 + scale * x, top + 14 + TILE / 2 + scale * y
                    if left < px < left + TILE and top + 14 < py < top + 14 + TILE:
                        draw.ellipse((px - size, py - size, px + size, py + size), fill=color)
    path.parent.mkdir(exist_ok=True)
    image.save(path)


def page(rows: list[Row], changed: list[Row], path: Path) -> str:
    picture(rows, path)
    seeds, seconds = len({row["seed"] for row in rows}), {row["seconds"] for row in rows}
    absent = sorted(set(RECIPES) - {row["recipe"] for row in rows})
    lines = [
        "# Which GANs find the modes of a toy",
        "",
        "Made by `benchmarks/toy_modes.py`; the rows are in `benchmarks/results/toy_modes.jsonl`. Do not edit.",
        "",
        f"Every recipe that makes vectors, {seeds} seeds, {', '.join(f'{s:g}' for s in seconds)} CPU seconds of training on one",
        "thread each, as the recipe says with nothing tuned: papers' learning rates were made for hours, not for seconds. 2,500",
        "samples of the averaged generator; *good* is within 3 standard deviations of a center, *found* has one good sample,",
        "*held* a fifth of its fair share; KL is of the samples' nearest modes. Median, and extremes over seeds.",
        "The machine was shared with other work, which lowers the steps in 20 CPU seconds by up to half.",
        "† is told the mode of every sample as its class. Recipes that make images only are not here: " + ", ".join(absent) + ".",
        "",
        f"![samples of every recipe](pictures/{path.name})",
    ]
    for toy, title in TITLES.items():
        lines += ["", f"## {title}", "", *table(rows, toy)]
        if failed := failures(rows, changed, toy):
            lines += ["", "These hold fewer than half of the modes:", "", *failed]
    return "\n".join([*lines, *controls(changed)]) + "\n"
