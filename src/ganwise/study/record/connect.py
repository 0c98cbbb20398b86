"""From a path or URL to an engine of SQLAlchemy, and from its errors to one line."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ganwise.artifacts import to_json
from ganwise.types import Unusable

FILE = "record.sqlite"
ANSWER = 5
"""Seconds in which a server has to answer."""
BUSY = 30
"""Seconds that a writer waits for others."""
FORMS = "expected a directory, or postgresql://user@host/database"
SERVER = {
    "connect_timeout": ANSWER,
    # a server that the network has swallowed is noticed, too
    "tcp_user_timeout": 2000 * ANSWER,
    "keepalives_idle": ANSWER,
    "keepalives_interval": ANSWER,
    "options": f"-c statement_timeout={BUSY}s -c idle_in_transaction_session_timeout={BUSY}s",
    "application_name": "ganwise",
}


class Lost(Unusable):
    """The database can't be reached or written to now; it may be later."""


class Damaged(Unusable):
    """The record is no whole database. The run directories still have all of it."""


def is_url(where: str | Path) -> bool:
    return isinstance(where, str) and "://" in where


def engine(where: str | Path) -> tuple[Engine, str, Path | None]:
    """The engine, what to call it in messages (never with a password), and the file of an SQLite database.

    Raises:
        Unusable: No such kind of place, or its driver is not installed.
    """
    if is_url(where):
        url = _url(str(where))
        name = url.set(drivername="postgresql").render_as_string(hide_password=True)
        return _server(url, name), name, None
    path = Path(where)
    file = path / FILE if path.is_dir() else path
    if not file.parent.is_dir():
        raise Unusable(f"{path}: does not exist; {FORMS}")
    return _file(file), str(file), file


def _url(where: str) -> URL:
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        raise Unusable(f"not a database's URL; {FORMS}") from None  # it is not repeated: it may hold a password
    if url.get_backend_name() not in ("postgresql", "postgres") or not url.database:
        raise Unusable(f"{url.render_as_string(hide_password=True)}: no record can be there; {FORMS}")
    return url.set(drivername="postgresql+psycopg")


def _server(url: URL, name: str) -> Engine:
    try:
        return create_engine(url, connect_args=SERVER, pool_pre_ping=True, json_serializer=to_json)
    except ImportError:
        raise Unusable(f"{name}: the driver psycopg is not installed; pip install 'ganwise[postgres]'") from None


def _file(file: Path) -> Engine:
    made = create_engine(URL.create("sqlite", database=str(file)), connect_args={"timeout": BUSY}, json_serializer=to_json)

    @event.listens_for(made, "connect")
    def connected(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver's own transactions begin too late to keep writers apart
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=NORMAL")  # whole after a power cut; what it lost is caught up

    @event.listens_for(made, "begin")
    def begun(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return made


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Waits by itself: for this one statement the database does not."""
    end = time.monotonic() + BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.05)


def lock(connection: Connection) -> None:
    """Keeps others from making the tables at the same time; SQLite's transactions do already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7102465713)"))


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Errors of the database as one line.

    Raises:
        Damaged: It is no whole database.
        Lost: It does not answer, is full, locked or read-only, or lacks its tables.
        Unusable: It refuses these values, or this user.
    """
    try:
        yield
    except (DataError, IntegrityError, ProgrammingError) as error:
        raise Unusable(f"{name}: refuses: {_line(error)}") from None
    except DBAPIError as error:
        if type(error.orig) is sqlite3.DatabaseError:
            how = "delete it: ganwise record DIR --rebuild makes it again from the run directories"
            raise Damaged(f"{name}: damaged, or no database: {_line(error)}; {how}") from None
        raise Lost(f"{name}: does not answer: {_line(error)}" if _far(error) else f"{name}: {_line(error)}") from None
    except SQLAlchemyError as error:
        raise Lost(f"{name}: {_line(error)}") from None
    except UnicodeError as error:
        raise Unusable(f"{name}: can't hold this text: {error}") from None


def _far(error: DBAPIError) -> bool:
    return not isinstance(error.orig, sqlite3.Error)


def _line(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split("\n")[0].split()) or type(cause).__name__
