"""The record on a real PostgreSQL server: the same answers, several writers, and a server that dies in the middle."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from record_cases import Server, everything, race, run, server
from test_record import writer

from ganwise.study.record import Index, Lost, Record, connect
from ganwise.study.record import index as index_module
from ganwise.types import Unusable


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with ExitStack() as until_the_end:
        try:
            started = until_the_end.enter_context(server())
        except FileNotFoundError as missing:
            if os.environ.get("GANWISE_REQUIRE_POSTGRES") == "1":
                raise
            pytest.skip(str(missing))
        yield started


@pytest.fixture
def url(running: Server) -> str:
    """A database of its own for each test."""
    name = f"test_{time.monotonic_ns()}"
    with closing(psycopg.connect(running.url, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{running.url.rpartition('/')[0]}/{name}"


def test_both_databases_say_the_same(url: str, tmp_path: Path) -> None:
    race(tmp_path)
    run(tmp_path, "sick", 0, float("inf"), verdict="failing")
    answers = []
    for where in (tmp_path, url):
        with Record.open(where) as record:
            record.rebuild(tmp_path)
            asked = [record.best("kid"), record.best("coverage"), record.cost(), record.races(), record.runs(tmp_path)]
            answers.append(everything(record) | {"asked": [str(a) for a in asked]})
    assert answers[0] == answers[1]
    assert len(answers[0]["scores"]) == 15


def test_two_races_share_a_database_and_forget_only_their_own(url: str, tmp_path: Path) -> None:
    ours, theirs = race(tmp_path / "ours"), race(tmp_path / "theirs")
    with Record.open(url) as record:
        for one in (*ours, *theirs):
            record.put(one)
        ours[0].run.unlink()
        record.rebuild(tmp_path / "ours")
        assert (len(record.runs(tmp_path / "ours")), len(record.runs(tmp_path / "theirs"))) == (3, 4)


def test_several_writers_lose_and_double_nothing(url: str, tmp_path: Path) -> None:
    race(tmp_path, [f"gan{i}" for i in range(10)])
    writers = [writer(url, tmp_path, first, first + 14, 3) for first in (0, 3, 6)]
    for one in writers:
        assert one.communicate(timeout=120)[1] == ""
    with Record.open(url) as record, Record.open(tmp_path) as anew:
        written = everything(record)
        assert (len(written["runs"]), len(written["scores"])) == (20, 60)
        anew.rebuild(tmp_path)
        assert everything(anew) | {"races": []} == written | {"races": []}


def test_a_newer_record_and_a_database_of_something_else_are_refused(url: str) -> None:
    Record.open(url).close()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("UPDATE meta SET value = '99'")
        with pytest.raises(Unusable, match=r"made by a newer ganwise \(format 99"):
            Record.open(url)
        connection.execute("DROP TABLE meta")
        with pytest.raises(Unusable, match="something else; name an empty database"):
            Record.open(url)


def test_a_database_that_is_not_there_is_one_line(url: str) -> None:
    with pytest.raises(Lost, match=r"does not answer: .*database \"nothing\" does not exist$"):
        Record.open(url.rpartition("/")[0] + "/nothing")


def test_text_that_the_database_would_refuse_is_cleaned(url: str, tmp_path: Path) -> None:
    first, second, *_ = race(tmp_path)
    first.doctor.write_text(json.dumps({"findings": [{"problem": "a\0b", "evidence": "\udcff"}]}))
    with Record.open(url) as record:
        record.put(first)
        record.put(second)
        (found,) = record.findings()
    assert (found["problem"], found["evidence"]) == ("ab", "?")


@pytest.mark.parametrize("how", ["killed", "hanging"])
def test_a_server_that_fails_in_the_middle_is_said_once_and_caught_up(
    how: str, running: Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "AGAIN", 0.2)
    said: list[str] = []
    index = Index.open(tmp_path, said.append, url)
    first, second, *others = race(tmp_path)
    index.put(first)
    _until(lambda: _runs(url) == 1)
    if how == "killed":
        running.kill()
    else:
        os.kill(running.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        index.put(second)
        for one in others:
            index.put(one)
        assert time.monotonic() - begin < 1
        if how == "killed":
            _until(lambda: bool(said))
    finally:
        running.start() if how == "killed" else os.kill(running.pid, signal.SIGCONT)
    _until(lambda: _runs(url) == 4)
    assert index.close()
    if how == "killed":
        assert len(said) == 2
        assert said[0].startswith(f"{url}: does not answer: ")
        assert said[0].endswith("; the race goes on, and the record is caught up later")
        assert said[1] == f"{url}: the record is complete again"
    with Record.open(url) as record:
        assert len(record.scores()) == 12


def test_a_server_that_takes_no_more_connections_is_waited_for_five_seconds(
    running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connect.SERVER, "connect_timeout", 2)
    os.kill(running.pid, signal.SIGSTOP)
    begin = time.monotonic()
    try:
        with pytest.raises(Lost, match=r"does not answer: .*timeout"):
            Record.open(running.url)
    finally:
        os.kill(running.pid, signal.SIGCONT)
    assert time.monotonic() - begin < 20


def _runs(url: str) -> int:
    with closing(psycopg.connect(url)) as connection:
        row = connection.execute("SELECT count(*) FROM runs").fetchone()
    return int(row[0]) if row else 0


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
