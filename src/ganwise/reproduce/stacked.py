"""StackedMNIST: three digits as the color channels of one image, 1,000 modes. R3GAN's loss with and without its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch as safetensors
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ganwise import catalog, pictures
from ganwise.build import GAN
from ganwise.data import Dataset, Split, content_hash
from ganwise.metrics.modes import mode_coverage
from ganwise.model import Model
from ganwise.recipe import Choice, Recipe, change
from ganwise.reproduce import sets, training
from ganwise.reproduce.plots import COLORS, panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Row, Scale, Verdict, Work
from ganwise.study.tails import t_quantile
from ganwise.types import Record

MODES = 1_000


class Arm(NamedTuple):
    """One loss of the ablation, and what was published of it; None where it fails."""

    label: str
    relativistic: bool
    r2: bool
    modes: int | None
    kl: float | None


ARMS: Mapping[str, Arm] = {
    "rp-r1-r2": Arm("RpGAN + R1 + R2", True, True, 1000, 0.0781),
    "gan-r1-r2": Arm("GAN + R1 + R2", False, True, 693, 0.9270),
    "rp-r1": Arm("RpGAN + R1", True, False, None, None),
    "gan-r1": Arm("GAN + R1", False, False, None, None),
}
"""Source: huang2024r3gan, its ablation on StackedMNIST, second hand."""
SIDE = 14
BATCH, WIDTH, LATENT, RATE = 64, 32, 64, 1e-3
STEPS = {"sample": 20, "here": 3_200, "paper": 19_540}
"""Generator updates: the paper's 10 million images in its batches of 512 are as many as ``paper``."""
EVERY = 20
"""Steps between records: the curve is measured at multiples of it."""
SEEDS = {"sample": 1, "here": 3, "paper": 3}
BURN_IN, HALF_LIFE = 0.2, 0.05
"""Of the training, as published: gamma and beta2 move over 2 million of 10 million images; the average's half-life is .5."""
COUNTED, GLANCED = 26_000, 10_000
"""Samples that are counted at the end, and along the way."""
ALL, FAILED = 990, 500
"""All modes are found from here on; a loss fails with fewer than half of them. The text defines neither."""


def recipe(arm: str, scale: Scale) -> Recipe:
    """R3GAN's, with its StackedMNIST schedules in shares of the training, on small networks without normalization.

    The learning rate is that of the catalog's r1gan, which was found on small data: the paper's 2e-4 is for 40 times the images.
    """
    steps, batch = STEPS[scale], 512 if scale == "paper" else BATCH
    burn, rate = max(1, int(BURN_IN * steps)), 2e-4 if scale == "paper" else RATE
    changes: dict[str, Any] = {
        "schedule.batch": batch,
        "schedule.ema_half_life": f"0 -> {HALF_LIFE * steps * batch:g} cosine {burn}",
    }
    for player in ("discriminator", "generator"):
        changes[f"schedule.{player}.learning_rate"] = rate
        changes[f"schedule.{player}.beta2"] = f"0.9 -> 0.99 cosine {burn}"
    for name in ("r1", "r2"):
        changes[f"regularizers.{name}.gamma"] = f"1 -> 0.1 cosine {burn}"
    if not ARMS[arm].r2:
        del changes["regularizers.r2.gamma"]
        changes["regularizers.r2"] = False
    if not ARMS[arm].relativistic:
        changes["loss.name"] = "non-saturating"
    network = Choice(name="dcgan", options={"width": WIDTH, "latent": LATENT, "generator_norm": "none"})
    if scale == "paper":
        network = Choice(name="r3gan", options={"width": 768, "full_side": 32, "blocks": 2})
    return change(catalog.named("r3gan"), changes).model_copy(update={"architecture": network})


