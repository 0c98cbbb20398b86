"""The papers' own experiments: each with its published figure, run here as the text says, and judged without mercy.

>>> [experiment.name for experiment in EXPERIMENTS]
>>> reproduce("dirac-gan", Path("runs/dirac-gan"))

An experiment is a row of `EXPERIMENTS` and a module of this package with

    cells(scale, data) -> list[Cell]              what is measured, one cell a run or a setting
    measure(cell, folder, work) -> Row            one cell; what takes long is resumable inside its folder
    conclude(rows, scale) -> Conclusion           pure: the figures, the verdict and why
    draw(rows, folder, out) -> None               pictures, from the rows and what the cells left behind

This file imports no torch: the list must come in a blink.
"""

from ganwise.reproduce.experiments import EXPERIMENTS, Experiment, Published, find, kept, listing

__all__ = ["EXPERIMENTS", "Experiment", "Published", "find", "kept", "listing"]
