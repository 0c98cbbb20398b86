"""A published protocol fixes sizes, parts, resizing and splits; scores of different ones refuse to be compared."""

import hashlib
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwise.data import Dataset
from ganwise.data.dataset import Split, content_hash
from ganwise.evaluate import comparable
from ganwise.features import RESIZERS
from ganwise.inception import InceptionV3
from ganwise.knowledge import sources
from ganwise.metrics import frechet_distance, kid
from ganwise.metrics.inception import inception_score
from ganwise.protocols import PROTOCOLS, Emulation, blocks_of_kid, emulate, reference
from ganwise.types import Unusable

PAGE = Path(__file__).parents[1] / "docs" / "extractors.md"


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@cache
def images(train, validation, test, side=2):
    """Noise whose green is darker; of a size that the wanted parts have."""
    n = train + validation + test
    values = np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    values[..., 1] //= 2
    rows = np.arange(n)
    split = Split(rows[:train], rows[train : train + validation], rows[train + validation :])
    labels = np.full(n, -1)
    return Dataset("noise", "test", "image", values, labels, (), split, content_hash(values, labels, split), (), {})


class Pixels:
    """Pixels in [0, 1] as features, and a linear classifier of three classes on them: cheap, and all that a protocol asks for."""

    name = fingerprint = "pixels"
    weights = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)

    def __call__(self, values):
        return values.reshape(len(values), -1).astype(np.float32) / 255

    def logits(self, features, bias=False):
        return features @ self.weights + np.float32([3, 0, 0]) * bias


def sampler(n, seed):
    return np.random.default_rng(seed).integers(0, 200, (n, 2, 2, 3), dtype=np.uint8)


def emulation(name, dataset, seed=0, **changes):
    """As `emulate`, but with features that need no weights."""
    row = PROTOCOLS[name]._replace(**changes)
    chosen = reference(dataset, name, seed)
    fakes = len(chosen) if row.fakes is None else row.fakes
    return Emulation(name, row, dataset, Pixels(), len(chosen), fakes, seed, Pixels()(dataset.values[chosen]))


@pytest.mark.parametrize(
    ("name", "part", "real", "fakes"),
    [
        ("mimicry", "train", 50_000, 50_000),
        ("mimicry-10k", "train", 10_000, 10_000),
        ("mimicry-10k-5k", "train", 10_000, 5_000),
        ("mimicry-50k-10k", "train", 50_000, 10_000),
        ("studiogan-2020", "test", 10_000, 10_000),
        ("studiogan", "train", 50_000, 50_000),
        ("clean-fid", "train", 50_000, 50_000),
        ("compare-gan", "test", 10_000, 10_000),
        ("pytorch-fid", "test", 10_000, 10_000),
    ],
)
def test_on_a_data_set_split_as_cifar10_the_sizes_are_those_published(name, part, real, fakes):
    dataset = images(45_000, 5_000, 10_000)
    chosen = reference(dataset, name)
    assert (PROTOCOLS[name].reference, len(chosen)) == (part, real)
    assert (real if PROTOCOLS[name].fakes is None else PROTOCOLS[name].fakes) == fakes
    assert len(np.unique(chosen)) == real
    assert (chosen >= 50_000).all() if part == "test" else (chosen < 50_000).all()
    assert np.array_equal(chosen, reference(dataset, name))  # the same ones for every model


def test_every_protocol_is_tabled_and_each_row_has_sources_and_evidence():
    assert set(PROTOCOLS) >= {"mimicry", "mimicry-10k", "studiogan-2020", "studiogan", "clean-fid", "pytorch-fid"}
    for name, row in PROTOCOLS.items():
        assert row.resizer in RESIZERS, name
        assert row.sources, name
        assert set(row.sources) <= sources().keys(), name
        assert re.match(r"\[(code|page|2nd|mem)", row.evidence), name
        assert ("kid" in row.metrics) == (row.kid_block > 0), name


