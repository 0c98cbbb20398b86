"""The axes of the catalog, as data: every architecture, loss, regularizer and divergence, with what fits with what.

A trait is measured by a test over the whole catalog, unless its name is in `CLAIMED`. Sources are keys of
`knowledge/sources.bib`.
"""

from __future__ import annotations

from ganwise.catalog.entry import AUTO, Axis, Entry, Fit

ARCHITECTURES: dict[str, Entry] = {
    "mlp": Entry(
        "Fully connected generator and discriminator; the discriminator may use maxout, as in the original GAN.",
        ("goodfellow2014gan", "goodfellow2013maxout"),
        options={"latent": AUTO, "width": AUTO, "depth": 2, "pieces": 0, "dropout": 0.0, "prior": "normal"},
        traits={"images": True, "vectors": True, "locality": False, "mixes_samples": False},
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
        traits={"images": True, "vectors": False, "locality": True, "mixes_samples": False},
    ),
    "autoencoder": Entry(
        "The discriminator is an auto-encoder and its score the reconstruction error; the generator is shaped like its decoder.",
        ("berthelot2017began", "zhao2016ebgan"),
        formula="score(x) = mean |x - AE(x)|^eta",
        options={"latent": 64, "width": AUTO, "eta": 1, "prior": "uniform"},
        traits={"images": True, "vectors": True, "locality": True, "mixes_samples": False},
        fits=(
            Fit(
                "loss",
                ("boundary-equilibrium",),
                True,
                "a reconstruction error is an energy, low on real data and never negative; losses of logits don't apply to it",
                ("zhao2016ebgan", "berthelot2017began"),
            ),
        ),
    ),
}

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

REGULARIZERS: dict[str, Entry] = {
    "weight-clipping": Entry(
        "Clamps every weight of the critic to [-c, c] after each of its updates.",
        ("arjovsky2017wgan",),
        formula="w <- clamp(w, -c, c)",
        options={"limit": 0.01},
        traits={"slot": "projection", "double_backward": False, "per_sample": False},
        fits=(
            Fit("loss", ("wasserstein",), True, "clipping is WGAN's Lipschitz bound", ("arjovsky2017wgan",)),
            Fit(
                "regularizers",
                ("spectral-norm",),
                False,
                "two bounds on the same weights contradict each other",
                ("miyato2018sngan",),
            ),
        ),
    ),
    "gradient-penalty": Entry(
        "Holds the slope of the discriminator near a center on lines between real and fake samples.",
        ("gulrajani2017wgangp",),
        formula="weight E(|grad D(x')| - center)^2,  x' = e x + (1-e) G(z)",
        options={"weight": 10.0, "center": 1.0},
        traits={"slot": "objective", "double_backward": True, "per_sample": True},
        fits=(
            Fit(
                "regularizers",
                ("weight-clipping",),
                False,
                "it replaces clipping, whose limits it was made to cure",
                ("gulrajani2017wgangp",),
            ),
        ),
    ),
    "r1": Entry(
        "A zero-centered penalty on the slope of the discriminator at real samples; provable local convergence.",
        ("mescheder2018converge",),
        formula="gamma/2 E|grad D(x)|^2",
        options={"gamma": 0.1, "every": 1},
        traits={"slot": "objective", "double_backward": True, "per_sample": True},
    ),
    "spectral-norm": Entry(
        "Divides each weight of the discriminator by its largest singular value, found by power iteration.",
        ("miyato2018sngan",),
        formula="W <- W / sigma(W)",
        traits={"slot": "transform", "double_backward": False, "per_sample": False},
    ),
}

DIVERGENCES: dict[str, Entry] = {
    "gan": Entry(
        "The original GAN's: twice Jensen-Shannon minus log 4.",
        ("nowozin2016fgan", "goodfellow2014gan"),
        formula="f(u) = u log u - (u+1) log(u+1)",
        traits={"f_divergence": True},
    ),
    "jensen-shannon": Entry(
        "Twice the Jensen-Shannon divergence, zero at equality.",
        ("nowozin2016fgan",),
        formula="f(u) = u log u - (u+1) log((u+1)/2)",
        traits={"f_divergence": True},
    ),
    "kl": Entry(
        "Kullback-Leibler of data from model: covers every mode, at the price of samples between them.",
        ("nowozin2016fgan",),
        formula="f(u) = u log u",
        traits={"f_divergence": True},
    ),
    "squared-hellinger": Entry(
        "Squared distance of the roots of the densities: bounded and symmetric.",
        ("nowozin2016fgan",),
        formula="f(u) = (sqrt u - 1)^2",
        traits={"f_divergence": True},
    ),
    "pearson": Entry(
        "Pearson's chi squared.",
        ("nowozin2016fgan", "mao2017lsgan"),
        formula="f(u) = (u - 1)^2",
        traits={"f_divergence": True},
    ),
    "total-variation": Entry(
        "Half the absolute difference of the densities; what hinge's optimum amounts to.",
        ("lim2017geometric", "nowozin2016fgan"),
        formula="f(u) = |u - 1| / 2",
        traits={"f_divergence": False},  # as an argument of f-gan it comes with the complete set of rows
    ),
    "wasserstein": Entry(
        "The earth mover's distance: finite and smooth even where the supports do not meet.",
        ("arjovsky2017wgan",),
        formula="sup over 1-Lipschitz D of E D(x) - E D(G(z))",
        traits={"f_divergence": False},
    ),
    "relativistic": Entry(
        "What a critic of pairs maximizes: a divergence of real and fake judged against each other.",
        ("jolicoeur2020relativistic",),
        formula="sup over C of E f(C(x) - C(G(z)))",
        traits={"f_divergence": False},
    ),
    "reconstruction": Entry(
        "A lower bound of the earth mover's distance between the distributions of reconstruction errors.",
        ("berthelot2017began",),
        formula="|E A(x) - E A(G(z))|",
        traits={"f_divergence": False},
    ),
}

CONDITIONINGS: dict[str, Entry] = {}
AUGMENTATIONS: dict[str, Entry] = {}

AXES: dict[Axis, dict[str, Entry]] = {
    "architecture": ARCHITECTURES,
    "loss": LOSSES,
    "regularizers": REGULARIZERS,
    "divergence": DIVERGENCES,
    "conditioning": CONDITIONINGS,
    "augmentation": AUGMENTATIONS,
}

CLAIMED = frozenset({"measures_convergence", "locality"})
"""Traits that rest on their source and are not measured by a test."""
