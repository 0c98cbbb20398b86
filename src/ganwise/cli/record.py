"""The verb over the record of races: what ran, as far as it came, and what it scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from ganwise.cli import show
from ganwise.study.record import Caught, Damaged, Record
from ganwise.study.record.connect import FILE, is_url
from ganwise.study.record.rows import race_of, runs_in
from ganwise.types import Unusable

RANKED = ("kid", "sliced_wasserstein")
"""What a race ranks by, where its result is not there yet: images by the first, vectors by the second."""
Row = Mapping[str, Any]


def run(where: str, at: str, rebuild: bool, json: bool) -> None:
    """Lists the runs of the race in the directory ``where``, from its own record or from that ``at`` a URL, or all at a URL.

    The record is caught up first, so that it says what the run directories do.

    Raises:
        Unusable: There are no runs, or the record can't be used.
    """
    if is_url(where):
        _everybodys(where, at, rebuild, json)
        return
    folder = race_of(Path(where))
    if not runs_in(folder):
        raise Unusable(f"{where}: no runs here; expected the directory of a race or run, or postgresql://user@host/database")
    with _opened(folder, at, rebuild) as record:
        caught = record.rebuild(folder) if rebuild else record.catch_up(folder)
        rows, metric = _told(record, folder)
        content = {"runs": rows, "metric": metric, "record": record.name, **caught._asdict()}
        show.result(content, json, lambda: _human(record.name, rows, metric, caught))


def _everybodys(url: str, at: str, rebuild: bool, json: bool) -> None:
    if rebuild or at:
        raise Unusable(f"a record is rebuilt from run directories: ganwise record DIR --rebuild --record {_shown(url)}")
    with Record.open(url) as record:
        rows, metric = _told(record, None)
        show.result({"runs": rows, "metric": metric, "record": record.name}, json, lambda: _human(record.name, rows, metric))


def _shown(url: str) -> str:
    return url if "@" not in url else f"{url.partition('://')[0]}://...@{url.rpartition('@')[2]}"


def _opened(folder: Path, at: str, rebuild: bool) -> Record:
    """The record; one that is damaged is made anew where that was asked for."""
    try:
        return Record.open(at or folder)
    except Damaged:
        if not rebuild:
            raise
        for file in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
            (folder / file).unlink(missing_ok=True)
        return Record.open(folder)


def _told(record: Record, folder: Path | None) -> tuple[list[dict[str, Any]], str | None]:
    """The runs with their value of the metric on test or, before there is one, on validation."""
    ranked = {race["race"]: race["metric"] for race in record.races()}
    tests = {(s["race"], s["run"], s["metric"]): s["value"] for s in record.scores()}
    looks = {(c["race"], c["run"], c["metric"], c["step"]): c["value"] for c in record.checks()}
    measured = tests.keys() | {key[:3] for key in looks}
    runs = record.runs(folder)
    for one in runs:
        likely = (m for m in RANKED if (one["race"], one["run"], m) in measured)
        metric = ranked.get(one["race"]) or next(likely, None)
        key = (one["race"], one["run"], metric)
        part, value = "test", tests.get(key)
        if value is None:
            part, value = "validation", looks.get((*key, one["best_step"]))
        one |= {"metric": metric, "value": value, "part": part if value is not None else None}
    common = {one["metric"] for one in runs}
    return runs, common.pop() if len(common) == 1 else None


def _human(name: str, rows: Sequence[Row], metric: str | None, caught: Caught | None = None) -> None:
    show.heading(f"{len(rows)} run{'s' if len(rows) != 1 else ''} in {name}")
    several = len({row["race"] for row in rows}) > 1
    title = show.METRICS.get(metric or "", metric or "score")
    made = show.table(*(["race"] if several else []), "recipe", "seed", "rung", "status", title, "verdict", "CPU or GPU s")
    for row in rows:
        verdict = row["verdict"] or ""
        made.add_row(
            *([str(Path(row["path"]).parent.parent)] if several else []),
            row["name"],
            _or_nothing(row["seed"]),
            "" if row["rung"] is None else f"{row['rung']:g}",
            row["status"] or "",
            _value(row),
            Text(verdict, style=show.HEALTH.get(verdict, "")),
            "" if row["seconds"] is None else show.number(row["seconds"]),
        )
    show.console.print(made)
    if any(row["part"] == "validation" for row in rows):
        show.console.print("  in brackets: best on the validation part; the others on the test part")
    for words in caught.unreadable if caught else ():
        show.bullet(f"not in the record: {words}", "!")


def _or_nothing(value: object) -> str:
    return "" if value is None else str(value)


def _value(row: Row) -> str:
    if row["value"] is None:
        return ""
    text = show.number(row["value"] * show.times(row["metric"]))
    return text if row["part"] == "test" else f"({text})"
