"""The doctor reads anybody's logs: each format by a log of its kind, and what is no log is refused in one line."""

from __future__ import annotations

import json
import math
import random
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from log_cases import broken, event, write

from ganwise.artifacts import RunDirectory, to_json
from ganwise.catalog import named
from ganwise.doctor import diagnose, gather, readers
from ganwise.doctor.columns import guess
from ganwise.doctor.events import crc32c
from ganwise.doctor.printed import Parser, row
from ganwise.doctor.readers import read
from ganwise.types import Score, Unusable

TRACES = Path(__file__).parents[2] / "shared" / "data" / "traces"


@pytest.mark.parametrize(
    ("name", "signal"),
    [
        *[
            (name, "loss_d")
            for name in ("D_loss", "errD", "lossD", "Loss/D/loss", "dis_loss", "critic loss", "Discriminator_loss")
        ],
        *[(name, "loss_d") for name in ("train/d_loss", "GAN_loss/discrim/loss", "D", "D loss", "loss_discriminator")],
        *[(name, "loss_g") for name in ("g_loss", "Gen_loss", "Loss G", "G", "errG", "G_GAN", "generator/adv_loss")],
        *[(name, "loss_d_real") for name in ("l_d_real", "d_loss_real")],
        ("D(x)", "score_real"),
        ("D(G(z))", "score_fake"),
        ("Loss/scores/fake", "score_fake"),
        ("Loss/signs/real", "sign_real"),
        ("fid50k_full", "fid"),
        ("FID score", "fid"),
        ("acc.", "accuracy"),
        ("grad_norm_D", "grad_d"),
        ("k_t", "k"),
        *[
            (name, None)
            for name in ("GP", "l_g_pix", "G_L1", "val_loss_d", "lr_g", "Best FID score", "time", "loss", "cycle_A", "a", "c")
        ],
    ],
)
def test_a_column_is_known_by_its_name(name: str, signal: str | None) -> None:
    found = guess(name)
    assert (found[0] if found else None) == signal


LINES = [
    ("[0/5][50/1583]\tLoss_D: 1.97\tLoss_G: 4.30\tD(x): 0.41\tD(G(z)): 0.60 / 0.01", 1.97, 4.30, (0, 50)),
    ("[Epoch 1/200] [Batch 3/938] [D loss: 0.61] [G loss: 0.70]", 0.61, 0.70, (1, 3)),
    ("Epoch [2/200], Step [100/600], d_loss: 0.5, g_loss: 2.1", 0.5, 2.1, (2, 100)),
    ("Epoch: [ 3] [  12/ 781] time: 4.26, d_loss: 1.8, g_loss: 0.71", 1.8, 0.71, (3, 12)),
    ("604 [D loss: 0.25, acc: 100%] [G loss: 1381.5]", 0.25, 1381.5, (None, 604)),
    ("0% 49/90000 [02:46<81:43:57,  3.27s/it]G: 2.06 | D: 0.05 | GP: 0.50", 0.05, 2.06, (None, 49)),
    ("[INFO] 2021-01-01 > Step:     200 Progress: 0.2% Elapsed: 0:01:54 ada_p: No Discriminator_loss: 0.17 Generator_loss: 1.99",
     0.17, 1.99, (None, 200)),
    ("Epoch 7, Loss G: 0.12,Loss D: -0.1", -0.1, 0.12, (7, None)),
    ("Gen. (0.25) | Discrim. (-0.12):  50%|#####     | 150/300 [01:00<01:00,  2.5it/s]", -0.12, 0.25, (None, 150)),
    ("Epoch 3: 45%|####| 211/469 [00:12<00:14, 17.1it/s, v_num=0, g_loss=0.84, d_loss=0.52]", 0.52, 0.84, (3, 211)),
    ("{'d_loss': 0.5, 'g_loss': 3e-2, 'step': 40}", 0.5, 0.03, (None, 40)),
    ("step 120: D loss = tensor(0.53, device='cuda:0'), G loss = tensor(1.2)", 0.53, 1.2, (None, 120)),
    ("Epoch 5 | loss_D 0.53 | loss_G 1.20", 0.53, 1.2, (5, None)),
    ("938/938 [====] - 11s 12ms/step - d_loss: 0.58 - g_loss: 0.93", 0.58, 0.93, (None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("line", "d", "g", "counted"), LINES, ids=[line[:20] for line, *_ in LINES])
@pytest.mark.parametrize("parse", [row, lambda line: Parser().row(line)], ids=["whole", "by form"])
def test_losses_that_scripts_print_are_read(
    line: str, d: float, g: float, counted: tuple[int | None, int | None], parse: Callable[[str], dict[str, float]]
) -> None:
    found = parse(line)
    signals = {guessed[0]: value for name, value in found.items() if (guessed := guess(name))}
    assert (signals["loss_d"], signals["loss_g"]) == (d, g)
    assert (found.get("epoch"), found.get("batch", found.get("step"))) == counted


def test_a_remembered_form_gives_the_numbers_of_its_own_line() -> None:
    parser = Parser()
    for line in (
        "iter 1,200: d_loss: nan, g_loss: 1e-3",
        "iter 37,400: d_loss: -2.5, g_loss: inf",
        "iter 900: d_loss: 1, g_loss: 2",
    ):
        assert str(parser.row(line)) == str(row(line))
    assert parser.row("d_loss: inf5, g_loss: 1") == {"g_loss": 1.0}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Step 1,200 | D loss: 1,234.56 | G loss: 12,345", {"step": 1200, "D loss": 1234.56, "G loss": 12345}),
        ("Step 1,200. D loss: -0,791; G loss: 12,5", {"step": 1200, "D loss": -0.791, "G loss": 12.5}),
        ("iter 5k: d_loss: 0.5", {"step": 5000, "d_loss": 0.5}),
        ("step: 2.5k, FID 5k: 30, d_loss: 1", {"step": 2500, "FID": 30, "d_loss": 1}),
        ("epoch [0,10] d_loss: 1,g_loss: 2,d_x: 0.5,0.7", {"epoch": 0, "d_loss": 1, "g_loss": 2, "d_x": 0.5}),
        ("2024-01-02 10:11:12,345 step 7 | d_loss=0.5,1.5,2", {"step": 7, "d_loss": 0.5}),
    ],
)
def test_commas_between_thousands_and_before_decimals_are_told_apart(line: str, found: dict[str, float]) -> None:
    assert row(line) == pytest.approx(found)
    assert Parser().row(line) == pytest.approx(found)


