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
    export.compare(network, path, made().generator.latent)
    other = export.Standalone(made(seed=1)).eval()
    with pytest.raises(Unusable, match="differs from PyTorch by"):
        export.compare(other, path, made().generator.latent)


@with_extra
def test_outputs_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    broken = made()
    with torch.no_grad():
        next(broken.generator.parameters()).fill_(float("nan"))
    with pytest.raises(Unusable, match="not written"):
        export.to_onnx(broken, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    if not MISSING:
        pytest.skip("the extra onnx is installed here")
    with pytest.raises(Unusable, match=r"pip install 'ganwise\[onnx\]'"):
        export.to_onnx(made(), tmp_path / "model.onnx")
