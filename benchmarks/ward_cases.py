"""The ward as data: what is broken, in which cells, and which problems count as right. Written before any threshold was chosen.

A cell is a recipe on a data set, made small; unbroken it is the healthy twin of every injection in it. An injection breaks a cell
by changes to its recipe, to its training images, or to its networks while it trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ganwise.types import Problem, Value

Part = Literal["calibration", "test"]
Changes = Mapping[str, Value]
SEEDS = (0, 1, 2)


class Cell(NamedTuple):
    """One recipe on one data set. ``size`` is the side of images in pixels; None leaves it as it is.

    A ``game`` is a shift of noise against a linear critic, in place of the recipe's networks.
    """

    recipe: str
    data: str
    part: Part
    steps: int
    changes: Mapping[str, Value] = {}
    size: int | None = None
    game: bool = False


class Injection(NamedTuple):
    """One way to break a run. ``factors`` multiply what the cell's recipe has; ``onset`` is a share of the steps."""

    says: str
    right: tuple[Problem, ...]
    because: str
    sources: tuple[str, ...]
    cells: tuple[str, ...]
    changes: Mapping[str, Value] = {}
    factors: Mapping[str, float] = {}
    hook: str = ""
    onset: float = 0.0


SMALL: Changes = {"architecture.name": "mlp", "architecture.width": 128, "schedule.ema": 0.99}
THIN: Changes = {"architecture.width": 16, "schedule.ema": 0.99}
FAST: Changes = {"schedule.discriminator.learning_rate": 1e-3, "schedule.generator.learning_rate": 1e-3}
QUICK: Changes = {**SMALL, **FAST}
PLAIN: Changes = {**QUICK, "schedule.batch": 64}
CRITIC: Changes = {
    **SMALL,
    "schedule.boost.steps": 0,
    "schedule.discriminator.learning_rate": 5e-4,
    "schedule.generator.learning_rate": 5e-4,
}
BEGAN: Changes = {
    **FAST,
    "schedule.ema": 0.99,
    "schedule.batch": 64,
    "architecture.code": 1,
    "loss.rate": 0.01,
    "loss.gamma": 0.7,
}
GAME: Changes = {
    "architecture.name": "mlp",
    "regularizers.weight-clipping": False,
    "regularizers.r1": True,
    "regularizers.r1.gamma": 1.0,
    "schedule.boost.steps": 0,
    "schedule.discriminator_steps": 1,
    "schedule.ema": 0.99,
    **{f"schedule.{player}.name": "sgd" for player in ("discriminator", "generator")},
    **{f"schedule.{player}.learning_rate": 0.02 for player in ("discriminator", "generator")},
    **{f"schedule.{player}.momentum": 0.0 for player in ("discriminator", "generator")},
}

CELLS: dict[str, Cell] = {
    "fcgan-digits": Cell("fcgan", "digits", "calibration", 1_500, QUICK),
    "minimax-digits": Cell("gan-minimax", "digits", "calibration", 1_500, PLAIN),
    "dcgan-digits": Cell("dcgan", "digits", "calibration", 800, THIN),
    "wgan-digits": Cell("wgan", "digits", "calibration", 600, CRITIC),
    "ebgan-ring": Cell("ebgan", "ring", "calibration", 1_200, FAST),
    "began-spiral": Cell("began", "spiral", "calibration", 1_500, BEGAN),
    "r1gan-ring": Cell("r1gan", "ring", "calibration", 2_000, SMALL),
    "bilinear-ring": Cell("wgan", "ring", "calibration", 1_500, GAME, game=True),
    "lsgan-mnist": Cell("lsgan", "mnist-10k", "test", 1_500, QUICK, 12),
    "sngan-mnist": Cell("sngan", "mnist-10k", "test", 800, {**QUICK, "schedule.discriminator_steps": 2}, 12),
    "minimax-grid": Cell("gan-minimax", "grid", "test", 1_500, PLAIN),
    "dcgan-mnist": Cell("dcgan", "mnist-10k", "test", 700, THIN, 12),
    "ebgan-mnist": Cell("ebgan", "mnist-10k", "test", 500, THIN, 12),
    "wgan-grid": Cell("wgan", "grid", "test", 600, {**CRITIC, "regularizers.weight-clipping.limit": 0.1}),
    "began-grid": Cell("began", "grid", "test", 1_500, BEGAN),
    "rsgan-grid": Cell("rsgan", "grid", "test", 2_000, {**QUICK, "regularizers.r1.gamma": 0.1}),
    "wgan-gp-grid": Cell("wgan-gp", "grid", "test", 600, {**QUICK, "regularizers.gradient-penalty.weight": 0.1}),
    "bilinear-grid": Cell("wgan", "grid", "test", 1_500, GAME, game=True),
}
"""The test part is whole data sets, MNIST at 12 pixels and the grid, and the recipes lsgan, sngan, rsgan and wgan-gp, of which
the calibration part has no run."""

