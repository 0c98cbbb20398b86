"""The Ray engine: the same race as on one machine, whatever becomes of slots and nodes; and what is refused in one line."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from test_race import ENTRANTS, _facts, _tiny, _watch

from ganwise.artifacts import RunDirectory, read_json
from ganwise.data import load
from ganwise.study import search
from ganwise.study.budget import parse
from ganwise.study.cluster import Ray
from ganwise.study.engine import Engine
from ganwise.study.local import Local
from ganwise.study.parcel import Parcel, marks, pack, pieces, unpack, whole
from ganwise.study.plan import Plan
from ganwise.study.race import Clock, Watch, race
from ganwise.types import Unusable

ray = pytest.importorskip("ray", reason="the extra ganwise[ray] is not installed")
SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20}


def _run(folder: Path) -> Path:
    """A run's directory with a bit of everything in it."""
    for name in ("records.jsonl", "checkpoints/000000100.json", "checkpoints/000000100.safetensors", "run.json", "samples.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".lock").write_text("1")
    return folder


def test_a_parcel_holds_what_has_changed_and_names_what_has_gone(tmp_path: Path) -> None:
    here, there = _run(tmp_path / "here"), tmp_path / "there"
    unpack(whole(here), there)
    assert {p.name for p in there.rglob("*")} == {p.name for p in here.rglob("*")} - {".lock", "samples.png"}
    sent = marks(here)
    assert not pack(here, sent)
    (here / "records.jsonl").write_text("more")
    (here / "samples.png").write_text("new")
    (here / "checkpoints/000000100.json").unlink()
    parcel = pack(here, sent)
    assert parcel == Parcel({"records.jsonl": b"more", "samples.png": b"new"}, ("checkpoints/000000100.json",))
    unpack(parcel, there)
    assert whole(there) == whole(here)
    assert not pack(here, sent)


def test_looks_are_read_before_the_checkpoints_that_they_rest_on_and_written_after_them(tmp_path: Path) -> None:
    here, there = _run(tmp_path / "here"), _run(tmp_path / "there")
    assert list(pack(here, {})) == [
        {
            name: (here / name).read_bytes()
            for name in ("run.json", "checkpoints/000000100.json", "checkpoints/000000100.safetensors", "records.jsonl")
        }
        | {"samples.png": b"samples.png"},
        (),
    ]
    shutil.rmtree(there / "checkpoints")
    (there / "checkpoints").touch()  # no checkpoint can be written
    with pytest.raises(OSError, match="checkpoints"):
        unpack(whole(here)._replace(files=dict(whole(here).files) | {"run.json": b"new"}), there)
    assert (there / "run.json").read_text() == "run.json"


def test_a_file_travels_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(10)))
    (tmp_path / "empty").touch()
    assert [len(piece) for piece in pieces(tmp_path / "file", 4)] == [4, 4, 2]
    assert b"".join(pieces(tmp_path / "file", 4)) == bytes(range(10))
    assert list(pieces(tmp_path / "empty", 4)) == [b""]


def _raced(made: Plan, out: Path, engine: Engine, watch: Watch = _watch) -> dict[str, Any]:
    torch.set_num_threads(1)
    with closing(engine):
        race(made, load("ring"), parse("images:1M"), out, "cpu", watch, time.monotonic(), engine)
    return _facts(out)


def _homes(engine: Ray) -> list[Path]:
    """What a race has on its nodes."""
    return list(Path(tempfile.gettempdir()).glob(f"ganwise-{engine._race}-*"))


def test_a_race_on_ray_is_the_race_on_one_machine_also_when_a_slot_is_killed(tmp_path: Path) -> None:
    made = _tiny(ENTRANTS, images=3000, seeds=1)
    engine, killed = Ray(slots=2), []
    assert ray.get_runtime_context().gcs_address.startswith("127.0.0.1:")

    def watch(running: list[RunDirectory]) -> None:
        for runs in [runs for home in _homes(engine) for runs in home.glob("runs-*/*/records.jsonl")][: 1 - len(killed)]:
            killed.append(int(runs.parts[-3].removeprefix("runs-")))
            os.kill(killed[0], signal.SIGKILL)

    facts = _raced(made, tmp_path / "ray", engine, watch)
    assert len(killed) == 1
    assert sum(engine._lost.values()) == 1
    assert _homes(engine) == []
    assert not ray.is_initialized()
    assert facts == _raced(made, tmp_path / "local", Local(2))
    job = read_json(tmp_path / "ray" / "runs" / "gan-s0" / "run.json")["job"]
    assert job["data"] == str(tmp_path / "ray" / "data")


