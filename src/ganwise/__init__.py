"""ganwise finds, trains and proves the right GAN for an application.

>>> import ganwise as gw
>>> data = gw.load("digits")
>>> advice = gw.select(gw.audit(data), want=["diversity", "quality"])
>>> gan = gw.build(advice.candidates[0].recipe, data.shape)
>>> for record in gw.train(gan, data, steps=20_000):  # a generator: the caller logs, watches, stops
...     break
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ganwise.audit import audit
    from ganwise.build import GAN, build
    from ganwise.data import Dataset, load
    from ganwise.doctor import diagnose
    from ganwise.evaluate import prepare
    from ganwise.model import Model
    from ganwise.monitor import Monitor
    from ganwise.recipe import Choice, Recipe
    from ganwise.select import Application, select
    from ganwise.train import train
    from ganwise.types import Audit, Finding, Record, Score, Unusable

_HOMES = {
    "load": "data",
    "Dataset": "data",
    "audit": "audit",
    "select": "select",
    "Application": "select",
    "Recipe": "recipe",
    "Choice": "recipe",
    "build": "build",
    "GAN": "build",
    "train": "train",
    "Model": "model",
    "Monitor": "monitor",
    "prepare": "evaluate",
    "diagnose": "doctor",
    **dict.fromkeys(["Audit", "Finding", "Record", "Score", "Unusable"], "types"),
}


class _Package(ModuleType):
    """Some functions are named as the module that they live in: here such a name means the function, always.

    Names are looked up when first used, because importing torch takes seconds that advice has no need of.
    """

    def __getattr__(self, name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'ganwise' has no attribute '{name}'")
        return getattr(importlib.import_module(f"ganwise.{_HOMES[name]}"), name)

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_HOMES})


sys.modules[__name__].__class__ = _Package

__all__ = [
    "GAN",
    "Application",
    "Audit",
    "Choice",
    "Dataset",
    "Finding",
    "Model",
    "Monitor",
    "Recipe",
    "Record",
    "Score",
    "Unusable",
    "audit",
    "build",
    "diagnose",
    "load",
    "prepare",
    "select",
    "train",
]
