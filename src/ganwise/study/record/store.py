"""The record as its readers and its one writer, `Index`, see it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable, Table, bindparam, case, delete, func, insert, inspect, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ganwise.artifacts import RunDirectory
from ganwise.study.record import connect, rows
from ganwise.study.record.connect import Damaged, Lost
from ganwise.study.record.rows import Row
from ganwise.study.record.tables import FORMAT, PARTS, checks, findings, meta, metadata, races, runs, scores
from ganwise.types import SICK, Unusable

BATCH = 50
"""Runs that are written in one transaction: others wait no longer for it."""
NEWER = "made by a newer ganwise (format {found}, this one reads up to {ours}); use that one"
FOREIGN = "holds the tables of something else; name an empty database"


class Caught(NamedTuple):
    """What catching up did: runs written, left because nothing had changed, gone from the disk, and what can't be read."""

    written: int
    unchanged: int
    gone: int
    unreadable: tuple[str, ...]


class Record:
    """An index of run directories in a database, safe for several writers: short transactions, rows keyed by race and run."""

    def __init__(self, where: str | Path) -> None:
        self._engine, self.name, self._file = connect.engine(where)
        self._ids: dict[Path, str] = {}
        try:
            with self._writing() as connection:
                self._prepare(connection)
            self._inode = os.stat(self._file).st_ino if self._file else 0
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, where: str | Path) -> Record:
        """The record in a directory or SQLite file, or at ``postgresql://user@host/database``; made where there is none.

        Raises:
            Damaged: A file that is no whole database.
            Lost: A server that does not answer within 5 s, a file that can't be written to.
            Unusable: A record of a newer version, a database of something else, no such place, or no driver for it.
        """
        return cls(where)

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def put(self, run: RunDirectory) -> None:
        """Writes a run as its directory has it now; as often as one likes.

        Raises:
            Lost: The database can't be written to.
            Unusable: The run's files are damaged.
        """
        for words in self.put_all([run]):
            raise Unusable(words)

    def put_all(self, given: Sequence[RunDirectory]) -> tuple[str, ...]:
        """Writes runs, many in one transaction, which is several times as fast; returns what is wrong with those left out.

        Raises:
            Lost: The database can't be written to.
        """
        self._there()
        wrong: list[str] = []
        by_race: dict[str, list[RunDirectory]] = {}
        for run in sorted(given, key=lambda r: r.path):  # in one order, so that no two writers wait for each other
            by_race.setdefault(self._race(rows.race_of(run.path)), []).append(run)
        for race, mine in by_race.items():
            for i in range(0, len(mine), BATCH):
                wrong += self._put_some(race, mine[i : i + BATCH])
        return tuple(wrong)

    def _put_some(self, race: str, some: Sequence[RunDirectory]) -> list[str]:
        try:
            with self._writing() as connection:
                return self._write(connection, race, some)
        except (Damaged, Lost):
            raise
        except Unusable as error:  # the database refuses a value: of one run, so the others go alone
            return [str(error)] if len(some) == 1 else [words for run in some for words in self._put_some(race, [run])]

    def _write(self, connection: Connection, race: str, some: Sequence[RunDirectory]) -> list[str]:
        names = {run: {"race": race, "run": rows.text(run.path.name)} for run in some}
        self._hold(connection, runs, list(names.values()))
        found, wrong = {}, []
        for run in some:
            try:
                found[run] = rows.read(run)  # while the row is ours: of two writers the later one has read later, too
            except Unusable as error:
                wrong.append(str(error))
        connection.execute(delete(runs).where(runs.c.race == race, runs.c.stamp.is_(None), runs.c.run.in_(_left(names, found))))
        if found:
            keys = [runs.c[key] == bindparam(f"its_{key}") for key in ("race", "run")]
            told = [one.run | {f"its_{key}": value for key, value in names[run].items()} for run, one in found.items()]
            connection.execute(update(runs).where(*keys).values({c: bindparam(c) for c in next(iter(found.values())).run}), told)
        for name, table in PARTS.items():
            connection.execute(delete(table).where(table.c.race == race, table.c.run.in_([names[run]["run"] for run in found])))
            if several := [{**names[run], "number": i, **row} for run in found for i, row in enumerate(found[run].parts[name])]:
                connection.execute(insert(table), several)
        return wrong

    def put_race(self, folder: Path) -> None:
        """Writes what the files of the race itself say.

        Raises:
            Lost: The database can't be written to.
            Unusable: One of the files is damaged.
        """
        key = {"race": self._race(folder)}
        self._there()
        with self._writing() as connection:
            self._hold(connection, races, [key])
            connection.execute(update(races).where(*_at(races, key)).values(rows.read_race(folder)))

    def rebuild(self, folder: Path) -> Caught:
        """Writes every run of a race, or the one run, anew, and forgets those that are gone.

        Raises:
            Lost: The database can't be written to.
        """
        return self._all(folder, {})

    def catch_up(self, folder: Path) -> Caught:
        """As `rebuild`, but leaves the runs whose files have not changed since they were written; quick on thousands."""
        race = self._race(folder)
        with self._reading() as connection:
            known = connection.execute(select(runs.c.run, runs.c.stamp).where(runs.c.race == race)).all()
        return self._all(folder, {row.run: row.stamp for row in known})

    def _all(self, folder: Path, known: dict[str, str]) -> Caught:
        found, race = rows.runs_in(folder), self._race(folder)
        changed = [r for r in found if known.get(r.path.name) != rows.stamp(r)]
        unreadable = list(self.put_all(changed))
        written = len(changed) - len(unreadable)
        try:
            self.put_race(folder)
        except (Damaged, Lost):
            raise
        except Unusable as error:
            unreadable.append(str(error))
        gone = self._forget(race, {str(rows.text(r.path.name)) for r in found})
        return Caught(written, len(found) - len(changed), gone, tuple(unreadable))

    def _forget(self, race: str, there: set[str]) -> int:
        with self._writing() as connection:
            gone = [run for (run,) in connection.execute(select(runs.c.run).where(runs.c.race == race)) if run not in there]
            for run in gone:
                for table in (runs, *PARTS.values()):
                    connection.execute(delete(table).where(*_at(table, {"race": race, "run": run})))
        return len(gone)

    def races(self) -> list[Row]:
        return self._rows(select(races).order_by(races.c.path))

    def runs(self, race: Path | None = None) -> list[Row]:
        """Every run, or those of the race in a directory."""
        asked = select(runs).order_by(runs.c.race, runs.c.name, runs.c.seed, runs.c.run)
        return self._rows(asked if race is None else asked.where(runs.c.race == self._race(race)))

    def scores(self, metric: str | None = None) -> list[Row]:
        """Scores with their run's name, recipe's hash and verdict."""
        asked = select(scores, *(runs.c[c] for c in ("name", "hash", "verdict"))).join(runs, _same_run(scores))
        asked = asked.order_by(scores.c.race, runs.c.name, scores.c.run, scores.c.number)
        return self._rows(asked if metric is None else asked.where(scores.c.metric == metric))

    def findings(self) -> list[Row]:
        return self._rows(select(findings).order_by(findings.c.race, findings.c.run, findings.c.number))

    def checks(self, metric: str | None = None) -> list[Row]:
        """Values on the validation part, by race, run and step."""
        asked = select(checks).order_by(checks.c.race, checks.c.run, checks.c.number)
        return self._rows(asked if metric is None else asked.where(checks.c.metric == metric))

    def best(self, metric: str, part: str = "test") -> list[Row]:
        """Each race's candidates by their mean over the runs, the best first; only what has one protocol stands together.

        `sick` counts the runs that the doctor calls failing or failed, which win nothing.
        """
        group = (scores.c.race, runs.c.name, scores.c.metric, scores.c.direction, scores.c.features, scores.c.protocol)
        mean = func.avg(scores.c.value)
        sick = func.sum(case((runs.c.verdict.in_(SICK), 1), else_=0))
        asked = (
            select(*group, mean.label("value"), func.count().label("runs"), sick.label("sick"))
            .join(runs, _same_run(scores))
            .where(scores.c.metric == metric, scores.c.part == part)
            .group_by(*group)
            .order_by(*(group[i] for i in (0, 4, 5)), case((scores.c.direction == "lower", mean), else_=-mean))
        )
        return self._rows(asked)

    def cost(self) -> list[Row]:
        """What each race's candidates took, all runs together."""
        group = (runs.c.race, runs.c.name)
        sums = [func.sum(runs.c[c]).label(c) for c in ("steps", "images", "seconds", "flops")]
        return self._rows(select(*group, func.count().label("runs"), *sums).group_by(*group).order_by(*group))

    def _race(self, folder: Path) -> str:
        if folder not in self._ids:
            try:
                self._ids[folder] = rows.identity(folder)
            except OSError as error:
                raise Lost(f"{folder}: can't be written to: {error.strerror}") from None
        return self._ids[folder]

    def _rows(self, asked: Executable) -> list[Row]:
        with self._reading() as connection:
            return [_plain(row) for row in connection.execute(asked).mappings()]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with connect.explained(self.name), self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with connect.explained(self.name), self._engine.begin() as connection:
            yield connection

    def _there(self) -> None:
        """A file that was deleted or replaced would go on taking what nobody can read."""
        try:
            whole = self._file is None or os.stat(self._file).st_ino == self._inode
        except OSError:
            whole = False
        if not whole:
            raise Lost(f"{self.name}: was deleted or replaced while it was in use")

    def _hold(self, connection: Connection, table: Table, keys: Sequence[Row]) -> None:
        """Makes the rows, and keeps other writers from them until the transaction ends."""
        made = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
        key = {name: made.excluded[name] for name in keys[0]}
        connection.execute(made.on_conflict_do_update(index_elements=list(key), set_=key), keys)

    def _prepare(self, connection: Connection) -> None:
        connect.lock(connection)
        tables = inspect(connection).get_table_names()
        if not tables:
            metadata.create_all(connection)
            connection.execute(insert(meta).values(key="ganwise format", value=str(FORMAT)))
            return
        version = self._version(connection) if "meta" in tables else None
        if version is None:
            raise Unusable(f"{self.name}: {FOREIGN}")
        if version > FORMAT:
            raise Unusable(f"{self.name}: {NEWER.format(found=version, ours=FORMAT)}")

    def _version(self, connection: Connection) -> int | None:
        columns = {column["name"] for column in inspect(connection).get_columns("meta")}
        if not {"key", "value"} <= columns:
            return None
        told = connection.execute(select(meta.c.value).where(meta.c.key == "ganwise format")).scalar()
        return int(told) if told and told.isdigit() else None


def _left(names: Mapping[RunDirectory, Row], found: Mapping[RunDirectory, object]) -> list[str]:
    return [key["run"] for run, key in names.items() if run not in found]


def _at(table: Table, key: dict[str, Any]) -> list[Any]:
    return [table.c[name] == value for name, value in key.items()]


def _same_run(table: Table) -> Any:
    return (runs.c.race == table.c.race) & (runs.c.run == table.c.run)


def _plain(row: Any) -> Row:
    """PostgreSQL sums whole numbers to decimals."""
    return {name: int(value) if isinstance(value, Decimal) else value for name, value in row.items()}
