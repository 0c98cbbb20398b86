"""Mode covering against mode seeking: one Gaussian fitted to a mixture by each f-divergence, beside the optimum by quadrature."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganwise.build import GAN, build
from ganwise.catalog.settings import adam, choice
from ganwise.data import Dataset
from ganwise.divergences import DIVERGENCES
from ganwise.networks import Generator
from ganwise.networks.labels import Stack
from ganwise.recipe import Recipe, Schedule
from ganwise.reproduce import sets
from ganwise.reproduce.plots import COLORS, panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Interrupted, Row, Scale, Verdict, Work
from ganwise.study.tails import t_quantile
from ganwise.train import train

WEIGHTS, MEANS, DEVIATIONS = (0.33, 0.67), (-1.0, 2.0), (0.255, 1.415)
"""The mixture. The text does not give it; these numbers are inferred from its table, all fifteen optima of which they meet."""
SAMPLES = 200_000
STEPS = {"sample": 60, "here": 1_500, "paper": 10_000}
SEEDS = {"sample": 1, "here": 3, "paper": 10}
NEAR = 0.1
"""A fit is at its optimum where mean and deviation are within a tenth of the data's deviation."""
CHOSEN = {"sample": ("kl", "reverse-kl")}
TABLE: Mapping[str, tuple[float, float]] = {
    "kl": (1.0100, 1.8308),
    "reverse-kl": (1.5782, 1.6319),
    "jensen-shannon": (1.3070, 1.7542),
    "jeffreys": (1.3218, 1.7034),
    "pearson": (0.5737, 1.9274),
}
"""The published optima, mean and deviation. Source: nowozin2016fgan, table 2 [mem, unverified]."""


class Normal(NamedTuple):
    """One Gaussian."""

    mean: float
    deviation: float


def grid() -> Tensor:
    """Where densities are integrated: everything that matters of the mixture and of Gaussians not much wider."""
    return torch.linspace(-16, 18, 1701, dtype=torch.float64)


def log_normal(x: Tensor, m: Tensor | float, s: Tensor | float) -> Tensor:
    s = torch.as_tensor(s, dtype=torch.float64)
    return -((x - m) ** 2) / (2 * s**2) - s.log() - 0.5 * math.log(2 * math.pi)


def log_mixture(x: Tensor) -> Tensor:
    """The log density of the mixture."""
    parts = [math.log(w) + log_normal(x, m, s) for w, m, s in zip(WEIGHTS, MEANS, DEVIATIONS, strict=True)]
    return torch.stack(parts).logsumexp(0)


def spread() -> Normal:
    """Mean and deviation of the mixture, which are those of the Gaussian that is nearest by KL."""
    m = sum(w * each for w, each in zip(WEIGHTS, MEANS, strict=True))
    second = sum(w * (s**2 + each**2) for w, each, s in zip(WEIGHTS, MEANS, DEVIATIONS, strict=True))
    return Normal(m, math.sqrt(second - m**2))


def divergence(name: str, means: Tensor, deviations: Tensor) -> Tensor:
    """D_f(mixture || N(mean, deviation^2)) by quadrature, a number for each Gaussian. Source: nowozin2016fgan, equation 2."""
    x = grid()
    # e^-350 is as good as nothing, and its square still a number: a ratio of two such is the largest there is
    log_q = log_normal(x, means[:, None], deviations[:, None]).clamp(min=-350)
    ratio = (log_mixture(x).clamp(min=-350) - log_q).clamp(max=350).exp()
    return torch.trapezoid(log_q.exp() * DIVERGENCES[name].f(ratio), x)


def optimum(name: str) -> Normal:
    """The Gaussian of least divergence: the best of a grid over all that is sensible, then of ever finer grids around it."""
    center, reach, points = torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([4.0, 1.4], dtype=torch.float64), 41
    for _ in range(18):
        axes = [c + r * torch.linspace(-1, 1, points, dtype=torch.float64) for c, r in zip(center, reach, strict=True)]
        both = torch.cartesian_prod(*axes)
        center = both[divergence(name, both[:, 0], both[:, 1].exp()).argmin()]
        reach, points = reach * (0.2 if points > 9 else 0.5), 9
    return Normal(float(center[0]), float(center[1].exp()))


def recipe(name: str, steps: int) -> Recipe:
    """The variational bound of one divergence, both players at its value: the practical generator would go elsewhere.

    A critic of 64-64 and batches of 1,024 are the text's; Adam and rates that fall to a twentieth replace its SGD of .01.
    """
    discriminator, generator = (adam(f"{rate} -> {rate / 20} linear {steps}", 0.5, 0.99) for rate in (5e-3, 2e-3))
    return Recipe(
        architecture=choice("mlp", latent=1, width=64),
        loss=choice("f-gan", practical=False),
        divergence=choice(name),
        schedule=Schedule(batch=1024, discriminator=discriminator, generator=generator, ema=0.99),
    )


