"""Divergences: what a loss minimizes at the optimal discriminator; the f-GAN loss takes one as its argument."""

from __future__ import annotations

from ganwise.catalog.entry import Entry

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
    "reverse-kl": Entry(
        "Kullback-Leibler of model from data: rather leaves modes out than puts samples between them.",
        ("nowozin2016fgan",),
        formula="f(u) = -log u",
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
    "neyman": Entry(
        "Neyman's chi squared: Pearson's with the two distributions exchanged.",
        ("nowozin2016fgan",),
        formula="f(u) = (1 - u)^2 / u",
        traits={"f_divergence": True},
    ),
    "jeffreys": Entry(
        "The sum of both Kullback-Leibler divergences.",
        ("nowozin2016fgan",),
        formula="f(u) = (u - 1) log u",
        traits={"f_divergence": True},
    ),
    "total-variation": Entry(
        "Half the absolute difference of the densities; what hinge's optimum amounts to. As f-gan's argument it is nearly flat "
        "where the critic is certain.",
        ("lim2017geometric", "nowozin2016fgan"),
        formula="f(u) = |u - 1| / 2",
        traits={"f_divergence": True},
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
    "loss-margin": Entry(
        "By how much the losses of fakes fail to exceed those of real samples by their distance; it has no closed form.",
        ("qi2020losssensitive",),
        formula="inf over Lipschitz L of E C(margin mean|x - G(z)| + L(x) - L(G(z)))",
        traits={"f_divergence": False},
    ),
    "feature-means": Entry(
        "The distance between mean features of data and model, in features that the discriminator learns.",
        ("salimans2016improved",),
        formula="mean |E h(x) - E h(G(z))|",
        traits={"f_divergence": False},
    ),
}