def test_the_page_has_the_table():
    page = PAGE.read_text()
    assert page.partition("<!-- protocols -->")[2].partition("<!-- /protocols -->")[0].strip().splitlines()[2:] == [
        table_row(name, row) for name, row in PROTOCOLS.items()
    ]
    told = page.partition("<!-- deviations -->")[2].partition("<!-- /deviations -->")[0].strip().splitlines()
    assert told == [f"- `{name}`: {row.deviations}." for name, row in PROTOCOLS.items() if row.deviations]


def table_row(name, row):
    score = (
        f"{row.score_splits} splits, {'with' if row.score_bias else 'without'} bias" if "inception_score" in row.metrics else ""
    )
    blocks = f"blocks of {row.kid_block}" if row.kid_block else ""
    cells = (f"`{name}`", row.sizes, f"`{row.resizer}`", ", ".join(row.metrics), score, blocks, row.repeats, row.evidence)
    return "| " + " | ".join(map(str, cells)) + " |"


def test_scores_are_of_the_protocols_sizes_splits_and_repeats():
    dataset = images(900, 100, 300)
    scores = {s.metric: s for s in emulation("studiogan-2020", dataset).scores(sampler, seed=5)}
    real, fake = Pixels()(dataset.part("test")), Pixels()(sampler(300, 5))
    assert scores["fid"].value == pytest.approx(frechet_distance(real, fake).value)
    assert scores["inception_score"].value == pytest.approx(inception_score(Pixels().logits(fake, bias=True), 1).value)
    assert scores["fid"].protocol == "studiogan-2020: 300 test vs 300 generated"
    assert scores["inception_score"].protocol == "studiogan-2020: 300 test vs 300 generated, splits=1, logits with bias"
    assert (scores["fid"].n, scores["fid"].features, scores["fid"].seed) == (300, "pixels", 5)
    assert (scores["fid"].direction, scores["inception_score"].direction) == ("lower", "higher")
    more = {s.metric: s for s in emulation("studiogan", dataset).scores(sampler)}
    assert set(more) == {"fid", "inception_score", "precision", "recall", "density", "coverage"}
    assert more["fid"].protocol == "studiogan: 1000 train vs 1000 generated"
    assert 0 <= more["coverage"].low <= more["coverage"].value <= more["coverage"].high <= 1


def test_repeats_are_of_new_fakes_and_are_averaged():
    dataset = images(900, 100, 300)
    once = [emulation("studiogan-2020", dataset).scores(sampler, seed=seed)[0].value for seed in (0, 1, 2)]
    assert len(set(once)) == 3
    (fid, *_) = emulation("studiogan-2020", dataset, repeats=3).scores(sampler)
    assert fid.value == pytest.approx(np.mean(once))
    assert fid.protocol.endswith("mean of 3 repeats")


def test_sides_may_be_of_unequal_size_and_the_logits_without_bias():
    dataset = images(9_000, 1_000, 10)
    (fid,) = emulation("mimicry-10k-5k", dataset).scores(sampler)
    assert fid.n == 5_000
    assert fid.protocol == "mimicry-10k-5k: 10000 train vs 5000 generated, mean of 3 repeats"
    expected = [frechet_distance(Pixels()(dataset.values[:10_000]), Pixels()(sampler(5_000, seed))).value for seed in range(3)]
    assert fid.value == pytest.approx(np.mean(expected))


def test_scores_of_different_protocols_refuse_to_be_compared():
    dataset = images(500, 0, 500)  # equal sizes: only the name and the part differ
    a, b = (emulation(name, dataset).scores(sampler)[0] for name in ("studiogan-2020", "studiogan"))
    comparable(a, a)
    with pytest.raises(Unusable, match=r"differ in protocol.*studiogan-2020: 500 test.*studiogan: 500 train"):
        comparable(a, b)


def test_kid_of_blocks_is_the_mean_over_disjoint_blocks():
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(310, 4)), draws.normal(0.5, 1, size=(205, 4))
    assert blocks_of_kid(x[:205], y, 205).value == pytest.approx(kid(x[:205], y).value)  # one block: all of it, in any order
    means = [blocks_of_kid(x, y, 50, seed).value for seed in range(40)]
    assert np.mean(means) == pytest.approx(kid(x, y).value, abs=4 * np.std(means) / np.sqrt(40) + 0.01)
    block = blocks_of_kid(x, y, 50)
    assert block.low < kid(x, y).value < block.high
    assert blocks_of_kid(x, y, 1000).value == blocks_of_kid(x, y, 205).value  # no block is larger than the smaller side


