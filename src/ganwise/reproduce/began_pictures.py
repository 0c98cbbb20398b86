"""Pictures of BEGAN's experiments: samples by gamma, how they came about, the controller's curves, and what breaks it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganwise import pictures
from ganwise.artifacts import write_bytes
from ganwise.reproduce.began_words import alive, dial_of, settled
from ganwise.reproduce.plots import panels, save
from ganwise.reproduce.work import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOMENTS = 8
"""Rows of the picture that follows a run."""


def keep(path: Path, images: np.ndarray) -> None:
    """Images as an array file, for a picture made later."""
    buffer = io.BytesIO()
    np.save(buffer, images)
    write_bytes(path, buffer.getvalue())


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """As far as the runs have come."""
    dial = dial_of(rows)
    breaks = [row for row in rows if row["options"]["part"] != "dial"]
    if dial:
        _samples(dial, out)
        _curves(dial, "BEGAN by gamma", out / "curves.png", _gamma)
        _moments(dial, out)
        _strips(dial, out)
    if breaks:
        shown = [*(_cut(row, breaks[0]["step"]) for row in dial if row["options"]["loss.gamma"] == 0.5), *breaks]
        _gallery([(_named(row), last(out, row)[:25]) for row in shown], out / "breaks.png")
        _curves(shown, "what is changed, gamma .5", out / "breaks-curves.png", lambda row: _named(row).split("\n")[0])


def _cut(row: Row, step: int) -> Row:
    """A run as it was at its last mark up to a step."""
    curve = [point for point in row["curve"] if point["step"] <= step] or row["curve"][:1]
    return {**row, **curve[-1], "curve": curve, "trace": [point for point in row["trace"] if point["step"] <= step]}


def last(out: Path, row: Row) -> np.ndarray:
    """The samples that a run kept at its last mark."""
    found: np.ndarray = np.load(_folder(out, row) / "samples" / f"{row['step']:07d}.npy")
    return found


def _folder(out: Path, row: Row) -> Path:
    return out / "work" / str(row["cell"])


def _gamma(row: Row) -> str:
    return f"gamma {row['options']['loss.gamma']}"


def _named(row: Row) -> str:
    name = "balanced" if row["options"]["part"] == "dial" else row["cell"]
    return f"{name}\n{row['step']:,} steps, diversity {row['diversity']:.2f}"


def _show(panel: Axes, images: np.ndarray, title: str, columns: int) -> None:
    panel.imshow(np.asarray(pictures.grid(images, columns)), interpolation="nearest")
    panel.set_title(title)
    panel.axis("off")


def _gallery(named: Sequence[tuple[str, np.ndarray]], file: Path, columns: int = 3) -> None:
    """A panel of samples for each name."""
    rows = -(-len(named) // columns)
    figure, axes = panels(rows, columns, width=3.1, height=3.9)
    for panel in axes:
        panel.axis("off")
    for panel, (title, images) in zip(axes, named, strict=False):
        _show(panel, images, title, int(np.sqrt(len(images))))
    save(figure, file)


def _samples(dial: Sequence[Row], out: Path) -> None:
    named = [(f"{_gamma(row)}: diversity {settled(row, 'diversity'):.2f}", last(out, row)[:36]) for row in dial]
    real = np.load(_folder(out, dial[0]) / "real.npy")[:36]
    _gallery([*named, ("training images", real)], out / "samples.png", columns=4)


def _curves(rows: Sequence[Row], title: str, file: Path, name: Callable[[Row], str]) -> None:
    """M_global, k, the ratio of errors and the diversity over the steps."""
    figure, axes = panels(2, 2)
    for row in rows:
        steps = [point["step"] for point in row["trace"]]
        for panel, what in zip(axes, ("m_global", "k", "ratio"), strict=False):
            panel.plot(steps, [point[what] for point in row["trace"]], label=name(row), linewidth=1.2)
        points = [(point["step"], point["diversity"]) for point in row["curve"]]
        axes[3].plot(*zip(*points, strict=True), linewidth=1.2, marker=".")
    for gamma in {row["options"]["loss.gamma"] for row in rows if "loss.gamma" in row["options"]}:
        axes[2].axhline(gamma, color="#888", linewidth=0.7, linestyle=":")
    axes[3].axhline(1, color="#888", linewidth=0.7, linestyle=":")
    axes[0].set(title=f"M_global: {title}", ylim=(0, None))
    axes[1].set(title="controller k")
    axes[2].set(title="E A(G(z)) / E A(x); dotted: gamma", ylim=(0, 1.6))
    axes[3].set(title="diversity of samples (real: 1)", ylim=(0, None))
    for panel in axes:
        panel.set_xlabel("steps of 16 images")
    axes[0].legend(fontsize=7)
    save(figure, file)


def _moments(dial: Sequence[Row], out: Path) -> None:
    """The same eight latents over time, for each gamma."""
    figure, axes = panels(1, len(dial), width=3.6, height=3.7)
    for panel, row in zip(axes, dial, strict=True):
        steps = [point["step"] for point in row["curve"]]
        chosen = sorted({steps[round(i)] for i in np.linspace(0, len(steps) - 1, MOMENTS)})
        images = [np.load(_folder(out, row) / "samples" / f"{step:07d}.npy")[:8] for step in chosen]
        _show(panel, np.concatenate(images), _gamma(row), 8)
        panel.axis("on")
        panel.grid(False)
        tile = panel.get_images()[0].get_array().shape[0] / len(chosen)  # type: ignore[union-attr]
        panel.set(xticks=[], yticks=[(i + 0.5) * tile for i in range(len(chosen))], yticklabels=[f"{step:,}" for step in chosen])
    axes[0].set_ylabel("step")
    save(figure, out / "opening.png")


def _strips(dial: Sequence[Row], out: Path) -> None:
    """From a real image over its inversion to another's, and to it: first an image and its mirror image."""
    figure, axes = panels(len(dial), 1, width=7, height=2.4)
    for panel, row in zip(axes, dial, strict=True):
        strips = np.load(_folder(out, row) / "strips.npy")
        title = f"{_gamma(row)}: test images at both ends, G between their latents"
        _show(panel, strips.reshape(-1, *strips.shape[2:]), title, strips.shape[1])
    save(figure, out / "interpolation.png")


def _setting(row: Row) -> str:
    return f"{row['setting']}, seed {row['options']['seed']}" if "setting" in row else str(row["cell"])


def draw_mnist(rows: Sequence[Row], out: Path) -> None:
    """Samples of every setting and of what was chosen, and the chosen runs' curves."""
    long = [row for row in rows if row["options"]["part"] in ("chosen", "second", "control")]
    search = sorted((row for row in rows if row["options"]["part"] == "search"), key=lambda row: row["kid"])

    def named(row: Row) -> tuple[str, np.ndarray]:
        state = f"{'alive' if alive(row) else 'failed'}, {row['step']:,} steps, KID {row['kid']:.0f}"
        return f"{_setting(row)}\n{state}", np.load(_folder(out, row) / "last.npy")[:25]

    if search:
        _gallery([named(row) for row in search], out / "search.png", columns=4)
        _curves(search, "the search", out / "search-curves.png", lambda row: str(row["cell"]))
    if long:
        _gallery([named(row) for row in long], out / "chosen.png", columns=3)
        _curves(long, "MNIST", out / "chosen-curves.png", _setting)
