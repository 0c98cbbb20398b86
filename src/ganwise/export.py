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
    """Writes the generator: latents ``z`` (B, latent), and ``labels`` (B,) int64 of a conditional model, to ``samples``: images
    (B, C, H, W) in [-1, 1], vectors (B, D) of zero mean and unit deviation, as they were in training.

    Raises:
        Unusable: The extra is not installed, or ONNX runtime's outputs differ from ours by more than `TOLERANCE`.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise Unusable("export --format onnx needs the extra: pip install 'ganwise[onnx]'") from None
    network = Standalone(model)
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / path.name
        _translate(network, beside)
        onnx.checker.check_model(beside)
        compare(network, beside)
        write_bytes(path, beside.read_bytes())
    write_bytes(path.with_suffix(".onnx.sha256"), f"{sha256(path)}  {path.name}\n".encode())
    return path


def _translate(network: Standalone, path: Path) -> None:
    batch, inputs = torch.export.Dim("batch", min=1), network.inputs(2)
    with _quiet():
        program = torch.onnx.export(
            network,
            tuple(inputs.values()),
            dynamo=True,
            verbose=False,
            input_names=list(inputs),
            output_names=["samples"],
            dynamic_shapes={name: {0: batch} for name in inputs},
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
    """A copy of the averaged generator alone, as it is used: on the processor, its samples as the data has them but for scale."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.generator, self.view = copy.deepcopy(model.generator).cpu(), copy.deepcopy(model.scaling.view).cpu()
        self.classes = len(model.classes) if model.conditional else 0
        self.eval()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.view.decode(self.generator(z, labels))

    def inputs(self, n: int, seed: int = 0) -> dict[str, Tensor]:
        """Latents and, where it reads them, labels for n samples."""
        draws = torch.Generator().manual_seed(seed)
        drawn = {"z": self.generator.draw(n, torch.device("cpu"), draws)}
        return drawn | ({"labels": torch.randint(self.classes, (n,), generator=draws)} if self.classes else {})


def compare(network: Standalone, path: Path) -> None:
    """Runs both on the same latents and labels, at several batch sizes.

    Raises:
        Unusable: The outputs differ by more than `TOLERANCE`.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    for n in (1, 4, 17):
        inputs = network.inputs(n, seed=n)
        with torch.no_grad():
            ours = network(**inputs).numpy()
        theirs = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
        difference = float(np.abs(ours - theirs).max())
        if not difference <= TOLERANCE:
            raise Unusable(f"{path.name}: not written: ONNX differs from PyTorch by {difference:.1e}, over {TOLERANCE:.0e}")