@pytest.mark.parametrize("name", [name for name, row in PROTOCOLS.items() if row.real or row.least > 1000])
def test_too_small_a_data_set_is_refused_not_measured_at_another_size(name):
    with pytest.raises(
        Unusable, match=rf"--protocol {name}: needs [\d,]+ (test|training) images.*noise has (300|1,000); use ganwise"
    ):
        reference(images(900, 100, 300), name)


def test_a_protocol_without_its_weights_is_refused_in_one_line():
    dataset = images(900, 100, 300)
    for features in ("", "efficientnet", "identity"):
        with pytest.raises(
            Unusable, match=r"--protocol studiogan: is of Inception-v3's features; pass --features inception:PATH"
        ) as no:
            emulate(dataset, "studiogan", features)
        assert "\n" not in str(no.value)
    with pytest.raises(Unusable, match=r"--protocol biggan: unknown; known: ganwise, mimicry, "):
        emulate(dataset, "biggan", "inception:x")
    with pytest.raises(Unusable, match=r"can't be read.*downloads nothing"):
        emulate(dataset, "studiogan", "inception:nowhere.pth")


def test_fakes_of_another_shape_are_refused():
    with pytest.raises(Unusable, match=r"fakes are float64 of \(300, 2, 2, 3\); protocol studiogan-2020 needs uint8"):
        emulation("studiogan-2020", images(900, 100, 300)).scores(lambda n, seed: sampler(n, seed) / 255)


def trained(call, folder, n):
    """A run on n small images, a fifth of which are its test part."""
    np.savez(folder / "noise.npz", x=np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8))
    assert call("train", "gan", "noise.npz", "--steps", 2, "--out", "run").status == 0
    return folder / "run"


def test_the_command_line_refuses_in_one_line_and_keeps_the_runs_scores(call, tmp_path):
    run = trained(call, tmp_path, 150)
    before = (run / "scores.json").read_bytes()
    for arguments, told in (
        (("--protocol", "mimicry"), "pass --features inception:PATH with pt_inception-2015-12-05-6726825d.pth"),
        (("--protocol", "mimicry", "--features", "inception:none.pth"), "needs 50,000 training images (validation included)"),
        (("--protocol", "studiogan", "-n", "64"), "has its own sample sizes"),
        (("--protocol", "fid"), "unknown; known: ganwise, mimicry,"),
        (("--features", "inception:none.pth"), "ganwise downloads nothing"),
        (("--features", "vgg"), "choose one of efficientnet, inception:PATH, identity"),
    ):
        answer = call("evaluate", run, *arguments)
        assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1), arguments
        assert told in answer.err
    scores = call("evaluate", run, "--features", "identity", "--json").json["scores"]
    seen = {score["features"] for score in scores}
    assert "identity" in seen
    assert not any("efficientnet" in features for features in seen)
    assert (run / "scores.json").read_bytes() == before


@pytest.mark.slow
def test_a_protocol_runs_whole_on_a_weights_file(call, tmp_path):
    """The real network with random weights, the whole way from the file; a minute on a busy core."""
    run, path = trained(call, tmp_path, 600), tmp_path / "weights.pth"
    torch.manual_seed(0)
    weights = InceptionV3().state_dict()
    for value in weights.values():
        if value.ndim == 4:
            torch.nn.init.kaiming_normal_(value, nonlinearity="relu")
    torch.save(weights, path)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    named = ("--protocol", "studiogan-2020", "--features", f"inception:{path}#{digits}", "--json")
    fid, score = (first := call("evaluate", run, *named).json)["scores"]
    path.unlink()
    assert fid["features"] == score["features"] == f"inception-v3-fid-{digits}@299-pytorch-fp32"
    assert fid["protocol"] == "studiogan-2020: 120 test vs 120 generated"
    assert fid["low"] <= fid["value"] <= fid["high"]
    assert 1.000001 < score["value"] < 1008  # the classifier tells the images apart
    assert first["out"] == str(run)
