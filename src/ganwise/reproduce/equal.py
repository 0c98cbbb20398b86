"""Are GANs created equal? Seven losses, one architecture, one budget, five seeds, on MNIST, beside the large study's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ganwise import catalog, pictures
from ganwise.build import GAN
from ganwise.data import Dataset
from ganwise.features import Floats, ImageFeatures
from ganwise.metrics import frechet_distance, kid, precision_recall_density_coverage
from ganwise.model import Model
from ganwise.recipe import Choice, Recipe, change
from ganwise.reproduce import sets, training
from ganwise.reproduce.plots import panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Row, Scale, Verdict, Work
from ganwise.study import statistics
from ganwise.types import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Rival(NamedTuple):
    """A GAN of the study: its name there, and its best FID on MNIST with the deviation over runs."""

    label: str
    fid: float
    sd: float


RIVALS: Mapping[str, Rival] = {
    "gan-minimax": Rival("MM GAN", 9.8, 0.9),
    "gan": Rival("NS GAN", 6.8, 0.5),
    "lsgan": Rival("LSGAN", 7.8, 0.6),
    "wgan": Rival("WGAN", 6.7, 0.4),
    "wgan-gp": Rival("WGAN-GP", 20.3, 5.0),
    "dragan": Rival("DRAGAN", 7.6, 0.4),
    "began": Rival("BEGAN", 13.1, 1.0),
}
"""Names of the catalog. Source: lucic2018equal, second hand."""
SIDE = 14
"""Pixels: at 28 none of the seven made digits within 1,000 updates, at four times the cost."""
BATCH, WIDTH, LATENT = 64, 32, 64
AUTOENCODER_WIDTH = 8
IMAGES = {"sample": 320, "here": 96_000, "paper": 1_200_000}
"""Real images that the discriminator sees: 1,500 batches here, about 20 epochs of 60,000 in the study."""
SEEDS = {"sample": 1, "here": 5, "paper": 5}
MEASURED = 1_300
"""More than the features have dimensions."""
DRAWS = 2_000
"""Of the bootstrap over seeds."""
CLOSE = 0.5


def recipe(name: str) -> Recipe:
    """The catalog's, with the study's terms: its batch for all, raw weights, no hundred critic steps at WGAN's start.

    One architecture: DCGAN's networks without normalization in D. BEGAN's D has to be an auto-encoder.
    """
    found = change(catalog.named(name), {"schedule.batch": BATCH, "schedule.ema": 0.0, "schedule.boost.steps": 0})
    network = Choice(name="dcgan", options={"width": WIDTH, "latent": LATENT})
    if name == "began":
        network = Choice(name="autoencoder", options={"width": AUTOENCODER_WIDTH, "latent": LATENT})
    return found.model_copy(update={"architecture": network})


def steps(made: Recipe, images: int) -> int:
    """Generator updates within which the discriminator sees so many real images."""
    return images // (made.schedule.batch * made.schedule.discriminator_steps)


def cells(experiment: str, scale: Scale) -> list[Cell]:
    runs = [(name, seed) for seed in range(SEEDS[scale]) for name in RIVALS]  # a run cut short has all GANs, with fewer seeds
    return [
        Cell("train-images", {"yardstick": True}),
        *(Cell(f"{name}-{seed}", {"gan": name, "seed": seed, "images": IMAGES[scale]}) for name, seed in runs),
    ]


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    side = 28 if work.scale == "paper" else SIDE
    data = sets.small_mnist(side) if work.scale == "sample" else sets.mnist_of_2014(work.wanted, side)
    n = 50 if work.scale == "sample" else MEASURED
    if "yardstick" in cell.options:
        return scored(data, data.part("train")[np.random.default_rng(0).permutation(len(data.split.train))[:n]])
    made, seed = recipe(str(cell.options["gan"])), int(cell.options["seed"])

    def look(gan: GAN, record: Record) -> Mapping[str, Any]:
        samples = Model(gan).sample(n, seed=1)
        np.save(folder / "samples.npy", samples[:16])
        pictures.save(pictures.grid(samples[:64]), folder / "samples.png")
        return scored(data, samples) | {"images": record.images}

    end = steps(made, int(cell.options["images"]))
    curve = training.run(made, data, folder, work, steps=end, marks=(), measure=look, seed=seed)
    return {**curve[-1], "gan": cell.options["gan"], "seed": seed}


def scored(data: Dataset, samples: np.ndarray) -> Row:
    """Against as many test images, the same for all."""
    test = data.part("test")
    real = test[np.random.default_rng(0).permutation(len(test))[: len(samples)]]
    x, y = _features(real.tobytes(), real.shape), ImageFeatures()(samples)
    distance = kid(x, y)
    row = {"n": len(samples), "kid": distance.value, "kid_half": (distance.high - distance.low) / 2}
    near = precision_recall_density_coverage(x, y)
    return row | {"fid": frechet_distance(x, y).value, "coverage": near.coverage.value, "precision": near.precision.value}


@lru_cache(maxsize=1)
def _features(pixels: bytes, shape: tuple[int, ...]) -> Floats:
    """Of the real images, which are the same for all cells of a run."""
    return ImageFeatures()(np.frombuffer(pixels, np.uint8).reshape(shape))


def scores(rows: Sequence[Row], metric: str) -> dict[str, list[float]]:
    """A metric of each GAN over its seeds, for the GANs that have any."""
    found = {name: [row[metric] for row in rows if row.get("gan") == name] for name in RIVALS}
    return {name: values for name, values in found.items() if values}


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's, along the last axis: Pearson's of the ranks, where equal numbers share their mean; 0 where all are equal."""
    x, y = (each - each.mean(-1, keepdims=True) for each in (_ranks(a), _ranks(b)))
    lengths = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return np.asarray((x * y).sum(-1) / np.where(lengths > 0, lengths, 1.0))


