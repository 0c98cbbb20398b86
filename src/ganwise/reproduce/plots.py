"""How the pictures of experiments look: matplotlib, which is an extra, in one quiet style."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganwise.types import Unusable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#26468c", "#c2571a", "#3b7f4f", "#8c2f6b", "#8a7a1f", "#4a4a4a", "#2a8fa8", "#b03a3a")
STYLE: dict[str, Any] = {
    "figure.facecolor": "#f7f6f2",
    "axes.facecolor": "#f7f6f2",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddad0",
    "font.size": 9,
    "axes.titlesize": 10,
    "legend.frameon": False,
}


def panels(rows: int = 1, columns: int = 1, width: float = 4.2, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, each of that size in inches, and its panels row by row.

    Raises:
        Unusable: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise Unusable("pictures of experiments need matplotlib: pip install 'ganwise[plots]'") from None
    matplotlib.use("Agg")
    from cycler import cycler
    from matplotlib import pyplot

    style: Any = STYLE | {"axes.prop_cycle": cycler(color=COLORS)}
    with matplotlib.rc_context(style):
        figure, axes = pyplot.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False)
    return figure, list(axes.flat)


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as PNG and closes it."""
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=110, bbox_inches="tight", pad_inches=0.12)  # titles may stand over the edge
    pyplot.close(figure)
