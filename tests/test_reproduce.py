"""The frame of the experiments: what is listed, what a run leaves behind, and what a break costs."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Answer

from ganwise import catalog, knowledge
from ganwise.artifacts import rows
from ganwise.build import GAN, build
from ganwise.data import load
from ganwise.model import Model
from ganwise.recipe import change
from ganwise.reproduce import EXPERIMENTS, find, kept, original, training, work
from ganwise.study.trial import Stop
from ganwise.types import Record

ROOT = Path(__file__).parents[1]
CONTRACT = {"name", "published", "ours", "verdict", "protocol", "cost"}
VERDICTS = {"reproduced", "close", "not reproduced", "out of reach here", "unjudged", "not run"}
Call = Callable[..., Answer]


def test_all_experiments_are_listed_with_ours_beside_published(call: Call) -> None:
    listed = call("reproduce", "--json").json["experiments"]
    assert [each["name"] for each in listed] == [each.name for each in EXPERIMENTS]
    assert all(each.keys() >= CONTRACT and each["verdict"] in VERDICTS for each in listed)
    assert "225 ± 2" in call("reproduce").out


def test_the_list_comes_without_torch() -> None:
    code = "import sys; from ganwise.reproduce import listing; listing(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.name)
def test_an_experiment_cites_sources_that_exist_and_has_cells_at_every_scale(experiment: Any) -> None:
    keys = {*experiment.sources, *(figure.source for figure in experiment.published)}
    assert keys <= set(knowledge.sources())
    for scale in work.SCALES:
        names = [cell.name for cell in work.module_of(experiment).cells(experiment.name, scale)]
        assert names
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.name)
def test_a_result_that_is_kept_follows_from_its_rows(experiment: Any) -> None:
    result = kept(experiment.name)
    if result is None:
        pytest.skip("this experiment has not been run yet")
    found = work.module_of(experiment).conclude(experiment.name, result["rows"], result["scale"])
    assert (found.verdict, found.because) == (result["verdict"], result["because"])
    assert [figure.what for figure in found.ours] == [figure["what"] for figure in result["ours"]]


def test_the_pages_are_what_the_kept_results_make() -> None:
    pages = runpy.run_path(str(ROOT / "scripts" / "make_reproductions.py"))["pages"]()
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python scripts/make_reproductions.py"


def test_a_mistake_is_answered_in_one_line(call: Call) -> None:
    for arguments, words in (
        (("gan-2014-mnits",), "gan-2014-mnist"),
        (("gan-2014-mnist", "--scale", "huge"), "sample, here, paper"),
        (("gan-2014-mnist",), "--data"),
        (("gan-2014-mnist", "--scale", "sample", "--only", "seed-7"), "seed-0"),
        (("gan-2014-mnist", "--data", "digits", "--only", "seed-1"), "not MNIST"),
    ):
        answer = call("reproduce", *arguments)
        assert answer.status == 2
        assert words in answer.err
        assert answer.err.count("\n") <= 2  # what it was about to do, and why not


def test_an_experiment_runs_and_leaves_result_curve_and_samples(call: Call) -> None:
    first = call("reproduce", "gan-2014-mnist", "--scale", "sample", "--out", "out", "--json")
    (told,) = first.json["experiments"]
    assert (first.status, told["verdict"]) == (0, "unjudged")
    assert {"curve.png", "samples.png", "result.json"} <= {file.name for file in Path("out").iterdir()}
    row = json.loads(Path("out/cells/seed-0.json").read_text())
    assert row["curve"][-1]["epoch"] == 1
    again = call("reproduce", "gan-2014-mnist", "--scale", "sample", "--out", "out", "--json")
    assert again.json == first.json
    assert "seed-0" not in again.err  # nothing was measured twice
    other = call("reproduce", "gan-2014-mnist", "--out", "out", "--only", "seed-0", "--data", "mnist.npz")
    assert (other.status, "other settings" in other.err) == (2, True)


def _mean(gan: GAN, record: Record) -> dict[str, float]:
    return {"mean": float(Model(gan).sample(50, seed=0).mean())}


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    data, small = load("digits"), {"architecture.width": 16, "architecture.units": 8}
    recipe = change(original.recipe(), small)

    def run(folder: Path, stop: Stop, steps: int = 60) -> list[work.Row]:
        job = work.Work(find("gan-2014-mnist"), "sample", None, stop, print)
        return training.run(recipe, data, folder, job, steps=steps, marks=[20, 40], measure=_mean, every=20)

    whole = run(tmp_path / "whole", Stop())
    with pytest.raises(work.Interrupted):
        run(tmp_path / "broken", Stop(15))
    assert [row["step"] for row in rows(tmp_path / "broken" / "curve.jsonl")] == [], "it has stopped after one step"
    assert [(row["step"], row["mean"]) for row in run(tmp_path / "broken", Stop())] == [
        (row["step"], row["mean"]) for row in whole
    ]
    assert len(run(tmp_path / "whole", Stop(), steps=80)) == len(whole) + 1  # and a longer one goes on from the end


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    job = work.Work(find("gan-2014-mnist"), "sample", None, Stop(), print)
    data = load("digits")
    for recipe, fine in ((catalog.named("gan"), True), (catalog.named("lsgan"), False)):
        if fine:
            training.run(recipe, data, tmp_path, job, steps=20, marks=[], measure=_mean)
        else:
            with pytest.raises(work.Unusable, match="another recipe"):
                training.run(recipe, data, tmp_path, job, steps=20, marks=[], measure=_mean)


def test_the_recipe_of_2014_moves_as_its_configuration_says() -> None:
    made = build(original.recipe(), (1, 28, 28))
    for update in (0, 1000, 125_000, 2_878_231, 5_000_000):
        settings = made.settings("generator", update)
        assert settings["lr"] == pytest.approx(max(0.1 / 1.000004**update, 1e-6), rel=1e-4)
        assert settings["momentum"] == pytest.approx(0.5 + 0.2 * min(update / 125_000, 1))
        assert made.settings("discriminator", update)["lr"] == pytest.approx(settings["lr"] / 2)
    sizes = [tuple(w.shape) for w in made.generator.parameters() if w.ndim == 2]
    assert sizes == [(1200, 100), (1200, 1200), (784, 1200)]
    assert [tuple(w.shape) for w in made.discriminator.parameters() if w.ndim == 2] == [(1200, 784), (1200, 240), (1, 240)]


def test_the_generator_of_2014_starts_with_the_mean_of_the_data() -> None:
    data = load("mnist-10k")
    gan = build(original.recipe(), data.shape)
    gan.fit(torch.as_tensor(data.part("train")), torch.as_tensor(data.labels[data.split.train]))
    for network in (gan.generator, gan.average):
        weights = [w for w in network.parameters() if w.ndim == 2][-1]
        weights.data.zero_()  # what is left is the bias
        drawn = gan.scaling.decode(network(network.draw(1, gan.device)))[0].float()
        np.testing.assert_allclose(drawn.detach().numpy(), data.part("train").mean(0), atol=1.0)


def test_a_verdict_needs_the_published_figure() -> None:
    row = {"parzen": 200.0, "low": 196.0, "high": 204.0}
    assert original.judge(row, "here") == "not reproduced"
    assert original.judge(row | {"parzen": 210.0, "high": 214.0}, "here") == "close"
    assert original.judge(row | {"parzen": 223.0, "high": 227.0}, "here") == "reproduced"
    assert original.judge(row | {"high": 300.0}, "sample") == "unjudged"
