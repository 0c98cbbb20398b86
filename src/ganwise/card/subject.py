"""What a card is about: a model with its run and the race that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganwise import catalog
from ganwise.artifacts import RunDirectory
from ganwise.doctor.meaning import MEANINGS
from ganwise.recipe import Recipe, from_data, read
from ganwise.report.gather import Candidate, Run, Study, gather

if TYPE_CHECKING:
    from ganwise.model import Model

PICTURE = "samples.png"
OURS = "library_name: ganwise\n"
FILL_IN = "fill in"


@dataclass(frozen=True)
class Subject:
    """A run's model as a file, with the race that it comes from, where there was one."""

    folder: RunDirectory
    model: Model
    weights: Path

    @cached_property
    def study(self) -> Study:
        root = self.folder.path.resolve().parent.parent
        raced = self.folder.path.resolve().parent.name == "runs" and (root / "race.json").is_file()
        return gather(root if raced else self.folder.path)

    @cached_property
    def run(self) -> Run:
        return Run(self.folder, self.folder.read())

    @cached_property
    def candidate(self) -> Candidate | None:
        return next((one for one in self.study.candidates if one.name == self.run.name), None)

    @cached_property
    def recipe(self) -> Recipe:
        """As it was built, with what the data had decided."""
        return from_data(self.run.told["recipe"], str(self.folder.run))

    @cached_property
    def entry(self) -> str | None:
        """The name that the catalog has for the recipe, unless something of it was changed."""
        asked = read(self.folder.recipe) if self.folder.recipe.is_file() else self.recipe
        return next((name for name, entry in catalog.RECIPES.items() if entry.recipe == asked), None)

    @property
    def raced(self) -> bool:
        return not self.study.single

    @property
    def image(self) -> bool:
        return len(self.model.shape) == 3

    @property
    def pictured(self) -> bool:
        return self.weights.suffix == ".safetensors" and (self.image or self.model.shape == (2,)) and self.folder.grid.is_file()

    @property
    def data(self) -> Mapping[str, Any]:
        """Name, content, shape, and of newer runs the sizes."""
        return {"name": self.study.data_name} | dict(self.run.told.get("data", {}))

    @property
    def makes(self) -> str:
        """One sample in words."""
        sizes = " × ".join(map(str, self.model.shape))
        return f"images of {sizes} (channels × height × width)" if self.image else f"rows of {sizes} numbers"


def problem(name: str) -> str:
    return MEANINGS[name].name if name in MEANINGS else name.replace("_", " ")  # type: ignore[index]
