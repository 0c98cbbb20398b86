"""How the doctor does on 25 published logs of CIFAR-10 runs, cross-validated over the methods; and when it would stop.

``python benchmarks/traces.py`` prints the tables of docs/doctor.md and writes benchmarks/results/traces.json. With ``--logs``,
a checkout of StudioGAN's logs (TINY_IMAGENET, IMAGENET, AFHQ), the doctor is tried on those too, which no threshold has seen.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ganwise.doctor import diagnose
from ganwise.doctor.balance import leads
from ganwise.doctor.gradients import drifts
from ganwise.doctor.readers import read
from ganwise.doctor.series import judged, lasting_above, series
from ganwise.doctor.stability import unrest
from ganwise.doctor.stop import advise, statistic
from ganwise.doctor.thresholds import GAIN, LEAD, RECENT, RESTLESS, STOP_AGE, STOP_RATIO, STOP_RUNS, STOP_SPARED, STOP_WON
from ganwise.doctor.traits import Traits
from ganwise.types import Record

TRACES = Path(__file__).parents[2] / "shared" / "data" / "traces"
RESULTS = Path(__file__).parent / "results" / "traces.json"


class Run(NamedTuple):
    name: str
    records: tuple[Record, ...]
    fid: list[tuple[int, float]]
    hours: float
    loss: str = ""

    @property
    def method(self) -> str:
        """Runs of one method stay together in the cross-validation."""
        return self.name.split(": ")[-1].split("-2")[0].split("-train")[0].split("(")[0]

    @property
    def label(self) -> str:
        """Failing: last FID over 1.3 times the best, or best over 200. Healthy: within 1.3 times, and best under 100."""
        best, last = min(v for _, v in self.fid), self.fid[-1][1]
        if last > 1.3 * best or best > 200:
            return "failing"
        return "healthy" if best < 100 else "between"

    def blind(self, until: float = math.inf) -> list[Record]:
        """The records without FID: what losses alone show, up to a step."""
        rows = ((r, {k: v for k, v in r.signals.items() if k in ("loss_d", "loss_g")}) for r in self.records if r.step <= until)
        return [r._replace(signals=signals) for r, signals in rows if signals]


def elapsed(text: str) -> float:
    """Hours of ``2 days, 3:04:05``."""
    days, _, clock = text.rpartition(",")
    h, m, s = (float(part) for part in clock.strip().split(":"))
    return (int(days.split()[0]) * 24 if days else 0) + h + m / 60 + s / 3600


def load(path: Path, hours: Callable[[Path], float]) -> Run:
    log = read(path)
    return Run(path.stem, log.records, series(log.records, "fid"), hours(path), log.loss)


def last_hour(path: Path) -> float:
    """Of a trace: the last row's elapsed time."""
    line = path.read_text(encoding="utf-8").strip().splitlines()[-1]
    cells = line.split('"')
    return elapsed(cells[1] if len(cells) > 1 else line.split(",")[1])


