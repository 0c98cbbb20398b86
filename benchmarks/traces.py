"""How the doctor does on 25 published logs of CIFAR-10 runs, cross-validated over the methods; and when it would stop.

``python benchmarks/traces.py`` prints the tables of docs/doctor.md and writes benchmarks/results/traces.json. With ``--logs``,
a checkout of StudioGAN's logs (TINY_IMAGENET, IMAGENET, AFHQ), the doctor is tried on those too, which no threshold has seen.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ganwise.doctor import diagnose
from ganwise.doctor.balance import leads
from ganwise.doctor.readers import read
from ganwise.doctor.series import lasting_above, series
from ganwise.doctor.stop import advise, statistic
from ganwise.doctor.thresholds import GAIN, LEAD, RECENT, STOP_AGE, STOP_RATIO, STOP_WON
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
        return self.name.split("-2")[0].split("(")[0]

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


def highest(run: Run) -> float:
    """The largest lead of D that would have been an alarm at any evaluation, from losses alone; 0 where there never was one."""
    best = 0.0
    for step, _ in run.fid:
        values = leads(run.blind(step), Traits())
        for limit in GRID:
            if limit > best and lasting_above(values, limit, share_only=True) is not None:
                best = limit
    return best


GRID = [1.1**i for i in range(-5, 90)]


def chosen(healthy: Sequence[float], failing: Sequence[float]) -> float:
    """The geometric middle between the highest healthy lead and the lowest failing one above it."""
    top = max(healthy)
    above = [lead for lead in failing if lead > top]
    return math.sqrt(top * min(above)) if above else 2 * top


def crossed(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """For each run whether it is flagged by a threshold that was chosen without any run of its method."""
    leads_of = {run.name: highest(run) for run in runs}
    found = {}
    for run in runs:
        others = [r for r in runs if r.method != run.method]
        limit = chosen(
            [leads_of[r.name] for r in others if r.label == "healthy"], [leads_of[r.name] for r in others if r.label == "failing"]
        )
        found[run.name] = {"lead": leads_of[run.name], "limit": limit, "flagged": leads_of[run.name] > limit}
    return found


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
        since = lasting_above(leads(run.blind(step), Traits()), LEAD, share_only=True)
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
        return advise(run.blind(run.fid[end][0])).now

    losses, full = diagnose(run.blind()), diagnose(run.records)
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


def loo_stops(runs: Sequence[Run], rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The stop rule with its bound taken from the other methods' runs alone: runs ended too early, hours saved."""
    false = saved = 0.0
    for run in runs:
        bound = max(rows[r.name]["extreme_ratio"] for r in runs if r.method != run.method)
        done = stopped(run, lambda end, run=run, bound=bound: _over(run, end, bound))  # type: ignore[misc]
        false += bool(done and done["lost"] > 100 * GAIN)
        saved += done["saved"] if done else 0.0
    return {"false": false, "saved": saved}


def _over(run: Run, end: int, bound: float) -> bool:
    ratio, age = statistic(run.fid, end) if end >= RECENT else (0.0, 0)
    return age >= STOP_AGE and ratio > bound


def share(rows: Sequence[dict[str, Any]], kind: str) -> str:
    flagged = sum(row[kind]["verdict"] in ("warning", "failing", "failed") for row in rows)
    low, high = wilson(flagged, len(rows))
    return f"{flagged} of {len(rows)} (95 % interval {low:.0%} to {high:.0%})"


def table(rows: dict[str, dict[str, Any]]) -> None:
    print("| run | label | best FID | last FID | from losses alone | with FID | stop by FID at | stop by losses at |")
    print("|---|---|---|---|---|---|---|---|")
    for name, row in sorted(rows.items(), key=lambda item: (item[1]["label"], item[0])):
        ends = [f"{row[k]['step']:,}" if row[k] else "" for k in ("stop_metric", "stop_losses")]
        said = [", ".join(row[k]["problems"]) or row[k]["verdict"] for k in ("losses", "with_fid")]
        print(
            "| "
            + " | ".join([name.split("-2")[0], row["label"], f"{row['best']:.1f}", f"{row['last']:.1f}", *said, *ends])
            + " |"
        )


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    found = {}
    for label in ("healthy", "failing"):
        mine = [row for row in rows.values() if row["label"] == label]
        for kind in ("losses", "with_fid"):
            if mine:
                found[f"{label}, flagged {kind}"] = share(mine, kind)
    for kind in ("stop_metric", "stop_losses"):
        done = [row[kind] for row in rows.values() if row[kind]]
        lost = [d["lost"] for d in done if d["lost"] > 100 * GAIN]
        hours = sum(row["hours"] for row in rows.values())
        said = f"{len(done)} of {len(rows)} runs ended, {sum(d['saved'] for d in done):.0f} of {hours:.0f} hours saved, "
        said += f"{len(lost)} too early"
        found[kind] = said + (f" (lost {', '.join(f'{one:.0f} %' for one in lost)} of FID)" if lost else "")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, help="StudioGAN's logs folder: other data sets, which no threshold has seen")
    logs = parser.parse_args().logs
    runs = [load(path, last_hour) for path in sorted(TRACES.glob("*.csv"))]
    rows = {run.name: judge(run) for run in runs}
    cross = crossed(runs)
    table(rows)
    result: dict[str, Any] = {"runs": rows, "crossed": cross, "summary": summary(rows), "stop crossed": loo_stops(runs, rows)}
    for label in ("healthy", "failing"):
        mine = [cross[r.name]["flagged"] for r in runs if r.label == label]
        result[f"crossed {label}"] = [sum(mine), len(mine), *wilson(sum(mine), len(mine))]
    print(json.dumps({k: v for k, v in result.items() if k not in ("runs", "crossed")}, indent=1))
    leads_of = {
        label: sorted(round(cross[r.name]["lead"], 1) for r in runs if r.label == label) for label in ("healthy", "failing")
    }
    print(
        "leads", leads_of, "limits", sorted({round(c["limit"], 1) for c in cross.values()}), "in use", LEAD, STOP_RATIO, STOP_WON
    )
    print("extremes", max(r["extreme_ratio"] for r in rows.values()), max(r["extreme_won"] for r in rows.values()))
    if logs:
        result["unseen"] = unseen(logs)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def unseen(logs: Path) -> dict[str, Any]:
    """StudioGAN's logs of other data sets, read as they were printed."""
    found = [load(p, printed_hours) for p in sorted(logs.glob("*/*.log")) if p.parent.name != "CIFAR10"]
    rows = {f"{run.name} {i}": judge(run) for i, run in enumerate(found) if len(run.fid) > RECENT}
    table(rows)
    print(json.dumps(summary(rows), indent=1))
    return {"runs": rows, "summary": summary(rows)}


def printed_hours(path: Path) -> float:
    """Of a printed log: the largest elapsed time in it."""
    import re

    found = re.findall(r"Elapsed: ((?:\d+ days?, )?\d+:\d\d:\d\d)", path.read_text(encoding="utf-8"))
    return max(map(elapsed, found), default=0.0)


if __name__ == "__main__":
    main()
