"""TensorBoard reads what a run wrote: its records, its checks and its grids of samples."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganwise.artifacts import RunDirectory, append_row
from ganwise.doctor.readers import read
from ganwise.tensorboard import FOLDER, Board, Boards
from ganwise.types import Unusable

accumulators = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="needs the extra ganwise[tensorboard]"
)


def _row(step: int, **signals: float) -> dict[str, Any]:
    return {"step": step, "images": 64 * step, "seconds": step / 100, "loss_d": 1 / step, "loss_g": float(step), **signals}


def _run(path: Path, *steps: int) -> RunDirectory:
    run = RunDirectory(path)
    path.mkdir(parents=True, exist_ok=True)
    for step in steps:
        append_row(run.records_file, _row(step))
    return run


def _grid(run: RunDirectory, step: int, shade: int) -> None:
    run.grids.mkdir(exist_ok=True)
    Image.fromarray(np.full((12, 20, 3), shade, np.uint8)).save(run.grids / f"{step:08d}.png")


def _read(run: RunDirectory) -> Any:
    found = accumulators.EventAccumulator(str(run.path / FOLDER))
    found.Reload()
    return found


def _scalars(run: RunDirectory, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in _read(run).Scalars(tag)]


def test_records_checks_and_grids_are_read_back(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", 20, 40)
    append_row(run.checks_file, {"step": 40, "seconds": 0.4, "kid": 0.5, "coverage": 0.25})
    _grid(run, 40, 200)
    Board(run).close()
    assert _scalars(run, "training/loss_g") == [(20, 20.0), (40, 40.0)]
    assert _scalars(run, "validation/kid") == [(40, 0.5)]
    (picture,) = _read(run).Images("samples")
    assert (picture.step, picture.width, picture.height) == (40, 20, 12)
    assert picture.encoded_image_string == (run.grids / "00000040.png").read_bytes()


def test_what_comes_later_is_added_once_and_time_is_that_of_training(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", 20)
    board = Board(run)
    board.catch_up()
    _run(run.path, 40)
    _grid(run, 40, 9)
    board.catch_up()
    board.catch_up()
    board.close()
    assert [step for step, _ in _scalars(run, "training/loss_d")] == [20, 40]
    first, second = (event.wall_time for event in _read(run).Scalars("training/loss_d"))
    assert second - first == pytest.approx(0.2, abs=1e-3)
    assert len(_read(run).Images("samples")) == 1


def test_a_run_that_went_back_to_a_checkpoint_is_written_anew(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", 20, 40, 60)
    board = Board(run)
    board.catch_up()
    run.records_file.unlink()
    _run(run.path, 20, 30)
    board.close()
    assert [step for step, _ in _scalars(run, "training/loss_d")] == [20, 30]


def test_what_is_not_finite_is_written_and_a_row_that_was_cut_short_is_not(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", 20)
    append_row(run.records_file, _row(40, grad_d=float("inf")))
    with run.records_file.open("a") as file:
        file.write('{"step": 60, "loss_d"')
    Board(run).close()
    assert _scalars(run, "training/grad_d") == [(40, float("inf"))]
    assert len(_scalars(run, "training/loss_d")) == 2


def test_the_doctor_reads_them_too(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", *range(20, 220, 20))
    Board(run).close()
    (events,) = (run.path / FOLDER).iterdir()
    log = read(events)
    assert [record.step for record in log.records] == list(range(20, 220, 20))
    assert log.records[-1].signals["loss_d"] == pytest.approx(1 / 200)


def test_each_run_of_a_race_gets_its_own_and_a_run_that_goes_on_gets_more(tmp_path: Path) -> None:
    first, second = _run(tmp_path / "a", 20), _run(tmp_path / "b", 20)
    boards = Boards()
    boards.watch([first, second])
    boards.watch([second])
    _run(first.path, 40)
    boards.watch([first])
    boards.close()
    assert [len(_scalars(run, "training/loss_d")) for run in (first, second)] == [2, 1]


def test_without_the_package_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(Unusable, match=r"pip install 'ganwise\[tensorboard\]'"):
        Board(_run(tmp_path / "run"))
