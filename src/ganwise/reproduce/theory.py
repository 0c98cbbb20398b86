"""The theory of 2014, seen: figure 1 on a mixture in one dimension, and the theorems' numbers on the way and on three atoms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ganwise.build import GAN, build
from ganwise.catalog.settings import adam, choice
from ganwise.data import Dataset
from ganwise.losses import minimax
from ganwise.objective import Objective, Output, Pass
from ganwise.recipe import Recipe, Schedule
from ganwise.reproduce import sets, theory_pictures, training
from ganwise.reproduce.work import Cell, Conclusion, Figure, Row, Scale, Verdict, Work
from ganwise.study.tails import t_quantile
from ganwise.train import Batches, move, play
from ganwise.types import Record

Floats = npt.NDArray[np.float64]
WEIGHTS, MEANS, DEVIATIONS = (0.4, 0.6), (-1.5, 1.2), (0.35, 0.5)
SAMPLES = 50_000
STEPS = {"sample": 40, "here": 4_000, "paper": 20_000}
SEEDS = {"sample": 1, "here": 3, "paper": 10}
INNER = {"sample": 10, "here": 400, "paper": 2_000}
"""Steps that train D to its best against a generator as it is."""
STAGES = (0.005, 0.025, 0.1, 1.0)
"""Shares of the training at which D is trained to its best, and which the strip shows."""
FRAMES = {"sample": 4, "here": 40, "paper": 40}
EDGES: Floats = np.linspace(-5.0, 5.0, 161)
"""Of the histograms; what lies outside counts in the outermost bins."""
LATENTS = 100_000


def mixture() -> Dataset:
    return sets.mixture(WEIGHTS, MEANS, DEVIATIONS, SAMPLES, seed=2014)


def recipe(steps: int, loss: str = "non-saturating", equal: bool = False) -> Recipe:
    """Small networks, one latent; D learns ten times as fast as G, so that it stays near its best as the theory wants it.

    Rates fall to a hundredth, without which no GAN comes to rest. With ``equal`` both have the same rate.
    """
    discriminator, generator = (f"{rate} -> {rate / 100} linear {steps}" for rate in ((2e-3, 2e-3) if equal else (5e-3, 5e-4)))
    return Recipe(
        architecture=choice("mlp", latent=1, width=64, prior="uniform"),
        loss=choice(loss),
        schedule=Schedule(batch=512, discriminator=adam(discriminator, 0.5, 0.99), generator=adam(generator, 0.5, 0.99), ema=0.0),
    )


def shares() -> Floats:
    """The data's probability of each bin, exactly."""
    cdf = [
        sum(w * 0.5 * (1 + math.erf((edge - m) / (s * math.sqrt(2)))) for w, m, s in zip(WEIGHTS, MEANS, DEVIATIONS, strict=True))
        for edge in EDGES
    ]
    return np.diff([0.0, *cdf[1:-1], 1.0])


@torch.no_grad()
def made(gan: GAN, n: int = LATENTS) -> Floats:
    """What the generator makes of evenly spread latents, (n,), in the data's units: chance has no part in it."""
    z = (2 * (torch.arange(n) + 0.5) / n - 1)[:, None]
    return gan.scaling.decode(gan.generator(z)).double().numpy()[:, 0]


def histogram(x: Floats) -> Floats:
    """The share of samples in each bin."""
    counts = np.histogram(x.clip(EDGES[0], EDGES[-1]), EDGES)[0]
    return np.asarray(counts / len(x), np.float64)


@torch.no_grad()
def says(gan: GAN) -> Floats:
    """D at the middle of each bin: a probability."""
    middle = torch.tensor((EDGES[1:] + EDGES[:-1]) / 2, dtype=torch.float32)[:, None]
    score: Tensor = gan.discriminator(gan.scaling.encode(middle), None).score
    return score.double().sigmoid().numpy()


