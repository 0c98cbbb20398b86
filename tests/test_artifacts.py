"""Files that are whole or absent, and the directory of a run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ganwise import report
from ganwise.artifacts import RunDirectory, append_row, claim, read_json, rows, sha256, to_json, write_bytes, write_json
from ganwise.types import Record, Score, Unusable

GOLDEN = Path(__file__).parent / "golden" / "format-1" / "run"


def test_a_file_is_replaced_whole_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(TypeError):
        write_bytes(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_json_is_strict_and_what_is_not_finite_reads_back_as_a_number() -> None:
    score = Score("kid", float("nan"), float("-inf"), float("inf"), 3, "f", "p", 0, "lower", {"real": 1.0})
    told = json.loads(to_json({"score": score, "values": (1.5, float("inf"))}), parse_constant=pytest.fail)
    assert [float(v) for v in told["values"]] == [1.5, float("inf")]
    assert told["score"]["value"] == "nan"
    assert told["score"]["yardsticks"] == {"real": 1.0}


def test_a_name_that_is_no_utf_8_is_written_as_json_and_reads_back_as_itself(tmp_path: Path) -> None:
    name = os.fsdecode(b"f\xe9tes \\ \xc3\xa9t\xc3\xa9")
    write_json(tmp_path / "a.json", {"source": name, name: 1})
    assert read_json(tmp_path / "a.json") == {"source": name, name: 1}
    append_row(tmp_path / "a.jsonl", {"source": name})
    append_row(tmp_path / "a.jsonl", {"source": "plain"})
    assert [row["source"] for row in rows(tmp_path / "a.jsonl")] == [name, "plain"]


@pytest.mark.parametrize(("content", "says"), [(b"{", "not JSON"), (b"[]", "one JSON object"), (b"\xff\xfe\x00", "not JSON")])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(Unusable, match=f"run.json.*{says}"):
        read_json(path)
    with pytest.raises(Unusable, match="can't be read"):
        read_json(tmp_path / "missing.json")


def test_a_directory_is_claimed_once(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    claim(folder)
    assert list(folder.iterdir()) == []
    claim(folder)  # still empty
    (folder / "x").touch()
    with pytest.raises(Unusable, match="holds files already"):
        claim(folder)


def test_a_directory_below_a_file_can_not_be_claimed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unusable, match="can't be written to: Not a directory"):
        claim(tmp_path / "file" / "out")


def test_a_run_is_updated_field_by_field(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.update(name="a", status="running")
    run.update(status="done")
    assert RunDirectory.open(tmp_path).read() == {"format": 1, "name": "a", "status": "done"}


@pytest.mark.parametrize(
    ("content", "says"), [({"format": 99}, "newer ganwise"), ({}, "no format number"), ({"format": "1"}, "no format")]
)
def test_a_run_of_another_format_is_refused(tmp_path: Path, content: dict[str, object], says: str) -> None:
    write_json(tmp_path / "run.json", content)
    with pytest.raises(Unusable, match=says):
        RunDirectory.open(tmp_path)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="no run here"):
        RunDirectory.open(tmp_path)


def test_records_survive_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    records = [Record(20, 1280, 0.5, {"loss_d": 1.5}), Record(40, 2560, 1.0, {"loss_d": float("inf")})]
    for record in records:
        append_row(run.records_file, record.as_json())
    with run.records_file.open("a") as lines:
        lines.write('[1, 2]\n{"loss_d": 1}\n{"step": 60, "ima')
    assert run.records() == records


def test_a_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file").startswith("ba7816bf8f01cfea")  # FIPS 180-2, appendix B.1


def test_pages_about_data_whose_name_is_no_utf_8_can_be_written(tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(GOLDEN, copy)
    run = RunDirectory(copy)
    run.update(data=run.read()["data"] | {"name": os.fsdecode(b"f\xe9tes")})
    assert "f?tes" in report.write(copy).read_text(encoding="utf-8")
