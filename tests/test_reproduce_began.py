"""BEGAN's experiments: the small scale through the command line, inversion against a known answer, and the rules of judging."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Answer
from torch import nn

from ganwise.build import build
from ganwise.catalog import named
from ganwise.data import load
from ganwise.model import Model
from ganwise.recipe import change
from ganwise.reproduce import began, began_mnist, began_words, find, inversion
from ganwise.reproduce.work import Row, Work
from ganwise.study.trial import Stop
from ganwise.types import Unusable, Value

Call = Callable[..., Answer]


def row(part: str = "dial", *, ratio: float = 0.5, k: float = 0.1, diversity: float = 0.8, gamma: Value = 0.5) -> Row:
    """A run of 1,000 steps whose last 900 are alike."""
    trace = [{"step": 100, "m_global": 1.0, "k": 0.0, "ratio": 0.1}]
    trace += [{"step": step, "m_global": 0.2, "k": k, "ratio": ratio} for step in range(200, 1001, 100)]
    look = {"diversity": diversity, "detail": 1.2 - float(gamma), "brightness": 0.01}
    curve = [{"step": step, **look, "diversity": min(diversity, step / 1000)} for step in range(250, 501, 250)]
    curve += [{"step": step, **look} for step in (600, 800, 1000)]
    end = {"diversity_low": diversity - 0.01, "diversity_high": diversity + 0.01, "kid": 50.0, "n": 1000, "precision": 0.5}
    path = {"recall": 0.1, "inversion": 0.1, "nearest_sample": 0.2, "jump": 1.2}
    cell = {"cell": part, "options": {"part": part, "side": 32, "loss.gamma": gamma}}
    return {**cell, "step": 1000, **look, **end, **path, "trace": trace, "curve": curve}


def complete() -> list[Row]:
    dial = [row(ratio=gamma, diversity=gamma + 0.2, gamma=gamma) for gamma in began.GAMMAS]
    return [*dial, *(row(part) for part in began_words.UNBALANCED)]


@pytest.mark.parametrize("name", ["began", "began-mnist"])
def test_the_small_scale_runs_through_the_command_line(call: Call, tmp_path: Path, name: str) -> None:
    (found,) = call("reproduce", name, "--scale", "sample", "--out", "out", "--json").json["experiments"]
    assert found["verdict"] == "unjudged"
    assert len(found["runs"]) >= 4
    assert all(np.isfinite(figure["value"]) for figure in found["ours"])
    drawn = {file.name for file in (tmp_path / "out").glob("*.png")}
    assert drawn == set(found["pictures"])
    assert {"began": "interpolation.png", "began-mnist": "chosen.png"}[name] in drawn


def test_the_paper_scale_is_the_published_network_at_three_sides() -> None:
    cells = began.cells("began", "paper")
    assert {cell.options["side"] for cell in cells if cell.options["part"] == "dial"} == {32, 64, 128}
    assert all(cell.options["architecture.width"] == 128 for cell in cells if cell.options["part"] == "dial")


@pytest.mark.parametrize("cell", began.cells("began", "here"), ids=lambda cell: cell.name)
def test_every_cell_is_a_recipe_that_can_be_built(cell: Any) -> None:
    changes = {path: value for path, value in cell.options.items() if "." in path}
    gan = build(began.recipe(changes), (3, 32, 32))
    sizes = [sum(w.numel() for w in network.parameters()) for network in (gan.generator, gan.discriminator)]
    whole = build(began.recipe({"architecture.width": 16}), (3, 32, 32))
    full = [sum(w.numel() for w in network.parameters()) for network in (whole.generator, whole.discriminator)]
    smaller = [mine < theirs for mine, theirs in zip(sizes, full, strict=True)]
    expected = {"halved-generator": [True, False], "halved-discriminator": [False, True], "small-code": [False, True]}
    assert smaller == expected.get(cell.name, [False, False])


def test_one_class_keeps_its_samples_in_their_parts() -> None:
    digits = load("digits")
    ones = began.one_class(digits, 1)
    for part in ("train", "validation", "test"):
        rows = getattr(digits.split, part)
        assert np.array_equal(ones.part(part), digits.values[rows][digits.labels[rows] == 1])
    assert sum(map(len, ones.split)) == (digits.labels == 1).sum() == len(ones)


def test_images_without_classes_are_one_domain_and_get_the_side_that_is_asked_for(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (100, 20, 16, 3)).astype(np.uint8)
    np.savez(tmp_path / "faces.npz", x=faces)
    work = Work(find("began"), "paper", str(tmp_path / "faces.npz"), Stop(), print)
    data = began.images(work, 32, everything=False)
    assert data.shape == (3, 32, 32)
    assert len(data) == 100
    with pytest.raises(Unusable, match="give the data with --data"):
        began.images(work._replace(source=None), 32, everything=False)


def test_spread_and_detail_are_their_definitions() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1)).astype(np.uint8)
    x = images.astype(float) / 255
    apart = [np.linalg.norm(x[i] - x[j]) for i in range(5) for j in range(i)]
    assert began.spread(images) == pytest.approx(np.mean(apart), rel=1e-5)
    steps = [np.abs(x[:, 1:] - x[:, :-1]).mean(), np.abs(x[:, :, 1:] - x[:, :, :-1]).mean()]
    assert began.detail(images) == pytest.approx(np.mean(steps), rel=1e-5)
    same = began.appearance(np.repeat(images[:1], 64, 0), images)
    assert same["diversity"] == 0


def test_a_trace_is_the_ratio_of_mean_errors_of_its_window() -> None:
    same = {"m_global": 1.0, "loss_g": 2.0, "spread": 0.5}
    records = [{"step": 20 * (i + 1), "k": 0.1 * i, "score_real": 1.0 + i, **same} for i in range(4)]
    trace = began.traced(records, 40)
    assert [point["step"] for point in trace] == [40, 80]
    assert trace[0]["ratio"] == pytest.approx(2 / 1.5)
    assert trace[1]["k"] == pytest.approx(0.25)


class Linear(nn.Module):
    """Images of 2x2 that are the four numbers of the latent."""

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return z.view(-1, 1, 2, 2)


def test_inversion_finds_the_latent_that_made_an_image() -> None:
    gan = build(change(named("began"), {"architecture.width": 4, "architecture.latent": 4}), (1, 8, 8))
    gan.average.synthesis = Linear()
    model, z = Model(gan), torch.tensor([[0.5, -0.25, 0.9, -1.0], [0.0, 0.1, -0.7, 0.3]])
    images = inversion.images_of(model, z)
    before = torch.get_rng_state()
    found = inversion.inverted(model, images, steps=150, starts=4)
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(found, z, rtol=0, atol=0.05)
    way = inversion.path(found[0], found[1], 5)
    torch.testing.assert_close(way[2], (found[0] + found[1]) / 2)


@pytest.mark.parametrize("name", ["plain", "centered", "cropped", "centered-cropped"])
def test_a_view_of_mnist_can_be_undone(name: str) -> None:
    images = load("mnist-10k").values[:64]
    view = began_mnist.View(name, images.mean(0))
    back = view.decode(view.encode(images))
    assert back.shape == images.shape
    inside = slice(4, 24) if "cropped" in name else slice(None)
    assert view.encode(images).shape == images[:, inside, inside].shape
    assert np.abs(back.astype(int) - images)[:, inside, inside].max() <= ("centered" in name)


def test_the_search_keeps_the_lowest_distance_and_has_to_come_first() -> None:
    found = [{"cell": name, "options": {"part": "search"}, "kid": kid} for name, kid in (("a", 9.0), ("b", 3.0))]
    assert began_mnist.chosen([*found, {"cell": "c", "options": {"part": "chosen"}, "kid": 1.0}])["cell"] == "b"
    with pytest.raises(Unusable, match="search comes first"):
        began_mnist.chosen([])


def test_the_statements_are_reproduced_close_or_not_by_how_many_hold() -> None:
    rows = complete()
    assert began_words.conclude(rows, "here").verdict == "reproduced"
    assert began_words.conclude(rows, "sample").verdict == "unjudged"
    assert began_words.conclude(rows[:3], "here").verdict == "unjudged", "without the unbalanced networks"
    assert began_words.conclude(rows[:2], "here").ours == ()
    swapped = [row(ratio=g, diversity=1 - g, gamma=g) for g in began.GAMMAS]
    assert began_words.conclude([*swapped, *rows[3:]], "here").verdict == "close"
    lost = [row(part, ratio=0.1) for part in began_words.UNBALANCED]
    assert began_words.conclude([*swapped, *lost], "here").verdict == "not reproduced", "three of five"
    off = [row(ratio=g + 0.2, diversity=1 - g, gamma=g) for g in began.GAMMAS]
    assert began_words.conclude([*off, *lost], "here").verdict == "not reproduced"


def test_a_controller_at_zero_is_no_equilibrium() -> None:
    assert began_words.balanced(row())
    stuck = row(k=0.0)
    assert began_words.pinned(stuck) == 1000
    assert not began_words.balanced(stuck)
    assert not began_words.balanced(row(ratio=0.61))


def test_diversity_opens_where_it_stays_open() -> None:
    assert began_words.opens(row(diversity=0.8)) == 500
    assert began_words.opens(row(diversity=0.4)) is None


def test_samples_of_mnist_are_alive_unless_blank_alike_or_noise() -> None:
    good = row()
    assert began_words.alive(good)
    for change_ in ({"diversity": 0.3}, {"brightness": -0.12}, {"detail": 2.5}, {"trace": row(k=0.0)["trace"]}):
        assert not began_words.alive({**good, **change_})
    about = {"setting": "cropped", "test": {"kid": 5.0, "coverage": 0.5}, "floor": 1.0}
    long = {**good, **about, "options": {"part": "chosen", "seed": 0}}
    blank, control = {**long, "brightness": -0.12}, {**good, "options": {"part": "control"}}
    dead = {**control, "diversity": 0.1}
    close = ([long, blank, dead], [long, control])
    for rows, verdict in (([long, dead], "reproduced"), *((rows, "close") for rows in close), ([blank, dead], "not reproduced")):
        assert began_words.conclude_mnist(rows, "here").verdict == verdict
    assert began_words.conclude_mnist([long], "here").verdict == "unjudged", "nothing to compare with"
    assert began_words.conclude_mnist([{**good, "options": {"part": "search"}}], "here").verdict == "unjudged"
