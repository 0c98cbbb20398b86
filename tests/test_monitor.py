"""The monitor in loops that are not ours: what it reads, that it disturbs nothing, and that it tells what it finds."""

from __future__ import annotations

import csv
import gc
import json
import runpy
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.optim import optimizer

import ganwise as gw
from ganwise import catalog, monitor
from ganwise.monitor import Monitor
from ganwise.types import Record, Unusable

EXAMPLE = Path(__file__).parents[1] / "examples" / "dcgan_monitor.py"


class Loop:
    """A GAN on two numbers as people write it: G's backward pass leaves gradients in D, which D never uses."""

    def __init__(self, last: nn.Module | None = None, rate: float = 0.01) -> None:
        torch.manual_seed(0)
        self.g = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
        self.d: nn.Module = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), last or nn.Identity())
        self.of_d = torch.optim.SGD(self.d.parameters(), lr=rate)
        self.of_g = torch.optim.SGD(self.g.parameters(), lr=rate)
        self.norms: dict[str, float] = {}

    def norm(self, network: nn.Module) -> float:
        return float(torch.cat([w.grad.flatten() for w in network.parameters() if w.grad is not None]).norm())

    def go(self, watch: Monitor | None = None, steps: int = 1, critic: int = 1, **told: Any) -> None:
        ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
        for _ in range(steps):
            for _ in range(critic):
                real, fake = torch.randn(32, 2) + 3, self.g(torch.randn(32, 2))
                self.of_d.zero_grad()
                r, f = self.d(real), self.d(fake.detach())
                loss_d = bce(r, ones) + bce(f, zeros)
                loss_d.backward()
                self.norms["grad_d"] = self.norm(self.d)
                self.of_d.step()
            self.of_g.zero_grad()
            loss_g = bce(self.d(fake), ones)
            loss_g.backward()
            self.norms["grad_g"] = self.norm(self.g)
            self.of_g.step()
            if watch:
                watch.step(r, f, fake, **({"real": real, "loss_d": loss_d, "loss_g": loss_g} | told))


def watching(loop: Loop, **options: Any) -> Monitor:
    return Monitor(loop.g, loop.d, **({"loss": "bce", "every": 1, "quiet": True} | options))


def constant(loop: Loop, r: Tensor | list[Tensor], f: Tensor | list[Tensor], **options: Any) -> Record:
    watch = watching(loop, **options)
    watch.step(r, f, torch.randn(4, 2))
    return watch.records[-1]


# what it reads


def test_gradients_are_those_that_each_optimizer_got_and_not_what_lies_there_at_the_end() -> None:
    loop = Loop()
    watch = watching(loop)
    loop.go(watch)
    found = watch.records[0].signals
    assert found["grad_d"] == pytest.approx(loop.norms["grad_d"], rel=1e-5)
    assert found["grad_g"] == pytest.approx(loop.norms["grad_g"], rel=1e-5)
    assert loop.norm(loop.d) != pytest.approx(loop.norms["grad_d"], rel=1e-2), "the generator's pass has added to it"


def test_updates_of_several_critic_steps_are_counted_together() -> None:
    loop = Loop()
    watch = watching(loop)
    old = nn.utils.parameters_to_vector(loop.d.parameters()).detach()
    loop.go(watch, critic=3)
    new = nn.utils.parameters_to_vector(loop.d.parameters()).detach()
    assert watch.records[0].signals["update_d"] == pytest.approx(float((new - old).norm() / old.norm()), rel=1e-4)


def test_records_come_at_every_so_many_steps_and_count_samples() -> None:
    loop = Loop()
    watch = watching(loop, every=5)
    loop.go(watch, steps=12)
    assert [(r.step, r.images) for r in watch.records] == [(5, 160), (10, 320)]
    assert watch.records[0].seconds < watch.records[1].seconds
    expected = {
        "loss_d",
        "loss_g",
        "grad_d",
        "grad_g",
        "grad_ratio",
        "score_real",
        "score_fake",
        "accuracy_real",
        "accuracy_fake",
    }
    assert set(watch.records[1].signals) == expected | {
        "saturated",
        "saturated_d",
        "update_d",
        "update_g",
        "spread",
        "brightness",
        "std",
    }


def test_maps_of_patches_several_scales_and_low_precision_are_scores_too() -> None:
    loop, r, f = Loop(), torch.tensor([2.0, -1.0, 3.0, 1.0]), torch.tensor([-2.0, -1.0, 1.0, -3.0])
    flat = constant(loop, r, f).signals
    forms: list[tuple[Any, Any]] = [
        (r.view(1, 1, 2, 2), f.view(1, 1, 2, 2)),
        (list(r.split(2)), list(f.split(2))),
        (r.bfloat16(), f.half()),
        (r.clone().requires_grad_(), f),
    ]
    assert all(constant(loop, *form).signals == flat for form in forms)
    assert (flat["accuracy_real"], flat["accuracy_fake"]) == (0.75, 0.75)


