"""The table of probes: what each number of a record says, what it needs, how it is read, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from ganwise.probes import readings as read
from ganwise.probes.moment import Moment, Need
from ganwise.probes.points import spread


class Probe(NamedTuple):
    """A ``dear`` one is read at each fifth record only."""

    says: str
    needs: tuple[Need, ...]
    read: Callable[[Moment], Tensor]
    dear: bool = False


STEP: dict[str, str] = {
    "loss_d": "the discriminator's loss with its regularizers, in its last update of the step",
    "loss_g": "the generator's loss with its regularizers",
    "grad_d": "norm of the gradient of the discriminator's loss over all its weights",
    "grad_g": "norm of the gradient of the generator's loss over all its weights",
    "k": "BEGAN's controller k, from 0 to 1",
    "m_global": "BEGAN's measure of convergence: falls as the fakes improve",
    "augment_p": "chance of each adaptive augmentation, from 0 to 1",
}
"""Signals that the step itself leaves behind; the last three only where the GAN has the part that writes them."""

CHEAP: dict[str, Probe] = {
    "grad_ratio": Probe("`grad_d` over `grad_g`", ("grads",), lambda m: m.signals["grad_d"] / m.signals["grad_g"]),
    "score_real": Probe("mean score of the batch's real samples, as the discriminator gives it", (), lambda m: m.d.r.mean()),
    "score_fake": Probe("mean score of the batch's fakes, in the discriminator's pass", (), lambda m: m.d.f.mean()),
    "accuracy_real": Probe(
        "share of the batch's real samples that the discriminator takes for real",
        ("polarity",),
        lambda m: read.share(m.d.realness[0] > 0),
    ),
    "accuracy_fake": Probe(
        "share of the batch's fakes that the discriminator takes for fake",
        ("polarity",),
        lambda m: read.share(m.d.realness[1] < 0),
    ),
    "accuracy_class": Probe(
        "share of the batch's labeled real samples whose class the discriminator names", ("logits",), read.named
    ),
    "saturated": Probe(
        "share of the batch's fakes at which the generator's loss has a slope under 0.01: they teach it nothing",
        ("loss",),
        read.saturated_g,
    ),
    "saturated_d": Probe(
        "share of the batch's samples, real and fake, at which the discriminator's loss has a slope under 0.01",
        ("loss",),
        read.saturated_d,
    ),
    "update_d": Probe(
        "how far the discriminator's weights moved in this step, over their norm",
        ("before",),
        lambda m: read.update(m, "discriminator"),
    ),
    "update_g": Probe(
        "how far the generator's weights moved in this step, over their norm",
        ("before",),
        lambda m: read.update(m, "generator"),
    ),
    "spread": Probe(
        "mean distance of two fakes of the batch over that of two real samples, in pixels: 0 when all fakes are alike",
        ("real",),
        lambda m: read.relative(m.g.fake, m.d.real),
    ),
    "brightness": Probe(
        "mean of the fakes' numbers less that of the real samples', over the real samples' deviation", ("real",), read.brightness
    ),
    "std": Probe(
        "deviation of the fakes' numbers over that of the real samples'",
        ("real",),
        lambda m: m.g.fake.float().std() / m.d.real.float().std(),
    ),
}

DEAR: dict[str, Probe] = {
    "score_held": Probe(
        "mean score of real samples of the validation part, which training never sees", ("held",), read.held_score, True
    ),
    "accuracy_held": Probe(
        "share of real samples of the validation part that the discriminator takes for real",
        ("held", "polarity"),
        read.held_accuracy,
        True,
    ),
    "sigma_d": Probe(
        "largest singular value of any layer of the discriminator, as its weight acts",
        (),
        lambda m: read.top_singular_value(m.networks["discriminator"]),
        True,
    ),
    "sigma_g": Probe(
        "largest singular value of any layer of the generator",
        (),
        lambda m: read.top_singular_value(m.networks["generator"]),
        True,
    ),
    "spread_features": Probe(
        "as `spread`, in images averaged to 8 x 8: noise on equal images does not count as diversity",
        ("look",),
        lambda m: spread(m.look.fakes) / m.points.spread,
        True,
    ),
    "coverage": Probe("share of real samples that have a fake among their neighborhood", ("look",), read.coverage, True),
    "precision": Probe("share of fakes that lie in a real sample's neighborhood", ("look",), read.precision, True),
    "recall": Probe("share of real samples that lie in a fake's neighborhood", ("look",), read.recall, True),
    "near": Probe(
        "median distance of a fake to its nearest training sample, over that of a held-out sample; small also for blur",
        ("look", "unseen"),
        read.near,
        True,
    ),
    "novel": Probe(
        "fakes' distance to training samples over that to held-out ones, against real samples': 1 where nothing is copied",
        ("look", "unseen"),
        read.novel,
        True,
    ),
    "class_share": Probe(
        "effective number of classes among the fakes, each of the class of its nearest training sample, over that of the data",
        ("look", "classes"),
        read.class_share,
        True,
    ),
    "ema_gap": Probe(
        "distance of the averaged generator's samples from the generator's own at equal latents, over that of two of its samples",
        ("average",),
        read.average_gap,
        True,
    ),
    "dead_d": Probe(
        "share of the discriminator's ReLU units that no sample sets off",
        ("units",),
        lambda m: read.dead(m, "discriminator"),
        True,
    ),
    "dead_g": Probe(
        "share of the generator's ReLU units that no latent sets off", ("units",), lambda m: read.dead(m, "generator"), True
    ),
}

PROBES: dict[str, Probe] = CHEAP | DEAR
