"""Critics of pairs, bounded spectra, penalties that converge, and what the strongest GANs are made of."""

from __future__ import annotations

from ganwise.catalog.entry import Entry
from ganwise.catalog.settings import AVERAGED, FITTED, FITTING, adam, both, choice
from ganwise.recipe import Recipe, Schedule

_ANY = "Images or vectors."
_LABELS = "A label for every sample, two classes or more."
_SMALL = "Small sets at a high resolution, where the standard and the least-squares GAN stall."
_CAT = "FID of CAT at 64 pixels, best and mean of a run"
_CIFAR = "CIFAR-10 FID with 1 and 5 steps of D"

_BURN_IN = 39_063
"""Updates of R3GAN's burn-in on CIFAR-10: 20 million images in batches of 512."""


def _relativistic(says: str, loss: str, form: str | None, application: str, behavior: str, published: dict[str, str]) -> Entry:
    return Entry(
        says,
        ("jolicoeur2018relativistic", "jolicoeur2020relativistic"),
        application=application,
        behavior=behavior,
        needs=_ANY,
        deviations=(FITTED, AVERAGED),
        published=published,
        recipe=Recipe(
            architecture=FITTING,
            loss=choice(loss, form=form) if form else choice(loss),
            schedule=both(adam(2e-4, 0.5, 0.999), batch=32),
        ),
    )


_SPECTRAL = Schedule(  # both rates reach 0 after 50,000 steps
    discriminator=adam("2e-4 -> 0 linear 250000", 0.0, 0.9),
    generator=adam("2e-4 -> 0 linear 50000", 0.0, 0.9),
    discriminator_steps=5,
)
_SPECTRAL_DEVIATIONS = (FITTED, "batch 64 for both players, where the paper's generator has 128", AVERAGED)

_R3 = adam(f"2e-4 -> 5e-5 cosine {_BURN_IN}", 0.0, f"0.9 -> 0.99 cosine {_BURN_IN}")
_R3_GAMMA = f"0.05 -> 0.005 cosine {_BURN_IN}"

