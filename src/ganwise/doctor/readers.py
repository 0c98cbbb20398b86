"""Anybody's logs: run directories, CSV, JSON lines, StyleGAN's stats, TensorBoard's events, and what scripts print. No torch.

Files are read as streams, so that their size does not matter, and lines that make no sense are passed over and counted. What
can't be used at all is refused in one line.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ganwise.artifacts import RunDirectory, read_json
from ganwise.doctor.events import events, is_events
from ganwise.doctor.gather import Gatherer, Log
from ganwise.doctor.printed import LOSS_SAID, Parser, plain, spelled
from ganwise.doctor.traits import kind
from ganwise.recipe import from_data
from ganwise.types import Score, Unusable

LONGEST = 1 << 20  # characters of a line that are read
_HEAD = 1 << 16
_LIST = re.compile(r'\ufeff?\s*\[\s*\{\s*"')  # records in one JSON list
_DECIMALS = re.compile(r"(?:^|\t)[-+]?0,\d", re.MULTILINE)  # a column that says 0,956 means 1.294 by 1,294
_NOTHING = ("", "none", "null", "na", "n/a", "<na>", "-")
KNOWN = "a run's directory, a CSV, JSON lines, stats.jsonl, TensorBoard's event files, or a text log with printed losses"


def read(path: Path, told: Mapping[str, str] | None = None) -> Log:
    """The log at ``path``, whatever wrote it; ``told`` maps signals to columns, as in ``{"loss_d": "my_loss"}``.

    Raises:
        Unusable: Nothing is there, or nothing that tells of a training run.
    """
    told = told or {}
    if not path.exists():
        raise Unusable(f"{path}: does not exist; expected {KNOWN}")
    if path.is_dir():
        return _folder(path, told)
    return _file(path, told)


def _folder(path: Path, told: Mapping[str, str]) -> Log:
    """Of a directory: a run of ours, StyleGAN's stats, all event files, or the only log in it."""
    if (path / "run.json").is_file():
        return ours(path)
    if (path / "stats.jsonl").is_file():
        return _file(path / "stats.jsonl", told)
    if found := sorted(path.glob("*tfevents*")):
        return _events(path, found, told)
    logs = sorted(p for p in path.iterdir() if p.is_file() and p.suffix.lower() in (".csv", ".tsv", ".jsonl", ".log", ".txt"))
    if len(logs) == 1:
        return _file(logs[0], told)
    if logs:
        raise Unusable(f"{path}: holds {len(logs)} logs ({', '.join(p.name for p in logs[:4])}, ...); name one of them")
    raise Unusable(f"{path}: no log in this directory; expected {KNOWN}")


def ours(path: Path) -> Log:
    """A run of ganwise, with its recipe and, where it is finished, its scores."""
    run = RunDirectory.open(path)
    content = run.read()
    if not isinstance(content.get("recipe"), dict):
        raise Unusable(f"{run.run}: damaged or not begun: 'recipe' is missing; train this run again")
    recipe = from_data(content["recipe"], str(run.run))
    try:
        records = tuple(run.records())
        scores = measured(run)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Unusable(f"{path}: damaged: its records or scores are not what a run writes; train this run again") from None
    mapping = {name: name for name in dict.fromkeys(name for record in records for name in record.signals)}
    return Log(str(path), "ganwise run", records, mapping, rows=len(records), recipe=recipe, scores=scores)


def measured(run: RunDirectory) -> tuple[Score, ...]:
    """The scores of a run, as numbers: one that is not finite is a word in its file. None before the run is finished."""
    rows = read_json(run.scores)["scores"] if run.scores.is_file() else ()
    return tuple(
        Score(
            **row
            | {name: float(row[name]) for name in ("value", "low", "high")}
            | {"yardsticks": {name: float(value) for name, value in row.get("yardsticks", {}).items()}}
        )
        for row in rows
    )


