"""TensorBoard's event files of a run, made from what the run has written: records, checks and grids of samples.

They are made from the run's directory alone, by whoever watches it, so that no training knows of them, wherever it runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from ganwise.artifacts import RunDirectory, rows
from ganwise.types import Unusable

FOLDER = "tensorboard"
"""Beside a run's other files."""
COUNTED = ("step", "images", "seconds")
OFTEN = 2.0
"""Seconds between two looks at a run."""


def required() -> None:
    """Makes sure that event files can be written.

    Raises:
        Unusable: The package is not installed.
    """
    try:
        import tensorboard.summary.writer.event_file_writer  # noqa: F401
    except ImportError:
        raise Unusable("--tensorboard: the package tensorboard is missing; pip install 'ganwise[tensorboard]'") from None


class Board:
    """Writes what a run has added to its directory since the last time as event files in it.

    A run that was put back to a checkpoint has fewer records than before: then its files are begun anew. ``wall_time`` of an
    event is the run's begin and its seconds of training, so that TensorBoard's relative axis shows these.

    Raises:
        Unusable: TensorBoard is not installed.
    """

    def __init__(self, run: RunDirectory) -> None:
        required()
        self.run, self.folder = run, run.path / FOLDER
        self.looked, self.begun = -OFTEN, 0.0
        self.records, self.checks = 0, 0
        self.grids: set[str] = set()
        self._writer: Any = None
        self._anew()

    def follow(self) -> None:
        """As `catch_up`, but only now and then."""
        if time.monotonic() - self.looked >= OFTEN:
            self.catch_up()

    def catch_up(self) -> None:
        """Writes all that is new, and makes it readable."""
        self.looked = time.monotonic()
        records, checks = list(rows(self.run.records_file)), list(rows(self.run.checks_file))
        if len(records) < self.records or len(checks) < self.checks:
            self._anew()
        new = records[self.records :], checks[self.checks :]
        grids = [path for path in sorted(self.run.grids.glob("*.png")) if path.stem.isdigit() and path.name not in self.grids]
        if not (any(new) or grids):
            return
        self.begun = self.begun or time.time() - (float(records[-1].get("seconds", 0.0)) if records else 0.0)
        seconds = {int(row["step"]): float(row.get("seconds", 0.0)) for row in (*records, *checks) if "step" in row}
        for part, found in zip(("training", "validation"), new, strict=True):
            for row in found:
                self._add(row, {f"{part}/{name}": value for name, value in _numbers(row).items()})
        for path in grids:
            self._picture(path, seconds.get(int(path.stem), 0.0))
        self.records, self.checks, self.grids = len(records), len(checks), self.grids | {path.name for path in grids}
        self._open().flush()

    def close(self) -> None:
        """Writes what is new and lets go of the file; another `catch_up` begins one more."""
        self.catch_up()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _anew(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for old in self.folder.glob("events.out.tfevents.*"):
            old.unlink()
        self.records, self.checks, self.grids = 0, 0, set()

    def _open(self) -> Any:
        if self._writer is None:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter

            self._writer = EventFileWriter(str(self.folder))
        return self._writer

    def _event(self, step: int, seconds: float, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._open().add_event(Event(wall_time=self.begun + seconds, step=step, summary=summary))

    def _add(self, row: Mapping[str, Any], values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        if "step" in row and values:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
            self._event(int(row["step"]), float(row.get("seconds", 0.0)), summary)

    def _picture(self, path: Path, seconds: float) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        content = path.read_bytes()
        with Image.open(BytesIO(content)) as opened:
            width, height = opened.size
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
        self._event(int(path.stem), seconds, Summary(value=[Summary.Value(tag="samples", image=image)]))


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """What a row measures; what is not finite stands in it as a word."""
    return dict(_measured(row))


def _measured(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        try:
            if name not in COUNTED:
                yield name, float(value)
        except (TypeError, ValueError):
            continue


class Boards:
    """Of a race: a board for each of its runs."""

    def __init__(self) -> None:
        required()
        self.all: dict[Path, Board] = {}
        self.under_way: set[Path] = set()

    def watch(self, running: list[RunDirectory]) -> None:
        """Follows the runs that train, and ends the files of those that no longer do."""
        now = {run.path for run in running}
        for run in running:
            if run.path not in self.all:
                self.all[run.path] = Board(run)
            self.all[run.path].follow()
        for path in self.under_way - now:
            self.all[path].close()
        self.under_way = now

    def close(self) -> None:
        for board in self.all.values():
            board.close()
