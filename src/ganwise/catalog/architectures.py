"""Architectures: the networks of both players, each for any shape that `shapes.takes` says."""

from __future__ import annotations

from ganwise.catalog.entry import AUTO, Entry, Fit

ARCHITECTURES: dict[str, Entry] = {
    "mlp": Entry(
        "Fully connected generator and discriminator; the discriminator may use maxout, as in the original GAN.",
        ("goodfellow2014gan", "goodfellow2013maxout"),
        options={"latent": AUTO, "width": AUTO, "depth": 2, "pieces": 0, "dropout": 0.0, "prior": "normal"},
        traits={"images": True, "vectors": True, "locality": False, "mixes_samples": False},
    ),
    "dcgan": Entry(
        "Transposed convolutions up from a b x b map, strided convolutions down; for square images of side b times 2^k.",
        ("radford2015dcgan",),
        options={
            "latent": 100,
            "width": AUTO,
            "prior": "normal",
            "generator_norm": "batch",
            "discriminator_norm": "none",
        },
        traits={"images": True, "vectors": False, "locality": True, "mixes_samples": False},
    ),
    "autoencoder": Entry(
        "The discriminator is an auto-encoder and its score the reconstruction error; the generator is shaped like its decoder.",
        ("berthelot2017began", "zhao2016ebgan"),
        formula="score(x) = mean |x - AE(x)|^eta",
        options={"latent": 64, "width": AUTO, "eta": 1, "prior": "uniform"},
        traits={"images": True, "vectors": True, "locality": True, "mixes_samples": False},
        fits=(
            Fit(
                "loss",
                ("boundary-equilibrium",),
                True,
                "a reconstruction error is an energy, low on real data and never negative; losses of logits don't apply to it",
                ("zhao2016ebgan", "berthelot2017began"),
            ),
        ),
    ),
}