ENTRIES: dict[str, Entry] = {
    "rsgan": _relativistic(
        "The standard log loss on differences of paired scores.",
        "relativistic",
        None,
        _SMALL,
        "Trains where the standard GAN stalls; with a gradient penalty it is better still. Alone it has no proof of "
        "convergence, and with R1 alone it diverges on many modes.",
        {
            _CIFAR: "36.6 [2nd] and 55.3; with gradient penalty 25.6 [2nd] and 28.1; others [mem, unverified]",
            _CAT: "19.0 and 32.2 [mem, unverified]",
        },
    ),
    "rasgan": _relativistic(
        "The standard log loss on scores relative to the other side's mean.",
        "relativistic-average",
        None,
        _SMALL,
        "Trains at 256 pixels where the standard and the least-squares GAN fail. With a gradient penalty it failed altogether.",
        {
            _CIFAR: "32.0 [2nd] and 37.9; with gradient penalty 331.9 [2nd]; others [mem, unverified]",
            _CAT: "15.4 and 20.5 [mem, unverified]",
            "FID of CAT at 256 pixels": "32.11, 2,000 images [code]",
        },
    ),
    "ralsgan": _relativistic(
        "Least squares on scores relative to the other side's mean.",
        "relativistic-average",
        "least-squares",
        "Quality at 64 to 128 pixels at the cost of a plain GAN.",
        "Best of its family at 64 and 128 pixels. Its author found the gain of relativism clear here, not for the log and "
        "hinge losses; five steps of D ruin it.",
        {
            _CIFAR: "30.9 and 219 [mem, unverified]",
            _CAT: "11.97 [code] and 15.6 [mem, unverified]",
            "FID of CAT at 128 and 256 pixels": "15.85 and 35.21 [code]",
        },
    ),
    "rahinge": _relativistic(
        "The hinge loss on scores relative to the other side's mean.",
        "relativistic-average",
        "hinge",
        _SMALL,
        "Steadier than the plain hinge loss over numbers of D steps.",
        {_CIFAR: "39.1 and 37.7, plain hinge 49.5 and 80.9 [mem, unverified]", _CAT: "14.6 best [mem, unverified]"},
    ),
    "sngan": Entry(
        "Spectral normalization in every layer of the discriminator, hinge loss.",
        ("miyato2018sngan", "kang2023studiogan"),
        application="Diverse images at little more than a plain GAN's cost; held-out data.",
        behavior="Steady like the gradient penalty and cheaper; improves to the end of training.",
        needs=_ANY,
        deviations=_SPECTRAL_DEVIATIONS,
        published={
            "CIFAR-10 FID": "21.7 ± .21 and inception score 8.22 ± .05, ResNet without labels [mem, unverified]",
            "CIFAR-10 FID of the plain CNN": "29.3, inception score 7.42; its best variant 25.5 and 7.58 [2nd]",
        },
        recipe=Recipe(architecture=FITTING, loss=choice("hinge"), regularizers=(choice("spectral-norm"),), schedule=_SPECTRAL),
    ),
    "sngan-projection": Entry(
        "SNGAN told the class: by an inner product in the discriminator, by class-dependent batch normalization in the "
        "generator.",
        ("miyato2018projection", "miyato2018sngan", "kang2023studiogan"),
        application="Class-conditional images, of ten classes or many.",
        behavior="Keeps diversity within classes where an auxiliary classifier loses it.",
        needs=_LABELS,
        deviations=_SPECTRAL_DEVIATIONS,
        published={
            "CIFAR-10 FID": "13.2 best of a run, inception score 8.83, StudioGAN [log]",
            "ImageNet FID at 128 pixels": "27.6, inception score 29.7; auxiliary classifier 28.5 [mem, unverified]",
        },
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("hinge"),
            regularizers=(choice("spectral-norm"),),
            conditioning=choice("projection"),
            schedule=_SPECTRAL,
        ),
    ),
    "r1gan": Entry(
        "Non-saturating loss with R1: the strong default on small data.",
        ("mescheder2018converge", "karras2020stylegan2", "huang2024r3gan"),
        application="The first thing to try on small data; wherever stability comes first.",
        behavior="Converges locally, as proved; a larger gamma is steadier and less diverse. On a thousand modes R1 alone "
        "diverges.",
        needs=_ANY,
        deviations=(
            FITTED,
            "the numbers are ours, found on small data (gamma .1 every fourth step, Adam 1e-3 with betas 0 and .99): the "
            "paper has RMSProp at 1e-4, batch 64 and a penalty of 10 |grad|^2, which is gamma 20 here",
        ),
        published={"StackedMNIST with R1 alone": "diverges for every gamma from .1 to 100, R3GAN's ablation [2nd]"},
        recipe=Recipe(
            architecture=FITTING,
            loss=choice("non-saturating"),
            regularizers=(choice("r1", gamma=0.1, every=4),),
            schedule=both(adam(1e-3, 0.0, 0.99), ema=0.998),
        ),
    ),
    "r3gan": Entry(
        "Relativistic pairs with R1 and R2, networks without normalization: penalties buy convergence, relativism buys coverage.",
        ("huang2024r3gan", "sun2020landscape"),
        application="The strongest plain GAN where there is budget: diverse images of any resolution.",
        behavior="No bad local minima and local convergence, in theory; all 1,000 modes of StackedMNIST in practice. Fails "
        "with lazy penalties, with a normalized D, and in float16. Gamma does not carry over to other resolutions.",
        needs="Square images of side b * 2^k, b from 4 to 7.",
        deviations=(
            "the schedules are those of CIFAR-10 (32 pixels), in updates of 512 images; a smaller batch shortens the burn-in",
            "no augmentation, where the authors raise ADA's p from 0 to .55 in the burn-in, with colors at half and cutout",
            "without labels, where the published CIFAR-10 figure is conditional",
            "a laptop's width: the authors' generator has 20.8 million parameters",
        ),
        published={
            "CIFAR-10 FID": "1.96, conditional, 250 million images, 4 days on 8 L40 [2nd]",
            "FFHQ FID at 64 and 256 pixels": "1.95 and 2.75 [2nd]",
            "StackedMNIST": "1,000 modes, KL .029, 7 hours on 8 L40 [2nd]",
        },
        recipe=Recipe(
            architecture=choice("r3gan"),
            loss=choice("relativistic"),
            regularizers=(choice("r1", gamma=_R3_GAMMA), choice("r2", gamma=_R3_GAMMA)),
            schedule=both(_R3, batch=512, ema=0.0, ema_half_life=f"0 -> 5e6 cosine {_BURN_IN}"),
        ),
    ),
    "stylegan2": Entry(
        "Latents are mapped to styles that modulate the convolutions; lazy R1, and path lengths kept even.",
        ("karras2020stylegan2", "karras2020ada", "kang2023studiogan"),
        application="High quality and a smooth latent space, at any resolution, where there is much budget.",
        behavior="The best quality of its time; usable after 5 million images, converged after 25 million. Needs augmentation "
        "below some tens of thousands of images.",
        needs="Square images of side b * 2^k, b from 4 to 7.",
        deviations=(
            "gamma .01 is the authors' for CIFAR-10: the 10 of the paper is for 1,024 pixels",
            "lazy terms join the ordinary step, so rate and betas are not rescaled by k/(k+1)",
            "a laptop's width",
        ),
        published={
            "FFHQ FID at 1024 pixels": "2.84, 25 million images [mem, unverified]",
            "CIFAR-10 FID": "3.82, with ADA 2.31, against training moments, StudioGAN [log]",
        },
        recipe=Recipe(
            architecture=choice("stylegan2", mixing=0.9),
            loss=choice("non-saturating"),
            regularizers=(choice("r1", gamma=0.01, every=16), choice("path-length", weight=2.0, every=4)),
            schedule=both(adam(2e-3, 0.0, 0.99), batch=32, ema=0.0, ema_half_life=10_000.0),
        ),
    ),
}
