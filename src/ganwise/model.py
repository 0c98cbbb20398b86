"""A trained generator as a file: weights in safetensors, everything else in JSON beside them, a SHA-256 over the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors.torch as safetensors
import torch
from safetensors import SafetensorError
from torch import nn

from ganwise.artifacts import read_json, sha256, write_bytes, write_json
from ganwise.build import GAN, build
from ganwise.recipe import from_data
from ganwise.types import Unusable

FORMAT = 1


class Model(nn.Module):
    """A generator with its scaling: latents to samples as the data has them."""

    def __init__(self, gan: GAN) -> None:
        super().__init__()
        self.generator, self.scaling = gan.average, gan.scaling
        self.recipe, self.shape = gan.recipe, gan.shape

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0, batch: int = 500) -> np.ndarray:
        """n samples: images (n, H, W, C) uint8, vectors (n, D) float32. Leaves every other random state as it was."""
        device = self.scaling.shift.device
        draws = torch.Generator(device).manual_seed(seed)
        training = self.generator.training
        self.generator.eval()
        parts = []
        for first in range(0, n, batch):
            z = self.generator.draw(min(batch, n - first), device, draws)
            parts.append(self.scaling.decode(self.generator(z)).cpu().numpy())
        self.generator.train(training)
        return np.concatenate(parts)


def save(model: Model, path: Path) -> str:
    """Writes ``path`` and its JSON beside it, each all or nothing; returns the SHA-256 of the weights."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_bytes(path, safetensors.save(tensors))
    digest = sha256(path)
    recipe = model.recipe.model_dump(mode="json")
    write_json(path.with_suffix(".json"), {"format": FORMAT, "shape": model.shape, "recipe": recipe, "sha256": digest})
    return digest


def load(path: Path, device: str | torch.device = "cpu") -> Model:
    """The model that `save` wrote.

    Raises:
        Unusable: A file is missing or damaged: its hash, its format or its layers are not what they should be.
    """
    if not path.is_file():
        raise Unusable(f"{path}: the weights are missing; a run has none before its first check")
    config = read_json(path.with_suffix(".json"))
    if config.get("format", 0) not in range(FORMAT + 1):
        raise Unusable(f"{path}: made by a newer ganwise (format {config['format']}, this one reads up to {FORMAT})")
    if sha256(path) != config.get("sha256"):
        raise Unusable(f"{path}: damaged: its SHA-256 is not the one in {path.with_suffix('.json').name}")
    try:
        recipe = from_data(config["recipe"], str(path.with_suffix(".json")))
        model = Model(build(recipe, tuple(config["shape"])))
        model.load_state_dict(safetensors.load_file(path))
    except (Unusable, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise Unusable(f"{path}: not a model of this version: {str(error).splitlines()[0]}") from None
    return model.to(device)
