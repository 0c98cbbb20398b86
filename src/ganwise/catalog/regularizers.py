"""Regularizers: penalties, projections, transforms and noise; a recipe may have several."""

from __future__ import annotations

from ganwise.catalog.entry import Entry, Fit
from ganwise.types import Value

_ERASED = Fit(
    "augmentation",
    ("diffaugment",),
    False,
    "it holds the slope at a number, and augmentation that erases pixels makes their slope zero",
    ("gulrajani2017wgangp", "zhao2020diffaugment"),
)
_TWICE_MOVED = Fit(
    "augmentation",
    ("diffaugment", "ada"),
    False,
    "the augmentation draws anew in each look, so that the term would punish its noise and not the change that it means",
    ("zhang2020consistency", "zhao2020diffaugment", "karras2020ada"),
)
_MOVES_IMAGES = Fit(
    "architecture",
    ("laplacian-pyramid",),
    False,
    "it mirrors and moves images, and this discriminator sees the levels of a pyramid",
    ("zhang2020consistency", "denton2015lapgan"),
)


def _traits(slot: str = "objective", player: str = "discriminator", **rest: Value) -> dict[str, Value]:
    traits: dict[str, Value] = {"slot": slot, "player": player, "double_backward": False, "per_sample": False, "vectors": True}
    return traits | rest