def highest(run: Run) -> tuple[float, float]:
    """The largest lead of D that would have been an alarm, and the largest unrest, at 15 moments; from losses alone."""
    lead = unquiet = 0.0
    for end in [run.fid[-1 - i * len(run.fid) // 15][0] for i in range(15)]:
        records, traits = run.blind(end), Traits.of(None, loss=run.loss)
        values = leads(records, traits)
        lead = max(
            [lead, *(limit for limit in GRID if limit > lead and lasting_above(values, limit, share_only=True) is not None)]
        )
        losses = judged(records, traits, "loss_d")
        if not (traits.critic or traits.energy or drifts(losses)) and (swings := unrest(losses)):
            unquiet = max(unquiet, swings[-1][1])
    return lead, unquiet


GRID = [1.1**i for i in range(-5, 90)]


def chosen(healthy: Sequence[float], failing: Sequence[float]) -> float:
    """The geometric middle between the highest of the healthy and the lowest of the failing above it."""
    top = max(healthy)
    above = [value for value in failing if value > top]
    return math.sqrt(top * min(above)) if above and top > 0 else 2 * top


def crossed(runs: Sequence[Run], apart: Callable[[Run], str]) -> dict[str, dict[str, Any]]:
    """For each run whether it is flagged by thresholds chosen without the runs of its method, or of its data set."""
    extremes = {run.name: highest(run) for run in runs}
    found = {}
    for run in runs:
        others = [r for r in runs if apart(r) != apart(run)]
        limits = [
            chosen(*([extremes[r.name][i] for r in others if r.label == label] for label in ("healthy", "failing")))
            for i in (0, 1)
        ]
        over = [value > limit for value, limit in zip(extremes[run.name], limits, strict=True)]
        silent = "vanishing_gradient" in {f.problem for f in diagnose(run.blind(), loss=run.loss).findings}
        found[run.name] = {"label": run.label, "extremes": extremes[run.name], "limits": limits, "flagged": any(over) or silent}
    return found


def tally(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Flagged runs of each label, with the interval of the share."""
    said = {}
    for label in ("healthy", "failing"):
        mine = [row["flagged"] for row in found.values() if row["label"] == label]
        low, high = wilson(sum(mine), len(mine))
        said[label] = f"{sum(mine)} of {len(mine)} flagged (95 % interval {low:.0%} to {high:.0%})"
    return said


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share."""
    p = hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def extreme_ratio(run: Run) -> float:
    """The largest statistic of the stop rule while a model better by ``GAIN`` was still to come."""
    found = 0.0
    for end in range(RECENT, len(run.fid) - 1):
        ratio, age = statistic(run.fid, end)
        best = min(v for _, v in run.fid[: end + 1])
        if age >= STOP_AGE and min(v for _, v in run.fid[end + 1 :]) < (1 - GAIN) * best:
            found = max(found, ratio)
    return found


def extreme_won(run: Run) -> int:
    """The longest lead of D in steps while a model better by ``GAIN`` was still to come."""
    found = 0
    for end, (step, _) in enumerate(run.fid[:-1]):
        since = lasting_above(leads(run.blind(step), Traits.of(None, loss=run.loss)), LEAD, share_only=True)
        best = min(v for _, v in run.fid[: end + 1])
        if since is not None and min(v for _, v in run.fid[end + 1 :]) < (1 - GAIN) * best:
            found = max(found, step - since)
    return found


def stopped(run: Run, fires: Callable[[int], bool]) -> dict[str, float] | None:
    """The step at which a rule ends the run, the hours saved, how much better FID it lost (percent); None where it does not."""
    last = run.fid[-1][0]
    for end, (step, _) in enumerate(run.fid[:-1]):
        if fires(end):
            best, later = min(v for _, v in run.fid[: end + 1]), min(v for _, v in run.fid[end + 1 :])
            return {"step": step, "saved": run.hours * (1 - step / last), "lost": max(0.0, 100 * (1 - later / best))}
    return None


def judge(run: Run) -> dict[str, Any]:
    """What the doctor says as it is: from losses alone, with FID, and when it would stop."""

    def metric_fires(end: int, bound: float = STOP_RATIO) -> bool:
        ratio, age = statistic(run.fid, end) if end >= RECENT else (0.0, 0)
        return age >= STOP_AGE and ratio > bound

    def losses_fire(end: int) -> bool:
        return advise(run.blind(run.fid[end][0]), loss=run.loss).now

    losses, full = diagnose(run.blind(), loss=run.loss), diagnose(run.records, loss=run.loss)
    return {
        "method": run.method,
        "label": run.label,
        "best": min(v for _, v in run.fid),
        "last": run.fid[-1][1],
        "hours": run.hours,
        "losses": {"verdict": losses.verdict, "problems": sorted({f.problem for f in losses.findings})},
        "with_fid": {"verdict": full.verdict, "problems": sorted({f.problem for f in full.findings})},
        "stop_metric": stopped(run, metric_fires),
        "stop_losses": stopped(run, losses_fire),
        "extreme_ratio": extreme_ratio(run),
        "extreme_won": extreme_won(run),
    }


def crossed_stops(runs: Sequence[Run], apart: Callable[[Run], str]) -> str:
    """The stop rule with its bound taken from other methods' runs, or other data sets', alone."""
    extremes = {run.name: extreme_ratio(run) for run in runs}
    ended = []
    for run in runs:
        others = sorted((extremes[r.name] for r in runs if apart(r) != apart(run)), reverse=True)
        bound = others[max(1, round(STOP_SPARED / STOP_RUNS * len(others))) - 1]
        ended.append(stopped(run, lambda end, run=run, bound=bound: _over(run, end, bound)))  # type: ignore[misc]
    return saved(ended, runs)


def saved(ended: Sequence[dict[str, float] | None], runs: Sequence[Run]) -> str:
    """Of a rule: runs ended, hours saved, and what was lost."""
    done = [end for end in ended if end]
    lost = [end["lost"] for end in done if end["lost"] > 100 * GAIN]
    hours = f"{sum(end['saved'] for end in done):.0f} of {sum(run.hours for run in runs):.0f} hours saved"
    low, high = wilson(len(lost), len(runs))
    early = f"{len(lost)} of {len(runs)} too early (95 % interval {low:.0%} to {high:.0%})"
    return f"{len(done)} runs ended, {hours}, {early}" + (
        f", by {', '.join(f'{one:.0f} %' for one in lost)} of FID" if lost else ""
    )


def _over(run: Run, end: int, bound: float) -> bool:
    ratio, age = statistic(run.fid, end) if end >= RECENT else (0.0, 0)
    return age >= STOP_AGE and ratio > bound


def table(rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| run | label | best FID | last FID | from losses alone | with FID | ended by FID at | ended by losses at |",
        "|---" * 8 + "|",
    ]
    for name, row in sorted(rows.items(), key=lambda item: (item[1]["label"], item[0])):
        ends = [f"{row[k]['step']:,}" if row[k] else "" for k in ("stop_metric", "stop_losses")]
        said = [", ".join(row[k]["problems"]).replace("_", " ") or row[k]["verdict"] for k in ("losses", "with_fid")]
        cells = [
            name.split("-2")[0].removesuffix("-train"),
            row["label"],
            f"{row['best']:.1f}",
            f"{row['last']:.1f}",
            *said,
            *ends,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def summary(runs: Sequence[Run], rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the doctor as it is does on runs, which are those its thresholds come from or are not."""
    found: dict[str, Any] = {}
    for kind in ("losses", "with_fid"):
        flags = {n: {"label": row["label"], "flagged": row[kind]["verdict"] != "healthy"} for n, row in rows.items()}
        found[kind] = tally(flags)
    for kind in ("stop_metric", "stop_losses"):
        found[kind] = saved([row[kind] for row in rows.values()], runs)
    return found


def study(runs: Sequence[Run], apart: dict[str, Callable[[Run], str]]) -> dict[str, Any]:
    rows = {run.name: judge(run) for run in runs}
    print(table(rows))
    result: dict[str, Any] = {"as it is": summary(runs, rows)}
    for name, key in apart.items():
        result[f"thresholds from other {name}"] = tally(crossed(runs, key))
        result[f"stop's bound from other {name}"] = crossed_stops(runs, key)
    ratios = sorted((row["extreme_ratio"] for row in rows.values()), reverse=True)
    result["extremes"] = {"ratio": ratios[:4], "won": sorted((row["extreme_won"] for row in rows.values()), reverse=True)[:4]}
    print(json.dumps(result, indent=1))
    return result | {"runs": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, help="the logs folder of StudioGAN's repository: other data sets too")
    logs = parser.parse_args().logs
    traces = [load(path, last_hour) for path in sorted(TRACES.glob("*.csv"))]
    by_method: dict[str, Callable[[Run], str]] = {"methods": lambda run: run.method}
    result = {"limits": {"lead": LEAD, "unrest": RESTLESS, "ratio": STOP_RATIO, "won": STOP_WON}}
    result["the 25 traces"] = study(traces, by_method)
    if logs:
        files = [p for p in sorted(logs.glob("*/*.log")) if p.parent.name != "CIFAR10" or "StyleGAN2" in p.name]
        others = [load(p, printed_hours)._replace(name=f"{p.parent.name}: {p.stem}") for p in files]
        others = [run for run in others if len(run.fid) > RECENT]
        result["other logs"] = study(others, {})
        result["all"] = study(
            [*traces, *others], by_method | {"data sets": lambda run: run.name.split(":")[0] if ":" in run.name else "CIFAR10"}
        )
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def printed_hours(path: Path) -> float:
    """Of a printed log: the largest elapsed time in it."""
    found = re.findall(r"Elapsed: ((?:\d+ days?, )?\d+:\d\d:\d\d)", path.read_text(encoding="utf-8"))
    return max(map(elapsed, found), default=0.0)


if __name__ == "__main__":
    main()