def _ranks(values: np.ndarray) -> np.ndarray:
    """From 1, the least, along the last axis."""
    mine, others = values[..., :, None], values[..., None, :]
    return np.asarray((mine > others).sum(-1) + ((mine == others).sum(-1) + 1) / 2)


class Order(NamedTuple):
    """How far our order agrees with the study's, and the place of each GAN; 95 % intervals over seeds."""

    correlation: float
    low: float
    high: float
    ranks: Mapping[str, tuple[float, float]]


def order(values: Mapping[str, Sequence[float]], noise: float, draws: int = DRAWS) -> Order:
    """Our means of log(score + noise) against the study's FIDs. The bootstrap draws seeds, and the study's means by their sd."""
    rng, names = np.random.default_rng(0), list(values)
    logs = [np.log(np.maximum(np.asarray(values[name]), 0) + noise) for name in names]
    published, spread = np.array([RIVALS[name].fid for name in names]), np.array([RIVALS[name].sd for name in names])
    drawn = np.stack([rng.choice(each, (draws, len(each))).mean(1) for each in logs], 1)
    theirs = rng.normal(published, spread, drawn.shape)
    low, high = np.quantile(correlation(drawn, theirs), (0.025, 0.975))
    places = np.quantile(_ranks(drawn), (0.025, 0.975), axis=0)
    ranks = {name: (float(places[0, i]), float(places[1, i])) for i, name in enumerate(names)}
    value = correlation(np.array([each.mean() for each in logs]), published)
    return Order(float(value), float(low), float(high), ranks)


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    kids, fids = scores(rows, "kid"), scores(rows, "fid")
    if len(kids) < 3:
        return Conclusion((), "unjudged", "an order needs three GANs or more")
    noise = float(np.median([row["kid_half"] for row in rows]))
    standings = statistics.rank(kids, True, noise)
    by_kid, by_fid = order(kids, noise), order(fids, 0.0)
    seeds = min(len(each) for each in kids.values())
    ours = [
        Figure(
            "Spearman's correlation of our order by FID with the study's",
            by_fid.correlation,
            by_fid.low,
            by_fid.high,
            seeds,
            "1 is the same order",
        ),
        Figure("the same of our order by KID", by_kid.correlation, by_kid.low, by_kid.high, seeds),
    ]
    for place in standings:
        low, high = by_kid.ranks[place.name]
        tied = ", ".join(RIVALS[name].label for name in place.tied_with) or "none"
        note = f"rank {place.rank} ({low:g} to {high:g}), tied with {tied}; {_beside(rows, place.name)}"
        bounds = [None if bound is None else 1000 * bound for bound in (place.low, place.high)]
        what, count = f"KID x1000 of {RIVALS[place.name].label}", len(kids[place.name])
        ours.append(Figure(what, 1000 * place.mean, bounds[0], bounds[1], count, note))
    return Conclusion(ours, judge(by_fid, scale), _because(by_fid, standings), _notes(rows))


def judge(found: Order, scale: Scale) -> Verdict:
    """By FID, which both tables have: reproduced where the correlation is above 0 with its whole interval, close from .5 on."""
    if scale == "sample":
        return "unjudged"
    if found.low > 0:
        return "reproduced"
    return "close" if found.correlation >= CLOSE else "not reproduced"


def _beside(rows: Sequence[Row], name: str) -> str:
    mine = [row for row in rows if row.get("gan") == name]
    fid, coverage = (np.mean([row[metric] for row in mine]) for metric in ("fid", "coverage"))
    seconds, rival = np.mean([row["seconds"] for row in mine]), RIVALS[name]
    said = f"FID {fid:.1f}, coverage {coverage:.2f}, {mine[0]['step']} updates of G, {seconds:.0f} CPU seconds"
    return f"{said}; published FID {rival.fid:g} ± {rival.sd:g}"


