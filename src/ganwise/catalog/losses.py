"""Losses: what the players minimize, and which divergence that amounts to."""

from __future__ import annotations

from ganwise.catalog.entry import Entry, Fit

_OWN_DIVERGENCE = "this loss minimizes a divergence of its own; only f-gan takes one as its argument"


def _minimizes(divergence: str, *sources: str) -> Fit:
    return Fit("divergence", (divergence,), True, _OWN_DIVERGENCE, ("nowozin2016fgan", *sources))


_LOGITS = Fit(
    "architecture",
    ("autoencoder",),
    False,
    "this loss reads an unbounded logit, not a reconstruction error",
    ("zhao2016ebgan",),
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
            Fit(
                "regularizers",
                ("weight-clipping", "gradient-penalty", "spectral-norm", "r1"),
                True,
                "without a bound on its slope the critic's difference of means has no maximum",
                ("arjovsky2017wgan", "gulrajani2017wgangp", "mescheder2018converge"),
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
        formula="D: E sp(-(r-f))    G: E sp(-(f-r))",
        traits={"pairs": True, "sign": 1, "threshold": "midpoint", "separable": True, "saturates": False},
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
                ("gan", "jensen-shannon", "kl", "squared-hellinger", "pearson"),
                True,
                "the bound needs a convex conjugate, which only f-divergences have",
                ("nowozin2016fgan",),
            ),
            _LOGITS,
        ),
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
            Fit(
                "architecture",
                ("autoencoder",),
                True,
                "the loss is made of reconstruction errors, so the discriminator has to be an auto-encoder",
                ("berthelot2017began",),
            ),
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
}
