"""GANs that changed the distance: least squares, Wasserstein, f-divergences, margins."""

from __future__ import annotations

from ganwise.catalog.entry import Entry
from ganwise.catalog.settings import AVERAGED, FITTED, FITTING, adam, both, choice, lucic, rmsprop
from ganwise.recipe import Boost, Recipe

_ANY = "Images or vectors."
_THEORY = (
    "the generator descends the bound itself: with the practical form it found none of the ring's modes in 4,000 steps, "
    "where the bound found all 8 (an MLP, learning rate 1e-3, one seed)"
)


def _f_gan(divergence: str, says: str, behavior: str, published: dict[str, str], practical: bool = True) -> Entry:
    return Entry(
        says,
        ("nowozin2016fgan",),
        application="When the divergence itself matters: covering all modes or seeking some, theory and teaching.",
        behavior=behavior,
        needs=_ANY,
        deviations=(
            FITTED,
            "batch 64 for the paper's 4,096 on MNIST, which a processor can't afford",
            "beyond a stated range of scores the bound goes on linearly, so that nothing overflows and no gradient vanishes",
            *(() if practical else (_THEORY,)),
            AVERAGED,
        ),
        published=published,
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("f-gan") if practical else choice("f-gan", practical=False),
            divergence=choice(divergence),
            schedule=both(adam(2e-4, 0.5, 0.999)),
        ),
    )


def _nats(figure: str) -> dict[str, str]:
    return {"MNIST Parzen log-likelihood": f"{figure} nats, one hour of training [mem, unverified]"}


_ALIKE = "Samples look like those of the other usable divergences; modes can still be lost."

