"""Where a row stands in its run, from whatever its log counts: steps, batches of an epoch, epochs, images, or the rows alone.

Counters restart with each epoch, and go back where a run was resumed at an earlier checkpoint. Which of the two it was, the epoch
tells: a higher one is the next, any other was begun before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, isfinite

from ganwise.doctor.columns import counter

IMAGES = 32  # in a batch, where a log counts images alone
MARKS = 4096  # begins of epochs that are kept: of more, each second of the older half is left out


class Places:
    """Takes rows in order; ``told`` names the columns of ``step`` and ``epoch``, as the user has said."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self.told = {kind: name for kind, name in told.items() if kind in ("step", "epoch")}
        self.counters: dict[str, str] = {}  # kind of counter -> column
        self.kinds: dict[str, str] = {}  # column -> what it counts, if anything
        self.batch = 0  # images in one, where the log says so
        self.now = -1  # the last row's place
        self.shared = False  # whether an epoch has several rows that nothing else tells apart
        self.back = False  # whether the last row went back to an earlier checkpoint
        self._inner, self._offset = -1.0, 0.0
        self._varied = False  # whether epochs have more than one row: else they alone are counted
        self._epoch, self._heard = -1.0, -1.0  # of the last row, and the last that was said
        self._begins: dict[float, float] = {}

    def hear(self, epoch: float) -> None:
        """An epoch on a line of its own: that of the rows which follow."""
        self._heard = epoch
        self.counters.setdefault("epoch", "epoch")

    def place(self, row: Mapping[str, float | None], rows: int, lasts: Sequence[int]) -> int:
        """The row's place; ``rows`` is its number, ``lasts`` are the places of the values before it in its columns."""
        found = self._counted(row)
        self._heard = found.get("epoch", self._heard)
        self.back = False
        inner = found.get("step", found.get("batch"))
        if "kimg" in found and "step" not in found:
            self.now = round(found["kimg"] * 1000 / (self.batch or IMAGES))
        elif inner is not None:
            self._step(inner, found, lasts)
            self.now = round(self._offset + inner)
        elif self._heard >= 0 and self._inner < 0 and "kimg" not in self.counters:
            return self._row_of_epoch(self._heard, lasts)
        elif not self.counters:
            self.now = rows
        return self.now

    def named(self) -> tuple[str, str]:
        """What counts, ``step``, ``batch``, ``kimg`` or ``epoch``, and its columns; both empty where nothing does."""
        kind = next((kind for kind in ("step", "batch", "kimg", "epoch") if kind in self.counters), "")
        name, epoch = self.counters.get(kind, ""), self.counters.get("epoch", "")
        if epoch and (kind == "batch" or (kind == "step" and self._offset)):
            name = f"{epoch}, {name}"
        if kind == "epoch" and self.shared:
            name = f"{epoch}, row"
        return "epoch" if self._offset and not self._varied else kind, name

    def _counted(self, row: Mapping[str, float | None]) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, value in row.items():
            kind = self.kinds.get(name)
            if kind is None:
                kind = self.kinds[name] = self._kind(name)
            if kind and kind not in found and value is not None and isfinite(value):
                found[kind] = value
                self.counters.setdefault(kind, name)
        return found

    def _kind(self, name: str) -> str:
        """What a column counts, if anything: as the user has said, else by its name."""
        said = next((kind for kind, column in self.told.items() if column == name), "")
        kind = counter(name)
        return said or ("" if kind in self.told else kind)

    def _step(self, inner: float, found: Mapping[str, float], lasts: Sequence[int]) -> None:
        """Moves on to the next epoch, or back to an earlier one, where the step within it says so."""
        epoch = self._heard
        if epoch == self._epoch and inner > self._inner:
            self._inner, self._varied = inner, True
            return
        restarts = "step" not in found or self._offset > 0
        later, earlier = epoch > self._epoch, epoch < self._epoch
        again = inner == self._inner and later and (restarts or (not self._varied and self.now in lasts))
        if inner < self._inner or again or (earlier and restarts):
            if later or (not earlier and "step" not in found and "epoch" not in found):
                self._offset += self._inner + 1 - min(inner, 1)
            else:
                self._offset, self.back = self._begin(floor(epoch)), True
        self._varied = self._varied or self._inner not in (-1.0, inner)
        self._inner, self._epoch = inner, epoch
        self._mark(floor(epoch), self._offset)

    def _row_of_epoch(self, epoch: float, lasts: Sequence[int]) -> int:
        """The epoch, while each has one row; from there on the row's number, as several in one place would hide each other."""
        if epoch < self._epoch:
            begin = round(self._begins.get(epoch, epoch)) if self.shared else round(epoch)
            if max(lasts, default=-1) < begin:  # told late, as by an evaluation of that epoch
                return begin
            begin, self.back = round(self._begin(epoch)), True
            self.now = begin if self.shared else round(epoch)
        elif epoch > self._epoch or self.now in lasts:
            self.shared = self.shared or (self._epoch >= 0 and round(epoch) <= self.now)
            self.now = self.now + 1 if self.shared else round(epoch)
        self._epoch = epoch
        self._mark(epoch, self.now)
        return self.now

    def _mark(self, epoch: float, place: float) -> None:
        if epoch not in self._begins:
            self._begins[epoch] = place
            if len(self._begins) > MARKS:
                begins, half = list(self._begins.items()), MARKS // 2
                self._begins = dict(begins[:half:2] + begins[half:])

    def _begin(self, epoch: float) -> float:
        """Where an epoch began, or the nearest known before it; what was begun later is forgotten."""
        first = next(iter(self._begins.values()), 0.0)
        self._begins = {one: place for one, place in self._begins.items() if one <= epoch}
        return next(reversed(self._begins.values()), first)
