"""The writer that a race keeps: a thread of its own, so that no database that fails or hangs holds the race up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ganwise.artifacts import RunDirectory
from ganwise.study.record import connect
from ganwise.study.record.connect import Damaged, Lost
from ganwise.study.record.store import Record
from ganwise.types import Unusable

AGAIN = 5.0
"""Seconds between two tries, while the database fails."""


class Index:
    """Keeps a race's record up to date. After `open` no failure of the database raises: it is said once, and caught up."""

    def __init__(self, record: Record, where: str | Path, folder: Path, say: Callable[[str], None]) -> None:
        self._record: Record | None = record
        self._name = record.name
        self._where, self._folder, self._say = where, folder, say
        self._changed: dict[Path, RunDirectory] = {}
        self._race, self._ended = False, False
        self._behind = any(folder.glob("runs/*/run.json"))  # a race that goes on: what was missed is written first
        self._failed = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="record", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, folder: Path, say: Callable[[str], None], where: str | Path | None = None) -> Index:
        """The record of the race in ``folder``: there, or at ``where``, as `Record.open` takes it. ``say`` gets warnings.

        Raises:
            Unusable: As `Record.open`.
        """
        return cls(Record.open(where or folder), where or folder, folder, say)

    def put(self, run: RunDirectory) -> None:
        """Has the run written as its directory is then; returns at once."""
        with self._wake:
            self._changed[run.path] = run
            self._wake.notify()

    def put_race(self) -> None:
        """Has the race's own files written; returns at once."""
        with self._wake:
            self._race = True
            self._wake.notify()

    def close(self, patience: float = 30.0) -> bool:
        """Writes what is left, for at most ``patience`` seconds; false, and said, where something is missing."""
        with self._wake:
            self._ended = True
            self._wake.notify()
        self._thread.join(patience)
        if self._thread.is_alive() or self._behind:
            at = f" --record {self._name}" if connect.is_url(self._where) else ""
            self._say(f"the record lacks runs; ganwise record {self._folder} --rebuild{at} adds them")
        return not (self._thread.is_alive() or self._behind)

    def _work(self) -> None:
        ended = False
        while not ended:
            ended, race, changed = self._next()
            try:
                if self._behind:
                    self._catch_up()
                else:
                    self._write(changed, race)
            except Exception as error:  # whatever it is: an index must not end what it is an index of
                self._fail(error)
        if self._record:
            self._record.close()

    def _next(self) -> tuple[bool, bool, list[RunDirectory]]:
        """What is to be written, as soon as there is something; after a failure, not before the next try is due."""
        due = time.monotonic() + (AGAIN if self._failed else 0)
        with self._wake:
            while not self._ended:
                left = due - time.monotonic()
                if left <= 0 and (self._behind or self._changed or self._race):
                    break
                self._wake.wait(left if self._failed else None)
            work = self._ended, self._race, list(self._changed.values())
            self._race, self._changed = False, {}
        return work

    def _write(self, changed: list[RunDirectory], race: bool) -> None:
        assert self._record is not None
        for words in self._record.put_all(changed):  # a run's file is damaged, not the database
            self._say(f"not in the record: {words}")
        if race:
            try:
                self._record.put_race(self._folder)
            except (Damaged, Lost):
                raise
            except Unusable as error:
                self._say(f"not in the record: {error}")

    def _catch_up(self) -> None:
        if self._record is None:
            self._record = Record.open(self._where)
        for words in self._record.catch_up(self._folder).unreadable:
            self._say(f"not in the record: {words}")
        self._behind = False
        if self._failed:
            self._failed = False
            self._say(f"{self._record.name}: the record is complete again")

    def _fail(self, error: Exception) -> None:
        if not self._failed:
            self._say(f"{error or type(error).__name__}; the race goes on, and the record is caught up later")
        self._behind = self._failed = True
        if self._record:
            self._record.close()
            self._record = None