def test_a_log_with_decimal_commas_has_no_thousands() -> None:
    parser = Parser()
    assert parser.row("Step 1,000 D loss: 1,386 G loss: 0,693") == {"step": 1000, "D loss": 1.386, "G loss": 0.693}
    assert parser.row("Step 1,100 D loss: 1,386 G loss: 2,000") == {"step": 1100, "D loss": 1.386, "G loss": 2.0}


@pytest.mark.parametrize("rows", [
    ('step,d_loss,fid', '"1,000","1,234.5",0.5', '"2,000",0.7,50%'),
    ('step;d_loss;fid', '1000;1.234,5;0,5', '2000;0,7;50'),
    ('step\td_loss\tfid', '1000\t1,234.5\t0,5', '2000\t0,7\t50'),
])  # fmt: skip
def test_commas_in_the_numbers_of_a_table_are_read(tmp_path: Path, rows: tuple[str, ...]) -> None:
    log = read(write(tmp_path / "a.csv", *rows))
    assert [(r.step, r.signals) for r in log.records] == [
        (1000, {"loss_d": 1234.5, "fid": 0.5}),
        (2000, {"loss_d": 0.7, "fid": 50.0}),
    ]
    assert log.notes == ()


def test_a_table_between_tabs_that_says_0_comma_has_decimal_commas(tmp_path: Path) -> None:
    log = read(write(tmp_path / "a.tsv", "epoch\tloss_d\tloss_g", "0\t1,294\t0,956", "1\t0,618\t1,120"))
    assert [dict(r.signals) for r in log.records] == [{"loss_d": 1.294, "loss_g": 0.956}, {"loss_d": 0.618, "loss_g": 1.12}]


@pytest.mark.parametrize("last", [0, 5])
def test_evaluations_after_training_are_no_training_that_was_lost(last: int, tmp_path: Path) -> None:
    rows = [f"{t},1.2,0.9," if t % 500 else f"{t},,,30" for t in range(100, 6000, 100)]
    log = read(write(tmp_path / "a.csv", "step,d_loss,g_loss,fid", *rows, *[f"{6000 + i},,,30" for i in range(last)]))
    assert broken(log) == []
    blank = [f"{6000 + i},,," for i in range(5)]
    lost = read(write(tmp_path / "b.csv", "step,d_loss,g_loss,fid", *rows[:4], *blank))
    assert broken(lost) != []


