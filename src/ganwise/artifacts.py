"""Files that are whole or absent, JSON without NaN, and the directory of a run: the only state that ganwise's parts share."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganwise.types import Record, Unusable

FORMAT = 1
"""Of a run directory; a newer one is refused."""
TAKEN = "already being trained by process {}; wait until it ends, or end it"


def write_bytes(path: Path, content: bytes) -> None:
    """All or nothing: written beside, flushed, renamed, the directory flushed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, path)
        flush(path.parent)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def flush(path: Path) -> None:
    """Makes what a file holds, or a rename in a directory, outlast a power cut, where the system lets it be flushed."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no directories
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_bytes(path, (to_json(content, indent=1) + "\n").encode())


def to_json(content: Any, indent: int | None = None) -> str:
    """Strict JSON: what is not finite becomes the string ``nan``, ``inf`` or ``-inf``, which `float` reads back.

    Bytes of a file name that are not UTF-8 are escaped, and read back as the same name.
    """
    text = json.dumps(_finite(content), indent=indent, allow_nan=False, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _finite(value._asdict())
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        Unusable: No such file, or not one JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unusable(f"{path}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise Unusable(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Unusable(f"{path}: expected one JSON object")
    return content


def append_row(file: Path, row: Mapping[str, Any]) -> None:
    """One more line of a JSON-lines file."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(to_json(row) + "\n")


def rows(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file, but for a last line that a kill cut short; none where there is no file."""
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def claim(folder: Path) -> None:
    """Makes the directory for new work.

    Raises:
        Unusable: It holds something already, or can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Unusable(f"{folder}: holds files already; name a new directory with --out, or remove it")
        (probe := folder / ".writable").touch()
        probe.unlink()
    except OSError as error:
        raise Unusable(f"{folder}: can't be written to: {error.strerror}; name another directory with --out") from None


@contextmanager
def alone(folder: Path, taken: str = TAKEN) -> Iterator[None]:
    """Meanwhile the directory is this process's own. The system lets go of it when the process ends, however it ends.

    Raises:
        Unusable: Another process has it, which the words ``taken`` name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Unusable(f"{folder}: {taken.format(file.read().strip())}") from None
        except (ImportError, OSError):  # Windows, or a file system that knows no locks
            yield
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


class RunDirectory:
    """One training run on disk, written by the run and read by everybody else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run, self.recipe, self.records_file = path / "run.json", path / "recipe.json", path / "records.jsonl"
        self.checks_file, self.scores, self.doctor = path / "checks.jsonl", path / "scores.json", path / "doctor.json"
        self.model, self.grid, self.real_grid = path / "model.safetensors", path / "samples.png", path / "real.png"
        self.grids, self.log = path / "samples", path / "log.txt"

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """A run that exists.

        Raises:
            Unusable: The path holds no run, or one of a newer format.
        """
        run = cls(path)
        if not run.run.is_file():
            raise Unusable(f"{path}: no run here (run.json is missing); expected a directory that train, race or run has made")
        version = run.read().get("format")
        if not isinstance(version, int):
            raise Unusable(f"{run.run}: damaged: it has no format number; train this run again")
        if version > FORMAT:
            raise Unusable(f"{path}: made by a newer ganwise (format {version}, this one reads up to {FORMAT})")
        return run

    def read(self) -> dict[str, Any]:
        return read_json(self.run)

    def update(self, **fields: Any) -> None:
        content = self.read() if self.run.is_file() else {"format": FORMAT}
        write_json(self.run, content | fields)

    def records(self) -> list[Record]:
        return [Record.from_json(row) for row in rows(self.records_file) if "step" in row]

    def checks(self) -> list[dict[str, Any]]:
        return list(rows(self.checks_file))
