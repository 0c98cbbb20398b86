"""GANs that one process and two train alike, trained for a few steps in float64: run by itself, and by torchrun."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import safetensors.torch as safetensors
import torch
from torch import Tensor

from ganwise import checkpoint, ranks
from ganwise.build import build
from ganwise.catalog import choice
from ganwise.data import Dataset, load
from ganwise.recipe import Choice, Optimizer, Recipe, Schedule, Stall
from ganwise.train import train

STEPS, EVERY, BATCH = 12, 6, 24


def recipe(
    loss: Choice,
    *regularizers: Choice,
    on: str = "mlp",
    conditioning: str = "",
    stall: int = 0,
    critic: int = 1,
    rate: float = 3e-3,
    **more: Choice,
) -> Recipe:
    """Small networks without batch normalization, and steps that are long enough to reach what the case is about."""
    options = {"generator_norm": "none", "discriminator_norm": "none"} if on == "dcgan" else {}
    wide = Optimizer(learning_rate=rate)
    return Recipe(
        architecture=choice(on, width=8, latent=8, **options),
        loss=loss,
        regularizers=regularizers,
        conditioning=choice(conditioning) if conditioning else None,
        schedule=Schedule(
            batch=BATCH,
            discriminator_steps=critic,
            discriminator=wide,
            generator=wide,
            stall=Stall(window=stall, signal="m_global"),
            ema=0.9,
        ),
        **more,
    )


MIXED = {
    "RaSGAN": recipe(choice("relativistic-average"), rate=0.01),
    "RaLSGAN": recipe(choice("relativistic-average", form="least-squares")),
    "RaHinge": recipe(choice("relativistic-average", form="hinge"), rate=0.03),  # scores so far apart that some hinges close
    "pulling-away": recipe(choice("energy-margin", margin=1.0), choice("pulling-away", weight=1.0), on="energy-autoencoder"),
    "feature matching": recipe(choice("feature-matching"), on="dcgan"),
    "semi-supervised": recipe(choice("feature-matching"), on="dcgan", conditioning="semi-supervised"),
}
"""The loss of these reads more of a batch than means of single samples."""

CASES = MIXED | {
    "hinge": recipe(choice("hinge"), on="dcgan"),
    "hinge, spectral norm": recipe(choice("hinge"), choice("spectral-norm"), on="dcgan", critic=2),
    "WGAN-GP": recipe(choice("wasserstein"), choice("gradient-penalty"), critic=3),
    "DRAGAN": recipe(choice("non-saturating"), choice("dragan")),
    "BEGAN": recipe(choice("boundary-equilibrium", rate=0.05), on="autoencoder", stall=4),
    "LeCam": recipe(choice("hinge"), choice("lecam", start=3, weight=1.0)),
    "R1": recipe(choice("non-saturating"), choice("r1", gamma=1.0), on="dcgan"),
    "R1 and R2, lazy": recipe(choice("relativistic"), choice("r1", gamma=1.0, every=3), choice("r2", gamma=1.0, every=2)),
    "ADA": recipe(choice("hinge"), on="dcgan", augmentation=choice("ada", every=1, images=200, target=-0.5)),
    "consistency": recipe(choice("hinge"), choice("balanced-consistency"), choice("latent-consistency"), on="dcgan"),
    "DiffAugment": recipe(choice("hinge"), choice("instance-noise"), on="dcgan", augmentation=choice("diffaugment")),
    "weights": recipe(choice("hinge"), choice("orthogonal", weight=0.01), choice("svm-weight")),
    "projection": recipe(choice("hinge"), on="dcgan", conditioning="projection"),
    "AC-GAN": recipe(choice("non-saturating"), on="dcgan", conditioning="classifier"),
    "LAPGAN": Recipe(
        architecture=choice("laplacian-pyramid", width=4, units=16, latent=8, dropout=0.0),
        loss=choice("non-saturating"),
        regularizers=(choice("r1", gamma=1.0),),
        schedule=Schedule(
            batch=BATCH, discriminator=Optimizer(learning_rate=3e-3), generator=Optimizer(learning_rate=3e-3), ema=0.9
        ),
    ),
}
NOISY = {
    "batch normalization and dropout": Recipe(
        architecture=choice("dcgan", width=8, latent=8, discriminator_norm="batch"),
        loss=choice("hinge"),
        regularizers=(choice("dropout"),),
        schedule=Schedule(batch=BATCH),
    ),
    "StyleGAN2": Recipe(
        architecture=choice("stylegan2", width=8, latent=8, mapping_depth=2),
        loss=choice("non-saturating"),
        regularizers=(choice("path-length", every=2),),
        schedule=Schedule(batch=BATCH),
    ),
}
"""What a process draws or normalizes inside its own rows: not what one process alone would."""
VECTORS = ("pulling-away",)
ODD = 7
"""Samples that two processes can't share out evenly."""


