"""The generated part of docs/race.md, from what is in results/race.

python benchmarks/race_page.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ganwise.markdown import table

HERE = Path(__file__).parent / "results" / "race"
PAGE = Path(__file__).parents[1] / "docs" / "race.md"
MARK = "<!-- generated: everything below is made by benchmarks/race_page.py -->\n"
TITLES = {
    "grid": "Grid of 25 Gaussians",
    "digits": "Digits, 8x8",
    "mnist-10k": "mnist-10k, 28x28",
    "cifar10-10k": "10,000 images of CIFAR-10, 32x32",
}
Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    path = HERE / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def block(heads: Sequence[str], lines: Sequence[Sequence[object]]) -> list[str]:
    return [*table(heads, lines), ""]


def percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def written() -> str:
    """All of the generated part."""
    return "\n".join([MARK, *exhaustive(), *ladders(), *chance(), *real(), *samples(), *scale()])


def exhaustive() -> Iterator[str]:
    yield "## The race against the exhaustive comparison\n"
    lines: list[list[object]] = []
    for row in rows("replays"):
        if row["field"] == "all":
            winner = row["winner"] or f"nobody ({row['leader']} leads)"
            full = row["best_winner"] or f"nobody ({row['best']} leads)"
            tested = "single seeds: can't be tested" if row["seeds"] == 1 else "yes" if row["worse"] else "no"
            said = "no: the same" if row["same"] else tested
            lines.append(
                [TITLES[row["data"]], row["candidates"], row["seeds"], winner, full, said, row["ratio"], percent(row["cost"])]
            )
    done = {row["data"] for row in rows("replays")}
    lines += [[title, *["not enough runs yet"], *[""] * 6] for name, title in TITLES.items() if name not in done]
    head = ["data", "candidates", "seeds", "the race names", "exhaustive", "significantly worse", "score / best", "cost"]
    yield from block(head, lines)


def ladders() -> Iterator[str]:
    yield "### Fields of twelve, and other ladders\n"
    for name, title in TITLES.items():
        found = [row for row in rows("replays") if row["data"] == name and row["field"] != "all"]
        if not found:
            continue
        single = any(row["data"] == name and row["field"] == "all" and row["seeds"] == 1 for row in rows("replays"))
        lines = [
            [
                row["rule"],
                "one seed" if single else percent(row["not_worse"]),
                percent(row["same"]),
                row["ratio"],
                percent(row["cost"]),
                " / ".join(map(str, row["dropped_at"])),
            ]
            for row in found
        ]
        yield f"{title}, {found[0]['fields']} fields of {found[0]['field']} of the 18:\n"
        yield from (
            *table(["ladder", "not worse", "same leader", "worst score / best", "cost", "best left at rung 1 / 2"], lines),
            "",
        )


def chance() -> Iterator[str]:
    told = rows("chance")
    yield "## Equals, and the better one\n"
    lines = [
        [r["what"], r["of"], r["races"], percent(r["share"]), " to ".join(map(percent, r["interval"]))]
        for r in told
        if r["what"].startswith("null") and "15 seeds" in r["of"]
    ]
    yield from block(["races", "runs of", "simulated", "with a winner", "95 %"], lines)
    others = [r for r in told if r["what"] == "null" and "15 seeds" not in r["of"]]
    every = [r["share"] for r in others]
    runs = sum(r["races"] for r in others)
    yield (
        f"Six times the same, for each of {len(others)} GANs with three seeds on the grid and on digits: a winner in "
        f"{percent(sum(every) / len(every))} of {runs:,} races, from {percent(min(every))} to {percent(max(every))}.\n"
    )
    power = [
        [r["of"], r["difference"], r["scatter"], percent(r["share"]), " to ".join(map(percent, r["interval"]))]
        for r in told
        if r["what"] == "power"
    ]
    yield from block(["one better candidate", "difference of log KID", "seeds scatter as", "found", "95 %"], power)
    ranks = [[r["step"], r["spread"], percent(r["held"]), r["width"]] for r in told if r["what"] == "rank intervals"]
    yield from block(["six candidates apart by (log)", "sd of seeds", "interval holds the rank", "ranks in it"], ranks)
    paired = [
        [r["common"], r["own"], r["ahead"], percent(r["paired if seen"]), percent(r["never paired"])]
        for r in told
        if r["what"] == "seeds in common"
    ]
    yield from (
        *table(["sd that a seed's runs share", "sd of their own", "ahead by", "winner, paired if seen", "never paired"], paired),
        "",
    )


def real() -> Iterator[str]:
    told = rows("null")
    if told:
        yield "Real races, six times the same GAN:\n"
        lines = [
            [r["data"], r["recipe"], r["budget"], r["winner"] or "nobody", ", ".join(r["finalists"]), _scores(r)] for r in told
        ]
        yield from block(["data", "GAN", "budget", "winner", "finalists", "score x1000 of each seed"], lines)


def _scores(row: Row) -> str:
    return "; ".join(f"{n}: " + ", ".join(f"{1000 * v:.1f}" for v in row["scores"].get(n, [])) for n in row["finalists"])


def samples() -> Iterator[str]:
    told = json.loads((HERE / "samples.json").read_text())
    low, high = told["sd_of_a_difference_from_test_samples"]
    test, fakes = (told[f"sd_of_a_score_from_{of}"] for of in ("test_samples", "fakes"))
    alike = told["correlation_between_gans"]
    yield "## Samples\n"
    yield (
        f"Four good GANs on digits, 360 test samples, log KID. Other test samples would move one score by {test} (standard "
        f"deviation), other fakes by {fakes} (of one set; a score is the mean of three). What test samples do is nearly the same "
        f"for all GANs: correlation {alike}. A difference of two GANs moves by {low} to {high} only, where "
        f"{told['sd_of_a_difference_as_if_apart']} would be expected of scores that were measured apart.\n"
    )


def scale() -> Iterator[str]:
    yield "## Ten thousand trials on a thousand workers\n"
    lines = []
    for r in rows("scale"):
        p, kind = r["parts"], "time" if r["their_deviation"] < 0.1 else "images"
        lines.append(
            [
                f"{kind}, {'runs ahead' if r['ahead'] else 'waits'}",
                r["failures"],
                percent(r["busy"]),
                percent(r["least_busy_worker"]),
                percent(r["busy_to_the_end"]),
                f"{percent(p['rungs'])}, {percent(p['ahead'])}, {percent(p['in vain'])}, {percent(p['start'] + p['again'])}",
                f"{r['milliseconds_a_trial']} ms",
                f"{r['megabytes_of_the_process']} MB",
            ]
        )
    heads = [
        "budget",
        "failures",
        "busy while there is a run for each",
        "least busy worker",
        "busy to the end",
        "of all time: on the rung, ahead and used, ahead in vain, starts and again",
        "scheduler's CPU a trial",
        "its process",
    ]
    yield from block(heads, lines)


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().split(MARK)[0] + written())
