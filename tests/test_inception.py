"""FID's Inception-v3 computes what its published weights expect, and takes them only from a file whose checksum is known."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ganwise.features import InceptionFeatures, extractor_named
from ganwise.inception import BLOCKS, CLASSES, FEATURES, SHA256, InceptionV3, Mixed, load_inception, pool
from ganwise.types import Unusable


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def digits(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def weights():
    """Random weights under which features neither vanish nor explode, under the published names."""
    draws = torch.Generator().manual_seed(0)
    state = InceptionV3().state_dict()
    for name, value in state.items():
        if name.endswith(("running_var", "bn.weight")):
            value.uniform_(0.5, 1.5, generator=draws)
        elif value.ndim == 4:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=draws)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=draws)
    return state


@pytest.fixture(scope="module")
def published_layout(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(weights, path)
    yield path
    path.unlink()  # pytest keeps folders, and this one holds 96 MB


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 12, 16, 3), dtype=np.uint8)


def test_it_has_the_tensors_of_the_published_files_and_as_many_parameters(weights):
    """Known of the published file: 566 tensors and 95,628,359 bytes; of torchvision's page: 27,161,264 parameters with 1,000
    classes and the auxiliary classifier, which has 768 x 128 + 2 x 128 + 128 x 768 x 25 + 2 x 768 + 769 x 1,000 of them."""
    auxiliary = 768 * 128 + 2 * 128 + 128 * 768 * 25 + 2 * 768 + 769 * 1000
    parameters = sum(value.numel() for value in InceptionV3().parameters())
    assert parameters == 27_161_264 - auxiliary + 8 * 2049 == 23_850_960
    assert len(weights) == 566
    stored = sum(value.numel() * value.element_size() for value in weights.values())
    assert 0 < 95_628_359 - stored < 566 * 256  # names and padding
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert shapes["Mixed_5b.branch5x5_2.conv.weight"] == (64, 48, 5, 5)
    assert shapes["Mixed_6c.branch7x7dbl_4.conv.weight"] == (160, 160, 7, 1)
    assert shapes["Mixed_6e.branch7x7_3.bn.running_mean"] == (192,)
    assert shapes["Mixed_7a.branch7x7x3_4.conv.weight"] == (192, 192, 3, 3)
    assert shapes["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)
    assert shapes["fc.weight"] == (CLASSES, FEATURES)
    assert shapes["fc.bias"] == (CLASSES,)


def test_average_pools_leave_the_padding_out():
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert pool(x, "average").flatten().tolist() == [
        2.0,
        2.5,
        3.0,
        3.5,
        4.0,
        4.5,
        5.0,
        5.5,
        6.0,
    ]  # the corner: (0 + 1 + 3 + 4) / 4
    assert pool(x, "maximum").flatten().tolist() == [4, 5, 5, 7, 8, 8, 7, 8, 8]
    assert pool(x, "halve").flatten().tolist() == [8]


@pytest.mark.parametrize(("name", "expected"), [("Mixed_5b", 32), ("Mixed_7b", 192), ("Mixed_7c", 192)])
def test_a_constant_image_stays_constant_through_the_pooled_branch(name, expected):
    inputs = {"Mixed_5b": 192, "Mixed_7b": 1280, "Mixed_7c": 2048}[name]
    block = Mixed(inputs, BLOCKS[name]).eval()
    with torch.no_grad():
        out = block(torch.ones(1, inputs, 4, 4))[:, -expected:]
    assert torch.allclose(out, out[..., :1, :1].expand_as(out), atol=1e-5)  # padded zeros would darken its border


def test_only_the_last_block_pools_by_maximum():
    pools = {
        name: [stage for branch in branches for stage in branch if isinstance(stage, str)] for name, branches in BLOCKS.items()
    }
    halving = {"Mixed_6a", "Mixed_7a"}
    for name, found in pools.items():
        assert found == (["halve"] if name in halving else ["maximum"] if name == "Mixed_7c" else ["average"])


def test_blocks_have_the_sizes_of_the_paper(weights):
    """szegedy2016inceptionv3, Table 1: 35 x 35 x 288, 17 x 17 x 768, 8 x 8 x 2048 at 299 pixels."""
    network = InceptionV3().eval()
    seen = {}
    for name in BLOCKS:
        network.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: seen.update({name: tuple(out.shape[1:])}))
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 299, 299)).shape == (1, FEATURES)
    assert seen["Mixed_5d"] == (288, 35, 35)
    assert seen["Mixed_6e"] == (768, 17, 17)
    assert seen["Mixed_7c"] == (2048, 8, 8)


def test_files_with_and_without_counters_and_safetensors_load_alike(weights, published_layout, tmp_path, images):
    without = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    older, safe = tmp_path / "older.pth", tmp_path / "weights.safetensors"
    torch.save(without, older)
    save_file(without, safe)
    expected = InceptionFeatures(published_layout, sha256=digits(published_layout))(images)
    assert expected.shape == (3, FEATURES)
    assert np.isfinite(expected).all()
    assert expected.std() > 0.01
    for path in (older, safe):
        assert np.array_equal(InceptionFeatures(path, sha256=digits(path))(images), expected)
        path.unlink()


def test_features_do_not_depend_on_the_batch_or_on_chance(published_layout, images):
    extractor = InceptionFeatures(published_layout, sha256=digits(published_layout))
    state = torch.get_rng_state()
    whole = extractor(images)
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(whole, extractor(images))
    assert np.allclose(whole[2:], extractor(images[2:]), rtol=1e-4, atol=1e-4)
    gray = images[:1, ..., :1]
    assert np.array_equal(extractor(gray), extractor(gray.repeat(3, axis=3)))


def test_logits_are_without_bias_unless_asked(weights, published_layout):
    features = np.random.default_rng(1).random((4, FEATURES), dtype=np.float32)
    extractor = InceptionFeatures(published_layout, sha256=digits(published_layout))
    plain = features @ weights["fc.weight"].numpy().T
    assert np.allclose(extractor.logits(features), plain, atol=1e-3)
    assert np.allclose(extractor.logits(features, bias=True), plain + weights["fc.bias"].numpy(), atol=1e-3)


def test_every_resizer_and_every_file_has_its_own_name(published_layout):
    own = digits(published_layout)
    a, b = (InceptionFeatures(published_layout, resizer, sha256=own) for resizer in ("tf1", "clean"))
    assert (a.name, b.name) == (f"inception-v3-fid-{own[:8]}@299-tf1-fp32", f"inception-v3-fid-{own[:8]}@299-clean-fp32")
    assert a.fingerprint != b.fingerprint
    named = extractor_named(f"inception:{published_layout}#{own[:8]}", "image", resizer="clean")
    assert named.name == b.name
    assert named.fingerprint != a.fingerprint


def test_a_missing_file_is_refused_with_where_to_get_it(tmp_path):
    with pytest.raises(
        Unusable, match=r"downloads nothing.*mseitzer/pytorch-fid.*toshas/torch-fidelity.*inception:PATH"
    ) as refusal:
        extractor_named(f"inception:{tmp_path / 'none.pth'}", "image")
    assert "\n" not in str(refusal.value)


def test_a_file_of_another_checksum_is_refused(published_layout):
    with pytest.raises(Unusable, match=rf"SHA-256 is {digits(published_layout)[:12]}.*not {SHA256[:12]}.*6726825d"):
        load_inception(published_layout)
    with pytest.raises(Unusable, match="SHA-256"):
        load_inception(published_layout, digits(published_layout)[:4])  # too few digits to say anything


def test_other_tensors_are_refused_by_name(weights, tmp_path):
    for changed, told in (
        ({k: v for k, v in weights.items() if k != "fc.weight"}, "fc.weight is missing"),
        ({**weights, "fc.bias": torch.zeros(1000)}, r"fc.bias is \(1000,\), not \(1008,\)"),
        ({**weights, "AuxLogits.fc.bias": torch.zeros(1)}, "it has AuxLogits.fc.bias too"),
        ([1], "no state dictionary"),
    ):
        path = tmp_path / "other.pth"
        torch.save(changed, path)
        with pytest.raises(Unusable, match=told):
            load_inception(path, digits(path))
        path.unlink()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_what_is_no_weights_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"noise.{suffix}"
    path.write_bytes(b"no weights at all")
    with pytest.raises(Unusable, match="can't be read as weights"):
        load_inception(path, digits(path))


class Opens:
    """Pickled as a call: what a hostile file does."""

    def __reduce__(self):
        return (open, ("owned", "w"))


def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.pth"
    torch.save({"fc.bias": Opens()}, path)
    (tmp_path / "owned").unlink(missing_ok=True)
    with pytest.raises(Unusable, match="can't be read as weights"):
        load_inception(path, digits(path))
    assert not (tmp_path / "owned").exists()
