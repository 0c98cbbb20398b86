"""A trained generator as a file: weights in safetensors, everything else in JSON beside them, a SHA-256 over the weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors.torch as safetensors
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ganwise.artifacts import read_json, sha256, write_bytes, write_json
from ganwise.build import GAN, build
from ganwise.catalog import closest
from ganwise.checkpoint import differences
from ganwise.recipe import from_data
from ganwise.types import Unusable

FORMAT = 1


class Model(nn.Module):
    """A generator with its scaling: latents to samples as the data has them. ``classes`` are the names of the data's classes."""

    def __init__(self, gan: GAN, classes: Sequence[str] = ()) -> None:
        super().__init__()
        self.generator, self.scaling, self.ranks = gan.average, gan.scaling, gan.ranks
        self.recipe, self.shape = gan.recipe, gan.shape
        self.classes = tuple(classes) or numbered(gan.classes)

    @property
    def conditional(self) -> bool:
        """Whether samples are made of a class."""
        return len(self.scaling.shares) > 0

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0, batch: int = 500, labels: np.ndarray | None = None) -> np.ndarray:
        """n samples: images (n, H, W, C) uint8, vectors (n, D) float32. Leaves every other random state as it was.

        A conditional model makes samples of the classes ``labels`` (n,), by default those that `draw_labels` gives.

        Raises:
            Unusable: The labels are not n classes of this model, or it is not conditional.
        """
        device = self.scaling.shift.device
        draws = torch.Generator(device).manual_seed(seed)
        training = self.generator.training
        self.generator.eval()
        told = self._told(n, self.draw_labels(n, seed) if labels is None else labels)
        parts = []
        for first in range(0, n, batch):
            z = self.generator.draw(min(batch, n - first), device, draws)
            samples = self.ranks.split(self.generator, z, None if told is None else told[first : first + batch])
            parts.append(self.scaling.decode(samples).cpu().numpy())
        self.generator.train(training)
        return np.concatenate(parts)

    def draw_labels(self, n: int, seed: int = 0) -> np.ndarray | None:
        """n classes, each as often as in the training data but for rounding, in random order; None where there are none."""
        if not self.conditional:
            return None
        bounds = self.scaling.shares.cpu().double().cumsum(0)
        drawn = torch.searchsorted(bounds, (torch.arange(n, dtype=torch.float64) + 0.5) / n).clamp(max=len(bounds) - 1)
        order: np.ndarray = drawn[torch.randperm(n, generator=torch.Generator().manual_seed(seed))].numpy()
        return order

    def _told(self, n: int, labels: np.ndarray | None) -> Tensor | None:
        if labels is None:
            return None
        if not self.conditional:
            raise Unusable("labels: this model was trained without classes and can't be told one")
        told = torch.as_tensor(labels, dtype=torch.long, device=self.scaling.shares.device)
        if told.shape != (n,) or not bool(((told >= 0) & (told < len(self.classes))).all()):
            raise Unusable(f"labels: {n} samples need as many numbers from 0 to {len(self.classes) - 1}")
        return told

    def label(self, text: str) -> int:
        """The number of the class that ``text`` names, or else numbers.

        Raises:
            Unusable: No such class, or the model has none.
        """
        if not self.conditional:
            raise Unusable(f"--label {text}: this model was trained without classes; train one with conditioning.name=projection")
        if text in self.classes:
            return self.classes.index(text)
        if text.isdecimal() and int(text) < len(self.classes):
            return int(text)
        raise Unusable(f"--label {text}: no such class: {closest(text, self.classes)}; or a number below {len(self.classes)}")


def numbered(classes: int) -> tuple[str, ...]:
    """Names of classes that have none."""
    return tuple(str(number) for number in range(classes))


def save(model: Model, path: Path) -> str:
    """Writes ``path`` and its JSON beside it; a kill leaves the old model or the new. Returns the SHA-256 of the weights."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    weights, beside = safetensors.save(tensors), path.with_suffix(".json")
    digest = hashlib.sha256(weights).hexdigest()
    recipe = model.recipe.model_dump(mode="json")
    about = {"format": FORMAT, "shape": model.shape, "classes": model.classes, "recipe": recipe, "sha256": digest}
    if path.is_file():  # until the new weights stand there, those that do are right as well
        write_json(beside, about | {"replaces": sha256(path)})
    write_bytes(path, weights)
    write_json(beside, about)
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
    if sha256(path) not in (config.get("sha256"), config.get("replaces")):
        raise Unusable(f"{path}: damaged: its SHA-256 is not the one in {path.with_suffix('.json').name}")
    try:
        recipe = from_data(config["recipe"], str(path.with_suffix(".json")))
        named = config.get("classes", 0)  # a number in files of the first version, now the names
        classes = numbered(named) if isinstance(named, int) else tuple(map(str, named))
        model = Model(build(recipe, tuple(config["shape"]), classes=len(classes)), classes)
        found = safetensors.load_file(path)
        if said := differences(found, model.state_dict()):
            raise Unusable(said)
        model.load_state_dict(found)
    except (Unusable, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise Unusable(f"{path}: not a model of this version: {str(error).splitlines()[0]}") from None
    return model.to(device)