def test_probabilities_are_told_from_logits_by_the_sigmoid() -> None:
    r, f = torch.tensor([0.9, 0.6, 0.4]), torch.tensor([0.2, 0.1, 0.3])
    ended = constant(Loop(nn.Sigmoid()), r, f).signals
    assert ended["accuracy_real"] == pytest.approx(2 / 3)
    assert ended["accuracy_fake"] == 1.0
    assert ended["score_real"] == pytest.approx(float(torch.logit(r).mean()), rel=1e-4)
    assert constant(Loop(), r, f).signals["accuracy_fake"] == 0.0, "logits"
    assert constant(Loop(), r, f, probabilities=True).signals["accuracy_fake"] == 1.0
    assert constant(Loop(nn.Sigmoid()), r, f, loss="lsgan").signals["score_real"] == pytest.approx(float(r.mean()))


def test_accuracy_needs_to_know_which_way_scores_point() -> None:
    loop, r, f = Loop(), torch.tensor([1.0, 2.0]), torch.tensor([5.0, 6.0])
    assert constant(loop, r, f, loss="ebgan").signals["accuracy_real"] == 1.0
    assert constant(loop, r, f, loss="hinge").signals["accuracy_fake"] == 0.0
    assert constant(loop, r, f, loss=None, recipe=catalog.named("began")).signals["accuracy_real"] == 1.0
    silent = constant(loop, r, f, loss=None).signals
    assert not {"accuracy_real", "accuracy_fake", "saturated"} & set(silent)
    assert silent["score_real"] == 1.5


@pytest.mark.parametrize("name", [*catalog.LOSSES, *catalog.RECIPES, "bce", "lsgan", "WGAN-GP"])
def test_every_loss_has_a_judge(name: str) -> None:
    found = constant(Loop(), torch.tensor([1.0, 2.0, 4.0]), torch.tensor([5.0, 6.0]), loss=name).signals
    assert {"accuracy_real", "score_real"} <= set(found)


def test_a_recipe_says_more_than_the_name_of_its_loss() -> None:
    lsgan = catalog.named("lsgan").model_copy(update={"loss": catalog.choice("least-squares", fake=-1.0, real=1.0, wanted=0.0)})
    r, f = torch.tensor([0.2, 0.3]), torch.tensor([-0.2, 0.1])
    assert constant(Loop(), r, f, loss=None, recipe=lsgan).signals["accuracy_real"] == 1.0
    assert constant(Loop(), r, f, loss="least-squares").signals["accuracy_real"] == 0.0, "targets 0 and 1"


def test_what_is_left_out_is_absent_and_not_judged() -> None:
    loop = Loop()
    watch = watching(loop)
    loop.go(watch, steps=2, real=None, loss_d=None, loss_g=None)
    assert not {"loss_d", "loss_g", "spread", "std"} & set(watch.records[-1].signals)
    assert any(gap.startswith("mode_collapse") for gap in watch.not_judged)
    alone = watching(loop)
    alone.step(torch.zeros(3), torch.zeros(3), torch.randn(3, 2))
    assert not {"grad_d", "update_g"} & set(alone.records[0].signals), "no optimizer moved"


def test_wrapped_networks_and_loss_scaling_are_read_through() -> None:
    loop = Loop()
    loop.d = nn.DataParallel(loop.d)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    watch = watching(loop)
    fake = loop.g(torch.randn(8, 2))
    r, f = loop.d(torch.randn(8, 2)), loop.d(fake.detach())
    loss = bce(r, torch.ones(8, 1)) + bce(f, torch.zeros(8, 1))
    grads = torch.autograd.grad(loss, list(loop.d.parameters()), retain_graph=True)
    scaler.scale(loss).backward()
    scaler.step(loop.of_d)
    watch.step(r, f, fake)
    assert watch.records[0].signals["grad_d"] == pytest.approx(float(torch.cat([g.flatten() for g in grads]).norm()), rel=1e-4)


def test_the_full_setting_compares_batches_with_real_samples_and_held_out_ones() -> None:
    loop = Loop()
    watch = watching(loop, full=True, held=torch.randn(40, 2) + 3)
    loop.go(watch, steps=5, held_scores=torch.tensor([1.0, -1.0]))
    found = watch.records[-1].signals
    assert {"sigma_d", "sigma_g", "coverage", "precision", "recall", "spread_features", "near", "novel"} <= set(found)
    assert (found["score_held"], found["accuracy_held"]) == (0.0, 0.5)
    exact = max(float(torch.linalg.svdvals(w.detach())[0]) for w in loop.d.parameters() if w.dim() > 1)
    assert 0.95 * exact < found["sigma_d"] <= 1.001 * exact
    assert "coverage" not in watch.records[-2].signals


# what it leaves alone


@pytest.mark.parametrize("full", [False, True])
def test_a_watched_loop_ends_where_an_unwatched_one_does(full: bool) -> None:
    ends = []
    for looks in (False, True):
        torch.manual_seed(1)
        loop = Loop(nn.utils.parametrizations.spectral_norm(nn.Linear(1, 1)))
        loop.go(watching(loop, full=full) if looks else None, steps=12)
        ends.append((loop.d.state_dict(), loop.g.state_dict(), torch.get_rng_state()))
    for ours, theirs in zip(ends[0][:2], ends[1][:2], strict=True):
        assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert torch.equal(ends[0][2], ends[1][2])