def test_cells_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    rows = [f"{t},{'1.2' if t % 200 else '1.2 (ema)'},N/A" for t in range(0, 1000, 100)]
    log = read(write(tmp_path / "a.csv", "step,d_loss,phase", *rows))
    assert log.notes == ("d_loss: 5 cells that are no numbers were left out",)
    rows = [
        f'{{"step": {t}, "d_loss": {1.2 if t % 200 else chr(34) + "broken" + chr(34)}, "phase": "a"}}'
        for t in range(100, 1000, 100)
    ]
    assert read(write(tmp_path / "a.jsonl", *rows)).notes == ("d_loss: 4 cells that are no numbers were left out",)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_of_records_is_read_whole(tmp_path: Path, indent: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "LONGEST", 100)
    text = json.dumps([{"step": t, "d_loss": 1.25, "more": {"g_loss": t / 8}} for t in range(200)], indent=indent)
    log = read(write(tmp_path / "log.json", text))
    assert [(r.step, r.signals) for r in log.records] == [(t, {"loss_d": 1.25, "loss_g": t / 8}) for t in range(200)]
    assert (log.format, log.notes) == ("JSON list", ())
    cut = read(write(tmp_path / "cut.json", text[:-20]))
    assert (len(cut.records), cut.notes) == (199, ("1 lines that could not be read were left out",))


def test_a_step_column_that_is_not_there_is_refused_and_one_that_is_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "itr,dl,gl", *[f"{t},0.7,1.4" for t in range(0, 1000, 100)])
    told = {"loss_d": "dl", "loss_g": "gl"}
    assert read(path, {**told, "step": "itr"}).ignored == ()
    for kind in ("step", "epoch"):
        with pytest.raises(Unusable, match=rf"--map {kind}=iter: no such column; columns: dl, gl, itr"):
            read(path, {**told, kind: "iter"})


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "tick;alpha;beta", *[f"{t};0.7;1.4" for t in range(0, 100, 10)])
    log = read(path, {"step": "tick", "loss_d": "alpha", "loss_g": "beta"})
    assert log.mapping == {"loss_d": "alpha", "loss_g": "beta", "step": "tick"}
    assert log.records[2] == (20, 0, 0.0, {"loss_d": 0.7, "loss_g": 1.4})
    for wrong, said in (({"loss": "alpha"}, "no such signal"), ({"loss_d": "gamma"}, "no such column")):
        with pytest.raises(Unusable, match=said):
            read(path, wrong)


def test_two_parts_of_a_loss_are_its_sum(tmp_path: Path) -> None:
    line = "(epoch: 1, iters: {}, time: 0.5, data: 0.2) G_GAN: 0.9 G_L1: 20.1 D_real: 0.6 D_fake: 0.5 "
    log = read(write(tmp_path / "loss_log.txt", *[line.format(t) for t in range(100, 1000, 100)]))
    assert log.mapping["loss_d"] == "D_real + D_fake"
    assert log.records[0].signals == {"loss_g": 0.9, "loss_d": 1.1}


def test_a_metric_printed_on_lines_of_its_own_joins_its_step(tmp_path: Path) -> None:
    lines = [f"Step: {t} Discriminator_loss: 1.3 Generator_loss: 0.8" for t in range(100, 1100, 100)]
    lines[5:5] = ["FID score (Step: 500, Using test moments): 61.5", "Best FID score (Step: 500, Using test moments): 61.5"]
    log = read(write(tmp_path / "train.log", '  "adv_loss": "hinge",', *lines))
    assert {record.step: record.signals["fid"] for record in log.records if "fid" in record.signals} == {500: 61.5}
    assert log.loss == "hinge"


def test_stylegans_stats_are_read_with_the_metrics_beside_them(tmp_path: Path) -> None:
    (tmp_path / "training_options.json").write_text('{"batch_size": 16}')
    rows = [{"Loss/G/loss": {"num": 8, "mean": 0.9, "std": 0.1}, "Loss/D/loss": {"mean": 1.2}, "Loss/signs/real": {"mean": 0.4},
             "Progress/kimg": {"mean": float(k)}, "timestamp": 1.6e9} for k in range(0, 40, 4)]  # fmt: skip
    write(tmp_path / "stats.jsonl", *map(json.dumps, rows))
    metric = {"results": {"fid50k_full": 30.5}, "metric": "fid50k_full", "snapshot_pkl": "network-snapshot-000020.pkl"}
    write(tmp_path / "metric-fid50k_full.jsonl", json.dumps(metric))
    log = read(tmp_path)
    assert log.records[1].step == 250
    assert log.records[1].signals == {"loss_g": 0.9, "loss_d": 1.2, "sign_real": 0.4}
    assert [(r.step, r.signals["fid"]) for r in log.records if "fid" in r.signals] == [(1250, 30.5)]


