"""Tables of numbers: csv, and parquet where pyarrow is installed. One column may hold the labels."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from ganwise.data.dataset import Array, Reading
from ganwise.data.labels import encode, unlabeled
from ganwise.types import Trouble, Unusable

LABEL_COLUMNS = ("label", "labels", "class", "target", "y")
INDEX_COLUMNS = ("", "Unnamed: 0", "__index_level_0__")
"""What pandas calls the index that it saves along, in csv, in csv read and saved again, and in parquet."""


def read_csv(path: Path, size: int | None) -> Reading:
    """Numeric columns with or without a header; a column named label, class, target or y holds the labels.

    A first line that counts from 0 or 1 names the columns, as pandas does where nobody has.
    """
    _no_size(path, size)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            values, given, names, numbered = _read_rows(path, _rows(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unusable(f"{path}: not a csv in UTF-8 ({error}); save it again as text") from error
    reading = _reading(path, values, given, names)
    what = "line 1 counts, and was taken for the names of the columns"
    said = (Trouble("info", what, str(path), "write names above it if it is a sample"),) if numbered else ()
    return reading._replace(troubles=said + reading.troubles)


def _rows(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells, without empty lines. The delimiter is the commonest candidate of the first line."""
    first = file.readline()
    file.seek(0)
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _read_rows(path: Path, rows: Iterator[tuple[int, list[str]]]) -> tuple[Array, list[str] | None, list[str], bool]:
    """Values ``(N, D)``, the label column as text, the names of the value columns, and whether these are but numbers."""
    first = next(rows, None)
    if first is None:
        raise Unusable(f"{path}: an empty csv; rows of numbers are needed")
    width, cells = len(first[1]), [cell.strip() for cell in first[1]]
    numbered = _counts(cells)
    has_header = numbered or _label_column(cells) is not None or sum(map(_is_number, cells)) * 2 < width
    header = cells if has_header else [f"{i + 1}" for i in range(width)]
    label = _label_column(header)
    names = [name for i, name in enumerate(header) if i != label]
    numbers, lines, given = array("f"), array("q"), list[str]()
    for line, cells in rows if has_header else chain([first], rows):
        if len(cells) != width:
            raise Unusable(f"{path}: line {line} has {len(cells)} cells; {width} are needed, as in the first line")
        if label is not None:
            given.append(cells.pop(label).strip())
        try:
            numbers.extend(map(float, cells))
        except ValueError:
            bad = next(i for i, cell in enumerate(cells) if not _is_number(cell))
            raise _bad_cell(f"{path}: line {line}", names[bad], cells[bad]) from None
        lines.append(line)
    values = np.frombuffer(numbers, np.float32).reshape(len(lines), len(names)) if lines else np.empty((0, 1), np.float32)
    _require_finite(values, names, lambda row: f"{path}: line {lines[row]}")
    return values, None if label is None else given, names, numbered


def _counts(cells: Sequence[str]) -> bool:
    """Whether all cells are consecutive integers from 0 or 1, two or more, beside those of labels and an index."""
    plain = [cell for cell in cells if cell.lower() not in LABEL_COLUMNS and cell not in INDEX_COLUMNS]
    named = len(plain) < len(cells)
    return (len(plain) > 1 or (named and bool(plain))) and any(plain == [str(i + k) for i in range(len(plain))] for k in (0, 1))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label_column(names: Sequence[str]) -> int | None:
    return next((i for i, name in enumerate(names) if name.lower() in LABEL_COLUMNS), None)


def _bad_cell(where: str, column: str, cell: str) -> Unusable:
    shown = f"'{cell[:40]}'" if cell.strip() else "an empty cell"
    fix = "finite numbers are needed (labels belong into a column named label)"
    return Unusable(f"{where}, column '{column}': {shown}; {fix}")


def _require_finite(values: Array, names: Sequence[str], where: Callable[[int], str]) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = int(bad[0][0]), int(bad[0][1])
        raise _bad_cell(where(row), names[column], str(values[row, column]))