D, G = "schedule.discriminator.", "schedule.generator."

INJECTIONS: dict[str, Injection] = {
    "strong-discriminator": Injection(
        "D takes five steps for one of G, at its rate; G moves at a fiftieth of its own.",
        ("imbalance", "vanishing_gradient"),
        "D wins and G has next to no way to follow: lost balance is the cause, and where the loss saturates G's gradient dies",
        ("motwani2020selection", "arjovsky2017principled"),
        ("fcgan-digits", "dcgan-digits", "r1gan-ring", "lsgan-mnist", "sngan-mnist", "rsgan-grid"),
        changes={"schedule.discriminator_steps": 5},
        factors={G + "learning_rate": 0.02},
    ),
    "strong-generator": Injection(
        "G takes five steps for one of D, at five times its rate; D moves at a hundredth of its own.",
        ("imbalance", "mode_collapse"),
        "G runs to wherever a D that hardly learns is wrong: lost balance, and all fakes at one place",
        ("motwani2020selection", "goodfellow2014gan"),
        ("fcgan-digits", "r1gan-ring", "lsgan-mnist", "rsgan-grid"),
        changes={"schedule.generator_steps": 5},
        factors={D + "learning_rate": 0.01, G + "learning_rate": 5.0},
    ),
    "saturating": Injection(
        "The minimax loss with a D that is trained to perfection: five steps at ten times its rate.",
        ("vanishing_gradient", "imbalance"),
        "log(1 - D(G(z))) is flat where D is sure: G's gradient vanishes, and it does because D won",
        ("goodfellow2014gan", "arjovsky2017principled"),
        ("minimax-digits", "minimax-grid"),
        changes={"schedule.discriminator_steps": 5},
        factors={D + "learning_rate": 10.0},
    ),
    "rates": Injection(
        "Both learning rates a hundred times too high.",
        ("instability", "non_convergence", "not_finite"),
        "steps that overshoot: losses and gradients jump, nothing settles, and in the end numbers overflow",
        ("lucic2018equal", "motwani2020selection"),
        ("fcgan-digits", "dcgan-digits", "r1gan-ring", "lsgan-mnist", "rsgan-grid", "wgan-gp-grid"),
        factors={D + "learning_rate": 100.0, G + "learning_rate": 100.0},
    ),
    "momentum": Injection(
        "A game of a shift against a linear critic, both with momentum .95, and next to nothing of the penalty that damps it.",
        ("non_convergence", "instability", "not_finite"),
        "on a bilinear game momentum turns circles into growing ones: the players never meet",
        ("mescheder2018converge",),
        ("bilinear-ring", "bilinear-grid"),
        changes={"regularizers.r1.gamma": 1e-4, D + "momentum": 0.95, G + "momentum": 0.95},
    ),
    "clip-tight": Injection(
        "WGAN with weights clipped to 1e-5.",
        ("vanishing_gradient",),
        "a chain of tiny weights lets the gradient vanish layer by layer",
        ("gulrajani2017wgangp", "arjovsky2017wgan"),
        ("wgan-digits", "wgan-grid"),
        changes={"regularizers.weight-clipping.limit": 1e-5},
    ),
    "clip-loose": Injection(
        "WGAN with weights clipped to 30, and a critic fast enough to come there: at fifty times its rate.",
        ("instability", "non_convergence", "imbalance", "not_finite"),
        "a critic with next to no bound: scores and gradients explode, its estimate swings, and G is driven about by it",
        ("gulrajani2017wgangp", "arjovsky2017wgan"),
        ("wgan-digits", "wgan-grid"),
        changes={"regularizers.weight-clipping.limit": 30.0},
        factors={D + "learning_rate": 50.0},
    ),
    "few-images": Injection(
        "32 training images.",
        ("memorization",),
        "D knows the images by heart, and G's only way to please it is to copy them",
        ("karras2020ada",),
        ("fcgan-digits", "dcgan-digits", "lsgan-mnist", "dcgan-mnist"),
        hook="few",
    ),
    "duplicated": Injection(
        "Eight training images, each as often as makes the old number.",
        ("memorization", "mode_collapse"),
        "whatever G makes is one of the eight: copies, and held-out images are not covered",
        ("karras2020ada",),
        ("fcgan-digits", "lsgan-mnist"),
        hook="duplicated",
    ),
    "constant": Injection(
        "One training image, as often as makes the old number.",
        ("mode_collapse", "memorization"),
        "the data have collapsed before the generator has: every sample is the same, and a copy",
        ("karras2020ada",),
        ("fcgan-digits", "lsgan-mnist"),
        hook="constant",
    ),
    "batch-of-two": Injection(
        "Batch normalization in both players over batches of 2, the smallest that it takes.",
        ("instability", "mode_collapse", "non_convergence", "imbalance"),
        "statistics of two samples are noise: gradients jump with the batch, and running statistics are not theirs",
        ("radford2015dcgan", "salimans2016improved"),
        ("dcgan-digits", "dcgan-mnist"),
        changes={"schedule.batch": 2},
    ),
    "padding-leak": Injection(
        "Real images come with a white column of padding, fakes with a gray one that G can't change.",
        ("imbalance", "vanishing_gradient"),
        "the padding tells D real from fake whatever G does: D wins at once, and has nothing to teach",
        ("chintala2016ganhacks", "arjovsky2017principled"),
        ("fcgan-digits", "dcgan-digits", "lsgan-mnist", "sngan-mnist"),
        hook="leak",
    ),
    "overflow": Injection(
        "From half of the run on, D's gradients pass through float16 at a loss scale of 2^24, and nobody looks for infinity.",
        ("not_finite",),
        "65,504 is float16's largest number: a scaled gradient above it is infinite, and so is the weight after it",
        ("chintala2016ganhacks",),
        ("fcgan-digits", "r1gan-ring", "lsgan-mnist", "wgan-gp-grid"),
        hook="overflow",
        onset=0.5,
    ),
    "k-stuck": Injection(
        "BEGAN whose controller never moves: k stays at 0.",
        ("imbalance", "mode_collapse"),
        "D never learns to tell fakes: G descends into whatever D reconstructs best, which is one image",
        ("berthelot2017began",),
        ("began-spiral", "began-grid"),
        changes={"loss.rate": 0.0},
    ),
    "margin-small": Injection(
        "EBGAN with a margin of .01, far below the energy of anything.",
        ("imbalance", "mode_collapse", "vanishing_gradient"),
        "every fake is above the margin at once: D learns nothing of fakes, and G descends alone",
        ("zhao2016ebgan",),
        ("ebgan-ring", "ebgan-mnist"),
        changes={"loss.margin": 0.01},
    ),
    "margin-large": Injection(
        "EBGAN with a margin of 10,000, which no fake ever reaches.",
        ("imbalance", "instability", "non_convergence"),
        "D is paid without end for raising the energy of fakes, more than for its own images: it wins and its energies run away",
        ("zhao2016ebgan",),
        ("ebgan-ring", "ebgan-mnist"),
        changes={"loss.margin": 10_000.0},
    ),
    "dead-relus": Injection(
        "At half of the run a bad update puts the biases of G's hidden layers at -100: no unit fires for any latent.",
        ("vanishing_gradient", "mode_collapse"),
        "what never fires gets no gradient, and a generator without its hidden units makes one image",
        ("goodfellow2014gan",),
        ("fcgan-digits", "dcgan-digits", "r1gan-ring", "lsgan-mnist", "rsgan-grid"),
        hook="dead",
        onset=0.5,
    ),
}

LEARNED = 0.7
"""A cell's unbroken runs are healthy twins where each ends at most at this share of the untrained generator's score; a cell of
which one does not counts nothing."""
WORSE = 2.0
"""A run counts as sick where its score, lower being better, is at least so many times that of the worst healthy twin, ..."""
LOST = 0.5
"""... or its coverage at most this share of that of the worst healthy twin"""
MEASURED = 0.1
"""(below this, coverage is too few samples to compare), ..."""
COPIES = 0.8
"""... or memorization and novelty both fall under this, which no twin's do (its samples are copies of training images), ...
or a number is not finite. Nothing that the doctor reads decides it."""
HEALED = 1.2
"""A healed run ends within so many times the score of its healthy twin."""
