"""Rows of any length to records in bounded memory, with what had to be assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isinf, isnan, nan
from typing import Any, NamedTuple

from ganwise.doctor.columns import PARTS, SIGNALS, counter, guess
from ganwise.doctor.places import IMAGES, Places
from ganwise.recipe import Recipe
from ganwise.types import Record, Score, Unusable

KEPT = 8192
"""Values of one column that are kept: of more, each second is left out, again and again. What is left is an even sample, so that
averages and lasting signs stay; a spike between two kept values is not seen. Values that are not finite are never left out."""
PASSED = 2  # blank cells at the end of a column that may be rows of another kind, as an evaluation's
COLUMNS = 512  # different names; a file with more is no table of numbers
METRICS = ("fid", "kid", "sliced_wasserstein")


class Log(NamedTuple):
    """What was read: ``mapping`` names the column of each signal; ``coarse`` says that steps are epochs or rows."""

    path: str
    format: str
    records: tuple[Record, ...]
    mapping: Mapping[str, str]
    ignored: tuple[str, ...] = ()
    rows: int = 0
    notes: tuple[str, ...] = ()
    loss: str = ""
    coarse: bool = False
    recipe: Recipe | None = None
    scores: tuple[Score, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The ``read`` of the doctor's JSON."""
        return {
            "path": self.path,
            "format": self.format,
            "rows": self.rows,
            "records": len(self.records),
            "loss": self.recipe.loss.name if self.recipe else self.loss,
            "mapping": dict(self.mapping),
            "ignored": list(self.ignored),
            "notes": list(self.notes),
        }


class Gaps:
    """Rows without a number, one after another: how many there are now, since which step, and how many there ever were."""

    def __init__(self) -> None:
        self.now, self.since = 0, 0
        self.longer: list[tuple[int, int]] = []  # ended ones, each longer than all before: first step and length

    @property
    def longest(self) -> int:
        return max((size for _, size in self.longer), default=0)

    def add(self, step: int) -> None:
        self.since = self.since if self.now else step
        self.now += 1

    def end(self) -> None:
        if self.now > self.longest:
            self.longer.append((self.since, self.now))
        self.now = 0

    def forget(self, step: int) -> None:
        """Takes back what lies at or after a step; of a gap that began before it no more is left than steps."""
        self.now = min(self.now, max(0, step - self.since))
        self.longer = [(since, min(size, step - since)) for since, size in self.longer if since < step]


class Column:
    """An even sample of one column, and whether it ends in values that are not numbers: in NaN, or in cells left blank."""

    def __init__(self, metric: bool = False) -> None:
        self.metric = metric
        self.kept: list[tuple[int, float]] = []
        self.count, self.stride = 0, 1
        self.low, self.high = float("inf"), float("-inf")
        self.infinite: tuple[int, float] | None = None
        self.nans, self.blanks = Gaps(), Gaps()
        self.last = -1

    def add(self, step: int, value: float | None) -> None:
        if value is None:
            self.blanks.add(step)
            return
        self.last = step
        if isnan(value):
            self.nans.add(step)
            return
        if self.nans.now or self.blanks.now:
            self.nans.end()
            self.blanks.end()
        if isinf(value):
            self.infinite = self.infinite or (step, value)
            return
        if self.infinite and self.infinite[0] == step:
            self.infinite = None
        self.low, self.high = min(self.low, value), max(self.high, value)
        if self.count % self.stride == 0:
            self.kept.append((step, value))
        self.count += 1
        if len(self.kept) > KEPT:
            self.kept, self.stride = self.kept[::2], 2 * self.stride

    def forget(self, step: int) -> None:
        """Takes back what lies at or after a step: the run went on from an earlier checkpoint."""
        self.last = min(self.last, step - 1)
        while self.kept and self.kept[-1][0] >= step:
            self.kept.pop()
        if self.infinite and self.infinite[0] >= step:
            self.infinite = None
        self.nans.forget(step)
        self.blanks.forget(step)

    def values(self) -> Iterator[tuple[int, float]]:
        """What was kept, and the first value that is not finite. A gap is none: NaN counts where no number follows it,
        and longer than ever before; an evaluation that was not made is NaN in many logs."""
        yield from self.kept
        if self.infinite:
            yield self.infinite
        if not self.metric and (since := self._broken()) is not None:
            yield since, nan

    def _broken(self) -> int | None:
        """The step since which the column is NaN for good. A blank cell is NaN to pandas, and to most others nothing: it counts
        only in a column that never says NaN, and in many rows more than were ever passed over."""
        if self.nans.now > self.nans.longest:
            return self.nans.since
        mute = not self.kept or self.nans.now or self.nans.longest
        return self.blanks.since if not mute and self.blanks.now > 2 * self.blanks.longest + PASSED else None


