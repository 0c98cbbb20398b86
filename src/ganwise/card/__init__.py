"""The model card: what a model is, was trained on, measured by and chosen from, what it is not for, and lines that run it.

Markdown with the front matter that model hubs read. It says what the run's directory says; what only the owner of the data can
know, their license, is left to fill in, and stays filled in when the card is written again. No paths of this machine get into it.
Source for what a card has to say: mitchell2019cards.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ganwise.artifacts import RunDirectory, write_bytes
from ganwise.card.sections import render
from ganwise.card.subject import FILL_IN, OURS, PICTURE, Subject
from ganwise.types import Unusable

if TYPE_CHECKING:
    from ganwise.model import Model

NAME = "README.md"
OWNERS = (r"^license: .*$", r"^- \*\*license\*\*: .*$")
"""Lines that are the user's, once they say something else than `FILL_IN`."""


def place(weights: Path) -> Path:
    """Where the card of a model file goes: into its folder; beside an ONNX file, which has none of its own.

    Raises:
        Unusable: Something else has that name.
    """
    path = weights.with_name(NAME) if weights.suffix == ".safetensors" else weights.with_name(f"{weights.name}.md")
    if path.exists() and not (path.is_file() and OURS in path.read_text(encoding="utf-8", errors="replace")):
        raise Unusable(f"{path}: is no model card of ours and would be overwritten; name another place with --out")
    return path


def write(run: RunDirectory, model: Model, weights: Path) -> Path:
    """Writes the card of a run's ``model`` beside its ``weights``, in a folder with a picture of its samples; returns its path.

    Raises:
        Unusable: As `place`, or the run is damaged.
    """
    path = place(weights)
    subject = Subject(run, model, weights)
    if subject.pictured:
        shutil.copyfile(run.grid, weights.with_name(PICTURE))
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    write_bytes(path, _kept(before, render(subject)).encode(errors="replace"))  # of a name that is no UTF-8
    return path


def _kept(before: str, after: str) -> str:
    """The new card with what the user has filled in of the old one."""
    for pattern in OWNERS:
        old = re.search(pattern, before, re.MULTILINE)
        new = re.search(pattern, after, re.MULTILINE)
        if old and new and FILL_IN not in old[0].lower():
            after = after[: new.start()] + old[0] + after[new.end() :]
    return after