def test_nothing_of_it_stays_in_torch() -> None:
    gc.collect()
    before = len(optimizer._global_optimizer_pre_hooks)
    loop = Loop()
    first, second = watching(loop), watching(loop)
    assert len(optimizer._global_optimizer_pre_hooks) == before + 2
    first.close()
    loop.go(second)
    assert len(optimizer._global_optimizer_pre_hooks) == before + 1
    del second
    gc.collect()
    assert len(optimizer._global_optimizer_pre_hooks) == before


def test_between_records_no_optimizer_is_read() -> None:
    loop = Loop()
    watch = watching(loop, every=3)
    loop.go(watch, steps=1)
    assert (watch._ear.grads, watch._ear.before) == ({}, {})
    loop.go(watch, steps=2)
    assert {"grad_d", "grad_g"} <= set(watch.records[0].signals)


def test_memory_is_bounded_and_the_latest_records_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "KEPT", 16)
    loop = Loop()
    watch = watching(loop)
    loop.go(watch, steps=60)
    assert len(watch.records) <= 16
    assert [r.step for r in watch.records][-8:] == list(range(53, 61))
    assert watch.records[0].step == 1


# what it tells


def collapsed(watch: Monitor, steps: int = 600) -> None:
    for _ in range(steps):
        watch.step(
            torch.randn(16) + 0.5, torch.randn(16) - 0.5, torch.zeros(16, 2) + 1e-4 * torch.randn(16, 2), real=torch.randn(16, 2)
        )


def test_a_collapse_is_found_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "PATIENCE", 0)  # this loop takes no time, of which a diagnosis could take its share
    loop = Loop()
    watch = watching(loop, every=10, quiet=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        collapsed(watch)
    texts = [str(one.message) for one in said if "mode_collapse" in str(one.message)]
    assert texts
    assert len(texts) == len(set(texts))
    assert all(one.filename == __file__ for one in said), "it points at the line of the loop"
    assert "mode_collapse" in {finding.problem for finding in watch.findings}
    assert watch.verdict in ("warning", "failing")


def test_quiet_says_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        collapsed(watching(Loop(), every=10))


def test_a_loss_that_is_not_a_number_is_a_failure() -> None:
    loop = Loop()
    watch = watching(loop)
    loop.go(watch, steps=3, loss_d=float("nan"))
    assert watch.verdict == "failed"
    assert watch.findings[0].problem == "not_finite"


@pytest.mark.parametrize("name", ["records.csv", "records.jsonl"])
def test_the_report_holds_every_record(name: str, tmp_path: Path) -> None:
    loop = Loop()
    watch = watching(loop, full=True)
    loop.go(watch, steps=5)
    text = watch.report(tmp_path / name).read_text()
    rows: list[dict[str, Any]] = (
        list(csv.DictReader(text.splitlines())) if name.endswith("csv") else [json.loads(x) for x in text.splitlines()]
    )
    back = [Record.from_json({key: value for key, value in row.items() if value != ""}) for row in rows]
    assert [(r.step, r.images, r.signals) for r in back] == [(r.step, r.images, r.signals) for r in watch.records]


@pytest.mark.parametrize("name", ["records.csv", "records.jsonl"])
def test_the_doctor_reads_the_report(name: str, call: Callable[..., Any], tmp_path: Path) -> None:
    watch = watching(Loop(), every=10)
    collapsed(watch)
    answer = call("doctor", watch.report(tmp_path / name), "--loss", "bce", "--json")
    assert answer.json["verdict"] == "failing"
    assert "mode_collapse" in {finding["problem"] for finding in answer.json["findings"]}


def test_what_can_not_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    loop = Loop()
    for options, said in (({"loss": "hinje"}, "hinge"), ({"every": 0}, "every 0")):
        with pytest.raises(Unusable, match=said):
            watching(loop, **options)
    watch = watching(loop)
    for scores, said in ((torch.empty(0), "real_scores"), ([], "real_scores"), (0.5, "real_scores")):
        with pytest.raises(Unusable, match=said):
            watch.step(scores, torch.zeros(2), torch.zeros(2, 2))  # type: ignore[arg-type]
    with pytest.raises(Unusable, match="can't be written"):
        watch.report(tmp_path)


def test_it_is_part_of_the_package() -> None:
    assert gw.Monitor is Monitor


# the example


@pytest.mark.filterwarnings("ignore:ganwise")
def test_the_example_runs_and_its_sick_twin_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *arguments, "--out", str(tmp_path / "records.csv")])
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        return capsys.readouterr().out

    assert "- mode_collapse" not in run("--steps", "20")
    with pytest.warns(RuntimeWarning, match="ganwise: mode_collapse"):
        told = run("--steps", "360", "--sick")
    assert "- mode_collapse" in told
    assert (tmp_path / "records.csv").is_file()