@dataclass
class Gatherer:
    """Takes rows in order; ``told`` maps signals, ``step`` and ``epoch`` to columns as the user has named them."""

    path: str
    format: str
    told: Mapping[str, str] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    ignored: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)  # cells of a column that are neither blank nor a number
    rows: int = 0
    loss: str = ""
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.places = Places(self.told)
        if unknown := [name for name in self.told if name not in (*SIGNALS, *PARTS, "step", "epoch")]:
            raise Unusable(f"--map {unknown[0]}=...: the doctor has no such signal; it knows step, epoch, {', '.join(SIGNALS)}")

    def add(self, row: Mapping[str, float | None], step: int | None = None) -> None:
        """One row: a number for each column that it holds, None where a cell is blank. Counters are among them, unless the
        step is given."""
        useful = [name for name, value in row.items() if (name in self.columns if value is None else self._wanted(name))]
        if not useful:
            return
        self.rows += 1
        cells = [(self.columns[name], row[name]) for name in useful]
        told = [cell for cell in cells if cell[1] is not None]
        if told and all(column.metric for column, _ in told):  # an evaluation: what is blank there says nothing of training
            cells = told
        lasts = [column.last for column, _ in told]
        at = self.places.place(row, self.rows, lasts) if step is None else step
        if self.places.back:
            self._forget(at, *self.columns.values())
        for column, value in cells:
            if at < column.last:
                self._forget(at, column)
            column.add(at, value)

    def _forget(self, step: int, *columns: Column) -> None:
        """The run, or what is logged beside it, has gone back to an earlier checkpoint."""
        for column in columns:
            column.forget(step)
        self.notes["the step went back: of what was run twice, the later counts"] = None

    def needs(self, name: str) -> bool:
        """Whether a column is read: it holds a signal, or counts."""
        return self._wanted(name) or bool(counter(name)) or name in self.told.values()

    def read(self, name: str) -> bool:
        """Whether numbers of a column were taken, or would have been."""
        return name in self.columns or bool(self.places.kinds.get(name))

    def _wanted(self, name: str) -> bool:
        if name in self.columns:
            return True
        if name in self.ignored:
            return False
        if name in self.places.told.values():
            return False
        used = name in self.told.values() or (not counter(name) and guess(name) is not None)
        if used and len(self.columns) < COLUMNS:
            signals = [signal for signal, mine in self.told.items() if mine == name] or [(guess(name) or ("",))[0]]
            self.columns[name] = Column(metric=signals[0] in METRICS)
            return True
        if not counter(name) and len(self.ignored) < COLUMNS:
            self.ignored[name] = None
        return False

    def finish(self) -> Log:
        """The records.

        Raises:
            Unusable: No row held a number that means something to the doctor.
        """
        for signal, name in self.told.items():
            if name not in (self.places.counters.values() if signal in self.places.told else {**self.columns, **self.ignored}):
                there = ", ".join([*self.columns, *self.ignored][:12]) or "none"
                raise Unusable(f"{self.path}: --map {signal}={name}: no such column; columns: {there}")
        chosen = self._choose()
        if not chosen:
            raise Unusable(f"{self.path}: {self._nothing()}")
        for name, count in self.unread.items():
            self.notes[f"{name}: {count:,} cells that are no numbers were left out"] = None
        rows: dict[int, dict[str, float]] = {}
        for signal, pairs in self._signals(chosen).items():
            for step, value in pairs:
                rows.setdefault(step, {})[signal] = value
        records = tuple(Record(step, 0, 0.0, rows[step]) for step in sorted(rows))
        used = {name for names in chosen.values() for name in names}
        ignored = (*self.ignored, *(name for name in self.columns if name not in used))
        mapping = {signal: " + ".join(names) for signal, names in chosen.items()}
        coarse = self._count(mapping)
        if any(column.stride > 1 for column in self.columns.values()):
            self.notes[f"thinned to {len(records):,} records, evenly"] = None
        return Log(self.path, self.format, records, mapping, ignored, self.rows, tuple(self.notes), self.loss, coarse)

    def _count(self, mapping: dict[str, str]) -> bool:
        """Adds what steps are to the mapping; whether they are something coarser than updates."""
        kind, name = self.places.named()
        mapping["step"] = name or ("row" if self.format not in ("tensorboard",) else "step")
        if kind == "kimg":
            self.notes[f"counts images: a step is {self.places.batch or IMAGES} of them"] = None
        if kind == "epoch" and self.places.shared:
            self.notes["several rows share an epoch: rows are counted; name a counter with --map step=COLUMN"] = None
        if not kind and self.format != "tensorboard":
            self.notes["no column counts steps: rows are counted; name one with --map step=COLUMN"] = None
        return kind == "epoch" or (not kind and self.format != "tensorboard")

    def _choose(self) -> dict[str, tuple[str, ...]]:
        """The column of each signal: the user's, else the surest guess that holds numbers."""
        best: dict[str, tuple[bool, int, str]] = {}
        for name, column in self.columns.items():
            given = [(signal, -1) for signal, mine in self.told.items() if mine == name]
            for signal, sure in given or [found for found in [guess(name)] if found]:
                if next(column.values(), None) is None:
                    self.notes[f"{name} holds no number"] = None
                    continue
                rank = (not column.count, sure, name)
                if signal not in best or rank[:2] < best[signal][:2]:
                    best[signal] = rank
        chosen: dict[str, tuple[str, ...]] = {signal: (name,) for signal, (*_, name) in best.items() if signal in SIGNALS}
        return self._parts({signal: name for signal, (*_, name) in best.items()}, chosen)

    def _parts(self, best: Mapping[str, str], chosen: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """D's loss as a sum, where only its two parts are logged; pix2pix calls those D_real and D_fake."""
        if "loss_d" in chosen:
            return chosen
        if all(part in best for part in PARTS):
            return {"loss_d": tuple(best[part] for part in PARTS), **chosen}
        named = {name.lower(): name for name in self.columns}
        if "loss_g" in chosen and {"d_real", "d_fake"} <= set(named) and chosen.get("score_real") == (named["d_real"],):
            rest = {signal: names for signal, names in chosen.items() if not signal.startswith("score_")}
            return {"loss_d": (named["d_real"], named["d_fake"]), **rest}
        return chosen

    def _signals(self, chosen: dict[str, tuple[str, ...]]) -> dict[str, list[tuple[int, float]]]:
        """The values of each signal; percentages as shares, and scores of a probability as such."""
        found = {}
        for signal in list(chosen):
            columns = [self.columns[name] for name in chosen[signal]]
            scale = 0.01 if signal.startswith("accuracy") and columns[0].high > 1.5 else 1.0
            values = {step: scale * value for step, value in columns[0].values()}
            for other in columns[1:]:
                more = dict(other.values())
                values = {step: value + more[step] for step, value in values.items() if step in more}
            if signal in ("score_real", "score_fake") and self._probable(chosen):
                chosen[signal.replace("score", "prob")] = chosen.pop(signal)
                signal = signal.replace("score", "prob")
            found[signal] = list(values.items())
        return found

    def _probable(self, chosen: dict[str, tuple[str, ...]]) -> bool:
        """Whether D's scores are probabilities by their looks: all of them from 0 to 1, and D(x) called so."""
        names = [chosen.get(f"{kind}_{what}", ("",))[0] for kind in ("score", "prob") for what in ("real", "fake")]
        columns = [self.columns[name] for name in names if name]
        spelled = any(name.replace(" ", "").lower().startswith(("d(x", "d(g(z")) for name in names)
        return spelled and all(0 <= column.low and column.high <= 1 for column in columns)

    def _nothing(self) -> str:
        """Why there is nothing to judge, in one line."""
        empty = list(self.columns)
        if empty:
            return f"{', '.join(empty[:6])}: no number in the whole column; nothing can be judged"
        seen = ", ".join(list(self.ignored)[:8])
        if seen:
            return f"no column that the doctor knows (it has {seen}); name one with --map loss_d=COLUMN"
        return "no losses or other numbers of a training run in it; expected a log that holds, say, loss_d and loss_g"
