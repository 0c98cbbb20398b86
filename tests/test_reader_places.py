"""Rows of anybody's logs stand in their place in the run, and what was run twice counts once."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from log_cases import broken, event, write

from ganwise.doctor import places
from ganwise.doctor.printed import Parser, row
from ganwise.doctor.readers import read


def test_epochs_and_batches_make_steps(tmp_path: Path) -> None:
    lines = [f"[{e}/5][{b}/100]\tLoss_D: 1.0\tLoss_G: 2.0" for e in range(5) for b in range(0, 100, 10)]
    steps = [record.step for record in read(write(tmp_path / "log.txt", *lines)).records]
    assert steps[:3] == [0, 10, 20]
    assert len(steps) == 50
    assert all(later > earlier for earlier, later in pairwise(steps))


def test_a_run_that_went_back_to_a_checkpoint_counts_once(tmp_path: Path) -> None:
    rows = [f"{t},1.0,2.0" for t in (*range(0, 100, 10), *range(50, 200, 10))]
    log = read(write(tmp_path / "a.csv", "step,d_loss,g_loss", *rows))
    assert [record.step for record in log.records] == list(range(0, 200, 10))
    assert any("went back" in note for note in log.notes)


@pytest.mark.parametrize("line", ["[{e}/200][0/12] Loss_D: {d}", "[Epoch {e}/200] [Batch 11/12] [D loss: {d}]"])
def test_one_line_an_epoch_with_the_same_batch_is_a_place_each(tmp_path: Path, line: str) -> None:
    log = read(write(tmp_path / "log.txt", *[line.format(e=e, d=e / 10) for e in range(40)]))
    assert [record.signals["loss_d"] for record in log.records] == [e / 10 for e in range(40)]
    assert (log.coarse, log.mapping["step"]) == (True, "epoch, batch")


def test_a_step_that_stays_while_the_epoch_rises_is_one_place_where_it_tells_different_things(tmp_path: Path) -> None:
    rows = [f"{t // 100},{t},1.2," if t % 100 else f"{t // 100 - 1},{t},1.2,\n{t // 100},{t},,30" for t in range(10, 400, 10)]
    log = read(write(tmp_path / "a.csv", "epoch,step,d_loss,fid", *rows))
    assert [record.step for record in log.records] == list(range(10, 400, 10))


@pytest.mark.parametrize("late", [False, True], ids=["one epoch late", "after the end"])
def test_an_evaluation_that_is_told_late_takes_nothing_back(late: bool, tmp_path: Path) -> None:
    losses, scores = [f"{e},1.2,0.9," for e in range(30)], [f"{e},,,{40 - e}" for e in range(30)]
    rows = [*losses, *scores] if late else [row for e in range(1, 30) for row in (losses[e], scores[e - 1])]
    log = read(write(tmp_path / "a.csv", "epoch,loss_d,loss_g,fid", *rows))
    assert [(r.step, r.signals["fid"]) for r in log.records if "fid" in r.signals][:3] == [(0, 40), (1, 39), (2, 38)]
    assert sum("loss_d" in r.signals for r in log.records) == (30 if late else 29)
    assert log.notes == ()


def test_a_global_step_that_two_epochs_share_stays_a_global_step(tmp_path: Path) -> None:
    rows = [f"{e},{t},1.2,0.9" for e in range(6) for t in range(100 * e, 100 * e + 101, 10)]
    log = read(write(tmp_path / "a.csv", "epoch,step,d_loss,g_loss", *rows))
    assert (log.records[-1].step, log.mapping["step"]) == (600, "step")


def test_rows_that_share_an_epoch_are_counted(tmp_path: Path) -> None:
    rows = [f"{e},{e + i / 100},0.9" for e in range(3) for i in range(50)]
    whole = read(write(tmp_path / "a.csv", "epoch,d_loss,g_loss", *rows))
    parts = read(write(tmp_path / "b.jsonl", *[f'{{"d_loss": 1.2, "epoch": {i / 400}}}' for i in range(1000)]))
    assert [len(log.records) for log in (whole, parts)] == [150, 1000]
    assert [record.signals["loss_d"] for record in whole.records][49:51] == [0.49, 1.0]
    for log in (whole, parts):
        assert log.coarse
        assert any("several rows share an epoch" in note for note in log.notes)


def test_two_lines_of_an_epoch_that_tell_different_things_are_one_record(tmp_path: Path) -> None:
    lines = [line.format(e) for e in range(20) for line in ("Epoch {}: D loss: 0.5", "Epoch {}: G loss: 0.9")]
    log = read(write(tmp_path / "log.txt", *lines))
    assert [(r.step, r.signals) for r in log.records] == [(e, {"loss_d": 0.5, "loss_g": 0.9}) for e in range(20)]
    assert log.notes == ()


def test_a_line_without_a_counter_stands_where_the_run_is(tmp_path: Path) -> None:
    lines = [f"[{e}/5][{b}/100] Loss_D: 1.0" + f"\nEpoch {e}: FID: 30" * (b == 90) for e in range(5) for b in range(0, 100, 10)]
    log = read(write(tmp_path / "log.txt", *lines))
    assert len(log.records) == 50
    assert [r.step for r in log.records if "fid" in r.signals] == [90, 181, 272, 363, 454]


def test_an_epoch_on_a_line_of_its_own_is_that_of_the_lines_below(tmp_path: Path) -> None:
    def epochs(*numbers: int) -> list[str]:
        lines = [[f"Epoch {e}/10", *[f"step {s}/600 d_loss: {e}.5" for s in range(0, 600, 20)]] for e in numbers]
        return [line for part in lines for line in part]

    log = read(write(tmp_path / "log.txt", "epochs: 10", *epochs(1, 2, 3)))
    assert (len(log.records), log.notes, log.mapping["step"]) == (90, (), "epoch, step")
    resumed = read(write(tmp_path / "resumed.txt", *epochs(1, 2, 3), *epochs(2)))
    assert [record.signals["loss_d"] for record in resumed.records] == [1.5] * 30 + [2.5] * 30
    keras = read(write(tmp_path / "keras.txt", *[f"Epoch {e}/9\n9/9 - d_loss: 1.2" for e in range(1, 10)]))
    assert [record.step for record in keras.records] == list(range(1, 10))


@pytest.mark.parametrize(
    "line", ["Epoch 3/10", "Epoch [3/10]", "=== epoch: 3 ===", "2021-01-01 12:00:01,5 - INFO - Epoch 3 of 10"]
)
def test_an_epoch_that_stands_alone_is_heard(line: str) -> None:
    assert row(line) == Parser().row(line) == {"epoch": 3.0}
    for other in ("Loaded epoch 3", "Epoch 3 took 12 s", "3 epochs"):
        assert row(other) == {}


def test_a_run_resumed_at_an_earlier_epoch_counts_once(tmp_path: Path) -> None:
    def lines(d: float, *epochs: int) -> list[str]:
        return [f"[{e}/20][{b}/100] Loss_D: {d} Loss_G: 1" for e in epochs for b in range(0, 100, 10)]

    once = read(write(tmp_path / "once.txt", *lines(1, *range(8))))
    twice = read(write(tmp_path / "twice.txt", *lines(1, *range(4)), *lines(9, *range(4, 7)), *lines(1, *range(4, 8))))
    assert twice.records == once.records
    assert any("went back" in note for note in twice.notes)


def test_of_many_epochs_the_begins_of_the_latest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MARKS", 16)
    for resumed in (295, 0):
        rows = [f"{e},{b},1.2" for part in (range(300), range(resumed, 400)) for e in part for b in range(3)]
        log = read(write(tmp_path / "a.csv", "epoch,batch,d_loss", *rows))
        assert [record.step for record in log.records] == list(range(1200))


def test_event_files_of_a_resumed_run_count_once(tmp_path: Path) -> None:
    first = [event(t, loss_d=float("inf") if t >= 1000 else 1.5, loss_g=9.0 if t >= 1000 else 0.5) for t in range(200, 1500, 20)]
    again = [event(t, loss_d=1.5, loss_g=0.5) for t in range(1000, 1300, 10)]
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"".join(first))
    (tmp_path / "events.out.tfevents.2.host").write_bytes(b"".join(again))
    log = read(tmp_path)
    assert [record.step for record in log.records] == [*range(200, 1000, 20), *range(1000, 1300, 10)]
    assert {tuple(record.signals.values()) for record in log.records} == {(1.5, 0.5)}
    assert any("went back" in note for note in log.notes)


def test_a_value_that_was_not_finite_and_is_logged_again_at_its_step_is_taken_back(tmp_path: Path) -> None:
    rows = [*[f"{t},1.2" for t in range(0, 100, 10)], "100,inf", *[f"{t},1.2" for t in range(100, 200, 10)]]
    assert broken(read(write(tmp_path / "a.csv", "step,d_loss", *rows))) == []


def test_stylegans_stats_of_a_resumed_run_count_once_and_keep_their_metrics(tmp_path: Path) -> None:
    spans = [(0, 200, 1.0), (100, 400, 2.0)]
    rows = [{"Loss/D/loss": {"mean": d}, "Progress/kimg": {"mean": k}} for low, high, d in spans for k in range(low, high, 4)]
    write(tmp_path / "stats.jsonl", *map(json.dumps, rows))
    metric = [{"results": {"fid50k_full": 30.5}, "snapshot_pkl": f"network-snapshot-{k:06}.pkl"} for k in (80, 160)]
    write(tmp_path / "metric-fid50k_full.jsonl", *map(json.dumps, metric))
    log = read(tmp_path)
    assert [r.signals["loss_d"] for r in log.records if "loss_d" in r.signals] == [1.0] * 25 + [2.0] * 75
    assert sum("fid" in r.signals for r in log.records) == 2


def test_nan_that_was_run_again_hides_no_later_one(tmp_path: Path) -> None:
    spans = [(0, 1000, "1.2"), (1000, 1500, "nan"), (900, 3000, "1.2"), (3000, 3200, "nan")]
    rows = [f"{t},{value},0.8" for start, end, value in spans for t in range(start, end, 10)]
    assert broken(read(write(tmp_path / "a.csv", "step,d_loss,g_loss", *rows))) == [3000]
