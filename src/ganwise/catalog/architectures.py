"""Architectures: the networks of both players, each for any shape that `shapes.takes` says."""

from __future__ import annotations

from ganwise.catalog.entry import AUTO, Entry, Fit


def _energies(*losses: str) -> Fit:
    because = "a reconstruction error is an energy, low on real data and never negative; losses of logits don't apply to it"
    return Fit("loss", losses, True, because, ("zhao2016ebgan", "berthelot2017began"))


def _no_classes(source: str) -> Fit:
    return Fit("conditioning", (), True, "its discriminator has no place for a class", (source,))


# mixes_samples: a score depends on the rest of the batch. bounded: images end in tanh, so that they lie in [-1, 1]
ARCHITECTURES: dict[str, Entry] = {
    "mlp": Entry(
        "Fully connected generator and discriminator; the discriminator may use maxout, as in the original GAN.",
        ("goodfellow2014gan", "goodfellow2013maxout"),
        options={"latent": AUTO, "width": AUTO, "depth": 2, "pieces": 0, "dropout": 0.0, "prior": "normal"},
        traits={"images": True, "vectors": True, "locality": False, "mixes_samples": False, "bounded": True},
    ),
    "original": Entry(
        "The fully connected networks of the 2014 experiments: two hidden layers, maxout and dropout in D, as published.",
        ("goodfellow2014gan", "goodfellow2014code", "goodfellow2013maxout"),
        formula="G: ReLU, ReLU or sigmoid, sigmoid or linear    D: dropout .2, maxout, dropout .5, maxout, dropout .5, linear",
        options={
            "latent": 100,
            "width": 1200,
            "second": "relu",
            "output": "sigmoid",
            "units": 240,
            "pieces": 5,
            "dropout": 0.5,
            "input_dropout": 0.2,
            "stages": 1,
            "most": 0.0,
            "prior": "uniform",
        },
        traits={"images": True, "vectors": False, "locality": False, "mixes_samples": False, "bounded": True},
    ),
    "original-convolutional": Entry(
        "The convolutional networks of the 2014 experiments on CIFAR-10: one transposed convolution, maxout with pooling.",
        ("goodfellow2014gan", "goodfellow2014code", "goodfellow2013maxout"),
        formula="G: ReLU, sigmoid, transposed 5x5 convolution of stride 3    D: (dropout, maxout convolution, pooling)^3, maxout",
        options={
            "latent": 100,
            "width": 8000,
            "maps": 80,
            "channels": 32,
            "last_channels": 192,
            "units": 500,
            "pieces": 2,
            "dropout": 0.5,
            "input_dropout": 0.2,
            "prior": "normal",
        },
        traits={"images": True, "vectors": False, "locality": True, "mixes_samples": False, "bounded": False},
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
        traits={"images": True, "vectors": False, "locality": True, "mixes_samples": False, "bounded": True},
    ),
    "autoencoder": Entry(
        "The discriminator is an auto-encoder and its score the reconstruction error; the generator is shaped like its decoder.",
        ("berthelot2017began", "zhao2016ebgan"),
        formula="score(x) = mean |x - AE(x)|^eta",
        options={
            "latent": 64,
            "code": 64,
            "width": AUTO,
            "generator_width": 0,
            "depth": 2,
            "skip": False,
            "vanishing": 0,
            "eta": 1,
            "last": "linear",
            "prior": "uniform",
        },
        traits={"images": True, "vectors": True, "locality": True, "mixes_samples": False, "bounded": False},
        fits=(_energies("boundary-equilibrium", "energy-margin"), _no_classes("berthelot2017began")),
    ),
    "energy-autoencoder": Entry(
        "EBGAN's: the error of an auto-encoder of strided convolutions is an energy; DCGAN's generator; both batch-normalized.",
        ("zhao2016ebgan", "radford2015dcgan"),
        formula="score(x) = |Dec(Enc(x)) - x|",
        options={"latent": 100, "width": AUTO, "error": "norm", "discriminator_norm": "batch", "prior": "normal"},
        traits={"images": True, "vectors": True, "locality": True, "mixes_samples": True, "bounded": True},
        fits=(
            _energies("boundary-equilibrium", "energy-margin"),
            _no_classes("zhao2016ebgan"),
            Fit(
                "regularizers",
                ("gradient-penalty", "dragan", "r1", "r2"),
                False,
                "they penalize the slope at each sample, which batch normalization in the discriminator mixes",
                ("gulrajani2017wgangp",),
            ),
        ),
    ),
    "laplacian-pyramid": Entry(
        "LAPGAN's: a small GAN for the coarsest image, and one for what each finer level of its Laplacian pyramid adds.",
        ("denton2015lapgan",),
        formula="G_k(z_k, u(x_k+1)) makes h_k = x_k - u(d(x_k)); D_k reads h_k + u(x_k+1)",
        options={"latent": 100, "width": AUTO, "units": 512, "dropout": 0.5, "prior": "uniform"},
        traits={"images": True, "vectors": False, "locality": True, "mixes_samples": False, "bounded": False},
        fits=(
            Fit(
                "loss",
                ("minimax", "non-saturating", "least-squares", "wasserstein", "hinge", "relativistic", "f-gan"),
                True,
                "each level of the pyramid is a GAN of its own, so the loss has to be a mean over single scores or pairs of them",
                ("denton2015lapgan",),
            ),
            Fit(
                "regularizers",
                (
                    *("gradient-penalty", "dragan", "path-length", "consistency", "balanced-consistency", "latent-consistency"),
                    *("lecam", "pulling-away", "svm-weight"),
                ),
                False,
                "each level of the pyramid is a GAN of its own that sees coefficients: what joins levels, moves pixels or reads "
                "codes or one last layer has no meaning there",
                ("denton2015lapgan",),
            ),
            Fit("conditioning", (), True, "its players are told the coarser image instead of a class", ("denton2015lapgan",)),
            Fit("augmentation", (), True, "its networks see coefficients and not pixels", ("denton2015lapgan",)),
        ),
    ),
    "resnet": Entry(
        "Residual blocks with batch normalization up and without it down, sum pooling: SNGAN's and WGAN-GP's networks.",
        ("miyato2018sngan", "gulrajani2017wgangp", "he2016resnet"),
        formula="G: linear, (up block)^k, BN-ReLU-conv, tanh    D: (down block)^m, (plain block)^n, sum of ReLU, linear",
        options={
            "latent": 128,
            "width": AUTO,
            "discriminator_ratio": 0.5,
            "full_side": AUTO,
            "plain": 2,
            "prior": "normal",
            "generator_norm": "batch",
            "discriminator_norm": "none",
        },
        traits={"images": True, "vectors": False, "locality": True, "mixes_samples": False, "bounded": True},
        published={
            "parameters at 32x32": "G 4,276,739 and D 1,053,824 with width 256, counted in the authors' code [code]; ours has "
            "one bias more in D"
        },
    ),
    "r3gan": Entry(
        "Residual blocks that are wide inside and start as the identity, no normalization, no tricks: for RpGAN with R1 and R2.",
        ("huang2024r3gan",),
        formula="x + 1x1 (lrelu 3x3 in groups (lrelu 1x1 x)), last weight 0 at first, the others times L^(-1/4)",
        options={
            "latent": 64,
            "width": AUTO,
            "full_side": AUTO,
            "blocks": AUTO,
            "expansion": 2,
            "group": 16,
            "prior": "normal",
        },
        traits={"images": True, "vectors": False, "locality": True, "mixes_samples": False, "bounded": False},
        behavior="R1 and R2 at every update: lazy ones (every 8) fail completely; bfloat16 is fine, float16 ruins it [2nd]; "
        "small rates without momentum. Gamma can't be carried over from one resolution to another.",
        published={
            "parameters of G": "20.7 M StackedMNIST, 20.8 M CIFAR-10 conditional, 22.4 M FFHQ-64, 23.1 M FFHQ-256, 82.9 M "
            "ImageNet-32, 103.6 M ImageNet-64 [2nd]; ours are the same"
        },
        fits=(
            Fit(
                "regularizers",
                ("spectral-norm",),
                False,
                "the last convolution of each of its blocks starts at zero and has no spectral norm to be divided by",
                ("huang2024r3gan", "miyato2018sngan"),
            ),
        ),
    ),
    "stylegan2": Entry(
        "Latents become styles that scale each convolution's channels; noise adds detail; the discriminator compares samples.",
        ("karras2020stylegan2", "karras2019stylegan", "karras2018progressive"),
        formula="w = f(z)    y = conv(s x) / |s W|, s = A w    image = sum over sides of doubled ToRGB(y)",
        options={
            "latent": AUTO,
            "width": AUTO,
            "full_side": AUTO,
            "mapping_depth": 8,
            "mixing": 0.0,
            "group": 4,
            "residual": True,
            "prior": "normal",
        },
        traits={"images": True, "vectors": False, "locality": True, "mixes_samples": True, "bounded": False},
        published={
            "parameters at 1024x1024": "G 30,370,060 (28,794,124 with two mapping layers), D 29,012,513, as NVIDIA's code prints "
            "them [code]; ours are the same with latent 512, width 512, full_side 64"
        },
        fits=(
            Fit(
                "regularizers",
                ("weight-clipping",),
                False,
                "equalized learning rates keep weights at unit variance and scale them in use: clipping would leave nothing",
                ("karras2018progressive", "arjovsky2017wgan"),
            ),
        ),
    ),
}