ENTRIES: dict[str, Entry] = {
    "wgan": Entry(
        "A critic with clipped weights, five critic steps for one of the generator and a hundred now and then, RMSProp.",
        ("arjovsky2017wgan", "lucic2018equal", "kang2023studiogan"),
        application="When the loss has to mean something; networks without batch normalization, fully connected ones too.",
        behavior="The critic's loss tracks quality and no gradient vanishes. Slow; a small clipping limit lets the gradient "
        "vanish, a large one explode, and the critic's capacity goes unused: very bad with a deep ResNet.",
        needs=_ANY,
        deviations=(FITTED, AVERAGED),
        published={
            **lucic("6.7 / 21.5 / 55.2 / 41.3"),
            "CIFAR-10 FID": "159.1 best of a run, untuned ResNet, StudioGAN [log]",
        },
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("wasserstein"),
            regularizers=(choice("weight-clipping", limit=0.01),),
            schedule=both(rmsprop(5e-5), discriminator_steps=5, boost=Boost(steps=100, first=25, period=500)),
        ),
    ),
    "wgan-gp": Entry(
        "A critic held to slope one by a gradient penalty, five critic steps, Adam without momentum on the mean.",
        ("gulrajani2017wgangp", "lucic2018equal", "kang2023studiogan", "mescheder2018converge"),
        application="Diverse data and deep networks; also where outputs are relaxed discrete ones.",
        behavior="Trains networks of a hundred layers and improves to the end. A step of D costs 1.5 to 2 times as much, and "
        "it circles the equilibrium of toy problems instead of reaching it.",
        needs="Images or vectors; no batch normalization in D.",
        deviations=(
            FITTED,
            "the betas are those of the authors' DCGAN code, (.5, .9); the paper's algorithm has (0, .9)",
            AVERAGED,
        ),
        published={
            "CIFAR-10 inception score": "7.86 ± .07 without labels, 8.42 ± .10 with, ResNet [mem, unverified]",
            "CIFAR-10 FID": "25.9 best of a run, ResNet, StudioGAN [log]",
            **lucic("20.3 ± 5 / 24.5 / 55.8 / 30.0"),
        },
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("wasserstein"),
            regularizers=(choice("gradient-penalty", weight=10.0),),
            schedule=both(adam(1e-4, 0.5, 0.9), discriminator_steps=5),
        ),
    ),
    "dragan": Entry(
        "The log loss with a penalty on the slope of D around real samples alone.",
        ("kodali2017dragan", "lucic2018equal", "kang2023studiogan"),
        application="Any loss that needs to be steadied, at one step of D for one of G.",
        behavior="Loses fewer modes than a plain GAN, by a penalty much like WGAN-GP's; one more backward pass for D.",
        needs="Images or vectors; no batch normalization in D.",
        deviations=(FITTED, "batch 64 for the code's 128", AVERAGED),
        published={
            **lucic("7.6 / 27.7 / 69.8 / 42.3"),
            "CIFAR-10 FID": "41.6 at step 16,000, Wasserstein loss with this penalty, StudioGAN [log]",
        },
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("non-saturating"),
            regularizers=(choice("dragan", weight=10.0),),
            schedule=both(adam(1e-4, 0.5, 0.9)),
        ),
    ),
    "lsgan": Entry(
        "Least squares in place of the log loss.",
        ("mao2017lsgan", "lucic2018equal", "kang2023studiogan", "jolicoeur2018relativistic"),
        application="Low resolutions on a small budget.",
        behavior="A gradient even far from the boundary, one step each. No distance is promised, runs vary much, it fails at "
        "256 pixels and can diverge late.",
        needs=_ANY,
        deviations=(
            FITTED,
            "targets 0, 1, 1; -1, 1, 0, which make the loss Pearson's divergence, are options of the loss",
            "Adam at 2e-4; the paper has 1e-3 for LSUN [mem, unverified]",
            AVERAGED,
        ),
        published={
            "CIFAR-10 FID": "66.7 at step 22,000 and 330.9 at 200,000, DCGAN, StudioGAN [log]",
            **lucic("7.8 / 30.7 / 87.1 ± 47 / 53.9"),
            "CAT FID at 64 and 128 pixels": "20.3 and 19.0 best of a run [mem, unverified]",
        },
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("least-squares"),
            schedule=both(adam(2e-4, 0.5, 0.999)),
        ),
    ),
    "fgan-kl": _f_gan(
        "kl",
        "The f-GAN with the Kullback-Leibler divergence, which covers all modes.",
        "A generator too weak for the data covers all modes, with samples between them. " + _ALIKE,
        _nats("416 ± 5.6"),
        practical=False,
    ),
    "fgan-reverse-kl": _f_gan(
        "reverse-kl",
        "The f-GAN with the reverse Kullback-Leibler divergence, which seeks modes.",
        "A generator too weak for the data picks some modes and leaves others out. " + _ALIKE,
        _nats("319 ± 8.4"),
    ),
    "fgan-js": _f_gan(
        "jensen-shannon", "The f-GAN with twice the Jensen-Shannon divergence, zero at equality.", _ALIKE, _nats("367 ± 8.2")
    ),
    "fgan-gan": _f_gan("gan", "The f-GAN with the original GAN's divergence: 2 JS - log 4.", _ALIKE, _nats("305 ± 9.0")),
    "fgan-pearson": _f_gan("pearson", "The f-GAN with Pearson's chi squared.", _ALIKE, _nats("429 ± 5.5")),
    "fgan-neyman": _f_gan(
        "neyman",
        "The f-GAN with Neyman's chi squared.",
        "Fragile: its conjugate is steep, and the published likelihood is among the lower ones. Modes can be lost.",
        _nats("300 ± 8.3"),
    ),
    "fgan-squared-hellinger": _f_gan(
        "squared-hellinger",
        "The f-GAN with the squared Hellinger distance, bounded and symmetric.",
        "Realistic samples on LSUN as KL's and GAN's, but a bad likelihood on MNIST; an independent implementation met NaN.",
        _nats("-708 ± 18"),
    ),
    "fgan-jeffreys": _f_gan(
        "jeffreys",
        "The f-GAN with Jeffreys' divergence, the sum of both Kullback-Leibler divergences.",
        "The lowest published likelihood on MNIST: numerically the most fragile row.",
        _nats("-2101 ± 30"),
    ),
    "fgan-total-variation": _f_gan(
        "total-variation",
        "The f-GAN with the total variation, bounded and blind to how far apart the supports are.",
        "The critic saturates at ±1/2, so the gradient is weak where the supports are apart.",
        {"MNIST Parzen log-likelihood": "none: the paper's table leaves this row out [mem, unverified]"},
    ),
    "geometric-gan": Entry(
        "D is a support vector machine with a margin, its last layer's weight kept small; the generator moves along its normal.",
        ("lim2017geometric", "kang2023studiogan"),
        application="2-D mixtures, MNIST, faces and scenes; where the ratio of D and G steps is hard to set.",
        behavior="Loses fewer modes of Gaussian mixtures than f-GANs, bears any ratio of steps, and reaches the equilibrium "
        "under its assumptions; it peaks early and decays without further regularizers.",
        needs=_ANY,
        deviations=(FITTED, "ten generator steps for one of D come from the author's code", AVERAGED),
        published={"CIFAR-10 FID": "42.7 at step 46,000 and 128.8 at the end, DCGAN with hinge loss, StudioGAN [log]"},
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("hinge"),
            regularizers=(choice("svm-weight"),),
            schedule=both(rmsprop(2e-4), generator_steps=10),
        ),
    ),
    "lossgan": Entry(
        "The loss-sensitive GAN: D is a loss of samples, and a fake's has to exceed a real one's by their distance, no more.",
        ("qi2020losssensitive",),
        application="Generalization to held-out data, and classifiers from few labels in its conditional form.",
        behavior="No gradient vanishes even if D is trained too far; survives the loss of batch normalization and changed "
        "layers; works on the poor samples first.",
        needs=_ANY,
        deviations=(
            FITTED,
            "latents are normal where the code's are uniform",
            "the distance is a mean over pixels: margin 2.4576 is the code's 2e-4 times 64 x 64 x 3",
            AVERAGED,
        ),
        published={"CIFAR-10 test error with 4,000 labels": "17.3 %, the conditional CLS-GAN [mem, unverified]"},
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("loss-sensitive"),
            schedule=both(adam(1e-4, 0.5, 0.999)),
        ),
    ),
    "glsgan": Entry(
        "The loss-sensitive GAN with a cost of slope one half below its margin: between loss-sensitive (0) and Wasserstein (1).",
        ("qi2020losssensitive",),
        application="As the loss-sensitive GAN, with a dial towards WGAN.",
        behavior="Between its two relatives; its author calls it not fully tested.",
        needs=_ANY,
        deviations=(
            FITTED,
            "latents are normal where the code's are uniform",
            "the distance is a mean over pixels: margin 2.4576 is the code's 2e-4 times 64 x 64 x 3",
            AVERAGED,
        ),
        published={"CIFAR-10": "no figure: the code's header calls it future work of its paper [code]"},
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("generalized-loss-sensitive", slope=0.5),
            regularizers=(choice("weight-clipping", limit=0.04),),
            schedule=both(adam(1e-4, 0.5, 0.999)),
        ),
    ),
}