def _because(found: Order, standings: Sequence[statistics.Standing]) -> str:
    said = f"the orders correlate by {found.correlation:.2f} ({found.low:.2f} to {found.high:.2f})"
    plain = next((place for place in standings if place.name == "gan"), None)
    if plain is None:
        return said
    better = [RIVALS[p.name].label for p in standings if p.rank < plain.rank and p.name not in plain.tied_with]
    worse = [RIVALS[p.name].label for p in standings if p.rank > plain.rank and p.name not in plain.tied_with]
    return (
        f"{said}; by KID {', '.join(better) or 'none'} {'are' if len(better) > 1 else 'is'} reliably better than NS GAN, "
        f"{', '.join(worse) or 'none'} reliably worse (Holm, 5 %)"
    )


def _notes(rows: Sequence[Row]) -> list[str]:
    images = max(row.get("images", 0) for row in rows)
    notes = [
        f"the budget is the same number of real images in the discriminator, {images:,}, as in the study, where it is about 1.2 "
        "million (20 epochs) [mem, unverified]: a count that every machine repeats; the cost in CPU seconds stands beside each",
        "hyper-parameters are the catalog's, each from its own paper, untuned; the study reports the best of a large search, so "
        "that orders are compared and not values; features are EfficientNet's, not Inception's",
        "batch 64, raw weights and no boost of WGAN's critic, as in the study; WGAN and WGAN-GP move G once in five updates "
        "of D, and so have a fifth of the others' generator updates",
        f"MNIST reduced to {SIDE} x {SIDE} pixels, at which NS GAN makes digits within the budget (one seed was looked at)",
        f"one architecture: DCGAN's networks, width {WIDTH}, {LATENT} latents, no normalization in D; BEGAN's D has to be an "
        f"auto-encoder, so that it has BEGAN's networks, width {AUTOENCODER_WIDTH}",
        "MM GAN and NS GAN move both players at once on shared latents, as the 2014 code does",
    ]
    real = next((row for row in rows if "gan" not in row), None)
    if real:
        said = f"KID x1000 {1000 * real['kid']:.2f}, FID {real['fid']:.2f}, coverage {real['coverage']:.2f}"
        notes.append(f"training images in the samples' place: {said} (efficientnet-lite0@96, n = {real['n']})")
    return notes


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """Scores of every seed, our order beside the study's, and samples of each GAN's first seed."""
    kids, fids = scores(rows, "kid"), scores(rows, "fid")
    if not kids:
        return
    names = sorted(kids, key=lambda name: float(np.mean(kids[name])))
    figure, (left, right) = panels(columns=2, width=5, height=3.8)
    for place, name in enumerate(names):
        values = 1000 * np.array(kids[name])
        left.plot(values, [place] * len(values), ".", color="#26468c")
        left.plot(values.mean(), place, "|", markersize=16, color="#c2571a")
    left.set_yticks(range(len(names)), [RIVALS[name].label for name in names])
    left.invert_yaxis()
    left.set(title="each seed, and the mean", xlabel="KID x 1000, EfficientNet features", xscale="log")
    _draw_orders(right, fids)
    save(figure, out / "scores.png")
    _draw_samples(names, out)


def _draw_orders(panel: Axes, fids: Mapping[str, Sequence[float]]) -> None:
    """The study's order by FID on the left, ours on the right, the best above."""
    names = list(fids)
    theirs, ours = [RIVALS[name].fid for name in names], [float(np.mean(fids[name])) for name in names]
    for name, before, after, left, right in zip(
        names, _ranks(np.array(theirs)), _ranks(np.array(ours)), theirs, ours, strict=True
    ):
        panel.plot([0, 1], [before, after], "o-", linewidth=1)
        panel.annotate(
            f"{RIVALS[name].label}  {left:.1f}", (0, before), (-8, 0), textcoords="offset points", ha="right", va="center"
        )
        panel.annotate(f"{right:.1f}  {RIVALS[name].label}", (1, after), (8, 0), textcoords="offset points", va="center")
    panel.invert_yaxis()
    panel.set(title="order by FID: the study's, tuned, and ours", xlim=(-0.75, 1.75), xticks=[], yticks=[])
    for side in panel.spines.values():
        side.set_visible(False)
    panel.grid(False)


def _draw_samples(names: Sequence[str], out: Path) -> None:
    kept = {name: out / "work" / f"{name}-0" / "samples.npy" for name in names}
    shown = [name for name in names if kept[name].is_file()]
    if not shown:
        return
    figure, axes = panels(len(shown), width=8, height=0.62)
    for name, panel in zip(shown, axes, strict=True):
        panel.imshow(np.concatenate(list(np.load(kept[name])[..., 0]), 1), cmap="gray", vmin=0, vmax=255)
        panel.set(xticks=[], yticks=[])
        panel.grid(False)
        panel.set_ylabel(RIVALS[name].label, rotation=0, ha="right", va="center")
    save(figure, out / "samples.png")
