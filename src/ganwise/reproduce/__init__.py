"""The papers' own experiments: each with its published figure, run here as the text says, and judged without mercy.

>>> from ganwise.reproduce import find, kept
>>> find("dirac-gan").module, kept("dirac-gan")["verdict"]
('dirac', 'reproduced')

An experiment is a row of `EXPERIMENTS` and a module of this package with

    cells(experiment, scale) -> list[Cell]               what is measured, one cell a run or a setting
    measure(cell, folder, work) -> Row                   one cell; what takes long is resumable inside its folder
    conclude(experiment, rows, scale) -> Conclusion      pure: the figures, the verdict and why
    draw(experiment, rows, out) -> None                  pictures, from the rows and what the cells left behind

where ``experiment`` is its name, for modules that hold several. `work.reproduce` runs one.

This file imports no torch: the list must come in a blink.
"""

from ganwise.reproduce.experiments import EXPERIMENTS, Experiment, Published, find, kept, listing

__all__ = ["EXPERIMENTS", "Experiment", "Published", "find", "kept", "listing"]
