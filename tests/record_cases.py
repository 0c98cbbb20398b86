"""Run directories as a race leaves them, made quickly, and what both databases are asked about them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ganwise import catalog
from ganwise.artifacts import RunDirectory, append_row, write_json
from ganwise.study.record import Record

METRICS = {"kid": "lower", "coverage": "higher", "fid": "lower"}


def score(metric: str, value: float, **other: object) -> dict[str, Any]:
    made = {"metric": metric, "value": value, "low": value - 0.1, "high": value + 0.1, "n": 300, "features": "some", "seed": 0}
    return made | {"protocol": "300 test vs 300 generated", "direction": METRICS[metric], "yardsticks": {}} | other


def run(race: Path, name: str = "gan", seed: int = 0, value: float = 0.5, status: str = "done", **fields: object) -> RunDirectory:
    """A finished run with three scores, two checks, and a finding where its verdict is bad."""
    made = RunDirectory(race / "runs" / f"{name}-s{seed}")
    made.path.mkdir(parents=True, exist_ok=True)
    told = {"name": name, "status": status, "seed": seed, "data": {"content": "cafe"}, "steps": 100, "images": 3_000_000_000}
    told |= {
        "job": {"recipe": catalog.named("gan").model_dump(mode="json")},
        "seconds": 2.5,
        "flops": 1e15,
        "looks": [{"rung": 0.1}, {"rung": 0.4}],
    }
    made.update(**told | {"best": {"step": 80}, "verdict": "healthy", "device": "cpu"} | fields)
    write_json(made.scores, {"scores": [score(metric, value, seed=seed) for metric in METRICS]})
    problem = {"problem": "mode_collapse", "severity": "failing", "since_step": 40, "evidence": "coverage 0.1"}
    sick = told | fields
    write_json(made.doctor, {"verdict": sick.get("verdict", "healthy"), "findings": [problem] if "verdict" in fields else []})
    made.checks_file.unlink(missing_ok=True)
    for step in (40, 80):
        append_row(made.checks_file, {"step": step, "seconds": step / 40, "kid": value * 80 / step})
    return made


def race(folder: Path, names: Sequence[str] = ("gan", "lsgan"), seeds: int = 2) -> list[RunDirectory]:
    """A race whose candidates are better the later they are named."""
    write_json(
        folder / "request.json", {"data": "digits", "content": "cafe", "budget": "3m", "seeds": seeds, "command": "ganwise race"}
    )
    write_json(folder / "race.json", {"metric": "kid", "winner": None, "recommended": names[-1], "interrupted": False})
    return [run(folder, name, seed, 1 / (i + 1)) for i, name in enumerate(names) for seed in range(seeds)]


def everything(record: Record) -> dict[str, Any]:
    """All that the record holds; numbers as text, so that nan equals nan."""
    asked = {"races": record.races(), "runs": record.runs(), "scores": record.scores(), "findings": record.findings()}
    return {name: [str(row) for row in rows] for name, rows in (asked | {"checks": record.checks()}).items()}


def _program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))  # Debian keeps them off the path
    return str(installed[-1]) if installed else shutil.which(name)


class Server:
    """A PostgreSQL server of our own on loopback, run by a user without rights, as it demands."""

    def __init__(self, folder: Path, initdb: str, pg_ctl: str, durable: bool) -> None:
        self.data, self._pg_ctl, self.durable = folder / "data", pg_ctl, durable
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"postgresql://ganwise@127.0.0.1:{self.port}/postgres"
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": 65534, "group": 65534, "extra_groups": []}
            os.chown(folder, 65534, 65534)
        self._do(initdb, "-D", self.data, "-U", "ganwise", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C")

    def start(self) -> None:
        settings = f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories='' -c shared_buffers=16MB"
        settings += "" if self.durable else " -c fsync=off"
        self._do(self._pg_ctl, "-D", self.data, "-w", "-t", "60", "-l", self.data.parent / "log", "-o", settings, "start")

    def kill(self) -> None:
        """All of it at once, as a machine's crash would; it recovers when it is started again."""
        self._do(self._pg_ctl, "-D", self.data, "-m", "immediate", "stop")

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def _do(self, *command: object) -> None:
        log = self.data.parent / "commands.log"
        with log.open("ab") as file:  # not a pipe: the server would keep it open
            done = subprocess.run(
                [str(c) for c in command], stdout=file, stderr=file, cwd=self.data.parent, timeout=120, **self._user
            )
        assert done.returncode == 0, log.read_text()


@contextmanager
def server(durable: bool = False) -> Iterator[Server]:
    """Started, in a directory of its own that its user can reach, and stopped again; ``durable`` is as a real one is.

    Raises:
        FileNotFoundError: No server is installed.
    """
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if not initdb or not pg_ctl:
        raise FileNotFoundError(
            "no PostgreSQL server is installed: initdb and pg_ctl are neither on PATH nor in /usr/lib/postgresql"
        )
    with TemporaryDirectory(prefix="ganwise-postgres-") as folder:
        made = Server(Path(folder), initdb, pg_ctl, durable)
        made.start()
        try:
            yield made
        finally:
            made.kill()
