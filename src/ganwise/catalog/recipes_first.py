"""The original GAN, and what was built on it directly: conditions, convolutions, pyramids, classifiers."""

from __future__ import annotations

from ganwise.catalog.entry import Entry
from ganwise.catalog.settings import AVERAGED, FITTED, FITTING, adam, both, choice, lucic
from ganwise.recipe import Recipe

_MEASURED = (
    "Adam at 2e-4 in place of the paper's SGD (.1 divided by 1.000004 an update down to 1e-6, momentum .5 to .7 over 250 "
    "epochs): on digits SGD with the paper's initialization drew one picture for every latent after 15,000 updates (coverage 0 "
    "on the test part, one seed, 240 maxout units), where Adam had a coverage of .57 after 1,750"
)
_WIDTHS = (
    "widths suit the data; the paper's MNIST networks are G 1200-1200 and D maxout 240-240 (architecture.width, one for both)"
)
_SCALES = "tanh and images in [-1, 1] for the paper's sigmoid and [0, 1]; the usual initialization for its uniform one"

ENTRIES: dict[str, Entry] = {
    "gan": Entry(
        "The original GAN: fully connected, maxout discriminator with dropout, non-saturating generator, both moved at once.",
        ("goodfellow2014gan", "goodfellow2013maxout", "lucic2018equal"),
        application="Tiny gray images, vectors, tables and 2-D toys; the baseline that every other GAN has to beat.",
        behavior="Trains in minutes. No locality: blurred and noisy on natural images. Modes collapse, and D and G lose "
        "balance; its losses tell nothing of quality.",
        needs="Images up to about 28x28 or vectors; some thousands of samples.",
        deviations=(_MEASURED, _WIDTHS, _SCALES, "one dropout of .5 for the paper's .2 at the input and .5 above", AVERAGED),
        published={
            "MNIST Parzen log-likelihood": "225 ± 2 nats, 10,000 samples, sigma chosen on validation [2nd]",
            "TFD Parzen log-likelihood": "2057 ± 26 nats, over folds [2nd]",
            **lucic("6.8 / 26.5 / 58.5 / 55.0"),
        },
        recipe=Recipe(
            architecture=choice("mlp", pieces=5, dropout=0.5, prior="uniform"),
            loss=choice("non-saturating"),
            schedule=both(adam(2e-4, 0.5, 0.999), batch=100, simultaneous=True, shared_latents=True),
        ),
    ),
    "gan-minimax": Entry(
        "The original GAN with the loss of its theory: the generator minimizes what the discriminator maximizes.",
        ("goodfellow2014gan", "lucic2018equal"),
        application="To see the theory at work, and the gradient vanish, on data where the plain GAN works.",
        behavior="Its value estimates Jensen-Shannon while D is near its optimum; once D wins, the generator's gradient "
        "vanishes.",
        needs="As gan: images up to about 28x28 or vectors; some thousands of samples.",
        deviations=(_MEASURED, _WIDTHS, _SCALES, "one dropout of .5 for the paper's .2 at the input and .5 above", AVERAGED),
        published={
            **lucic("9.8 / 29.6 / 72.7 / 65.6"),
        },
        recipe=Recipe(
            architecture=choice("mlp", pieces=5, dropout=0.5, prior="uniform"),
            loss=choice("minimax"),
            schedule=both(adam(2e-4, 0.5, 0.999), batch=100, simultaneous=True, shared_latents=True),
        ),
    ),
    "fcgan": Entry(
        "The fully connected baseline of the framework's second table: ReLU and leaky ReLU layers, Adam, alternating updates.",
        ("motwani2020selection", "goodfellow2014gan", "denton2015lapgan"),
        application="Tiny gray images, vectors, tables and 2-D toys; the cheapest baseline.",
        behavior="Trains in minutes and has no locality: blurred and noisy on CIFAR-10, with collapse and lost balance.",
        needs="Images up to about 28x28 or vectors; some thousands of samples.",
        deviations=("the framework's paper names no hyper-parameters: Adam's are DCGAN's, and the width is a laptop's", AVERAGED),
        published={
            "CIFAR-10 Parzen log-likelihood": "-3617 ± 353 for a fully connected GAN beside LAPGAN's -1799 ± 826 [mem, "
            "unverified]",
            "taken for real by people": "about 10 % of its CIFAR-10 samples, beside 40 % of LAPGAN's [mem, unverified]",
        },
        recipe=Recipe(
            architecture=choice("mlp"),
            loss=choice("non-saturating"),
            schedule=both(adam(2e-4, 0.5, 0.999)),
        ),
    ),
    "cgan": Entry(
        "The original GAN told the class: a label is an input of both players.",
        ("mirza2014cgan", "goodfellow2014gan"),
        application="Samples of a wanted class, on the data that suit a plain GAN.",
        behavior="Control over the class; in the paper a weaker likelihood than the GAN without labels.",
        needs="A label for every sample, two classes or more; images up to about 28x28 or vectors.",
        deviations=(
            "Adam at 2e-4 in place of the paper's SGD (rate .1 divided by 1.00004 an update, momentum .5 to .7), for the "
            "reason that gan gives",
            "the label goes straight beside latents and pixels; the paper maps each to a layer of its own first",
            _WIDTHS,
            _SCALES,
            AVERAGED,
        ),
        published={"MNIST Parzen log-likelihood": "132 ± 1.8 nats [mem, unverified]"},
        recipe=Recipe(
            architecture=choice("mlp", pieces=5, dropout=0.5, prior="uniform"),
            loss=choice("non-saturating"),
            conditioning=choice("label-input"),
            schedule=both(adam(2e-4, 0.5, 0.999), batch=100),
        ),
    ),
    "semi-supervised-gan": Entry(
        "The discriminator is a classifier of K classes and fake; the generator matches the means of its features.",
        ("salimans2016improved", "odena2016semisupervised"),
        application="A classifier from few labels and many unlabeled images.",
        behavior="The classifier gains much from unlabeled images; samples are better with labels than without.",
        needs="Labels of some samples, two classes or more; square images of side b * 2^k, b from 4 to 7.",
        deviations=(
            "DCGAN's networks in place of the paper's, which use weight normalization, dropout and nine layers in D",
            "no minibatch discrimination, virtual batch normalization, historical averaging or label smoothing",
            AVERAGED,
        ),
        published={
            "CIFAR-10 test error with 4,000 labels": "18.63 ± 2.32 % [mem, unverified]",
            "SVHN test error with 1,000 labels": "8.11 ± 1.3 % [mem, unverified]",
            "MNIST test error with 100 labels": ".93 % [mem, unverified]",
            "CIFAR-10 inception score": "8.09 ± .07 with everything, 4.36 without labels [mem, unverified]",
        },
        recipe=Recipe(
            architecture=choice("dcgan", prior="uniform"),
            loss=choice("feature-matching"),
            conditioning=choice("semi-supervised"),
            schedule=both(adam(3e-4, 0.5, 0.999), batch=100),
        ),
    ),
    "dcgan": Entry(
        "Convolutions, batch normalization in both players, Adam with low momentum: the first GAN that trained steadily.",
        ("radford2015dcgan", "kang2023studiogan"),
        application="Images of 32 to 64 pixels, learned features, and the convolutional baseline.",
        behavior="Far steadier and sharper than fully connected; its loss tells nothing of quality, D and G need balance, and "
        "it oscillates or collapses late. It collapses without batch normalization or when D is trained too far.",
        needs="Square images of side b * 2^k, b from 4 to 7.",
        deviations=(
            "4x4 kernels as in the Torch port, and a laptop's width: the paper starts at 1,024 maps of 4x4",
            "batch 64 for 128",
            AVERAGED,
        ),
        published={
            "CIFAR-10 FID": "49.0 at step 42,000 and 137 at 200,000, StudioGAN [log]",
            "CIFAR-10 inception score": "6.64 best of a run, StudioGAN [log]",
        },
        recipe=Recipe(
            architecture=choice("dcgan", discriminator_norm="batch", prior="uniform"),
            loss=choice("non-saturating"),
            schedule=both(adam(2e-4, 0.5, 0.999)),
        ),
    ),
    "lapgan": Entry(
        "A GAN for each level of a Laplacian pyramid: the coarsest image first, then what each finer level adds to it.",
        ("denton2015lapgan",),
        application="Natural images of 32 to 96 pixels, from coarse to fine.",
        behavior="Sharper than one fully connected GAN: people took about 40 % of its samples for real, against 10 %.",
        needs="Square images of side b * 2^k, b from 4 to 7.",
        deviations=(
            "all levels train side by side in one run instead of one after the other, which is the same: docs/why",
            "Adam at 2e-4 instead of SGD at .02 with rising momentum; no conditioning on classes",
            "levels from a side of 4 to 8 up, bilinear steps, padded convolutions of 16 channels instead of 128",
            AVERAGED,
        ),
        published={
            "CIFAR-10 Parzen log-likelihood": "-1799 ± 826, a GAN -3617 ± 353, at several scales [mem, unverified]",
            "STL Parzen log-likelihood": "-2906 ± 728, a GAN -3661 ± 347 [mem, unverified]",
        },
        recipe=Recipe(
            architecture=choice("laplacian-pyramid"),
            loss=choice("non-saturating"),
            schedule=both(adam(2e-4, 0.5, 0.999)),
        ),
    ),
    "acgan": Entry(
        "The discriminator also names the class, and both players want the class named rightly.",
        ("odena2017acgan", "kang2023studiogan"),
        application="Class-conditional images of few, distinct classes.",
        behavior="Samples are easy to classify; with many classes each collapses within itself, as the classifier's gradient "
        "explodes.",
        needs="A label for every sample, two classes or more, few rather than many.",
        deviations=(
            FITTED,
            "no noise in D's input and no dropout",
            "labels beside the latents, or in G's batch normalization",
            AVERAGED,
        ),
        published={
            "CIFAR-10 inception score": "8.25 ± .07 [mem, unverified]",
            "CIFAR-10 FID": "45.6 best of a run, StudioGAN [log]",
        },
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("non-saturating"),
            conditioning=choice("classifier", generator_weight=1.0),
            schedule=both(adam(2e-4, 0.5, 0.999), batch=100),
        ),
    ),
}
