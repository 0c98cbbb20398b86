"""The record in SQLite: an index that equals its run directories, whoever writes, whatever breaks."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Answer
from record_cases import everything, race, run, score

from ganwise.artifacts import write_json
from ganwise.study.record import Damaged, Index, Lost, Record, connect
from ganwise.study.record import index as index_module
from ganwise.types import Unusable

SOURCES = Path(__file__).parents[1] / "src" / "ganwise"


def test_a_rebuilt_record_equals_one_written_run_by_run(tmp_path: Path) -> None:
    folder = tmp_path / "race"
    with Record.open(tmp_path / "one.sqlite") as record:
        for status in ("waiting", "running", "done"):
            run(folder, "gan", 1, status=status, steps={"waiting": None, "running": 10, "done": 100}[status])
            record.put(run(folder, "gan", 1, status=status))
        for one in race(folder):
            record.put(one)
            record.put(one)
        record.put_race(folder)
        one_by_one = everything(record)
    with Record.open(tmp_path / "two.sqlite") as record:
        caught = record.rebuild(folder)
        assert everything(record) == one_by_one
    assert caught.written == 4
    assert [len(rows) for rows in one_by_one.values()] == [1, 4, 12, 0, 8]


def test_rows_say_what_the_files_say(tmp_path: Path) -> None:
    race(tmp_path)
    run(tmp_path, "sick", 3, verdict="failing", lineage={"parent": "runs/gan-s0"}, broken="out of memory")
    with Record.open(tmp_path) as record:
        record.rebuild(tmp_path)
        (row,) = [r for r in record.runs(tmp_path) if r["name"] == "sick"]
        (found,) = record.findings()
        (seen,) = record.races()
        checks = [(c["step"], c["value"]) for c in record.checks("kid") if c["run"] == "sick-s3"]
    from ganwise import catalog
    from ganwise.select.evidence import fingerprint

    assert row["hash"] == fingerprint(catalog.named("gan"))
    assert row["recipe"] == catalog.named("gan").model_dump(mode="json")
    assert (row["images"], row["flops"], row["rung"], row["best_step"]) == (3_000_000_000, 1e15, 0.4, 80)
    assert (row["status"], row["verdict"], row["parent"], row["broken"]) == ("done", "failing", "runs/gan-s0", "out of memory")
    assert found["run"] == "sick-s3"
    assert (found["problem"], found["since_step"], found["evidence"]) == ("mode_collapse", 40, "coverage 0.1")
    assert (seen["metric"], seen["budget"], seen["recommended"], seen["seeds"]) == ("kid", "3m", "lsgan", 2)
    assert checks == [(40, 1.0), (80, 0.5)]


def test_the_best_stands_first_whichever_way_a_metric_goes(tmp_path: Path) -> None:
    race(tmp_path, ("gan", "lsgan", "wgan"))
    run(tmp_path, "sick", 0, 0.01, verdict="failed")
    with Record.open(tmp_path) as record:
        record.rebuild(tmp_path)
        assert [(r["name"], r["runs"], r["sick"]) for r in record.best("kid")] == [
            ("sick", 1, 1), ("wgan", 2, 0), ("lsgan", 2, 0), ("gan", 2, 0)
        ]  # fmt: skip
        assert [r["name"] for r in record.best("coverage")] == ["gan", "lsgan", "wgan", "sick"]
        assert record.best("kid", part="validation") == []
        (cost,) = [r for r in record.cost() if r["name"] == "wgan"]
    assert (cost["runs"], cost["steps"], cost["images"], cost["seconds"], cost["flops"]) == (2, 200, 6_000_000_000, 5.0, 2e15)


def test_scores_of_two_protocols_are_never_averaged(tmp_path: Path) -> None:
    one, two = (run(tmp_path, "gan", seed, 0.2) for seed in (0, 1))
    write_json(two.scores, {"scores": [score("kid", 0.4, protocol="another")]})
    with Record.open(tmp_path) as record:
        record.put(one)
        record.put(two)
        assert [(r["value"], r["runs"]) for r in record.best("kid")] == [(0.2, 1), (0.4, 1)]


def test_what_diverged_is_kept_as_it_is(tmp_path: Path) -> None:
    one = run(tmp_path, value=math.inf)
    write_json(one.scores, {"scores": [score("kid", math.nan), score("fid", math.inf)]})
    with Record.open(tmp_path) as record:
        record.put(one)
        kid, fid = record.scores()
    assert math.isnan(kid["value"])
    assert fid["value"] == math.inf


def test_a_run_that_is_gone_leaves_the_record_and_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    race(tmp_path)
    with Record.open(tmp_path) as record:
        assert record.catch_up(tmp_path) == (4, 0, 0, ())
        assert record.catch_up(tmp_path) == (0, 4, 0, ())
        shutil.rmtree(tmp_path / "runs" / "gan-s0")
        run(tmp_path, "lsgan", 1, 0.7)
        assert record.catch_up(tmp_path) == (1, 2, 1, ())
        assert sorted(r["run"] for r in record.runs()) == ["gan-s1", "lsgan-s0", "lsgan-s1"]
        assert len(record.scores("kid")) == 3
        assert record.scores("kid")[-1]["value"] == 0.7


def test_a_moved_race_is_the_same_race_at_its_new_place(tmp_path: Path) -> None:
    race(tmp_path / "old")
    with Record.open(tmp_path) as record:
        record.rebuild(tmp_path / "old")
        (tmp_path / "old").rename(tmp_path / "new")
        assert record.catch_up(tmp_path / "new").written == 4
        assert [r["path"] for r in record.races()] == [str(tmp_path / "new")]
        assert {Path(r["path"]).parent for r in record.runs()} == {tmp_path / "new" / "runs"}


def test_a_damaged_run_is_named_and_stops_no_other(tmp_path: Path) -> None:
    first, *_ = race(tmp_path)
    first.doctor.write_text("{")
    with Record.open(tmp_path) as record:
        caught = record.rebuild(tmp_path)
        assert (caught.written, len(record.runs())) == (3, 3)
    assert len(caught.unreadable) == 1
    assert "gan-s0" in caught.unreadable[0]


WRITER = """
import sys
from pathlib import Path
from ganwise.artifacts import RunDirectory
from ganwise.study.record import Record
where, folder, first, last, puts = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
with Record.open(where) as record:
    print("open", flush=True)
    for turn in range(puts):
        for run in sorted((folder / "runs").iterdir())[first:last]:
            record.put(RunDirectory(run))
        print(turn, flush=True)
