"""GANs whose discriminator is an auto-encoder, and its error an energy."""

from __future__ import annotations

from ganwise.catalog.entry import Entry
from ganwise.catalog.settings import AVERAGED, adam, both, choice, lucic
from ganwise.recipe import Recipe, Stall

ENTRIES: dict[str, Entry] = {
    "ebgan": Entry(
        "An auto-encoder's error is the energy: low on real samples, pushed up to a margin on fakes; codes are pulled apart.",
        ("zhao2016ebgan",),
        application="Images of one domain, and where the auto-encoder itself is wanted.",
        behavior="Steady once the margin fits the scale of the error; a wrong margin lets D give up or fakes run away.",
        needs="Square images of side b * 2^k, b from 4 to 7, or vectors.",
        deviations=(
            "the margin is half the energy of noise of the data's range; the paper searches: 10 MNIST, 20 faces, 80 LSUN [code]",
            "a laptop's width",
            AVERAGED,
        ),
        published={
            "CIFAR-10 FID": "none in the sources read: the paper shows pictures and a search by inception score [mem, unverified]"
        },
        recipe=Recipe(
            architecture=choice("energy-autoencoder"),
            loss=choice("energy-margin"),
            regularizers=(choice("pulling-away", weight=0.1),),
            schedule=both(adam(1e-3, 0.5, 0.999)),
        ),
    ),
    "began": Entry(
        "An auto-encoder as discriminator, its two losses held in a set ratio: sharp on single-domain data such as faces.",
        ("berthelot2017began", "kim2017beganpytorch", "lucic2018equal"),
        application="Faces and other aligned images of one domain; a measure of convergence; a dial for diversity, gamma.",
        behavior="Balances itself, and M_global falls as it converges. Sharp at a low gamma, diverse at a high one. Weak on "
        "many classes such as CIFAR-10 and on sparse, mostly constant images; several who rebuilt it met collapse.",
        needs="Images of one domain, square, of side b * 2^k, b from 4 to 7; or vectors.",
        deviations=(
            "16 filters and 64 latents at 32 pixels, where the paper's largest model has 128 at 128",
            "the rates halve when M_global's mean over 10,000 steps is no lower than before, down to a fifth: the paper gives "
            "no window; window and betas are kim2017beganpytorch's, and the floor is that of another implementation, 2e-5",
            "fresh latents for each player, as the paper writes it; its first implementation shares them: "
            "schedule.shared_latents",
            "without skip connections and vanishing residuals, which the paper adds for some of its figures: options of "
            "autoencoder",
            AVERAGED,
        ),
        published={
            "CIFAR-10 inception score": "5.62, of real images 11.24 [mem, unverified]",
            **lucic("13.1 / 22.9 / 71.4 / 38.9"),
            "cost": "2.5 days on 4 P100 for 360,000 faces at 128 pixels, 17.3 million parameters [2nd]",
        },
        recipe=Recipe(
            architecture=choice("autoencoder"),
            loss=choice("boundary-equilibrium", gamma=0.5, rate=0.001),
            schedule=both(adam(1e-4, 0.5, 0.999), batch=16, simultaneous=True, stall=Stall(window=10_000, factor=0.5, floor=0.2)),
        ),
    ),
}