def line(gan: GAN, seed: int) -> GAN:
    """``gan`` with G(z) = mu + sigma z for its generator and tanh in the critic, as the text has both.

    It starts at the data's deviation and up to half of it beside the mean: a Gaussian much narrower than the data, or for
    Neyman's divergence much wider, sees ratios of any size, of which a critic learns nothing in time.
    """
    for module in list(gan.discriminator.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.LeakyReLU):
                setattr(module, name, nn.Tanh())
    straight = nn.Linear(1, 1)
    with torch.no_grad():
        straight.weight.fill_(1.0)
        straight.bias.fill_(float(np.random.default_rng(seed).uniform(-0.5, 0.5)))
    gan.generator = Generator(Stack(straight), 1, "normal")
    gan.average = copy.deepcopy(gan.generator).requires_grad_(False)
    return gan.to(gan.device)


def fitted(gan: GAN) -> Normal:
    """The Gaussian that the averaged generator makes, in the data's units."""
    (straight,) = gan.average.synthesis.children()
    assert isinstance(straight, nn.Linear)
    shift, scale = float(gan.scaling.shift), float(gan.scaling.scale)
    return Normal(float(straight.bias) * scale + shift, abs(float(straight.weight)) * scale)


def mixture(n: int = SAMPLES) -> Dataset:
    return sets.mixture(WEIGHTS, MEANS, DEVIATIONS, n, seed=2016)