def stacked(data: Dataset) -> Dataset:
    """Triples of the training digits, as many as there are digits; nothing of the other parts."""
    values = _triples(data.part("train"), np.random.default_rng(0))
    none = np.empty(0, np.int64)
    split, unknown = Split(np.arange(len(values)), none, none), np.full(len(values), -1)
    content = content_hash(values, unknown, split)
    return replace(data, name="stacked", values=values, labels=unknown, classes=(), split=split, content=content)


def _triples(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images (N, H, W, 3) of digits (N, H, W, 1): each digit once a channel."""
    return np.concatenate([digits[rng.permutation(len(digits))] for _ in range(3)], axis=3)


def classifier(side: int) -> nn.Sequential:
    """Logits (N, 10) of digits (N, 1, side, side) in [0, 1]."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 16), (16, 32)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 128), nn.ReLU(), nn.Linear(128, 10))


def reader(data: Dataset, file: Path, images: int) -> nn.Sequential:
    """The classifier of the run, trained once on so many training digits and kept in ``file``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = classifier(data.shape[1])
        if file.is_file():
            network.load_state_dict(safetensors.load_file(file))
            return network.eval()
        x, y = torch.from_numpy(data.part("train")), torch.from_numpy(data.labels[data.split.train])
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        order = torch.cat([torch.randperm(len(x)) for _ in range(-(-images // len(x)))])[:images]
        for rows in torch.split(order, 128):
            optimizer.zero_grad()
            cross_entropy(network(_inputs(x[rows])), y[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    file.parent.mkdir(parents=True, exist_ok=True)
    safetensors.save_file(network.state_dict(), file)
    return network.eval()


def _inputs(digits: torch.Tensor) -> torch.Tensor:
    return digits.permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def read(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Modes (N,) from 0 to 999 of images (N, H, W, 3): hundreds from the first channel, ones from the last."""
    mode = np.zeros(len(images), np.int64)
    for channel in range(3):
        digits = torch.from_numpy(np.ascontiguousarray(images[..., channel : channel + 1]))
        named = torch.cat([network(_inputs(part)).argmax(1) for part in torch.split(digits, 1_000)])
        mode = 10 * mode + named.numpy()
    return mode


def counted(modes: np.ndarray) -> Row:
    """Modes found and their divergence from the uniform shares, each with its interval."""
    found = mode_coverage(np.stack([modes, np.ones_like(modes)], 1), np.full(MODES, 1 / MODES))
    return {
        "n": len(modes),
        **{name: getattr(found, field).value for name, field in (("modes", "modes"), ("kl", "mode_kl"))},
        **{f"{name}_low": getattr(found, field).low for name, field in (("modes", "modes"), ("kl", "mode_kl"))},
        **{f"{name}_high": getattr(found, field).high for name, field in (("modes", "modes"), ("kl", "mode_kl"))},
    }


def cells(experiment: str, scale: Scale) -> list[Cell]:
    runs = [
        Cell(f"{arm}-{seed}", {"arm": arm, "seed": seed, "steps": STEPS[scale]}) for seed in range(SEEDS[scale]) for arm in ARMS
    ]
    return [Cell("test-images", {"control": True}), *runs]


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    small = work.scale == "sample"
    side = 28 if work.scale == "paper" else SIDE
    data = sets.small_mnist(side) if small else sets.mnist_of_2014(work.wanted, side)
    network = reader(data, folder.parent / "classifier" / "weights.safetensors", 1_000 if small else 100_000)
    many, few = (200, 100) if small else (COUNTED, GLANCED)
    if "control" in cell.options:
        return _control(data, network, many)
    end = int(cell.options["steps"])

    def look(gan: GAN, record: Record) -> Mapping[str, Any]:
        samples = Model(gan).sample(many if record.step == end else few, seed=1)
        modes = read(network, samples)
        pictures.save(pictures.grid(samples[:64]), folder / "samples" / f"{record.step:07d}.png")
        np.save(folder / "samples.npy", samples[:16])
        glance = counted(modes[:few])
        kept = {name: record.signals[name] for name in ("loss_d", "loss_g", "grad_d", "grad_g") if name in record.signals}
        return {"glanced": {"modes": glance["modes"], "kl": glance["kl"]}, **counted(modes), **kept}

    marks = sorted({end * part // 8 // EVERY * EVERY for part in (1, 2, 4, 6)} - {0})
    arm, seed = str(cell.options["arm"]), int(cell.options["seed"])
    made = recipe(arm, work.scale)
    curve = training.run(made, stacked(data), folder, work, steps=end, marks=marks, measure=look, seed=seed, every=EVERY)
    return {**curve[-1], "curve": curve, "arm": arm, "seed": seed}


def _control(data: Dataset, network: nn.Module, n: int) -> Row:
    """How well the classifier reads single test digits, and what it counts in triples of them."""
    test, labels = data.part("test"), data.labels[data.split.test]
    with torch.no_grad():
        named = torch.cat([network(_inputs(part)).argmax(1) for part in torch.split(torch.from_numpy(test), 1_000)])
    rng, triples = np.random.default_rng(1), -(-n // len(test))
    images = np.concatenate([_triples(test, rng) for _ in range(triples)])[:n]
    return {"accuracy": float((named.numpy() == labels).mean()), **counted(read(network, images))}


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    runs = {arm: [row for row in rows if row.get("arm") == arm] for arm in ARMS}
    if not all(runs.values()):
        missing = ", ".join(ARMS[arm].label for arm, found in runs.items() if not found)
        return Conclusion((), "unjudged", f"not run yet: {missing}")
    ours = [figure for arm, found in runs.items() for figure in _figures(ARMS[arm], found)]
    claims = borne_out(runs)
    return Conclusion(ours, judge(claims, scale), "; ".join(_said(claims, runs)), _notes(rows))


def _figures(arm: Arm, rows: Sequence[Row]) -> list[Figure]:
    modes, kl = interval(rows, "modes"), interval(rows, "kl")
    theirs = f"published: {arm.modes}, {arm.kl:.4f}" if arm.kl is not None else "published: fails"
    note = f"of {rows[0]['n']:,} samples; {theirs}"
    said = (("modes of 1,000", modes), ("KL to the uniform shares, nats", kl))
    return [Figure(f"{what}: {arm.label}", *bounds, len(rows), note) for what, bounds in said]


def interval(rows: Sequence[Row], name: str) -> tuple[float, float, float]:
    """Mean with a 95 % interval: over seeds by Student's t where there are several, else of the one run's samples."""
    values = np.array([row[name] for row in rows], float)
    if len(values) == 1:
        return float(values[0]), float(rows[0][f"{name}_low"]), float(rows[0][f"{name}_high"])
    half = t_quantile(0.05, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    mean, most = float(values.mean()), float(MODES) if name == "modes" else np.inf
    return mean, max(mean - half, 0.0), min(mean + half, most)


class Claims(NamedTuple):
    """What the text says of its four losses, and whether our rows bear it out."""

    all_modes: bool  # relativistic pairs with both penalties find every mode
    pairs_cover: bool  # without pairs the divergence is larger, in every seed
    both_needed: bool  # with R1 alone both losses fail, in every seed


def borne_out(runs: Mapping[str, Sequence[Row]]) -> Claims:
    full, plain = runs["rp-r1-r2"], runs["gan-r1-r2"]
    single = [row for arm in ("rp-r1", "gan-r1") for row in runs[arm]]
    return Claims(
        all(row["modes"] >= ALL for row in full),
        max(row["kl_high"] for row in full) < min(row["kl_low"] for row in plain),
        all(row["modes"] < FAILED for row in single),
    )


def judge(claims: Claims, scale: Scale) -> Verdict:
    """Reproduced where all three claims hold, close where two do."""
    if scale == "sample":
        return "unjudged"
    return "reproduced" if all(claims) else "close" if sum(claims) == 2 else "not reproduced"


def _said(claims: Claims, runs: Mapping[str, Sequence[Row]]) -> list[str]:
    def mean(arm: str, name: str) -> float:
        return interval(runs[arm], name)[0]

    def held(claim: bool) -> str:
        return "holds" if claim else "does not hold"

    return [
        f"all modes by pairs, R1 and R2 ({ALL} or more in every seed): {held(claims.all_modes)}, {mean('rp-r1-r2', 'modes'):.0f}",
        f"pairs buy coverage (less divergence in every seed, beyond the intervals): {held(claims.pairs_cover)}, "
        f"{mean('rp-r1-r2', 'kl'):.3f} against {mean('gan-r1-r2', 'kl'):.3f}",
        f"R1 alone fails (fewer than {FAILED} modes in every seed): {held(claims.both_needed)}, "
        f"{mean('rp-r1', 'modes'):.0f} with pairs and {mean('gan-r1', 'modes'):.0f} without",
    ]


def _notes(rows: Sequence[Row]) -> list[str]:
    run = next(row for row in rows if "arm" in row)
    notes = [
        f"scaled down: DCGAN's networks without normalization, width {WIDTH}, {SIDE} pixels, {run['step']:,} updates of {BATCH} "
        f"images, learning rate {RATE:g}; the paper has batches of 512, its full run 10 million images",
        "gamma 1 -> .1, beta2 .9 -> .99 and the average's half-life are the published ones, in the same shares of the training; "
        "no gamma was searched here, where the text says that R1 alone diverges for every gamma from .1 to 100",
    ]
    for row in rows:
        counts = f"{row['modes']:.0f} modes, KL {row['kl']:.4f}"
        if "accuracy" in row:
            floor = f"{row['n']:,} triples of test digits, the floor, have {counts}"
            notes.append(f"the classifier, trained here, names {100 * row['accuracy']:.2f} % of the test digits; {floor}")
        else:
            label, seconds = f"{ARMS[row['arm']].label}, seed {row['seed']}", f"{row['seconds']:.0f} CPU seconds of training"
            notes.append(f"{label}: {counts}; {seconds}")
    return notes


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """Modes and divergence along the training, and samples of each loss."""
    runs = [row for row in rows if "arm" in row]
    if not runs:
        return
    figure, axes = panels(columns=2, width=5, height=3.6)
    colors = dict(zip(ARMS, COLORS, strict=False))
    for row in runs:
        label = ARMS[row["arm"]].label if row["seed"] == 0 else None
        steps = [point["step"] for point in row["curve"]]
        for panel, name in zip(axes, ("modes", "kl"), strict=True):
            points = [point["glanced"][name] for point in row["curve"]]
            panel.plot(steps, points, marker=".", color=colors[row["arm"]], label=label)
    few = f"of {GLANCED:,} samples" if runs[0]["n"] > GLANCED else "of few samples"
    axes[0].set(title=f"modes found, {few}", xlabel="updates of G", ylabel="modes of 1,000", ylim=(0, 1_050))
    axes[1].set(title=f"divergence from uniform, {few}", xlabel="updates of G", ylabel="KL, nats", yscale="log")
    axes[0].legend(fontsize=8)
    save(figure, out / "modes.png")
    _draw_samples(out)


def _draw_samples(out: Path) -> None:
    kept = {arm: out / "work" / f"{arm}-0" / "samples.npy" for arm in ARMS}
    shown = [arm for arm in ARMS if kept[arm].is_file()]
    figure, axes = panels(max(1, len(shown)), width=8, height=0.62)
    for arm, panel in zip(shown, axes, strict=False):
        panel.imshow(np.concatenate(list(np.load(kept[arm])), 1))
        panel.set(xticks=[], yticks=[])
        panel.grid(False)
        panel.set_ylabel(ARMS[arm].label, rotation=0, ha="right", va="center")
    save(figure, out / "samples.png")
