"""Losses: what the players minimize, and which divergence that amounts to."""

from __future__ import annotations

from ganwise.catalog.divergences import DIVERGENCES
from ganwise.catalog.entry import AUTO, Entry, Fit

_OWN_DIVERGENCE = "this loss minimizes a divergence of its own; only f-gan takes one as its argument"


def _minimizes(divergence: str, *sources: str) -> Fit:
    return Fit("divergence", (divergence,), True, _OWN_DIVERGENCE, ("nowozin2016fgan", *sources))


_LOGITS = Fit(
    "architecture",
    ("autoencoder", "energy-autoencoder"),
    False,
    "this loss reads an unbounded logit, not a reconstruction error",
    ("zhao2016ebgan",),
)


def _lipschitz(because: str, *sources: str) -> Fit:
    bounds = ("weight-clipping", "gradient-penalty", "spectral-norm", "r1", "r2", "dragan")
    return Fit("regularizers", bounds, True, because, sources)


def _energies(*sources: str) -> Fit:
    return Fit(
        "architecture",
        ("autoencoder", "energy-autoencoder"),
        True,
        "the loss is made of reconstruction errors, so the discriminator has to be an auto-encoder",
        sources,
    )


# sign: +1 high scores mean real, -1 low ones do. pairs: the generator's side reads real scores. threshold: where real
# ends and fake begins; "midpoint" where the loss fixes none. measures_convergence: the loss itself falls as G improves.
LOSSES: dict[str, Entry] = {
    "minimax": Entry(
        "The original two-player game, as its value function is written; the generator's gradient saturates when D wins.",
        ("goodfellow2014gan",),
        formula="D: E sp(-r) + E sp(f)    G: -E sp(f)",
        traits={"pairs": False, "sign": 1, "threshold": 0.0, "separable": True, "saturates": True},
        fits=(_minimizes("jensen-shannon", "goodfellow2014gan"), _LOGITS),
    ),
    "non-saturating": Entry(
        "The original GAN's practical form: the generator maximizes log D(G(z)), so its gradient stays alive when D wins.",
        ("goodfellow2014gan",),
        formula="D: E sp(-r) + E sp(f)    G: E sp(-f)",
        traits={"pairs": False, "sign": 1, "threshold": 0.0, "separable": True, "saturates": False},
        fits=(_minimizes("jensen-shannon", "goodfellow2014gan", "arjovsky2017principled"), _LOGITS),
    ),
    "least-squares": Entry(
        "Squared distance of scores to targets: a gradient even for samples on the right side but far from the boundary.",
        ("mao2017lsgan",),
        formula="D: 1/2 E(r-b)^2 + 1/2 E(f-a)^2    G: 1/2 E(f-c)^2",
        options={"fake": 0.0, "real": 1.0, "wanted": 1.0},
        traits={"pairs": False, "sign": 1, "threshold": "midpoint", "separable": True, "saturates": False},
        fits=(_minimizes("pearson", "mao2017lsgan"), _LOGITS),
    ),
    "wasserstein": Entry(
        "Difference of mean scores of a Lipschitz critic: an estimate of the earth mover's distance, which falls as G improves.",
        ("arjovsky2017wgan",),
        formula="D: E f - E r    G: -E f",
        traits={
            "pairs": False,
            "sign": 1,
            "threshold": "midpoint",
            "separable": True,
            "saturates": False,
            "measures_convergence": True,
        },
        fits=(
            _minimizes("wasserstein", "arjovsky2017wgan"),
            _LOGITS,
            _lipschitz(
                "without a bound on its slope the critic's difference of means has no maximum",
                "arjovsky2017wgan",
                "gulrajani2017wgangp",
                "mescheder2018converge",
            ),
        ),
    ),
    "hinge": Entry(
        "The margin loss of a support vector machine: D stops pushing samples that are beyond the margin.",
        ("lim2017geometric", "miyato2018sngan"),
        formula="D: E relu(1-r) + E relu(1+f)    G: -E f",
        options={"margin": 1.0},
        traits={"pairs": False, "sign": 1, "threshold": 0.0, "separable": True, "saturates": False},
        fits=(_minimizes("total-variation", "lim2017geometric"), _LOGITS),
    ),
    "relativistic": Entry(
        "D judges whether a real sample is more real than a paired fake one; G's gradient reads real samples too.",
        ("jolicoeur2018relativistic",),
        formula="D: E h(r-f)    G: E h(f-r)    h(d) = sp(-d), (d-1)^2 or relu(1-d) by form",
        options={"form": "logistic"},
        traits={"pairs": True, "sign": 1, "threshold": "midpoint", "separable": True, "saturates": False},
        fits=(_minimizes("relativistic", "jolicoeur2020relativistic"), _LOGITS),
    ),
    "relativistic-average": Entry(
        "D judges whether a real sample is more real than fakes on average, and a fake less real than real ones on average.",
        ("jolicoeur2018relativistic",),
        formula="D: 1/2 [E h(r-Ef) + E h(Er-f)]    G: 1/2 [E h(Ef-r) + E h(f-Er)]    h(d) = sp(-d), (d-1)^2 or relu(1-d) by form",
        options={"form": "logistic"},
        traits={"pairs": True, "sign": 1, "threshold": "midpoint", "separable": False, "saturates": False},
        fits=(_minimizes("relativistic", "jolicoeur2020relativistic"), _LOGITS),
    ),
    "f-gan": Entry(
        "Any f-divergence, by the variational bound that its convex conjugate gives; the divergence is the argument.",
        ("nowozin2016fgan",),
        formula="T = g_f(v)    D: -E T(r) + E f*(T(f))    G: -E T(f), or -E f*(T(f)) when not practical",
        options={"practical": True},
        traits={"pairs": False, "sign": 1, "threshold": "divergence", "separable": True, "saturates": False},
        fits=(
            Fit(
                "divergence",
                tuple(name for name, row in DIVERGENCES.items() if row.traits["f_divergence"]),
                True,
                "the bound needs a convex conjugate, which only f-divergences have",
                ("nowozin2016fgan",),
            ),
            _LOGITS,
        ),
    ),
    "loss-sensitive": Entry(
        "The score is a loss of samples: a fake's stays above a real one's by the samples' distance, and no more is asked.",
        ("qi2020losssensitive",),
        formula="D: E relu(margin mean|x - G(z)| + r - f) + weight E r    G: E f",
        options={"margin": 2.4576, "weight": 0.0},
        traits={"pairs": False, "sign": -1, "threshold": "midpoint", "separable": True, "saturates": False},
        fits=(_minimizes("loss-margin", "qi2020losssensitive"), _LOGITS),
    ),
    "generalized-loss-sensitive": Entry(
        "The loss-sensitive GAN with a cost of slope nu below its margin: 0 is loss-sensitive, 1 Wasserstein, -1 absolute.",
        ("qi2020losssensitive",),
        formula="D: E C(margin mean|x - G(z)| + r - f) + weight E r,  C(a) = a > 0 ? a : slope a    G: E f",
        options={"slope": -1.0, "margin": 2.4576, "weight": 0.0},
        traits={"pairs": False, "sign": -1, "threshold": "midpoint", "separable": True, "saturates": False},
        fits=(
            _minimizes("loss-margin", "qi2020losssensitive"),
            _LOGITS,
            _lipschitz(
                "its theory holds for losses of bounded slope, and above slope 0 there is no optimum without",
                "qi2020losssensitive",
            ),
        ),
    ),
    "energy-margin": Entry(
        "An auto-encoder's error is an energy: D lowers it on real samples, and raises it on fakes up to a margin.",
        ("zhao2016ebgan",),
        formula="D: E A(x) + E relu(margin - A(G(z)))    G: E A(G(z))",
        options={"margin": AUTO},
        traits={"pairs": False, "sign": -1, "threshold": "midpoint", "separable": True, "saturates": False},
        fits=(_energies("zhao2016ebgan"), _minimizes("total-variation", "zhao2016ebgan", "arjovsky2017wgan")),
    ),
    "boundary-equilibrium": Entry(
        "Matches the distributions of reconstruction errors and holds their ratio at gamma by a controller k.",
        ("berthelot2017began",),
        formula="D: A(x) - k A(G(z))    G: A(G(z))    k += lambda (gamma A(x) - A(G(z)))    M = A(x) + |gamma A(x) - A(G(z))|",
        options={"gamma": 0.5, "rate": 0.001},
        traits={
            "pairs": False,
            "sign": -1,
            "threshold": "midpoint",
            "separable": True,
            "saturates": False,
            "measures_convergence": True,
        },
        fits=(
            _energies("berthelot2017began"),
            _minimizes("reconstruction", "berthelot2017began"),
            Fit(
                "regularizers",
                (),
                True,
                "its controller already balances the players, and it needs no Lipschitz bound",
                ("berthelot2017began",),
            ),
        ),
    ),
    "feature-matching": Entry(
        "G matches the mean of the discriminator's features on real samples, while D is trained by half the log loss.",
        ("salimans2016improved",),
        formula="D: 1/2 [E sp(-r) + E sp(f)]    G: mean |E h(x) - E h(G(z))|",
        traits={"pairs": True, "sign": 1, "threshold": 0.0, "separable": False, "saturates": False},
        fits=(
            _minimizes("feature-means", "salimans2016improved"),
            Fit(
                "architecture",
                ("autoencoder", "energy-autoencoder"),
                False,
                "the generator matches features, of which an auto-encoder as discriminator has none",
                ("salimans2016improved", "zhao2016ebgan"),
            ),
        ),
    ),
}
