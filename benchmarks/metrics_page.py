"""The generated parts of docs/metrics.md: what metrics there are, how often their intervals hold, what each of them sees.

    python benchmarks/metrics_page.py

Each part stands between ``<!-- name -->`` and ``<!-- /name -->``; a test holds the page to this script.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import inf, sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import interval_coverage
import metric_validity
from interval_cases import CASES, Case
from spoilings import SPOILINGS

from ganwise.markdown import table
from ganwise.metrics import METRICS

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
Row = dict[str, Any]

SAYS: Mapping[str, tuple[str, str]] = {
    "sliced_wasserstein": ("every difference, along random directions", "standard error of a bootstrap of both samples"),
    "kid": ("differences of three moments of features", "jackknife of both samples"),
    "fid": ("differences of mean and covariance of features", "delta method"),
    "fid_infinity": ("the same without the bias of few samples", "delta method, and error of the line"),
    "precision": ("fakes that lie among reals", "Wilson's, of both sides' scatter"),
    "recall": ("reals that lie among fakes", "Wilson's, of both sides' scatter"),
    "density": ("fakes where reals are dense", "two-sample mean"),
    "coverage": ("reals that have a fake close by", "Wilson's, of both sides' scatter"),
    "two_sample": ("whether fakes can be told from reals", "Wilson's, of the effective number"),
    "parzen": ("likelihood of reals under windows about fakes", "standard error over test points"),
    "memorization": ("fakes nearer to training samples than new reals are", "bootstrap of medians"),
    "novelty": ("fakes nearer to seen than to unseen reals", "bootstrap of medians"),
    "ms_ssim": ("fakes alike", "standard error over pairs"),
    "inception_score": ("sure and varied classes", "delta method"),
    "modes": ("known modes that hold a fake", "Good and Toulmin's"),
    "mode_kl": ("uneven shares of known modes", "delta method to second order"),
    "path_length": ("jumps between neighboring latents", "winsorized variance of the trimmed mean"),
}
"""What each metric sees or measures, and how its interval is made."""

LOOKED_AT = ("kid", "coverage", "memorization", "novelty")
"""What a race looks at in every checkpoint; the doctor reads the last two."""

SEEN, UNTOUCHED = 3.0, "untouched"
UNMEASURED = "Not measured yet: `python benchmarks/metric_validity.py run`, about 5 minutes of CPU time."


def listed() -> Iterator[str]:
    """A row for each metric."""
    heads = ("metric", "sees", "better", "least n", "reads", "setting", "interval", "source")
    yield from table(heads, (_listed(name) for name in METRICS))


def _listed(name: str) -> tuple[str, ...]:
    row, (says, interval) = METRICS[name], SAYS[name]
    least = f"{row.least}" + (f", {row.per_feature} a feature" if row.per_feature else "")
    reads = f"{row.space}: {', '.join(row.reads)}"
    sources = re.findall(r"[a-z]+\d{4}[a-z0-9]*", (row.function.__doc__ or "").partition("Source: ")[2])
    return (f"`{name}`", says, row.direction, least, reads, row.setting, interval, ", ".join(sources) or "ours")


def covered() -> Iterator[str]:
    """A row for each case of the study: how often the interval holds the truth."""
    rows = defaultdict(list)
    for row in interval_coverage.rows():
        rows[row["case"], row["metric"]].append(row)
    measured = [(case, metric, rows[case.name, metric]) for case in CASES for metric in case.metrics if rows[case.name, metric]]
    heads = ("metric", "of", "truth", "repetitions", "held", "too high", "too low", "width / scatter")
    yield from table(heads, (_covered(*each) for each in measured if each[0].claimed))
    if some := [each for each in measured if not each[0].claimed]:
        yield "\nWhat the intervals do not claim, for comparison:\n"
        yield from table(heads, (_covered(*each) for each in some))
    if absent := [f"`{case.name}`" for case in CASES if not any(rows[case.name, metric] for metric in case.metrics)]:
        yield f"\nNot measured yet with the metrics as they are now: {', '.join(absent)}."


def _covered(case: Case, metric: str, rows: Sequence[Row]) -> tuple[str, ...]:
    n = sum(row["repetitions"] for row in rows)
    held, above, below = (sum(row[key] for row in rows) / n for key in ("held", "above", "below"))
    scatter = sqrt(mean(row["sd"] ** 2 for row in rows))
    ratio = mean(row["width"] for row in rows) / (2 * 1.96 * scatter)
    outside = "" if 0.93 <= held <= 0.97 else " *"
    return (f"`{metric}`", case.says, case.target, str(n), f"{held:.1%}{outside}", f"{above:.1%}", f"{below:.1%}", f"{ratio:.2f}")


def studies() -> dict[str, list[Row]]:
    """Rows of each data set of which every set of fakes has been measured."""
    found = defaultdict(list)
    for row in metric_validity.rows():
        found[row["data"]].append(row)
    whole = metric_validity.UNTOUCHED + sum(len(each.strengths) for each in SPOILINGS.values())
    return {data: rows for data, rows in found.items() if len(rows) == whole}


def seen(rows: Sequence[Row], metric: str, spoiling: str) -> list[int]:
    """By strength: 1 where the score is worse than untouched reals' by 3 standard deviations of theirs, -1 better, else 0."""
    real = [row[metric] for row in rows if row["fakes"] == UNTOUCHED]
    sign = 1 if METRICS[metric].direction == "lower" else -1
    made = sorted((row for row in rows if row["fakes"] == spoiling), key=lambda row: row["strength"])
    scores = [sign * (row[metric] - mean(real)) / max(stdev(real), 1e-9) for row in made]
    return [int(score > SEEN) - int(score < -SEEN) for score in scores]