def data(name: str) -> Dataset:
    found = load("ring" if name in VECTORS else "digits")
    if name == "LAPGAN":  # two levels: an image of 8 x 8 has but one
        return dataclasses.replace(found, values=found.values.repeat(2, axis=1).repeat(2, axis=2))
    if name != "semi-supervised":
        return found
    unknown = (
        np.random.default_rng(0).random(len(found.labels)) < 0.6
    )  # so that the ranks' shares hold unequal numbers of known ones
    return dataclasses.replace(found, labels=np.where(unknown, -1, found.labels))


class Ordinary(ranks.Several):
    """Data parallel as it is usually done: a process computes its loss from its own rows."""

    def _gather(self, rows: Tensor, n: int) -> Tensor:
        whole = torch.cat([rows] * self.count)
        whole.own_rows = rows  # type: ignore[attr-defined]
        return whole


def result(name: str, ours: ranks.Ranks, folder: Path, label: str) -> None:
    dataset = data(name)
    gan = build((CASES | NOISY)[name], dataset.shape, classes=len(dataset.classes), seed=1)
    begun = {k: v.clone() for k, v in gan.generator.state_dict().items()}
    gan.ranks, gan.together = ours, gan.together and label != "ordinary"  # where real and fake are shared out as one batch
    records = list(train(gan, dataset, steps=STEPS, seed=3, every=EVERY))
    moved = max(float((v - begun[k]).abs().max()) for k, v in gan.generator.state_dict().items())
    path = folder / f"{name}-{label}-{ours.rank}.safetensors"
    safetensors.save_file(checkpoint.tensors(gan), path)
    path.with_suffix(".json").write_text(json.dumps({"moved": moved, "records": [dict(r.signals) for r in records]}))


def pyramid_of_an_odd_batch(ours: ranks.Ranks) -> dict[str, list[float]]:
    """What is said of samples that can't be shared out evenly, level by level, and a penalty's slope that weighs each apart."""
    dataset = data("LAPGAN")
    gan = build(CASES["LAPGAN"], dataset.shape, seed=1)
    x = gan.scaling.encode(torch.as_tensor(dataset.values[:ODD])).requires_grad_()
    scores = ours.split(gan.discriminator, x, x.detach()).score
    weights = torch.arange(1.0, 1 + len(scores))
    slope = torch.autograd.grad((weights * scores).sum(), x, create_graph=True)[0]
    (scores.square() @ weights + slope.square().sum()).backward()
    gradients = [w.grad for w in gan.discriminator.parameters() if w.grad is not None]
    ours.average(gradients)
    return {"scores": scores.tolist(), "gradients": [float(g.norm()) for g in gradients]}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    Tensor.float = Tensor.double  # type: ignore[method-assign,assignment]  # what is float32 on purpose, too
    torch.set_default_dtype(torch.float64)
    with ranks.joined() as ours:
        for name in CASES:
            result(name, ours, folder, str(ours.count))
        for name in NOISY if ours.count > 1 else ():
            result(name, ours, folder, "2")
        for name in (*MIXED, "hinge") if ours.count > 1 else ():
            result(name, Ordinary(), folder, "ordinary")
        (folder / f"odd-{ours.count}-{ours.rank}.json").write_text(json.dumps(pyramid_of_an_odd_batch(ours)))
    (folder / f"threads-{ours.count}-{ours.rank}.json").write_text(json.dumps(threads()))


def threads() -> list[str]:
    """The names of this process's threads, those of torch's own among them."""
    return [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").iterdir()]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