def _file(path: Path, told: Mapping[str, str]) -> Log:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip():
        raise Unusable(f"{path}: empty; expected {KNOWN}")
    if is_events(head):
        return _events(path, [path], told)
    text = head.decode("utf-16" if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8", errors="replace")
    if "\0" in text or sum(not (c.isprintable() or c.isspace()) for c in text) > 0.1 * len(text):
        raise Unusable(f"{path}: a binary file; expected {KNOWN}")
    if _LIST.match(text):
        return _json(path, _listed(path), "JSON list", told)
    if text.lstrip("\ufeff \n\r").startswith("{") and '"' in text[:200] and _is_json(text):
        return _json(path, _lined(path), "JSON lines", told)
    if (dialect := _dialect(text)) is not None:
        return _table(path, dialect, told, decimal=dialect == ";" or (dialect == "\t" and bool(_DECIMALS.search(text))))
    return _text(path, told)


def lines(path: Path) -> Iterator[str]:
    """The lines of a text file, without their ends; a carriage return, by which progress bars write, ends one too."""
    with path.open("rb") as file:
        utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    with path.open(encoding="utf-16" if utf16 else "utf-8-sig", errors="replace", newline=None) as text:
        while line := text.readline(LONGEST):
            yield line.rstrip("\n")


def _is_json(text: str) -> bool:
    first = next((line for line in text.lstrip("\ufeff").splitlines() if line.strip()), "")
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False


def _json(path: Path, rows: Iterator[object], form: str, told: Mapping[str, str]) -> Log:
    """JSON objects, nested as may be: StyleGAN writes ``{"Loss/D/loss": {"mean": ...}}``. What is none was broken."""
    style = path.name == "stats.jsonl"
    gatherer = Gatherer(str(path), "StyleGAN stats.jsonl" if style else form, told)
    gatherer.places.batch = _batch(path.parent) if style else 0
    broken = 0
    for row in rows:
        if isinstance(row, dict):
            gatherer.add(_row(_flat(row), gatherer))
        broken += row is None
    if style:
        _metrics(path.parent, gatherer)
    _passed_over(gatherer, broken)
    return gatherer.finish()


def _lined(path: Path) -> Iterator[object]:
    """One JSON value a line; None where a line holds none."""
    for line in lines(path):
        try:
            yield json.loads(line) if line.strip() else {}
        except ValueError:
            yield None


def _listed(path: Path) -> Iterator[object]:
    """The objects of one JSON list, wherever its lines end; None for one that is cut off or broken."""
    decoder, text = json.JSONDecoder(), ""
    for line in lines(path):
        text += line
        at = text.find("{")
        while at >= 0:
            try:
                row, end = decoder.raw_decode(text, at)
            except ValueError:
                break
            yield row
            at = text.find("{", end)
        text = text[at:] if at >= 0 else ""
        if len(text) > 2 * LONGEST:
            break
    if text:
        yield None


def _flat(row: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            if "mean" in value:
                value = value["mean"]
            else:
                yield from _flat(value, f"{name}/")
                continue
        yield name, value


def _row(cells: Iterable[tuple[str, object]], gatherer: Gatherer, decimal: bool = False) -> dict[str, float | None]:
    """What the cells hold: numbers, None where nothing stands. Others are counted where the column is read."""
    row = {}
    for name, cell in cells:
        number = _number(cell, decimal)
        if number is not None or _blank(cell):
            row[name] = number
        elif gatherer.read(name):
            gatherer.unread[name] = gatherer.unread.get(name, 0) + 1
    return row


def _blank(value: object) -> bool:
    """Whether a cell is left out: nothing stands in it, or a word for that."""
    return value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _number(value: object, decimal: bool = False) -> float | None:
    """A number, also one written as text, with a percent sign or not; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if not isinstance(value, str):
        return None
    try:
        return float(plain(spelled(value).strip().rstrip("%"), decimal))
    except ValueError:
        return None


def _batch(folder: Path) -> int:
    """Images of a batch, from StyleGAN's options; 0 where they do not say."""
    try:
        batch = json.loads((folder / "training_options.json").read_text(encoding="utf-8")).get("batch_size", 0)
    except (OSError, ValueError, AttributeError):
        return 0
    return batch if isinstance(batch, int) and batch > 0 else 0


def _metrics(folder: Path, gatherer: Gatherer) -> None:
    """FID and KID that StyleGAN has written beside its stats, at the images seen that the snapshot's name tells."""
    for file in sorted(folder.glob("metric-*.jsonl")):
        for line in lines(file):
            try:
                row = json.loads(line)
                seen = int(re.findall(r"(\d+)\.pkl", row["snapshot_pkl"])[0])
                results = {name: float(value) for name, value in row["results"].items()}
            except (ValueError, KeyError, TypeError, IndexError, AttributeError):
                continue
            gatherer.add({"kimg": float(seen), **results})


def _dialect(text: str) -> str | None:
    """The sign between the columns, where the first two lines look like a table's; None where they don't."""
    first, *rest = [line for line in text.lstrip("\ufeff").splitlines() if line.strip()][:3]
    for sign in (",", "\t", ";"):
        width = len(next(csv.reader([first], delimiter=sign)))
        cells = next(csv.reader(rest[:1], delimiter=sign), [])
        numbers = sum(_number(cell) is not None for cell in cells)
        words = not re.search(r"[:=]\s*[-+.\d]", first)
        if width > 1 and words and (not rest or (len(cells) == width and numbers)):
            return sign
    single = re.fullmatch(r"[A-Za-z_][\w ./-]*", first.strip()) and rest and _number(rest[0]) is not None
    return "," if single else None


def _table(path: Path, sign: str, told: Mapping[str, str], decimal: bool) -> Log:
    """A CSV with a header, or without: then its columns are called column1, column2, ... ``decimal`` says what a comma is."""
    gatherer = Gatherer(str(path), "CSV", told)
    rows = csv.reader((line.replace("\0", "") for line in lines(path)), delimiter=sign)
    header: list[str] = []
    useful: list[tuple[int, str]] = []
    broken, short = 0, False
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            break
        except csv.Error:
            broken += 1
            continue
        if not cells:
            continue
        if not header:
            header, cells = _header(cells)
            useful = [(at, name) for at, name in enumerate(header) if gatherer.needs(name)]
        short = len(cells) < len(header)
        broken += len(cells) > len(header) or short
        if len(cells) == len(header) and cells is not header:
            gatherer.add(_row(((name, cells[at]) for at, name in useful), gatherer, decimal))
    if short:
        gatherer.notes["the last line is cut off: left out"] = None
        broken -= 1
    _passed_over(gatherer, broken)
    if not gatherer.columns and not gatherer.ignored:
        gatherer.ignored = dict.fromkeys(header)
    return gatherer.finish()


def _header(cells: list[str]) -> tuple[list[str], list[str]]:
    """Names of the columns, and the first row where there was none but numbers."""
    if all(_number(cell) is not None or not cell.strip() for cell in cells):
        return [f"column{i}" for i in range(1, len(cells) + 1)], cells
    names = [cell.strip() or f"column{i}" for i, cell in enumerate(cells, 1)]
    return names, names


def _text(path: Path, told: Mapping[str, str]) -> Log:
    """What a script has printed: any line with names and numbers."""
    gatherer, parser = Gatherer(str(path), "printed losses", told), Parser()
    for line in lines(path):
        row = parser.row(line.replace("\0", "").replace("\1", ""))
        if row.keys() == {"epoch"}:
            gatherer.places.hear(row["epoch"])
        elif row:
            gatherer.add(row)
        if not gatherer.loss and (said := LOSS_SAID.search(line)):
            gatherer.loss = _kind(said[1])
            gatherer.format = "StudioGAN log"
    return gatherer.finish()


def _kind(said: str) -> str:
    try:
        return kind(said)
    except Unusable:
        return ""


def _events(path: Path, files: Sequence[Path], told: Mapping[str, str]) -> Log:
    gatherer = Gatherer(str(path), "tensorboard", told)
    for file in files:
        for step, name, value in events(file, gatherer.notes):
            gatherer.add({name: value}, step)
    return gatherer.finish()


def _passed_over(gatherer: Gatherer, broken: int) -> None:
    if broken:
        gatherer.notes[f"{broken} lines that could not be read were left out"] = None