# slot: where it acts. player: whose term or network it changes. double_backward: it differentiates a gradient, which costs one
# more pass. per_sample: it reads the slope at each sample, which batch statistics in the discriminator mix. vectors: it acts on
# them too, not on images alone.
REGULARIZERS: dict[str, Entry] = {
    "weight-clipping": Entry(
        "Clamps every weight of the critic to [-c, c] after each of its updates.",
        ("arjovsky2017wgan",),
        formula="w <- clamp(w, -c, c)",
        options={"limit": 0.01},
        traits=_traits("projection"),
        fits=(
            Fit(
                "loss",
                ("wasserstein", "generalized-loss-sensitive"),
                True,
                "clipping is a Lipschitz bound for losses that have no maximum without one",
                ("arjovsky2017wgan", "qi2020losssensitive"),
            ),
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
        "Holds the slope of the discriminator near a center on lines from real to fake samples; center 1 as in WGAN-GP, or 0.",
        ("gulrajani2017wgangp", "mescheder2018converge"),
        formula="weight E(|grad D(x')| - center)^2,  x' = e x + (1-e) G(z)",
        options={"weight": 10.0, "center": 1.0},
        traits=_traits(double_backward=True, per_sample=True),
        fits=(
            Fit(
                "regularizers",
                ("weight-clipping",),
                False,
                "it replaces clipping, whose limits it was made to cure",
                ("gulrajani2017wgangp",),
            ),
            _ERASED,
        ),
    ),
    "dragan": Entry(
        "Holds the slope of the discriminator near 1 around real samples alone, so that it goes with any loss.",
        ("kodali2017dragan",),
        formula="weight E(|grad D(x + d)| - center)^2,  d = spread std(x) U[0, 1)",
        options={"weight": 10.0, "center": 1.0, "spread": 0.5},
        traits=_traits(double_backward=True, per_sample=True),
        fits=(_ERASED,),
    ),
    "r1": Entry(
        "A zero-centered penalty on the slope of the discriminator at real samples; provable local convergence.",
        ("mescheder2018converge",),
        formula="gamma/2 E|grad D(x)|^2",
        options={"gamma": 0.1, "every": 1},
        traits=_traits(double_backward=True, per_sample=True),
    ),
    "r2": Entry(
        "R1's twin at fakes: with relativistic losses both together are what makes R3GAN converge.",
        ("mescheder2018converge", "huang2024r3gan"),
        formula="gamma/2 E|grad D(G(z))|^2",
        options={"gamma": 0.1, "every": 1},
        traits=_traits(double_backward=True, per_sample=True),
    ),
    "spectral-norm": Entry(
        "Divides each weight of the discriminator by its largest singular value, found by power iteration.",
        ("miyato2018sngan",),
        formula="W <- W / sigma(W)",
        traits=_traits("transform"),
    ),
    "orthogonal": Entry(
        "Pushes the rows of each weight apart without holding their lengths.",
        ("brock2019biggan",),
        formula="weight sum over W |W W' - diag(W W')|^2",
        options={"weight": 1e-4, "player": "discriminator"},
        traits=_traits(),
    ),
    "path-length": Entry(
        "A step in style space should change the image as much wherever it starts and wherever it goes.",
        ("karras2020stylegan2",),
        formula="G: weight E(|J' y| - a)^2,  J = dG/dw, y ~ N(0, 1/(H W)), a the moving average of |J' y|",
        options={"weight": 2.0, "every": 4, "decay": 0.99},
        traits=_traits(player="generator", double_backward=True, vectors=False),
        fits=(
            Fit(
                "architecture",
                ("stylegan2",),
                True,
                "it measures the way from styles to images, which needs a mapping network that makes styles",
                ("karras2020stylegan2",),
            ),
        ),
    ),
    "consistency": Entry(
        "The discriminator should score an image and the same image mirrored or moved alike.",
        ("zhang2020consistency",),
        formula="weight E(D(x) - D(T x))^2",
        options={"weight": 10.0},
        traits=_traits(vectors=False),
        fits=(
            _TWICE_MOVED,
            _MOVES_IMAGES,
            Fit(
                "regularizers",
                ("balanced-consistency",),
                False,
                "the balanced form has this term already",
                ("zhao2021improved",),
            ),
        ),
    ),
    "balanced-consistency": Entry(
        "Consistency for real and fake images both, so that the generator does not learn to make the moved ones.",
        ("zhao2021improved",),
        formula="real E(D(x) - D(T x))^2 + fake E(D(G(z)) - D(T G(z)))^2",
        options={"real": 10.0, "fake": 10.0},
        traits=_traits(vectors=False),
        fits=(_TWICE_MOVED, _MOVES_IMAGES),
    ),
    "latent-consistency": Entry(
        "Neighboring latents: the discriminator should score their samples alike, the generator should make them differ.",
        ("zhao2021improved",),
        formula="D: discriminator E(D(G(z)) - D(G(z')))^2    G: -generator E(G(z) - G(z'))^2,  z' = z + N(0, sigma^2)",
        options={"discriminator": 20.0, "generator": 0.5, "sigma": 0.05},
        traits=_traits(player="both"),
        fits=(_TWICE_MOVED,),
    ),
    "lecam": Entry(
        "Keeps scores near the moving average of the other side, for small data sets.",
        ("tseng2021lecam",),
        formula="weight (E relu(r - average f)^2 + E relu(average r - f)^2)",
        options={"weight": 0.3, "decay": 0.99, "start": 1000},
        traits=_traits(),
    ),
    "pulling-away": Entry(
        "Makes the codes of the samples in a batch orthogonal, against collapse.",
        ("zhao2016ebgan",),
        formula="G: weight / (B (B-1)) sum over i != j cos(code_i, code_j)^2",
        options={"weight": 0.1},
        traits=_traits(player="generator"),
        fits=(
            Fit(
                "architecture",
                ("autoencoder", "energy-autoencoder"),
                True,
                "it compares codes, and only an auto-encoder has them",
                ("zhao2016ebgan",),
            ),
        ),
    ),
    "instance-noise": Entry(
        "Gaussian noise on real and fake samples alike, so that their distributions overlap; it fades out.",
        ("sonderby2017amortised", "roth2017stabilizing"),
        formula="x <- x + N(0, sigma^2)",
        options={"sigma": "0.1 -> 0 linear 10000"},
        traits=_traits("noise", "both"),
    ),
    "label-smoothing": Entry(
        "One-sided: real samples count as real with probability .9, so that the discriminator stays unsure.",
        ("salimans2016improved",),
        formula="(1 - real) E r,  which makes sp(-r) of the loss real sp(-r) + (1 - real) sp(r)",
        options={"real": 0.9},
        traits=_traits(),
        fits=(
            Fit(
                "loss",
                ("minimax", "non-saturating"),
                True,
                "a smoothed label is the target of a log loss; least squares has its own option for it",
                ("salimans2016improved",),
            ),
        ),
    ),
    "dropout": Entry(
        "Sets numbers of the discriminator's hidden layers to zero at random.",
        ("goodfellow2014gan",),
        formula="h <- h mask / (1 - rate)",
        options={"rate": 0.5},
        traits=_traits("transform"),
    ),
    "svm-weight": Entry(
        "The weight term of a support vector machine, which makes the hinge loss that of a widest margin.",
        ("lim2017geometric",),
        formula="|w|^2 / (2 cost B),  w of the last layer",
        options={"cost": 1.0},
        traits=_traits(),
        fits=(
            Fit("loss", ("hinge",), True, "it is the other half of the hinge loss of a machine", ("lim2017geometric",)),
            Fit(
                "regularizers",
                ("spectral-norm",),
                False,
                "spectral normalization fixes the length of the weight that it shortens",
                ("miyato2018sngan",),
            ),
            Fit(
                "conditioning",
                ("semi-supervised",),
                False,
                "it shortens the weight of one hyperplane, and this score is made of one for each class",
                ("lim2017geometric", "salimans2016improved"),
            ),
        ),
    ),
}
