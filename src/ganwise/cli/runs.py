"""From what the user typed to a run, a recipe, a device."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganwise import catalog, recipe
from ganwise.artifacts import RunDirectory, read_json
from ganwise.recipe import Recipe
from ganwise.types import Unusable, Value


def find(path: Path) -> Path:
    """The run at ``path``; of a race, the run of its recommended candidate that was best on validation.

    Raises:
        Unusable: Nothing there, or no run.
    """
    if not path.exists():
        raise Unusable(f"{path}: does not exist; expected the directory of a run")
    race = path / "race.json"
    if not race.is_file():
        return path
    from ganwise.study.best import best_run

    try:
        best = best_run(read_json(race), path)
    except (KeyError, TypeError, ValueError):
        raise Unusable(f"{race}: damaged: not the result of a race; name one of the runs in {path / 'runs'}") from None
    if best is None:
        raise Unusable(f"{path}: this race recommends no run that has a model; name one of the runs in {path / 'runs'}")
    return best.path


def told(run: RunDirectory) -> dict[str, Any]:
    """What a run says of itself, with the parts that other verbs rest on.

    Raises:
        Unusable: One of them is missing.
    """
    content = run.read()
    for part in ("recipe", "data"):
        if not isinstance(content.get(part), dict):
            raise Unusable(f"{run.run}: damaged or not begun: '{part}' is missing; train this run again")
    return content


def read_recipe(text: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe by name or from its JSON file, with ``--set`` changes, checked against the catalog.

    Raises:
        Unusable: No such recipe or file, or a change that does not fit.
    """
    path = Path(text)
    found = recipe.read(path) if path.suffix == ".json" or path.is_file() else catalog.named(text)
    found = recipe.change(found, dict(_assignment(c) for c in changes)) if changes else found
    catalog.check(found)
    return found


def _assignment(text: str) -> tuple[str, Value]:
    path, equals, value = text.partition("=")
    if not equals:
        raise Unusable(f"--set {text}: expected PART=VALUE, as in loss.margin=2")
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    return path, parsed if isinstance(parsed, (bool, int, float)) else value


def device(name: str) -> str:
    """``auto`` is the first of cuda, mps and cpu that is there.

    Raises:
        Unusable: No such device here.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    kind, _, index = name.partition(":")
    if not there.get(kind, False) or (index and (not index.isdigit() or int(index) >= torch.cuda.device_count())):
        raise Unusable(f"--device {name}: not on this machine; here: {', '.join(k for k, v in there.items() if v)}")
    return name