def cells(experiment: str, scale: Scale) -> list[Cell]:
    chosen = CHOSEN.get(scale, tuple(DIVERGENCES))
    return [
        Cell(f"{name}-{seed}", {"divergence": name, "seed": seed, "steps": STEPS[scale]})
        for seed in range(SEEDS[scale])
        for name in chosen
    ]


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    name, seed, steps = str(cell.options["divergence"]), int(cell.options["seed"]), int(cell.options["steps"])
    data = mixture(SAMPLES if work.scale != "sample" else 20_000)
    gan = line(build(recipe(name, steps), data.shape, seed=seed), seed)
    path, bounds = [fitted(gan)], []
    for record in train(gan, data, steps=steps, seed=seed, every=20):
        path.append(fitted(gan))
        bounds.append(-record.signals["loss_d"])
        if work.stop.interrupted:
            raise Interrupted
    found, best = path[-1], optimum(name)
    return {
        "divergence": name,
        "seed": seed,
        "mean": found.mean,
        "deviation": found.deviation,
        "optimum": list(best),
        "bound": mean(bounds[-max(len(bounds) // 10, 1) :]),
        "least": values(name, [best])[0],
        "path": [[round(number, 4) for number in each] for each in path],
    }


def values(name: str, of: Sequence[Normal]) -> list[float]:
    """The divergence of each of these Gaussians from the mixture."""
    means, deviations = torch.tensor(of, dtype=torch.float64).unbind(1)
    return [float(value) for value in divergence(name, means, deviations)]


class Fit(NamedTuple):
    """One divergence over its seeds."""

    name: str
    found: list[Normal]
    optimum: Normal
    bound: float
    least: float

    @property
    def middle(self) -> Normal:
        return Normal(mean(each.mean for each in self.found), mean(each.deviation for each in self.found))

    @property
    def meets(self) -> bool:
        """Whether mean and deviation, averaged over seeds, are near the optimum's."""
        return max(abs(a - b) for a, b in zip(self.middle, self.optimum, strict=True)) <= NEAR * spread().deviation


def fits(rows: Sequence[Row]) -> list[Fit]:
    """In the order of the table of divergences."""
    found = []
    for name in DIVERGENCES:
        if mine := [row for row in rows if row["divergence"] == name]:
            normals = [Normal(row["mean"], row["deviation"]) for row in mine]
            bound = mean(row["bound"] for row in mine)
            found.append(Fit(name, normals, Normal(*mine[0]["optimum"]), bound, mine[0]["least"]))
    return found


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    found = fits(rows)
    published = [fit for fit in found if fit.name in TABLE]
    met = [fit for fit in published if fit.meets]
    seeds = len(found[0].found)
    ours = [Figure(f"of {len(published)} published fits, those at the optimum that quadrature finds", len(met), seeds=seeds)]
    for fit in found:
        for what, place in (("mean", 0), ("deviation", 1)):
            told = f"optimum {fit.optimum[place]:.3f}"
            told += f", published {TABLE[fit.name][place]:.3f}" if fit.name in TABLE else ""
            ours.append(figure(f"{fit.name}: {what}", [each[place] for each in fit.found], told))
    because = (
        f"{len(met)} of {len(published)} fits are within {NEAR:g} deviations of the optimum that quadrature finds; by width the "
        f"fits are ordered {', '.join(widths(published))}"
    )
    return Conclusion(ours, judge(published, scale), because, notes(found))


def figure(what: str, numbers: Sequence[float], note: str) -> Figure:
    """The mean over seeds with Student's interval."""
    if len(numbers) < 2:
        return Figure(what, numbers[0], note=note)
    middle, half = mean(numbers), t_quantile(0.05, len(numbers) - 1) * stdev(numbers) / math.sqrt(len(numbers))
    return Figure(what, middle, middle - half, middle + half, len(numbers), note)


def widths(found: Sequence[Fit]) -> list[str]:
    """Names from the narrowest fit to the widest."""
    return [fit.name for fit in sorted(found, key=lambda fit: fit.middle.deviation)]


def judge(published: Sequence[Fit], scale: Scale) -> Verdict:
    """Reproduced where all fits of the published table are at their optima and as wide in the same order; close but for one."""
    if scale == "sample" or len(published) < len(TABLE):
        return "unjudged"
    missed = sum(not fit.meets for fit in published)
    ordered = widths(published) == sorted(TABLE, key=lambda name: TABLE[name][1])
    return "reproduced" if ordered and not missed else "close" if missed <= 1 else "not reproduced"


def notes(found: Sequence[Fit]) -> list[str]:
    own = 0
    for fit in found:
        at = values(fit.name, [each.middle for each in found])
        own += at[found.index(fit)] <= min(at) + 1e-3
    first, second = (f"{w:g} N({m:g}, {s:g}^2)" for w, m, s in zip(WEIGHTS, MEANS, DEVIATIONS, strict=True))
    notes = [
        f"the mixture, {first} + {second}, is not in the text: it was inferred from the published table, whose optima and least "
        "divergences it meets within .0005",
        f"the fit trained with a divergence is the best under that divergence, within .001, for {own} of {len(found)}",
        "Adam with falling rates replaces the text's SGD of .01; each fit starts at the data's own deviation, KL's best",
    ]
    notes += [f"{fit.name}: the critic's bound {fit.bound:.4f} at the end, the least divergence {fit.least:.4f}" for fit in found]
    for fit in found:
        if not fit.meets:
            (m, sd), (best, wide) = fit.middle, fit.optimum
            there = values(fit.name, [fit.middle])[0]
            missed = f"{fit.name} misses its optimum: mean {m:.2f} and deviation {sd:.2f}, for {best:.2f} and {wide:.2f}"
            notes.append(f"{missed}; the divergence there is {there:.3f}, and its critic does not see it: {fit.bound:.3f}")
    return notes


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """The fits over the mixture's density, and all fits in the plane of mean and deviation beside their optima."""
    found = fits(rows)
    figure, (left, right) = panels(1, 2, width=5.4, height=3.8)
    x = grid()[600:1200]
    left.fill_between(x, log_mixture(x).exp(), color="#cfcabb", label="the mixture")
    shown = [fit for fit in found if fit.name in ("kl", "reverse-kl", "pearson", "neyman")]
    for fit in shown:
        left.plot(x, log_normal(x, *fit.middle).exp(), color=color(fit.name), label=fit.name)
        left.plot(x, log_normal(x, *fit.optimum).exp(), color=color(fit.name), linestyle=":", linewidth=2.2)
    left.set(xlabel="x", ylabel="density", title="One Gaussian for two modes (dotted: the optimum)", xlim=(-4, 7))
    left.legend(loc="upper right")
    for fit in found:
        right.plot(*zip(*fit.found, strict=True), ".", color=color(fit.name), markersize=7, label=fit.name)
        right.plot(*fit.optimum, "o", color=color(fit.name), markersize=12, markerfacecolor="none")
        if fit.name in TABLE:
            right.plot(*TABLE[fit.name], "+", color="black", markersize=8)
    low, high = ([pick(fit.optimum[place] for fit in found) for place in (0, 1)] for pick in (min, max))
    right.set(xlabel="mean", ylabel="deviation", title="Fits (dots), optima (circles), published (+)")
    right.set(xlim=(low[0] - 0.3, high[0] + 0.3), ylim=(low[1] - 0.1, high[1] + 0.1))
    if absent := [fit.name for fit in found if not fit.meets]:
        right.annotate(f"not at its optimum: {', '.join(absent)}", (0.03, 0.03), xycoords="axes fraction", fontsize=8)
    right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, out / "fits.png")


def color(name: str) -> str:
    return (*COLORS, "#000000")[list(DIVERGENCES).index(name)]