"""


def writer(where: str | Path, folder: Path, first: int, last: int, puts: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(where), str(folder), *map(str, (first, last, puts))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_writers_lose_and_double_nothing(tmp_path: Path) -> None:
    race(tmp_path, [f"gan{i}" for i in range(10)])
    # overlapping shares: each run has two writers, and all three make the tables and the race's id at once
    writers = [writer(tmp_path, tmp_path, first, first + 14, 3) for first in (0, 3, 6)]
    for one in writers:
        assert one.communicate(timeout=120)[1] == ""
    with Record.open(tmp_path) as record:
        written = everything(record) | {"races": []}
        assert len(record.runs()) == 20
        assert len(record.scores()) == 60
    with Record.open(tmp_path / "anew.sqlite") as record:
        record.rebuild(tmp_path)
        assert everything(record) | {"races": []} == written


def test_a_writer_killed_in_the_middle_leaves_a_whole_database(tmp_path: Path) -> None:
    race(tmp_path, [f"gan{i}" for i in range(5)])
    killed = writer(tmp_path, tmp_path, 0, 10, 100_000)
    assert killed.stdout is not None
    for _ in range(3):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    with sqlite3.connect(tmp_path / "record.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with Record.open(tmp_path) as record:
        assert {len([s for s in record.scores() if s["run"] == r["run"]]) for r in record.runs()} == {3}
        record.rebuild(tmp_path)
        assert len(record.scores()) == 30


def test_a_file_that_is_no_database_says_how_to_get_a_whole_one(tmp_path: Path) -> None:
    race(tmp_path)
    (tmp_path / "record.sqlite").write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(Damaged, match=r"record\.sqlite: damaged.*ganwise record DIR --rebuild"):
        Record.open(tmp_path)


def test_a_newer_record_and_a_database_of_something_else_are_refused(tmp_path: Path) -> None:
    Record.open(tmp_path).close()
    with sqlite3.connect(tmp_path / "record.sqlite") as database:
        database.execute("UPDATE meta SET value = '99'")
    with pytest.raises(Unusable, match=r"made by a newer ganwise \(format 99, this one reads up to 1\)"):
        Record.open(tmp_path)
    with sqlite3.connect(tmp_path / "other.sqlite") as database:
        database.execute("CREATE TABLE meta (a)")
    with pytest.raises(Unusable, match="something else"):
        Record.open(tmp_path / "other.sqlite")


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (
            "mysql://me:secret@host/db",
            r"mysql://me:\*\*\*@host/db: no record can be there; expected a directory, or postgresql://",
        ),
        ("postgresql://host", "no record can be there"),
        ("postgresql://me:secret@host:port/db", "not a database's URL"),
        ("nowhere/at/all", "does not exist"),
    ],
)
def test_no_record_can_be_there(where: str, words: str) -> None:
    with pytest.raises(Unusable, match=words) as refused:
        Record.open(where)
    assert "secret" not in str(refused.value)


def test_a_server_that_does_not_answer_is_one_line_without_the_password() -> None:
    with pytest.raises(Lost, match=r"^postgresql://me:\*\*\*@127\.0\.0\.1:1/db: does not answer: .*refused") as refused:
        Record.open("postgresql://me:secret@127.0.0.1:1/db")
    assert "\n" not in str(refused.value)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unusable, match=r"pip install 'ganwise\[postgres\]'"):
        Record.open("postgresql://me@127.0.0.1/db")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(index_module, "AGAIN", 0.05)
    return []


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_index_writes_what_it_is_given(tmp_path: Path, said: list[str]) -> None:
    index = Index.open(tmp_path, said.append)
    for one in race(tmp_path):
        index.put(one)
    index.put_race()
    assert index.close()
    with Record.open(tmp_path) as record:
        assert (len(record.runs()), record.races()[0]["metric"], said) == (4, "kid", [])


def test_a_race_that_goes_on_writes_what_a_killed_driver_did_not(tmp_path: Path, said: list[str]) -> None:
    race(tmp_path)
    assert Index.open(tmp_path, said.append).close()
    with Record.open(tmp_path) as record:
        assert len(record.runs()) == 4


def test_a_damaged_run_is_said_and_the_others_are_written(tmp_path: Path, said: list[str]) -> None:
    index = Index.open(tmp_path, said.append)
    first, second, *_ = race(tmp_path)
    first.run.write_text("{")
    index.put(first)
    index.put(second)
    assert index.close()
    assert len(said) == 1
    assert said[0].startswith(f"not in the record: {first.run}: not JSON")


@pytest.mark.parametrize("how", ["deleted", "overwritten and deleted", "locked"])
def test_a_database_that_fails_in_the_middle_is_said_once_and_caught_up(
    how: str, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BUSY", 0.05)
    index, file = Index.open(tmp_path, said.append), tmp_path / "record.sqlite"
    first, second, *others = race(tmp_path)
    index.put(first)
    with Record.open(tmp_path) as record:
        _until(lambda: len(record.runs()) == 1)
    holder = sqlite3.connect(file, isolation_level=None)
    if how == "locked":
        holder.execute("BEGIN IMMEDIATE")
    elif how == "deleted":
        file.unlink()
    else:
        os.replace(_junk(tmp_path / "junk"), file)
    index.put(second)
    _until(lambda: bool(said))
    for one in others:
        index.put(one)
    if how == "locked":
        time.sleep(0.3)
        holder.execute("ROLLBACK")
    elif how != "deleted":
        file.unlink()
    _until(lambda: not index._behind)
    assert index.close()
    holder.close()
    assert len(said) == 2
    assert "the race goes on" in said[0]
    assert said[1] == f"{file}: the record is complete again"
    with Record.open(tmp_path) as record:
        assert len(record.scores()) == 12


def _junk(file: Path) -> Path:
    file.write_text("junk" * 5000)
    return file


def test_a_full_disk_ends_no_race_and_the_record_catches_up(tmp_path: Path, said: list[str]) -> None:
    index = Index.open(tmp_path, said.append)
    assert index._record is not None
    with index._record._reading() as connection:  # the database's own limit: the error is that of a full disk
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    for one in race(tmp_path, [f"gan{i}" for i in range(30)]):
        index.put(one)
    _until(lambda: len(said) == 2)
    assert index.close()
    assert "full" in said[0]
    with Record.open(tmp_path) as record:
        assert len(record.scores()) == 180


def test_a_record_that_stays_broken_says_what_makes_it_whole(tmp_path: Path, said: list[str]) -> None:
    index = Index.open(tmp_path, said.append)
    os.replace(_junk(tmp_path / "junk"), tmp_path / "record.sqlite")
    for one in race(tmp_path):
        index.put(one)
    assert not index.close()
    assert said[-1] == f"the record lacks runs; ganwise record {tmp_path} --rebuild adds them"


def test_a_database_that_hangs_holds_nobody_up(tmp_path: Path, said: list[str]) -> None:
    index = Index.open(tmp_path, said.append)
    with sqlite3.connect(tmp_path / "record.sqlite", isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        begin = time.monotonic()
        for one in race(tmp_path):
            index.put(one)
        assert not index.close(patience=0.2)
        assert time.monotonic() - begin < 10
        holder.execute("ROLLBACK")
    assert "lacks runs" in said[-1]
    index._thread.join(60)


def test_sql_stands_in_one_room() -> None:
    rooms = {p.relative_to(SOURCES).parts[:2] for p in SOURCES.rglob("*.py") if "sqlalchemy" in p.read_text()}
    assert rooms == {("study", "record")}


def test_the_record_does_not_wait_for_torch() -> None:
    script = "import sys, ganwise.study.record; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_the_verb_lists_runs_from_the_record(tmp_path: Path, call: Callable[..., Answer]) -> None:
    race(tmp_path / "race")
    waiting = run(tmp_path / "race", "wgan", 2, 0.25, status="running", verdict="failing")
    waiting.scores.unlink()
    told = call("record", "race", "--json").json
    rows = [(r["name"], r["seed"], r["status"], r["part"], r["value"], r["verdict"]) for r in told["runs"]]
    assert rows[0] == ("gan", 0, "done", "test", 1.0, "healthy")
    assert rows[-1] == ("wgan", 2, "running", "validation", 0.25, "failing")
    assert (told["metric"], told["written"], told["unchanged"]) == ("kid", 5, 0)
    assert call("record", "race/runs/gan-s0", "--json").json["unchanged"] == 5
    lines = call("record", "race").out.splitlines()
    assert any(line.split() == ["lsgan", "1", "0.4", "done", "500.0", "healthy", "2.500"] for line in lines)
    assert any(line.split() == ["wgan", "2", "0.4", "running", "(250.0)", "failing", "2.500"] for line in lines)


def test_the_verb_makes_a_damaged_record_anew_only_when_asked(tmp_path: Path, call: Callable[..., Answer]) -> None:
    race(tmp_path)
    (tmp_path / "record.sqlite").write_text("junk" * 5000)
    refused = call("record", tmp_path)
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "ganwise record DIR --rebuild" in refused.err
    assert call("record", tmp_path, "--rebuild", "--json").json["written"] == 4
    assert call("record", tmp_path, "--json").json["unchanged"] == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["."], "no runs here; expected the directory of a race or run, or postgresql://user@host/database"),
        (["nowhere"], "no runs here"),
        (["postgresql://me:secret@127.0.0.1:1/db"], "does not answer"),
        (["postgresql://me:secret@host/db", "--rebuild"], "ganwise record DIR --rebuild --record postgresql://...@host/db"),
    ],
)
def test_what_the_verb_can_not_list_is_one_line(arguments: list[str], words: str, call: Callable[..., Answer]) -> None:
    refused = call("record", *arguments)
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert words in refused.err
    assert "secret" not in refused.err