def read_parquet(path: Path, size: int | None) -> Reading:
    """Numeric columns of a parquet file; labels as in a csv. Needs the extra ``ganwise[parquet]``."""
    _no_size(path, size)
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise Unusable(f"{path}: parquet needs pyarrow; install ganwise[parquet], or save the table as csv") from error
    try:
        table = parquet.read_table(path)
    except (arrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise Unusable(f"{path}: not a readable parquet file ({reason}); save it again") from error
    label = _label_column(table.column_names)
    names = [name for i, name in enumerate(table.column_names) if i != label]
    for name in names:
        kind = table.schema.field(name).type
        if not (arrow.types.is_integer(kind) or arrow.types.is_floating(kind) or arrow.types.is_boolean(kind)):
            raise Unusable(f"{path}: column '{name}' holds {kind}; numbers are needed (labels in a column named label)")
    values = np.empty((table.num_rows, len(names)), np.float32)
    for i, name in enumerate(names):
        # a missing cell becomes NaN, and NaN is refused with its place; integers over 2^53 are rounded, as in a csv
        values[:, i] = table.column(name).cast(arrow.float64(), safe=False).to_numpy()
    _require_finite(values, names, lambda row: f"{path}: row {row + 1}")
    given = None if label is None else ["" if v is None else str(v) for v in table.column(label).to_pylist()]
    return _reading(path, values, given, names)


def _reading(path: Path, values: Array, given: Sequence[str] | None, names: Sequence[str]) -> Reading:
    if given is not None and _measured(given):
        column = np.array([float(cell) for cell in given], np.float32)
        values, given, names = np.column_stack([values, column]), None, [*names, "target"]
    values, names, index = _without_index(path, values, names)
    if not names:
        raise Unusable(f"{path}: holds no column of numbers beside the labels; at least one is needed")
    labels, classes = unlabeled(len(values)) if given is None else encode(_as_labels(given), len(values), str(path))
    troubles = index + _row_numbers(path, values, names)
    return Reading(values, labels, classes, None, troubles, {"columns": " ".join(names)})


def _without_index(path: Path, values: Array, names: Sequence[str]) -> tuple[Array, Sequence[str], tuple[Trouble, ...]]:
    """Without a first column that has no name and counts 0, 1, 2, ...: pandas' index."""
    place = next((i for i, name in enumerate(names) if name in INDEX_COLUMNS), None)
    if place is None or not np.array_equal(values[:, place], np.arange(len(values), dtype=np.float32)):
        return values, names, ()
    said = Trouble("info", "a column without a name only counts the rows and was left out", str(path), "nothing to do")
    return np.delete(values, place, 1), [*names[:place], *names[place + 1 :]], (said,)


def _measured(given: Sequence[str]) -> bool:
    """Whether a column named as labels holds measurements: finite numbers with decimals are one more value, not classes."""
    try:
        numbers = np.array([float(cell) for cell in given])
    except ValueError:
        return False
    return bool(np.all(np.isfinite(numbers)) and np.any(numbers != np.rint(numbers)))


def _as_labels(given: Sequence[str]) -> Array:
    """Integers where all are, so that class 10 comes after class 9; else text."""
    text = np.array(given, dtype=np.str_)
    try:
        numbers = np.array([float(cell) if cell else -1.0 for cell in given])
    except ValueError:
        return text
    return numbers if np.all(np.isfinite(numbers)) and np.all(numbers == np.rint(numbers)) else text


def _row_numbers(path: Path, values: Array, names: Sequence[str]) -> tuple[Trouble, ...]:
    """A column that counts the rows is an index that was saved along, and nothing to learn."""
    if len(values) < 2:
        return ()
    counting = [names[i] for i in range(values.shape[1]) if np.all(np.diff(values[:, i]) == 1)]
    fix = "remove the column, or every model learns to count"
    return tuple(Trouble("warning", f"column '{name}' only counts the rows", str(path), fix) for name in counting)


def _no_size(path: Path, size: int | None) -> None:
    if size is not None:
        raise Unusable(f"{path}: a table has no size in pixels; leave the size out")