def test_a_search_on_ray_finds_what_it_finds_on_one_machine(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra ganwise[search] is not installed")
    made, found = _tiny(ENTRANTS[:2], images=3000, seeds=1, tune=2), []
    for place, engine in (("ray", Ray(slots=2)), ("local", Local(2))):
        with closing(engine):
            found.append(search.tune(made, load("ring"), tmp_path / place, "cpu", Clock(), engine).told["candidates"])
    assert [len(tried["tried"]) for tried in found[0].values()] == [2, 2]
    assert found[0] == found[1]


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.slow
def test_a_node_is_removed_in_the_middle_and_the_race_ends_as_an_undisturbed_one(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganwise.study.cluster.LOOK", 0.0)  # looks at the cluster always, or this race would end before the next
    second = cluster.add_node(**SMALL)
    engine, removed = Ray(cluster.address), []
    assert engine.slots == 2

    def watch(running: list[RunDirectory]) -> None:
        begun = [run for run in running if any((run.path / "checkpoints").glob("*.json"))]
        if len(begun) == 2 and not removed:
            cluster.remove_node(second, allow_graceful=False)
            removed.append(time.monotonic())
            while ray.cluster_resources()["CPU"] > 1:  # the cluster itself hears of it a little later
                assert time.monotonic() < removed[0] + 60
                time.sleep(0.1)

    facts = _raced(_tiny(), tmp_path / "ray", engine, watch)
    assert removed
    assert sum(engine._lost.values()) == 1
    assert engine.slots == 1
    for home in _homes(engine):  # of the node that is no more
        shutil.rmtree(home)
    assert facts == _raced(_tiny(), tmp_path / "local", Local(2))


def _below(parent: int) -> set[int]:
    """All processes that a process has begun, and those have begun."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {parent}
    while more := {pid for pid, ppid in found.items() if ppid in family} - family:
        family |= more
    return family - {parent}


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are read from /proc")
@pytest.mark.parametrize("early", [True, False], ids=["while Ray starts", "while trials train"])
def test_ctrl_c_leaves_no_process_behind_and_saves_the_work(early: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "ganwise", "race", "ring", "gan", "lsgan", "--seeds", "1", "--budget", "images:4M"]
    command += ["--out", str(out), "--engine", "ray", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            begun = time.monotonic()
            while not (len(_below(process.pid)) > 1 if early else any(out.glob("runs/*/checkpoints/*.json"))):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() - begun < 240
                time.sleep(0.1)
            family = _below(process.pid)
            process.send_signal(signal.SIGINT)
            said, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    end = time.monotonic() + 60
    while not all(map(_ended, family)) and time.monotonic() < end:
        time.sleep(0.2)
    assert [pid for pid in family if not _ended(pid)] == []
    assert (early and not out.exists()) or '"interrupted": true' in said


def test_without_ray_its_extra_is_named(tmp_path: Path) -> None:
    program = "import sys; sys.modules['ray'] = None; from ganwise.cli import main; main()"
    line = [sys.executable, "-c", program, "race", "ring", "gan", "lsgan", "--engine", "ray", "--out", str(tmp_path / "out")]
    told = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (2, "ganwise: --engine ray needs the extra: pip install 'ganwise[ray]'\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:70000", ":6379"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Unusable, match=f"--address {address}: not an address; expected HOST:PORT"):
        Ray(address)


@pytest.fixture
def listener() -> Iterator[Callable[[bytes | None], str]]:
    """Listens, and answers with some bytes or not at all."""
    server = socket.create_server(("127.0.0.1", 0))
    lines = []

    def serve(answer: bytes) -> None:
        lines.append(server.accept()[0])
        lines[0].sendall(answer)

    def listen(answer: bytes | None) -> str:
        if answer is not None:
            threading.Thread(target=serve, args=(answer,), daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield listen
    for line in [*lines, server]:
        line.close()


@pytest.mark.parametrize(("answer", "says"), [(None, "no answer"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Ray cluster")])
def test_an_address_at_which_no_ray_answers_is_refused_in_seconds(
    answer: bytes | None, says: str, listener: Callable[[bytes | None], str]
) -> None:
    address, begun = listener(answer), time.monotonic()
    with pytest.raises(Unusable, match=rf"--address {address}: .*{says}.*; is the cluster running") as error:
        Ray(address)
    assert "\n" not in str(error.value)
    assert time.monotonic() - begun < 10


def test_an_address_where_nobody_listens_is_refused(listener: Callable[[bytes | None], str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unusable, match=f"127.0.0.1:{port}: no answer .*refused"):
        Ray(f"127.0.0.1:{port}")
