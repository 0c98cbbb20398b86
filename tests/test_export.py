"""What is handed over makes the same samples elsewhere, or is not handed over."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwise import catalog, export, model
from ganwise.artifacts import sha256
from ganwise.build import build
from ganwise.model import Model
from ganwise.networks.pair import View
from ganwise.recipe import change
from ganwise.types import Shape, Unusable

MISSING = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
with_extra = pytest.mark.skipif(bool(MISSING), reason=f"the extra onnx is not installed: {', '.join(MISSING)}")

CASES: dict[str, tuple[str, Shape]] = {
    "mlp": ("r1gan", (2,)),
    "dcgan": ("dcgan", (1, 8, 8)),
    "autoencoder, nearest upsampling": ("began", (1, 8, 8)),
}


def made(case: str = "mlp", seed: int = 0, width: int = 8) -> Model:
    name, shape = CASES[case]
    return Model(build(change(catalog.named(name), {"architecture.width": width}), shape, seed=seed))


def test_a_folder_of_safetensors_loads_as_the_model(tmp_path: Path) -> None:
    path = export.to_safetensors(made(), tmp_path / "handed" / "over")
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.json", "model.safetensors"]
    np.testing.assert_array_equal(model.load(path).sample(5), made().sample(5))


@with_extra
@pytest.mark.parametrize("case", CASES)
def test_onnx_makes_the_same_samples_at_any_batch_size(case: str, tmp_path: Path) -> None:
    import onnxruntime

    ours = made(case)
    ours.generator.train()
    path = export.to_onnx(ours, tmp_path / "model.onnx")
    assert ours.generator.training, "exporting changed the model"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 3, 30):
        z = ours.generator.draw(n, torch.device("cpu"), torch.Generator().manual_seed(n))
        with torch.no_grad():
            expected = ours.generator.eval()(z).numpy()
        assert np.abs(session.run(None, {"z": z.numpy()})[0] - expected).max() <= export.TOLERANCE
    assert (tmp_path / "model.onnx.sha256").read_text() == f"{sha256(path)}  model.onnx\n"
    assert len(list(tmp_path.iterdir())) == 2


@with_extra
def test_a_file_whose_outputs_differ_is_refused(tmp_path: Path) -> None:
    path = export.to_onnx(made(), tmp_path / "model.onnx")
    network = export.Standalone(made()).eval()
    export.compare(network, path)
    other = export.Standalone(made(seed=1)).eval()
    with pytest.raises(Unusable, match="differs from PyTorch by"):
        export.compare(other, path)


@with_extra
def test_outputs_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    broken = made()
    with torch.no_grad():
        next(broken.generator.parameters()).fill_(float("nan"))
    with pytest.raises(Unusable, match="not written"):
        export.to_onnx(broken, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@with_extra
@pytest.mark.parametrize(("architecture", "conditioning"), [("mlp", "label-input"), ("dcgan", "projection")])
def test_a_conditional_model_reads_labels_as_its_second_input(architecture: str, conditioning: str, tmp_path: Path) -> None:
    import onnxruntime

    parts = {"architecture.name": architecture, "architecture.width": 8, "conditioning.name": conditioning}
    ours = Model(build(change(catalog.named("r1gan"), parts), (1, 8, 8), classes=3))
    for norm in ours.generator.modules():  # fresh ones don't depend on the class
        if isinstance(norm, torch.nn.Embedding):
            torch.nn.init.normal_(norm.weight)
    session = onnxruntime.InferenceSession(export.to_onnx(ours, tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert [(one.name, one.type) for one in session.get_inputs()] == [("z", "tensor(float)"), ("labels", "tensor(int64)")]
    z, labels = torch.randn(5, ours.generator.latent), torch.tensor([0, 1, 2, 1, 0])
    with torch.no_grad():
        expected = ours.generator.eval()(z, labels).numpy()
    samples = session.run(None, {"z": z.numpy(), "labels": labels.numpy()})[0]
    assert np.abs(samples - expected).max() <= export.TOLERANCE
    others = session.run(None, {"z": z.numpy(), "labels": (labels.numpy() + 1) % 3})[0]
    assert np.abs(samples - others).max() > 1e-3


class Upside(View):
    """Networks that see images upside down."""

    def encode(self, samples: torch.Tensor) -> torch.Tensor:
        return samples.flip(2)

    def decode(self, seen: torch.Tensor) -> torch.Tensor:
        return seen.flip(2)


@with_extra
def test_samples_are_images_where_the_networks_see_something_else(tmp_path: Path) -> None:
    import onnxruntime

    ours = made("dcgan")
    ours.scaling.view = Upside()
    session = onnxruntime.InferenceSession(export.to_onnx(ours, tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    z = torch.randn(4, ours.generator.latent)
    with torch.no_grad():
        expected = ours.generator.eval()(z).flip(2).numpy()
    assert np.abs(session.run(None, {"z": z.numpy()})[0] - expected).max() <= export.TOLERANCE


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    if not MISSING:
        pytest.skip("the extra onnx is installed here")
    with pytest.raises(Unusable, match=r"pip install 'ganwise\[onnx\]'"):
        export.to_onnx(made(), tmp_path / "model.onnx")
