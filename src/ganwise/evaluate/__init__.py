"""Scores of a generator: every metric with n, features, protocol, interval, and two yardsticks under the same protocol.

>>> bench = prepare(load("digits"))
>>> bench.scores(ModelSampler(model), metrics=["kid", "coverage", "path_length"])
"""

from ganwise.evaluate.bench import DRAWS, MOST, Bench, Sampler, prepare, rankable
from ganwise.evaluate.cache import cached
from ganwise.evaluate.compare import comparable, mean_of_draws
from ganwise.evaluate.modes import Modes, PerChannel, modes_of
from ganwise.evaluate.steps import ModelSampler, Steps

__all__ = [
    "DRAWS",
    "MOST",
    "Bench",
    "ModelSampler",
    "Modes",
    "PerChannel",
    "Sampler",
    "Steps",
    "cached",
    "comparable",
    "mean_of_draws",
    "modes_of",
    "prepare",
    "rankable",
]
