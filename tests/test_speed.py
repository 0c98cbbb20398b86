"""The fast step against the plain one, from the same seed: the same weights after some steps, for six GANs of the literature."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from ganwise.build import GAN
from ganwise.train import Batches, step

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import speed
import speed_page
import speed_peers
import speed_plain
from speed import RESULTS
from speed_cases import CASES, Case

STEPS = 4
Numbers = dict[str, Tensor]


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything in float64: what the library makes float32 on purpose is made float64 meanwhile."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Trained(NamedTuple):
    """The state of a GAN's networks before and after some steps; images of the averaged generator; scores of fixed samples."""

    before: Numbers
    after: Numbers
    images: Tensor
    scores: Tensor


def weights(gan: GAN) -> Numbers:
    networks = {"G": gan.generator, "D": gan.discriminator, "average": gan.average}
    states = ((n, network.state_dict()) for n, network in networks.items())
    return {f"{n}.{name}": w.clone() for n, state in states for name, w in state.items() if w.is_floating_point()}


def trained(case: Case, loop: Callable[[GAN, Batches], None], rate: float = 2e-4) -> Trained:
    rates = {"schedule.discriminator.learning_rate": rate, "schedule.generator.learning_rate": rate}
    gan, data = case.made(toy=True, **rates), case.data(64, toy=True)
    batches = Batches(data.part("train"), data.labels[data.split.train], gan, seed=0)
    before = weights(gan)
    torch.manual_seed(1)
    loop(gan, batches)
    after = weights(gan)
    with torch.no_grad():
        scores = gan.discriminator(torch.rand(16, *gan.shape) * 2 - 1).score
        images = gan.average(gan.generator.draw(16, gan.device))
    return Trained(before, after, images, scores)


def fast(gan: GAN, batches: Batches) -> None:
    for t in range(STEPS):
        step(gan, batches, t)


def plain(case: Case) -> Callable[[GAN, Batches], None]:
    def loop(gan: GAN, batches: Batches) -> None:
        plainly = case.plain(gan)
        for _ in range(STEPS):
            plainly.step(lambda: next(batches)[0].contiguous())

    return loop


def without_effect(name: str, case: Case) -> bool:
    """A bias whose gradient is zero but for rounding, of which Adam makes steps of any sign; and means that follow it.

    Batch normalization takes it out again, or it shifts the scores of real samples and fakes alike and the loss reads their
    difference.
    """
    normalized = case.plain in (speed_plain.Hinge, speed_plain.Wasserstein) and not name.startswith("D.")
    differences = case.plain in (speed_plain.Wasserstein, speed_plain.Relativistic)
    shifts = ("synthesis.0.bias", ".branch.3.bias", ".branch.6.bias", ".shortcut.0.bias", ".running_mean")
    return (normalized and name.endswith(shifts)) or (differences and name == "D.head.bias")


def apart(a: Numbers, b: Trained, keep: Callable[[str], bool]) -> float:
    """The largest distance of a weight from the plain step's, relative to how far its network went."""
    gone = {net: torch.cat([(b.after[n] - b.before[n]).flatten() for n in a if n.startswith(net)]) for net in ("G.", "D.", "av")}
    return max(float((a[n] - b.after[n]).norm() / gone[n[:2]].norm()) for n in a if keep(n))


def agree(name: str, within: float) -> None:
    case = CASES[name]
    ours, reference = trained(case, fast), trained(case, plain(case))
    assert apart(ours.after, reference, lambda n: not without_effect(n, case)) < within
    assert (ours.images - reference.images).norm() < within * reference.images.norm()
    scores = [s - s.mean() if without_effect("D.head.bias", case) else s for s in (ours.scores, reference.scores)]
    assert (scores[0] - scores[1]).norm() < within * scores[1].norm()


@pytest.mark.parametrize("name", CASES)
def test_in_float64_both_steps_train_the_same_weights(name: str, double: None) -> None:
    agree(name, 1e-10)


@pytest.mark.parametrize("name", CASES)
def test_in_float32_too(name: str) -> None:
    agree(name, 1e-3)


def test_a_step_of_other_mathematics_is_told_apart() -> None:
    """Weights that went another way, were the power iterations two a step or the average another one, would not pass."""
    case = CASES["sngan"]
    reference = trained(case, plain(case))

    def twice(gan: GAN, batches: Batches) -> None:
        plainly = case.plain(gan)
        plainly.scores = lambda x: (gan.discriminator(x), gan.discriminator(x).score)[1]  # type: ignore[method-assign]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(speed_plain.parametrize, "cached", nullcontext)
            for _ in range(STEPS):
                plainly.step(lambda: next(batches)[0])

    assert apart(trained(case, twice).after, reference, lambda n: not without_effect(n, case)) > 1e-3


# the benchmark


def test_the_page_shows_the_rows() -> None:
    page = speed_page.PAGE.read_text(encoding="utf-8")
    assert page == speed_page.written(page, RESULTS), "run python benchmarks/speed.py page"


def test_a_case_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the toy MLP: ours in two precisions and the plain step; a second call finds them there."""
    out = tmp_path / "speed.jsonl"
    case = CASES["mlp"]
    monkeypatch.setitem(CASES, "mlp", case._replace(changes={**case.changes, **case.toy}, shape=(1, 8, 8), steps=2))
    monkeypatch.setattr(sys, "argv", ["speed.py", "--case", "mlp", "--rounds", "2", "--out", str(out)])
    speed.main()
    found = speed_page.rows(out)
    assert [row["side"] for row in found] == ["plain", "ours", "ours in float32"]
    assert all(len(row["seconds"]) == 2 and min(row["seconds"]) > 0 for row in found)
    weights = sum(w.numel() for w in CASES["mlp"].made().discriminator.parameters() if w.dim() > 1)
    batch, passes = 8, 3 + 3 + 2  # of D: three products each for real samples and fakes, two for the generator's gradient
    assert found[0]["flops"] > 2 * batch * weights * (passes - 2)  # D's first layer needs no gradient of the data
    assert "| MLP" in "\n".join(speed_page.table(out, "cpu"))
    speed.main()
    assert speed_page.rows(out) == found


def test_what_a_peer_imports_and_does_not_need_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torchgan", "torch_mimicry"):
        assert not speed_peers.installed(tmp_path)
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import torchvision.utils\nfrom torch._six import string_classes\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    monkeypatch.setattr(os, "environ", {**os.environ})
    assert speed_peers.installed(tmp_path)
    assert importlib.import_module("torch_mimicry").string_classes.__name__ == "string_classes"
