"""Figure 1 of 2014 on a mixture: D's curve over both densities, with the map from latents to samples below."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganwise.artifacts import rows, write_bytes
from ganwise.reproduce.plots import COLORS, panels, save
from ganwise.reproduce.work import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
REACH = (-3.6, 3.6)
TALL = 1.7


def stage(panel: Axes, point: Mapping[str, Any], p: Floats, edges: Floats) -> None:
    """One moment: data dotted, generator filled, D, the best D thin, and arrows from evenly spread latents to their samples."""
    middle, width, frame = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0], point["frame"]
    d, q = np.array(frame["d"]), np.array(frame["q"])
    panel.fill_between(middle, np.minimum(q / width, TALL), step="mid", color=COLORS[2], alpha=0.35, linewidth=0, label="p_g")
    panel.plot(middle, p / width, ":", color="black", linewidth=1.6, label="p_data")
    panel.plot(middle, d, color=COLORS[0], linewidth=1.6, label="D")
    seen = p + q > 1e-4
    panel.plot(middle[seen], (p / np.maximum(p + q, 1e-300))[seen], ".", color=COLORS[1], markersize=2, label="p/(p+q)")
    latents = np.linspace(REACH[0], REACH[1], len(frame["arrows"])) * 0.8
    for z, x in zip(latents, frame["arrows"], strict=True):
        panel.plot([z, x], [-0.5, -0.08], color="#8c8778", linewidth=0.6)
    panel.axhline(0, color="black", linewidth=0.7)
    panel.axhline(0.5, color="#bbb6a8", linewidth=0.7)
    panel.set(xlim=REACH, ylim=(-0.55, TALL), yticks=[0, 0.5, 1], title=f"step {point['step']:,}: JS {point['js']:.3f}")
    panel.set_xlabel("x, and below it evenly spread z")
    panel.grid(visible=False)


def strip(rows: Sequence[Row], p: Floats, edges: Floats, out: Path) -> None:
    """The stages of the first seed side by side."""
    for row in rows[:1]:
        figure, axes = panels(1, len(row["stages"]), width=3.0, height=3.0)
        for panel, point in zip(axes, row["stages"], strict=True):
            stage(panel, point, p, edges)
        axes[0].legend(loc="upper center", ncols=2, fontsize=7)
        save(figure, out / "figure-1.png")


def curves(rows: Sequence[Row], out: Path) -> None:
    """JS and D's distance from 1/2 over the training, and the generator's gradient by both losses as D alone gets better."""
    figure, (left, middle, right) = panels(1, 3, width=3.8, height=3.0)
    for row in rows:
        if "curve" in row:
            color = COLORS[1] if row["equal"] else COLORS[0]
            told = "equal rates" if row["equal"] else "D ten times as fast" if row["cell"] == "seed-0" else None
            steps = [point["step"] for point in row["curve"]]
            left.plot(steps, [point["js"] for point in row["curve"]], color=color, linewidth=1, label=told)
            middle.plot(steps, [point["half"] for point in row["curve"]], color=color, linewidth=1)
        for key, color in (("minimax", COLORS[1]), ("non_saturating", COLORS[0])) if "slopes" in row else ():
            points = [(1 + point["update"], point[key]) for point in row["slopes"]]
            right.plot(*zip(*points, strict=True), color=color, marker=".", label=key.replace("_", "-"))
    left.set(xlabel="step", ylabel="nats", yscale="log", title="Jensen-Shannon, data and generator")
    middle.set(xlabel="step", title="mean distance of D from 1/2", ylim=(0, 0.5))
    right.set(xlabel="1 + steps of D alone", xscale="log", yscale="log", title="norm of the first G's gradient")
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    save(figure, out / "curves.png")


def motion(curve: Path, p: Floats, edges: Floats, out: Path) -> None:
    """The strip in motion, a frame for each point of the curve; nothing where the run is not there any more."""
    from matplotlib import pyplot

    frames = []
    for point in rows(curve):
        figure, (panel,) = panels(width=3.6, height=2.8)
        stage(panel, point, p, edges)
        buffer = io.BytesIO()
        figure.tight_layout()
        figure.savefig(buffer, dpi=80)
        pyplot.close(figure)
        frames.append(Image.open(buffer).convert("RGB").quantize(24))
    if frames:
        buffer = io.BytesIO()
        frames[0].save(
            buffer, "GIF", save_all=True, append_images=frames[1:], duration=[150] * (len(frames) - 1) + [2500], loop=0
        )
        write_bytes(out / "figure-1.gif", buffer.getvalue())