def jensen_shannon(p: Floats, q: Floats) -> float:
    """In nats; p and q (K,) are probabilities."""
    m = np.maximum((p + q) / 2, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(each > 0, each * np.log(each / m), 0.0) for each in (p, q)]
    return float(sum(terms).sum() / 2)  # type: ignore[union-attr]


class Look(NamedTuple):
    """Both players at one moment, as the theory looks at them."""

    js: float  # between data and generator
    value: float  # V(D, G)
    half: float  # how far D is from 1/2, weighed by data and samples alike
    gap: float  # how far D is from p / (p + q), likewise


def look(d: Floats, p: Floats, q: Floats) -> Look:
    """Of D's probabilities d in each bin. Source: goodfellow2014gan, equation 1, proposition 1."""
    weight, best = (p + q) / 2, p / np.maximum(p + q, 1e-300)
    value = float(p @ np.log(d.clip(1e-12)) + q @ np.log((1 - d).clip(1e-12)))
    return Look(jensen_shannon(p, q), value, float(weight @ np.abs(d - 0.5)), float(weight @ np.abs(d - best)))


def sharpened(gan: GAN, data: Dataset, steps: int) -> GAN:
    """A copy whose discriminator has been trained further against the generator as it is: the inner loop of algorithm 1."""
    theirs = build(recipe(steps), data.shape)
    for name, module in theirs.modules().items():
        module.load_state_dict(gan.modules()[name].state_dict())
    batches = Batches(data.part("train"), data.labels[data.split.train], theirs, seed=1)
    for update in range(steps):
        play(theirs, "discriminator", next(batches), theirs.generator.draw(batches.size, theirs.device), update)
        move(theirs, "discriminator", update)
    return theirs


# on atoms, where everything is exact


def scored(r: Tensor, f: Tensor) -> Pass:
    """A pass of which only the scores are known."""
    return Pass(0, nn.Identity(), Output, r, f, f, None, Output(r), Output(f))


def atoms(q: Tensor, of: Tensor) -> Tensor:
    """Scores of a batch of ten in which each atom comes in proportion to its probability."""
    return of.repeat_interleave((10 * q).round().long())


def optimum(loss: Objective, p: Tensor, q: Tensor, start: float = 0.0) -> tuple[Tensor, float]:
    """The best scores of the atoms, and the discriminator's loss there: by the library's own loss."""
    v = torch.full_like(p, start, requires_grad=True)
    optimizer = torch.optim.LBFGS([v], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss.discriminator(scored(atoms(p, v), atoms(q, v)))
        torch.autograd.backward(value)
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return v.detach(), float(closure().detach())


def theorems(stride: int = 1) -> dict[str, float]:
    """The largest error of proposition 1 and of theorem 1 over pairs of distributions on three atoms, and the least value.

    Source: goodfellow2014gan, equations 2, 4 and 6.
    """
    tenths = [(a, b, 10 - a - b) for a in range(1, 9) for b in range(1, 10 - a)][::stride]
    p = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    best, value, least = 0.0, 0.0, math.inf
    for each in tenths:
        q = torch.tensor(each, dtype=torch.float64) / 10
        scores, loss = optimum(minimax(), p, q)
        best = max(best, float((scores.sigmoid() - p / (p + q)).abs().max()))
        value = max(value, abs(-loss + math.log(4) - 2 * jensen_shannon(p.numpy(), q.numpy())))
        least = min(least, -loss)
    return {"proposition_1": best, "theorem_1": value, "least": least, "pairs": len(tenths)}


def slopes(data: Dataset, marks: Sequence[int], seed: int = 0) -> list[dict[str, float]]:
    """The generator's gradient by both losses, while the discriminator alone is trained against the first generator.

    Source: goodfellow2014gan, section 3: early on log(1 - D(G(z))) saturates and log D(G(z)) does not.
    """
    gans = [build(recipe(max(marks), loss), data.shape, seed=seed) for loss in ("minimax", "non-saturating")]
    torch.manual_seed(seed)
    batches = Batches(data.part("train"), data.labels[data.split.train], gans[0], seed)
    for gan in gans:
        gan.fit(batches.values, batches.labels)
    found: list[dict[str, float]] = []
    for update in range(max(marks) + 1):
        batch, z = next(batches), gans[0].generator.draw(batches.size, gans[0].device)
        if update in marks:
            gans[1].discriminator.load_state_dict(gans[0].discriminator.state_dict())
            norms = [_norm(gan, batch, z, update) for gan in gans]
            with torch.no_grad():
                doubt = float(gans[0].discriminator(gans[0].generator(z), None).score.sigmoid().mean())
            found.append({"update": update, "minimax": norms[0], "non_saturating": norms[1], "says": doubt})
        play(gans[0], "discriminator", batch, z, update)
        move(gans[0], "discriminator", update)
    return found


def _norm(gan: GAN, batch: tuple[Tensor, Tensor], z: Tensor, update: int) -> float:
    """Of the generator's gradient; it does not move."""
    play(gan, "generator", batch, z, update)
    weights = list(gan.generator.parameters())
    norm = float(nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None]))
    for weight in weights:
        weight.grad = None
    return norm


