"""The table of experiments: what was published, where, and what has been measured here. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from ganwise.catalog import closest
from ganwise.types import Unusable

RESULTS = files("ganwise.reproduce") / "results"
NOT_RUN = "not run"


class Published(NamedTuple):
    """A figure of a text, or a statement that a run can bear out, with its source (BibTeX key) and evidence tag."""

    what: str
    value: str
    source: str
    evidence: str


class Experiment(NamedTuple):
    """One row: what is reproduced and how. Its module is ``ganwise.reproduce.<module>``."""

    name: str
    says: str
    sources: tuple[str, ...]
    published: tuple[Published, ...]
    protocol: str
    data: str  # what ``--data`` has to be; empty where everything is built in
    module: str
    experiment: str = ""  # which of the module's experiments, where it has several


_TOYS = (
    "2,500 samples of the averaged generator; a sample is good within 3 deviations of a center, a mode found by one good sample "
    "and held by a fifth of its fair share; equal numbers of discriminator updates"
)
_MNIST = "MNIST as one .npz with x_train (60000, 28, 28) and x_test (10000, 28, 28), or the folder of its four idx files"

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "gan-2014-mnist",
        "The original GAN on MNIST by the published configuration, judged by its Parzen-window log-likelihood.",
        ("goodfellow2014gan", "goodfellow2014code"),
        (Published("Parzen log-likelihood of the MNIST test set, nats", "225 ± 2", "goodfellow2014gan", "2nd"),),
        "10,000 samples; sigma of 10 in [.1, 1] chosen on the first 1,000 of train[50000:60000]; mean over 10,000 test images ± "
        "standard error; trained on train[:50000], no stopping rule",
        _MNIST,
        "original",
    ),
    Experiment(
        "gan-2014-theory",
        "Figure 1 of the original paper on a mixture in one dimension, and what its theorems say in numbers.",
        ("goodfellow2014gan",),
        (
            Published("the generator's distribution", "moves to that of the data", "goodfellow2014gan", "review"),
            Published("D when it does", "1/2 everywhere", "goodfellow2014gan", "review"),
            Published("D's best against a generator", "p/(p+q)", "goodfellow2014gan", "review"),
            Published("C(G)", "-log 4 + 2 JS, at least -log 4 = -1.386", "goodfellow2014gan", "review"),
            Published("G's gradient while D rejects all samples", "saturates by minimax alone", "goodfellow2014gan", "review"),
        ),
        "two Gaussians, 50,000 samples; Jensen-Shannon of histograms; D trained on against G as it is, at four stages; "
        "proposition 1 and theorem 1 on 36 pairs of distributions of three atoms, by the library's loss",
        "",
        "theory",
    ),
    Experiment(
        "gan-2014-tfd",
        "The original GAN on faces, trained in two stages, judged by its Parzen-window log-likelihood over five folds.",
        ("goodfellow2014gan", "goodfellow2014code"),
        (Published("Parzen log-likelihood of the TFD test sets, nats", "2057 ± 26", "goodfellow2014gan", "2nd"),),
        "50 epochs of one stage, then 22 of two; 10,000 samples, sigma of 10 in [.1, 1] chosen on each fold's validation part; "
        "mean over folds ± standard error",
        "the Toronto Face Database, which is not public, as one .npz with images (n, 48, 48) and folds (n, 5) of TFD_48x48.mat; "
        "without it digits in its place",
        "original_faces",
    ),
    Experiment(
        "gan-2014-cifar10",
        "The original GAN on CIFAR-10, fully connected and convolutional: samples, their nearest training images, walks.",
        ("goodfellow2014gan", "goodfellow2014code"),
        (Published("copies of training images in figure 2", "none, and no figure", "goodfellow2014gan", "mem, unverified"),),
        "train[:40000], contrasts normalized to 55; 20 samples, not picked, every fifth beside its nearest training image; "
        "straight lines between latents; no stopping rule",
        "CIFAR-10 as one .npz with x_train (50000, 32, 32, 3) and x_test (10000, 32, 32, 3): scripts/make_cifar10_npz.py",
        "original_pictures",
    ),
    Experiment(
        "began",
        "BEGAN on one kind of image: the dial gamma, networks of unequal size, and what breaks it.",
        ("berthelot2017began", "lucic2018equal", "kim2017beganpytorch"),
        (
            Published(
                "gamma", "a higher one gives more diverse samples, a lower one sharper ones", "berthelot2017began", "review"
            ),
            Published("M_global", "falls as the training converges", "berthelot2017began", "review"),
            Published(
                "networks of unequal size",
                "the equilibrium holds with either network halved; a short code costs quality",
                "berthelot2017began",
                "mem, unverified",
            ),
            Published("CIFAR-10 inception score", "5.62, of real images 11.24", "berthelot2017began", "2nd"),
            Published("best FID, CIFAR-10 / CelebA", "71.4 ± 1.6 / 38.9 ± 0.9", "lucic2018equal", "2nd"),
        ),
        "CIFAR-10's automobiles, 4,500 for training; batch 16, Adam at 1e-4, lambda_k .001, images in [-1, 1]; no averaged "
        "weights; diversity is the mean pixel distance of 256 samples over that of as many training images",
        "CIFAR-10 as one .npz with x_train, y_train, x_test, y_test (scripts/make_cifar10_npz.py), or a folder of aligned faces",
        "began",
    ),
    Experiment(
        "began-mnist",
        "BEGAN on MNIST, where others meet blank images or a controller at 0: which settings work.",
        ("berthelot2017began", "kim2017begantensorflow", "lucic2018equal"),
        (
            Published("MNIST", "k may stay at 0 and the samples collapse", "kim2017begantensorflow", "page"),
            Published("best FID of MNIST", "13.1 ± 1.0, tuned on 60,000 images in another network", "lucic2018equal", "2nd"),
        ),
        "settings searched on validation images, train[50000:60000], by KID of efficientnet-lite0@96; the best one run for "
        "longer with each seed and judged on the test set; batch 16, Adam at 1e-4, images in [-1, 1], no averaged weights",
        "MNIST as one .npz with x_train (60000, 28, 28) and x_test (10000, 28, 28), or the folder of its four idx files",
        "began_mnist",
    ),
    Experiment(
        "framework-example",
        "The selection framework's worked application: its questions asked here, and its four GANs raced against our choices.",
        ("motwani2020selection",),
        (
            Published(
                "losses for high diversity and high quality", "WGAN-GP, LSGAN, RSGAN, SNGAN", "motwani2020selection", "review"
            ),
            Published("architecture for it", "convolutions, or a modified DCGAN", "motwani2020selection", "review"),
            Published("spectral normalization beside a gradient penalty", "cheaper", "motwani2020selection", "review"),
            Published("divergence", "the default one will do", "motwani2020selection", "review"),
        ),
        "color images of 32x32 without labels, wanted: diversity and quality; a race of equally many images shown; KID of "
        "efficientnet@96",
        "CIFAR-10 as one .npz with x_train (50000, 32, 32, 3) and x_test (10000, 32, 32, 3): scripts/make_cifar10_npz.py",
        "application",
    ),
    Experiment(
        "fgan-divergences",
        "One Gaussian fitted to a mixture of two by each f-divergence: which covers, which seeks, and is it the optimum?",
        ("nowozin2016fgan",),
        (
            Published(
                "mean and deviation of the best fit: KL, reverse KL, JS, Jeffreys, Pearson",
                "1.010, 1.831; 1.578, 1.632; 1.307, 1.754; 1.322, 1.703; .574, 1.927",
                "nowozin2016fgan",
                "mem, unverified; met by our quadrature",
            ),
            Published(
                "the same, found by training",
                "1.034, 1.824; 1.562, 1.640; 1.285, 1.766; 1.230, 1.809; .616, 1.903",
                "nowozin2016fgan",
                "mem, unverified",
            ),
            Published("which fit is best under a divergence", "that trained with it", "nowozin2016fgan", "mem, unverified"),
        ),
        "200,000 samples; G(z) = mu + sigma z, a critic of 64-64 tanh, both players at the variational bound, batch 1,024; the "
        "averaged generator's mean and deviation; the optimum by quadrature on a grid that is refined",
        "",
        "fgan",
    ),
    Experiment(
        "stacked-mnist",
        "Three digits as the color channels of one image, 1,000 modes: R3GAN's loss with and without pairs, R1 and R2.",
        ("huang2024r3gan", "metz2017unrolled", "srivastava2017veegan"),
        (
            Published("modes of 1,000 and KL: relativistic pairs, R1 and R2", "1000, .0781", "huang2024r3gan", "2nd"),
            Published("the same: log loss, R1 and R2", "693, .9270", "huang2024r3gan", "2nd"),
            Published("the same: relativistic pairs, R1 alone", "fails", "huang2024r3gan", "2nd"),
            Published("the same: log loss, R1 alone", "fails", "huang2024r3gan", "2nd"),
        ),
        "14 x 14 pixels; 26,000 samples, each channel read by a classifier trained on train[:50000]; KL(generator || uniform)",
        _MNIST,
        "stacked",
    ),
    Experiment(
        "dirac-gan",
        "The smallest GAN: which losses and penalties settle at the equilibrium, and at the rate of their eigenvalues?",
        ("mescheder2018converge",),
        (
            Published("the plain GAN", "circles the equilibrium, at any rate", "mescheder2018converge", "2nd"),
            Published(
                "WGAN and WGAN-GP with finitely many critic steps", "do not always converge", "mescheder2018converge", "2nd"
            ),
            Published("instance noise, zero-centered gradient penalties", "converge", "mescheder2018converge", "2nd"),
            Published("eigenvalues with a penalty g", "-g/2 ± sqrt(g^2/4 - f'(0)^2)", "mescheder2018converge", "2nd"),
        ),
        "gradient steps of .1 by the library's own objectives, at once and in turn, from (1, 1) and, for the rates, from (.001, "
        ".001); five critic steps for a clipped critic and for WGAN-GP",
        "",
        "dirac",
    ),
    Experiment(
        "ring-8",
        "A ring of 8 Gaussians: who finds all modes, who holds them, and how many samples lie in one?",
        ("metz2017unrolled", "srivastava2017veegan"),
        (
            Published(
                "modes of 8 and good samples",
                "GAN 1, 99.3 %; ALI 2.8, .13 %; unrolled 7.6, 35.6 %; VEEGAN 8, 52.9 %",
                "srivastava2017veegan",
                "mem, unverified",
            ),
            Published(
                "the plain GAN on the ring", "jumps from mode to mode, never holding all", "metz2017unrolled", "mem, unverified"
            ),
        ),
        _TOYS,
        "",
        "toys",
    ),
    Experiment(
        "grid-25",
        "A grid of 25 Gaussians: who finds all modes, who holds them, and how many samples lie in one?",
        ("srivastava2017veegan", "lin2018pacgan", "huang2024r3gan"),
        (
            Published(
                "modes of 25 and good samples",
                "GAN 3.3, .5 %; ALI 15.8, 1.6 %; unrolled 23.6, 16 %; VEEGAN 24.6, 40 %",
                "srivastava2017veegan",
                "mem, unverified",
            ),
        ),
        _TOYS,
        "",
        "toys",
    ),
    Experiment(
        "are-gans-created-equal-mnist",
        "Seven GANs with one architecture and one budget on MNIST: does their order agree with the large study's?",
        ("lucic2018equal",),
        (
            Published(
                "best FID on MNIST",
                "WGAN 6.7 ± .4, NS 6.8 ± .5, DRAGAN 7.6 ± .4, LSGAN 7.8 ± .6, MM 9.8 ± .9, BEGAN 13.1 ± 1.0, WGAN-GP 20.3 ± 5.0",
                "lucic2018equal",
                "2nd",
            ),
            Published("what it concludes", "with enough budget no loss is reliably better than NS", "lucic2018equal", "2nd"),
        ),
        "MNIST at 14 x 14 pixels, trained on train[:50000]; the last weights; KID, FID and coverage of 1,300 samples "
        "against 1,300 test images, efficientnet-lite0@96-fp32; ranks by the mean of log(KID + noise) over seeds",
        _MNIST,
        "equal",
    ),
    Experiment(
        "cifar10",
        "DCGAN, WGAN-GP and SNGAN on CIFAR-10 as mimicry trains and measures them.",
        ("lee2020mimicry", "miyato2018sngan", "gulrajani2017wgangp"),
        (
            Published("FID of SNGAN, 50,000 samples, 50,000 training images", "16.77 ± 0.04", "lee2020mimicry", "code"),
            Published("FID of WGAN-GP, likewise", "22.29 ± 0.06", "lee2020mimicry", "code"),
            Published("FID of DCGAN, 10,000 and 10,000", "28.95 ± 0.42", "lee2020mimicry", "code"),
        ),
        "residual networks, 256 channels in G, 128 in D; batch 64, Adam at 2e-4 (0, .9) falling to 0, 5 updates of D a step, "
        "100,000 steps; no labels",
        "CIFAR-10 as one .npz with x_train (50000, 32, 32, 3) and x_test (10000, 32, 32, 3): scripts/make_cifar10_npz.py",
        "cifar10",
    ),
)


def find(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        Unusable: There is none.
    """
    for experiment in EXPERIMENTS:
        if experiment.name == name:
            return experiment
    raise Unusable(f"no such experiment: {name}: {closest(name, [each.name for each in EXPERIMENTS])}")


def kept(name: str) -> Mapping[str, Any] | None:
    """The result that this project keeps of an experiment; None where it has not been run."""
    file = RESULTS / f"{name}.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def listing() -> list[dict[str, Any]]:
    """Every experiment with the published figures and ours, as ``ganwise reproduce --json`` prints it."""
    return [described(experiment, kept(experiment.name)) for experiment in EXPERIMENTS]


def described(experiment: Experiment, result: Mapping[str, Any] | None) -> dict[str, Any]:
    """An experiment and a result of it, if there is one, in the fields that others may rely on."""
    found = result or {}
    return {
        "name": experiment.name,
        "says": experiment.says,
        "sources": list(experiment.sources),
        "published": [each._asdict() for each in experiment.published],
        "ours": found.get("ours", []),
        "verdict": found.get("verdict", NOT_RUN),
        "because": found.get("because", ""),
        "protocol": experiment.protocol,
        "data": experiment.data,
        "cost": found.get("cost", {}),
        **{key: found[key] for key in ("scale", "commands", "runs", "pictures", "versions", "notes") if key in found},
    }
