"""A trained generator handed over: a model folder in safetensors, or ONNX whose outputs were compared before it was written."""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganwise import model as models
from ganwise.artifacts import sha256, write_bytes
from ganwise.model import Model
from ganwise.types import Unusable

TOLERANCE = 1e-4
"""Largest difference of an output in [-1, 1] between PyTorch and ONNX runtime; half a step of an 8-bit image is 4e-3."""


def to_safetensors(model: Model, folder: Path) -> Path:
    """Writes ``model.safetensors`` and ``model.json`` into ``folder``; returns the weights' path."""
    path = folder / "model.safetensors"
    models.save(model, path)
    return path


def to_onnx(model: Model, path: Path) -> Path:
    """Writes the generator, latents (B, latent) to samples as the networks have them, images (B, C, H, W) in [-1, 1].

    Raises:
        Unusable: The extra is not installed, or ONNX runtime's outputs differ from ours by more than `TOLERANCE`.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise Unusable("export --format onnx needs the extra: pip install 'ganwise[onnx]'") from None
    network, latent = Standalone(model), model.generator.latent
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / path.name
        _translate(network, latent, beside)
        onnx.checker.check_model(beside)
        compare(network, beside, latent)
        write_bytes(path, beside.read_bytes())
    write_bytes(path.with_suffix(".onnx.sha256"), f"{sha256(path)}  {path.name}\n".encode())
    return path


def _translate(network: nn.Module, latent: int, path: Path) -> None:
    with _quiet():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, latent),),
            dynamo=True,
            verbose=False,
            input_names=["z"],
            output_names=["samples"],
            dynamic_shapes={"z": {0: torch.export.Dim("batch", min=1)}},
        )
    assert program is not None
    program.save(path, external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that we don't use and on its own old parts."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


class Standalone(nn.Module):
    """A copy of the averaged generator alone, as it is used: on the processor, with one input."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.generator = copy.deepcopy(model.generator).cpu()
        self.eval()

    def forward(self, z: Tensor) -> Tensor:
        samples: Tensor = self.generator(z)
        return samples


def compare(network: nn.Module, path: Path, latent: int) -> None:
    """Runs both on the same latents, at several batch sizes.

    Raises:
        Unusable: The outputs differ by more than `TOLERANCE`.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    draws = torch.Generator().manual_seed(0)
    for n in (1, 4, 17):
        z = torch.randn(n, latent, generator=draws)
        with torch.no_grad():
            ours = network(z).numpy()
        theirs = session.run(None, {"z": z.numpy()})[0]
        difference = float(np.abs(ours - theirs).max())
        if not difference <= TOLERANCE:
            raise Unusable(f"{path.name}: not written: ONNX differs from PyTorch by {difference:.1e}, over {TOLERANCE:.0e}")