def cells(experiment: str, scale: Scale) -> list[Cell]:
    runs = [Cell(f"seed-{seed}", {"seed": seed, "steps": STEPS[scale], "equal": False}) for seed in range(SEEDS[scale])]
    equal = [] if scale == "sample" else [Cell("equal-rates", {"seed": 0, "steps": STEPS[scale], "equal": True})]
    return [Cell("theorems"), Cell("slopes"), *runs, *equal]


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    if cell.name == "theorems":
        return dict(theorems(6 if work.scale == "sample" else 1))
    data = mixture()
    if cell.name == "slopes":
        return {"slopes": slopes(data, (0, 10, 30) if work.scale == "sample" else (0, 10, 30, 100, 300, 1000))}
    steps, seed, equal = int(cell.options["steps"]), int(cell.options["seed"]), bool(cell.options["equal"])
    every, frame = max(1, steps // 200), steps // FRAMES[work.scale]
    stages = {max(every, round(share * steps)) for share in STAGES}

    def look_on(gan: GAN, record: Record) -> Mapping[str, Any]:
        return seen(gan, data, INNER[work.scale] if record.step in stages else 0)

    marks = sorted({*stages, *range(every, frame, every), *range(frame, steps + 1, frame)})
    curve = training.run(
        recipe(steps, equal=equal), data, folder, work, steps=steps, marks=marks, measure=look_on, seed=seed, every=every
    )
    whole = [{key: value for key, value in point.items() if key != "frame"} for point in curve]
    shown = [point for point in curve if point["step"] in stages] if not seed else []
    return {**whole[-1], "equal": equal, "curve": whole, "stages": shown, "cpu_seconds": round(whole[-1]["seconds"], 1)}


def seen(gan: GAN, data: Dataset, steps: int) -> Mapping[str, Any]:
    """A point of the curve: the moment, and what D says when ``steps`` have trained it to its best against this generator."""
    p, x = shares(), made(gan)
    q, d = histogram(x), says(gan)
    found: dict[str, Any] = look(d, p, q)._asdict()
    if steps:
        best = look(says(sharpened(gan, data, steps)), p, q)
        found |= {"best_gap": best.gap, "best_value": best.value}
    arrows = made(gan, 21)
    return found | {"frame": {"d": d.round(3).tolist(), "q": q.round(5).tolist(), "arrows": arrows.round(3).tolist()}}


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    exact = next((row for row in rows if "theorem_1" in row), None)
    runs = [row for row in rows if row.get("equal") is False]
    ours = []
    if runs:
        ours.append(figure("Jensen-Shannon divergence at the end, nats", [row["js"] for row in runs], "at most log 2 = .693"))
        ours.append(figure("C(G) at the end", [2 * row["js"] - math.log(4) for row in runs], "least: -log 4 = -1.3863"))
        ours.append(figure("mean distance of D from 1/2 at the end", [row["half"] for row in runs], ""))
        ours.append(figure("mean distance of D from p/(p+q), D trained on, at the end", [row["best_gap"] for row in runs], ""))
    if exact:
        ours.append(
            Figure("largest error of proposition 1 on three atoms", exact["proposition_1"], note=f"{exact['pairs']} pairs")
        )
        ours.append(Figure("largest error of theorem 1's value there, nats", exact["theorem_1"]))
    because = f"JS falls from {_mean(runs, 'js', 0):.3f} to {_mean(runs, 'js', -1):.3f} nats"
    because += f" and D ends {_mean(runs, 'half', -1):.3f} from 1/2"
    return Conclusion(ours, judge(exact, runs, scale), because, notes(rows))


def figure(what: str, numbers: Sequence[float], note: str) -> Figure:
    """The mean over seeds with Student's interval."""
    middle = mean(numbers)
    if len(numbers) < 2:
        return Figure(what, middle, note=note)
    half = t_quantile(0.05, len(numbers) - 1) * stdev(numbers) / math.sqrt(len(numbers))
    return Figure(what, middle, middle - half, middle + half, len(numbers), note)


def _mean(runs: Sequence[Row], key: str, place: int) -> float:
    return mean(run["curve"][place][key] for run in runs) if runs else math.nan


def judge(exact: Row | None, runs: Sequence[Row], scale: Scale) -> Verdict:
    """Reproduced where the theorems hold on atoms within 1e-6 and every run ends with JS below .02 and D within .05 of 1/2.

    Close where the theorems hold and JS falls to a fifth.
    """
    if scale == "sample" or exact is None or not runs:
        return "unjudged"
    proved = max(exact["proposition_1"], exact["theorem_1"], -math.log(4) - exact["least"]) < 1e-6
    if proved and all(run["js"] < 0.02 and run["half"] < 0.05 for run in runs):
        return "reproduced"
    return "close" if proved and all(run["js"] < run["curve"][0]["js"] / 5 for run in runs) else "not reproduced"


def notes(rows: Sequence[Row]) -> list[str]:
    found = [
        "histograms of 160 bins; the generator's by 100,000 evenly spread latents, the data's exactly",
        "the rates of the two players were chosen on trial runs with seed 0 of this mixture: there is no test set to tune on",
    ]
    for row in rows:
        if row.get("equal") is False:
            found += [_stage(point) for point in row["stages"]]
        if row.get("equal"):
            found.append(
                f"with equal rates D ends {row['half']:.3f} from 1/2 and V at {row['value']:.3f}, but JS is {row['js']:.3f}: a D "
                f"that does not follow G says 1/2 whatever G does; trained on, it is {row['best_gap']:.3f} from p/(p+q)"
            )
        if "slopes" in row:
            a, z = row["slopes"][0], row["slopes"][-1]
            found.append(
                f"early on, while D alone is trained for {z['update']} steps and D(G(z)) falls from {a['says']:.2f} to "
                f"{z['says']:.3f}, G's gradient goes from {a['minimax']:.2g} to {z['minimax']:.2g} by minimax and from "
                f"{a['non_saturating']:.2g} to {z['non_saturating']:.2g} by the non-saturating loss"
            )
    return found


def _stage(point: Row) -> str:
    reached = (
        f"step {point['step']:,}: D trained on reaches V = {point['best_value']:.3f} and is {point['best_gap']:.3f} from p/(p+q)"
    )
    return f"{reached}; -log 4 + 2 JS = {2 * point['js'] - math.log(4):.3f}"


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """Figure 1 as a strip and in motion, JS and D over the training, and the two gradients."""
    theory_pictures.strip([row for row in rows if row.get("stages") and not row["equal"]], shares(), EDGES, out)
    theory_pictures.curves(rows, out)
    theory_pictures.motion(out / "work" / "seed-0" / "curve.jsonl", shares(), EDGES, out)