def cell(found: Sequence[int]) -> str:
    """From which strength on it is seen; and whether the metric is fooled at any."""
    least = next((i for i, one in enumerate(found) if one > 0), None)
    told = "blind" if least is None else ("**sees**", "from middle", "strong only")[least]
    if least is not None and 0 in found[least:]:
        told += " (not all)"
    if -1 in found:
        strengths = ", ".join(("weak", "middle", "strong")[i] for i, one in enumerate(found) if one < 0)
        told = f"fooled ({strengths})" if least is None else f"{told}, fooled ({strengths})"
    return told


def validity() -> Iterator[str]:
    if not studies():
        yield UNMEASURED
    for data, rows in studies().items():
        metrics = [name for name in METRICS if name in rows[0]]
        yield f"\n### {data}\n\n![spoilings of {data}](pictures/spoilings-{data}.png)\n"
        cells = ((f"`{name}`", *(cell(seen(rows, name, each)) for each in SPOILINGS)) for name in metrics)
        yield from table(("metric", *SPOILINGS), cells)
        yield "\nUntouched reals, and each spoiling from weak to strong:\n"
        yield from table(("metric", "untouched, mean ± sd", *SPOILINGS), (_scores(rows, name) for name in metrics))


def _scores(rows: Sequence[Row], metric: str) -> tuple[str, ...]:
    real = [row[metric] for row in rows if row["fakes"] == UNTOUCHED]
    made = {each: [row[metric] for row in rows if row["fakes"] == each] for each in SPOILINGS}
    return (
        f"`{metric}`",
        f"{mean(real):.3g} ± {stdev(real):.2g}",
        *(", ".join(f"{v:.3g}" for v in made[each]) for each in SPOILINGS),
    )


def follows() -> Iterator[str]:
    """What the race's and the doctor's metrics see together, and what would see each spoiling sooner."""
    if not studies():
        yield UNMEASURED
    for data, rows in studies().items():
        at = {name: {each: _least(seen(rows, name, each)) for each in SPOILINGS} for name in METRICS if name in rows[0]}
        yield f"\n### {data}\n"
        lines = [(f"`{name}`", *(_told(at[name][each]) for each in SPOILINGS)) for name in LOOKED_AT]
        together = {each: min(at[name][each] for name in LOOKED_AT) for each in SPOILINGS}
        lines.append(("together", *map(_told, together.values())))
        yield from table(("metric", *SPOILINGS), lines)
        missed = [each for each, least in together.items() if least > 0]
        better = {each: [f"`{n}`" for n in at if at[n][each] < together[each]] for each in missed}
        for each in missed:
            others = ", ".join(better[each]) or "no other metric does"
            yield f"\n- {each}: {_told(together[each])}; sooner: {others}."
        fooled = {n: [each for each in SPOILINGS if -1 in seen(rows, n, each)] for n in at}
        names = "; ".join(f"`{name}` by {', '.join(which)}" for name, which in fooled.items() if which)
        yield f"\nBetter than real somewhere, so never to be read alone: {names or 'none'}."


def _least(found: Sequence[int]) -> float:
    return next((i for i, one in enumerate(found) if one > 0), inf)


def _told(least: float) -> str:
    return "unseen" if least == inf else ("weak", "middle", "strong")[int(least)]


def strengths() -> Iterator[str]:
    yield from (f"- **{name}**: {each.told()}" for name, each in SPOILINGS.items())


PARTS = {"listed": listed, "covered": covered, "strengths": strengths, "validity": validity, "follows": follows}


def page(text: str) -> str:
    """The page with its generated parts made anew."""
    for name, part in PARTS.items():
        made = "\n".join(part())
        text, count = re.subn(
            f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m, made=made: f"{m[1]}{made}\n{m[2]}", text, flags=re.S
        )
        if count != 1:
            raise SystemExit(f"{PAGE.name}: the markers of {name} must be there once")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
