"""Conditioning and augmentation: the two choices of how a GAN is trained that have names."""

from __future__ import annotations

from ganwise.catalog.entry import AUTO, Entry, Fit

_NO_CLASSES = Fit(
    "architecture",
    ("autoencoder",),
    False,
    "its discriminator has no place for a class",
    ("berthelot2017began",),
)

# generator: how it is told the class: input (one-hot beside the latents), norm (conditional batch normalization), or auto: norm
# where it has batch normalization
CONDITIONINGS: dict[str, Entry] = {
    "label-input": Entry(
        "Both players read the class as an input: one-hot beside the latents, a plane of the image.",
        ("mirza2014cgan",),
        formula="G(z, y), D(x, y)",
        options={"generator": "input"},
        traits={"needs_labels": "all"},
        fits=(_NO_CLASSES,),
    ),
    "projection": Entry(
        "The class enters the score by an inner product with the features; the generator's normalization depends on it.",
        ("miyato2018projection", "dumoulin2017style"),
        formula="score = psi(h) + <embed(y), h>",
        options={"generator": AUTO},
        traits={"needs_labels": "all"},
        fits=(_NO_CLASSES,),
    ),
    "classifier": Entry(
        "The discriminator also names the class, and both players want it named rightly.",
        ("odena2017acgan",),
        formula="D: + real CE(c|x) + fake CE(c|G)    G: + generator CE(c|G)",
        options={"generator": AUTO, "real": 1.0, "fake": 1.0, "generator_weight": 0.1},
        traits={"needs_labels": "all"},
        fits=(_NO_CLASSES,),
    ),
    "semi-supervised": Entry(
        "K classes and fake as class K + 1: a classifier that learns from few labels and many unlabeled samples.",
        ("salimans2016improved", "odena2016semisupervised"),
        formula="score = log sum exp(logits)    D: + weight CE(y|x) on labeled samples",
        options={"weight": 1.0},
        traits={"needs_labels": "some"},
        fits=(_NO_CLASSES,),
    ),
}

_NO_PYRAMID = Fit(
    "architecture",
    ("laplacian-pyramid",),
    False,
    "it changes images, and this discriminator sees the levels of a pyramid",
    ("denton2015lapgan",),
)

# erases: some pixels become a constant. adapts: its strength follows how sure the discriminator is. vectors: it acts on them too.
AUGMENTATIONS: dict[str, Entry] = {
    "diffaugment": Entry(
        "Random colors, shifts and cut-outs of every image that the discriminator sees, real or fake; for small data sets.",
        ("zhao2020diffaugment",),
        formula="D(T(x)), D(T(G(z))) for both players",
        options={"policy": "color,translation,cutout"},
        traits={"erases": True, "adapts": False, "vectors": False},
        fits=(_NO_PYRAMID,),
    ),
    "ada": Entry(
        "Geometric and color changes, each with probability p; a controller raises p while the discriminator is too sure.",
        ("karras2020ada", "huang2024r3gan"),
        formula="p += sign(E sign(realness of real) - target) every B / images",
        options={"p": 0.0, "adapt": True, "target": 0.6, "every": 4, "images": 500_000, "colors": 1.0, "cutout": 0.0},
        traits={"erases": False, "adapts": True, "vectors": False},
        fits=(_NO_PYRAMID,),
    ),
}
