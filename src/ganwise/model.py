"""A trained generator as a file: weights in safetensors, everything else in JSON beside them, a SHA-256 over the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors.torch as safetensors
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

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
        self.recipe, self.shape, self.classes = gan.recipe, gan.shape, gan.classes

    @property
    def conditional(self) -> bool:
        """Whether samples are made of a class."""
        return len(self.scaling.shares) > 0

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0, batch: int = 500, labels: np.ndarray | None = None) -> np.ndarray:
        """n samples: images (n, H, W, C) uint8, vectors (n, D) float32. Leaves every other random state as it was.

        A conditional model makes the classes ``labels`` (n,), or as many of each as the training data have.
        """
        device = self.scaling.shift.device
        draws = torch.Generator(device).manual_seed(seed)
        training = self.generator.training
        self.generator.eval()
        told = self._labels(n, seed, labels)
        parts = []
        for first in range(0, n, batch):
            z = self.generator.draw(min(batch, n - first), device, draws)
            samples = self.generator(z, None if told is None else told[first : first + batch])
            parts.append(self.scaling.decode(samples).cpu().numpy())
        self.generator.train(training)
        return np.concatenate(parts)

    def _labels(self, n: int, seed: int, labels: np.ndarray | None) -> Tensor | None:
        """Classes by their shares, each as often as rounding allows, in random order; those wanted, where they are given."""
        if not self.conditional:
            return None
        shares = self.scaling.shares
        if labels is None:
            places = (torch.arange(n, device=shares.device) + 0.5) / n
            drawn = torch.searchsorted(shares.cumsum(0), places).clamp(max=len(shares) - 1)
            return drawn[torch.randperm(n, generator=torch.Generator().manual_seed(seed)).to(drawn.device)]
        return torch.as_tensor(labels, dtype=torch.long, device=shares.device)


def save(model: Model, path: Path) -> str:
    """Writes ``path`` and its JSON beside it, each all or nothing; returns the SHA-256 of the weights."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_bytes(path, safetensors.save(tensors))
    digest = sha256(path)
    recipe = model.recipe.model_dump(mode="json")
    about = {"format": FORMAT, "shape": model.shape, "classes": model.classes, "recipe": recipe, "sha256": digest}
    write_json(path.with_suffix(".json"), about)
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
        model = Model(build(recipe, tuple(config["shape"]), classes=int(config.get("classes", 0))))
        model.load_state_dict(safetensors.load_file(path))
    except (Unusable, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise Unusable(f"{path}: not a model of this version: {str(error).splitlines()[0]}") from None
    return model.to(device)