def test_scores_of_a_run_of_ours_may_be_no_numbers(tmp_path: Path) -> None:
    bad = Score("kid", math.nan, -math.inf, math.inf, 10, "pixels[0,1]", "p", 0, "lower", {"mixture": math.nan, "real": 0.5})
    run = RunDirectory(tmp_path)
    run.run.write_text(to_json({"format": 1, "recipe": named("dcgan").model_dump(mode="json"), "status": "finished", "seed": 0}))
    write(run.records_file, *[to_json({"step": t, "images": t, "seconds": 1.0, "loss_d": 1.3}) for t in range(0, 200, 20)])
    run.scores.write_text(to_json({"scores": [bad, bad._replace(metric="coverage", value=0.1)]}))
    log = read(tmp_path)
    assert str(log.scores[0]) == str(bad)
    assert not diagnose(log.records, log.recipe, log.scores).findings


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_tensorboards_scalars_are_read_up_to_where_the_file_breaks(tmp_path: Path) -> None:
    data = b"".join(event(t, loss_d=1.5, loss_g=0.5) for t in range(200, 400, 20))
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(data)
    log = read(tmp_path)
    assert (log.format, log.mapping["loss_d"], log.notes) == ("tensorboard", "loss/d", ())
    assert [record.step for record in log.records] == list(range(200, 400, 20))
    assert log.records[0].signals == {"loss_d": 1.5, "loss_g": 0.5}
    path.write_bytes(data[:-7])
    assert len(read(path).records) == 9
    assert "cut off" in read(path).notes[0]


def test_an_event_file_that_tensorboard_x_wrote_is_read(tmp_path: Path) -> None:
    # the first bytes of a file of tensorboardX 2.6: a version record, then add_scalar("Loss/D", 1.2, 0) and ("Loss/G", 0.95, 0)
    data = bytes.fromhex(HEADER)
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(data)
    assert read(path).records[0].signals == pytest.approx({"loss_d": 1.2, "loss_g": 0.95})


HEADER = (
    "1800000000000000a37f4b2209b60cbef3aac0da411a0d627261696e2e4576656e743a32f40005861a00000000000000129bd82d09f709"
    "bff3aac0da412a0f0a0d0a064c6f73732f44159a99993ff5424f971a00000000000000129bd82d097d0fbff3aac0da412a0f0a0d0a064c"
    "6f73732f47153333733fc304eae4"
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n \n\n", "empty"),
        (b"a,b,c\n1,2,3\n4,5,6\n", "no column that the doctor knows"),
        (b"step,d_loss,g_loss\n1,,\n2,,\n3,,\n4,,\n", "no number in the whole column"),
        (random.Random(0).randbytes(4000), "binary"),
        (b"\x7fELF\x02\x01\x01" + bytes(400), "binary"),
        (b"It was a dark and stormy night.\nThe end.\n", "expected a log"),
        (b'{"a": 1}\n{"a":', "no column that the doctor knows"),
        (b"1,2,3\n4,5,6\n7,8,9\n", "column1"),
        (b'"unclosed,d_loss\n1,2\n', "expected a log"),
    ],
)
@pytest.mark.parametrize("name", ["log.csv", "log.txt"])
def test_what_is_no_log_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unusable, match=said) as refused:
        read(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_a_last_line_that_is_cut_off_is_left_out_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "step,d_loss,g_loss", *[f"{t},1.2,0.9" for t in range(100)])
    path.write_text(path.read_text() + "100,1.")
    log = read(path)
    assert len(log.records) == 100
    assert log.notes == ("the last line is cut off: left out",)


@pytest.mark.parametrize(("gap", "verdict"), [("middle", "healthy"), ("end", "failed")])
def test_nan_is_a_gap_where_numbers_follow_and_a_failure_where_none_does(tmp_path: Path, gap: str, verdict: str) -> None:
    draw = random.Random(0)
    rows = [[t, 1.2 + 0.1 * draw.random(), 0.9 + 0.1 * draw.random()] for t in range(0, 4000, 20)]
    for at in range(80, 90) if gap == "middle" else range(190, 200):
        rows[at][1] = rows[at][2] = float("nan")
    log = read(write(tmp_path / "a.csv", "step,d_loss,g_loss", *[",".join(map(str, r)) for r in rows]))
    assert diagnose(log.records).verdict == verdict


