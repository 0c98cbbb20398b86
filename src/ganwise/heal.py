"""Healing: a sick run goes on from its last healthy checkpoint with a remedy of the doctor's, as a new run that names its parent.

Counters go forward: the new run's records are the parent's up to that checkpoint and then its own. Weights, averaged weights,
optimizers' memories and random state are kept where the changed recipe has the same networks; where it has others, training
starts anew, and the result says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from ganwise import doctor, machine, pictures
from ganwise.artifacts import RunDirectory, claim, write_json
from ganwise.data import Dataset
from ganwise.doctor.readers import measured
from ganwise.metrics import ranking_metric
from ganwise.recipe import from_data
from ganwise.study import healing
from ganwise.study.healing import CURED, Treatment, changing, treatments
from ganwise.study.limit import Limit
from ganwise.study.trial import Stop, Trial
from ganwise.types import Record, Remedy, Unusable

TRIES = 3
"""Remedies that are tried at most."""
GROUND = 0.25
"""Of the parent's steps: so many are trained at least."""


@dataclass(frozen=True)
class Attempt:
    """What one treatment came to. ``value`` is the metric of the last check on validation."""

    treatment: Treatment
    from_step: int
    kept: str
    run: RunDirectory
    verdict: str
    value: float | None
    cured: bool

    def as_json(self) -> dict[str, Any]:
        problem, remedy = self.treatment.finding.problem, self.treatment.remedy
        told: dict[str, Any] = {"problem": problem, "change": dict(remedy.change), "because": remedy.because}
        told |= {"sources": remedy.sources, "from_step": self.from_step, "kept": self.kept}
        told |= {"verdict": self.verdict, "value": self.value}
        return told | {"cured": self.cured, "run": str(self.run.path)}


@dataclass
class Healer:
    """Tries treatments of a sick run, each in a directory of its own beside ``out``, until one cures it."""

    parent: RunDirectory
    data: Dataset
    out: Path
    steps: int | None = None  # to train; by default up to where the parent ended, and a quarter of its steps at least
    device: str = "cpu"
    tries: int = TRIES
    n: int | None = None  # test samples of the scores; all by default
    show: Callable[[Record, float], None] = lambda record, share: None
    say: Callable[[str], None] = lambda line: None

    def go(self, stop: Stop) -> dict[str, Any]:
        """Heals; ``out`` is then the cured run, or the best of those tried, with `heal.json` and `healed.png` in it.

        Raises:
            Unusable: The run is not sick, no remedy is known for it, or ``out`` can't be used.
        """
        told = self.parent.read()
        recipe = from_data(told["recipe"], str(self.parent.run))
        diagnosis = doctor.diagnose(self.parent.records(), recipe, measured(self.parent))
        todo = changing(treatments(diagnosis, recipe), recipe, self.data, told["seed"], self.device)[: self.tries]
        if not todo:
            raise Unusable(f"{self.parent.path}: nothing to heal: {_why(diagnosis)}")
        for place in (self._place(number) for number in range(1, len(todo) + 1)):  # before any of them is trained
            if place.exists() and any(place.iterdir()):
                raise Unusable(f"{place}: holds files already, of an earlier heal; remove it, or name another --out")
        claim(self.out)
        made: list[Attempt] = []
        for number, treatment in enumerate(todo, 1):
            made.append(self._attempt(number, treatment, told, stop))
            if made[-1].cured or stop.signal:
                break
        best = min(made, key=lambda one: (not one.cured, one.value is None, one.value or 0.0))
        return self._hand_over(best, made, diagnosis)

    def _place(self, number: int) -> Path:
        return self.out.with_name(f"{self.out.name}-try-{number}")

    def _attempt(self, number: int, treatment: Treatment, told: Mapping[str, Any], stop: Stop) -> Attempt:
        remedy, recipe = treatment.remedy, treatment.recipe
        run = RunDirectory(self._place(number))
        claim(run.path)
        state, kept = healing.begin(self.parent, run, treatment, self.data, self.device)
        begin = state.record.step if state else 0
        self.say(f"{_words(remedy)} against {treatment.finding.problem}, from step {begin:,}; keeps {kept}")
        ended = self.parent.records()[-1].step
        ends = begin + (self.steps or max(ended - begin, round(GROUND * ended), 1))
        trial = Trial(run, recipe, self.data, Limit(steps=ends), told["seed"], self.device, machine.told(told) or "auto")
        trial.start, trial.show, trial.checkpoint_every = state, self.show, max(1, ends // 20)
        trial.go(stop, n=self.n)
        return self._judge(Attempt(treatment, begin, kept, run, run.read()["verdict"], _value(run, self.data), cured=False))

    def _judge(self, made: Attempt) -> Attempt:
        """Cured is what the doctor passes, and whose samples are no worse than the sick run's."""
        before = _value(self.parent, self.data)
        better = made.value is not None and (before is None or made.value <= before)
        return replace(made, cured=better and made.verdict in CURED)

    def _hand_over(self, best: Attempt, made: list[Attempt], diagnosis: doctor.Diagnosis) -> dict[str, Any]:
        self.out.rmdir()
        best.run.path.rename(self.out)
        run, attempts = RunDirectory(self.out), [one.as_json() for one in made]
        attempts[made.index(best)]["run"] = str(self.out)
        sides = {"before": (self.parent, diagnosis.verdict), "after": (run, best.verdict)}
        result = {
            "parent": str(self.parent.path),
            "cured": best.cured,
            "metric": ranking_metric(self.data.kind),
            **{side: {"verdict": verdict, "value": _value(one, self.data)} for side, (one, verdict) in sides.items()},
            "attempts": attempts,
            "out": str(self.out),
        }
        write_json(self.out / "heal.json", result)
        side_by_side({"before": last_grid(self.parent), "after": last_grid(run), "real": run.real_grid}, self.out / "healed.png")
        return result


def _words(remedy: Remedy) -> str:
    return ", ".join(f"{path} = {value}" for path, value in remedy.change.items())


def _why(diagnosis: doctor.Diagnosis) -> str:
    found = [finding.problem for finding in diagnosis.findings]
    return f"no remedy is known for {', '.join(found)}" if found else f"the doctor's verdict is {diagnosis.verdict}"


def _value(run: RunDirectory, data: Dataset) -> float | None:
    """The ranking metric at the run's last check: what it had come to, not its best."""
    checks = run.checks()
    found = checks[-1].get(ranking_metric(data.kind)) if checks else None
    return None if found is None else float(found)


def last_grid(run: RunDirectory) -> Path | None:
    """The picture of the run's last check."""
    return max(run.grids.glob("*.png"), default=None)


def side_by_side(named: Mapping[str, Path | None], path: Path) -> None:
    """Pictures of one height beside each other, each under its name; those that are missing are left out."""
    opened = {name: Image.open(file).convert("RGB") for name, file in named.items() if file and file.is_file()}
    if not opened:
        return
    height, title, gap = max(image.height for image in opened.values()), 24, 16
    sheet = Image.new("RGB", (sum(i.width + gap for i in opened.values()) - gap, height + title), pictures.PAPER)
    left, draw = 0, ImageDraw.Draw(sheet)
    for name, image in opened.items():
        draw.text((left + 4, 6), name, fill=pictures.INK)
        sheet.paste(image, (left, title))
        left += image.width + gap
    pictures.save(sheet, path)