def test_evaluations_between_rows_of_losses_are_no_gap(tmp_path: Path) -> None:
    """As wandb exports: each row holds what was logged at once, the rest is empty."""
    rows = [f"{t},1.2,0.9," if t % 100 else f"{t},,,{50 - t / 100}" for t in range(0, 2000, 20)]
    log = read(write(tmp_path / "wandb.csv", "Step,d_loss,g_loss,fid", *rows))
    assert sum("fid" in record.signals for record in log.records) == 20
    assert diagnose(log.records).verdict != "failed"


@pytest.mark.parametrize("nothing", ["", "null"])
def test_losses_that_pandas_leaves_blank_to_the_end_are_nan(tmp_path: Path, nothing: str) -> None:
    cells = [(t, f"{1.2 + t % 7 / 50}" if t < 600 else nothing) for t in range(0, 1000, 10)]
    table = write(tmp_path / "a.csv", ",step,d_loss,g_loss,lr", *[f"{i},{t},{v},{v},0.1" for i, (t, v) in enumerate(cells)])
    rows = [f'{{"step": {t}, "d_loss": {v or "null"}, "g_loss": {v or "null"}}}' for t, v in cells]
    assert broken(read(table)) == broken(read(write(tmp_path / "a.jsonl", *rows))) == [600]


def test_a_few_last_rows_without_losses_and_a_column_that_was_never_filled_are_no_nan(tmp_path: Path) -> None:
    rows = [f"{t},1.2,0.9,," if t % 100 else f"{t},,,0.5," for t in range(0, 2010, 10)]
    log = read(write(tmp_path / "lightning.csv", "step,d_loss,g_loss,val,grad_norm_D", *rows, "2000,,,0.5,", "2000,,,0.6,"))
    assert broken(log) == []
    assert log.notes == ("grad_norm_D holds no number",)


def test_a_loss_that_is_nan_from_the_first_row_on_has_failed(tmp_path: Path) -> None:
    rows = [f"{t},nan,0.9,nan" for t in range(0, 1000, 10)]
    log = read(write(tmp_path / "a.csv", "step,d_loss,g_loss,fid", *rows))
    assert broken(log) == [0]
    assert (log.mapping["loss_d"], log.notes) == ("d_loss", ("fid holds no number",))


@pytest.mark.parametrize("word", ["-1.#IND", "1.#QNAN", "1.#INF", "-1.#INF00"])
def test_windows_words_for_what_is_no_number_are_known(tmp_path: Path, word: str) -> None:
    rows = [(t, "1.2" if t < 600 else word) for t in range(0, 1000, 10)]
    assert broken(read(write(tmp_path / "a.csv", "step,d_loss,g_loss", *[f"{t},{v},0.9" for t, v in rows]))) == [600]
    assert broken(read(write(tmp_path / "a.txt", *[f"step {t} | D loss: {v} | G loss: 0.9" for t, v in rows]))) == [600]


def test_a_long_log_is_thinned_evenly_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "KEPT", 256)
    path, peaks = tmp_path / "long.csv", []
    for rows in (4_000, 16_000):
        with path.open("w") as file:
            file.write("step,d_loss,g_loss,fid\n")
            file.writelines(f"{t},{1 + t % 7},2.0,{t if t % 1_500 == 0 else ''}\n" for t in range(rows))
        tracemalloc.start()
        log = read(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    losses = [(r.step, r.signals["loss_d"]) for r in log.records if "loss_d" in r.signals]
    assert len(losses) == 250
    assert {later[0] - earlier[0] for earlier, later in pairwise(losses)} == {64}
    assert sum(v for _, v in losses) / len(losses) == pytest.approx(4, abs=0.1)
    assert [r.step for r in log.records if "fid" in r.signals] == list(range(0, 16_000, 1_500))
    assert peaks[1] < 1.6 * peaks[0]


def test_published_logs_are_read() -> None:
    if not TRACES.is_dir():
        pytest.skip("the published logs are not here")
    log = read(next(TRACES.glob("SNGAN*.csv")))
    assert (len(log.records), log.mapping) == (1000, {"loss_d": "d_loss", "loss_g": "g_loss", "fid": "fid", "step": "step"})
