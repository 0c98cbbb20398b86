"""The doctor at work: a GAN is made to collapse on digits, is diagnosed, and is healed; all three side by side.

The mistake is one that people make, a warm-up that never ends: the learning rate rises by the same factor each step, from a good
value to a thousand times that. The run learns digits first, and then all its samples become one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganwise import doctor
from ganwise.artifacts import RunDirectory, claim, read_json
from ganwise.catalog import named
from ganwise.data import Dataset, load
from ganwise.doctor.readers import read
from ganwise.doctor.stop import advise
from ganwise.heal import Healer, last_grid, side_by_side
from ganwise.recipe import Recipe, change
from ganwise.report import clinic, demo
from ganwise.report.shots import shots
from ganwise.study.limit import Limit
from ganwise.study.trial import Stop, Trial
from ganwise.types import Record, Value

STEPS = 1000
RATES = f"1e-3 -> 1 geometric {STEPS}"
SCORED = 100
"""Test samples of the scores that a run writes at its end; the demo compares validation, where the last model is measured too."""
CHANGES: Mapping[str, Value] = {
    "architecture.width": 128,
    "schedule.ema": 0.9,
    "schedule.generator.learning_rate": RATES,
    "schedule.discriminator.learning_rate": RATES,
}


def recipe() -> Recipe:
    """The fully connected GAN with the forgotten warm-up; an average of ten steps, so that pictures show what curves tell."""
    return change(named("fcgan"), CHANGES)


@dataclass
class Demo:
    """The three parts in one directory: ``sick``, ``healed``, and ``demo.html`` with ``demo.png`` that show them."""

    out: Path
    seed: int = 0
    show: Callable[[str, Record, float], None] = lambda name, record, share: None
    say: Callable[[str], None] = lambda line: None

    def go(self, stop: Stop) -> dict[str, Any]:
        """Trains, diagnoses and heals; returns the result, of which parts are missing after an interruption.

        Raises:
            Unusable: ``out`` can't be used.
        """
        claim(self.out)
        data, sick = load("digits"), RunDirectory(self.out / "sick")
        sick.path.mkdir()
        self.say(f"training {STEPS:,} steps on digits, with a learning rate that rises from 0.001 to 1")
        self._train(sick, data, stop)
        result: dict[str, Any] = {**read_json(sick.doctor), "out": str(self.out), "seed": self.seed, "steps": STEPS}
        result |= {"broken_by": dict(CHANGES), "sick": _told(sick)}
        if stop.interrupted:
            return result
        self.say(f"the doctor says: {result['verdict']}, {', '.join(result['sick']['problems'])}; healing")
        healer = Healer(sick, data, self.out / "healed", n=SCORED)
        healer.say, healer.show = self.say, lambda record, share: self.show("healing", record, share)
        result["heal"] = healer.go(stop)
        healed = RunDirectory(self.out / "healed")
        result["healed"] = _told(healed)
        return result if stop.interrupted else result | self._pages(sick, healed, result)

    def _train(self, run: RunDirectory, data: Dataset, stop: Stop) -> None:
        trial = Trial(run, recipe(), data, Limit(steps=STEPS), self.seed, checkpoint_every=STEPS // 20)
        trial.show = lambda record, share: self.show("falling sick", record, share)
        trial.go(stop, n=SCORED, draws=1)

    def _pages(self, sick: RunDirectory, healed: RunDirectory, result: Mapping[str, Any]) -> dict[str, str]:
        since = collapse(result)
        grids = {shot.name: shot.path for shot in shots(sick, since)}
        named_grids = {f"sick, {name}": path for name, path in grids.items() if name != "real"}
        picture, page = self.out / "demo.png", self.out / "demo.html"
        side_by_side({**named_grids, "healed": last_grid(healed), "real": sick.real_grid}, picture)
        for run in (sick, healed):
            write_page(run)
        demo.write(page, result, since)
        return {"picture": str(picture), "page": str(page)}


def write_page(run: RunDirectory) -> None:
    """The doctor's page beside a run."""
    log = read(run.path)
    found = doctor.diagnose(log.records, log.recipe, log.scores)
    clinic.write(run.path / clinic.PAGE, found, log, advise(log.records, log.recipe))


def collapse(result: Mapping[str, Any]) -> int:
    """The step at which the alarm begins: that of the collapse where it was found, else of the first finding."""
    findings = result["findings"]
    steps = [one["since_step"] for one in findings if one["problem"] == "mode_collapse"]
    return int(min(steps or [one["since_step"] for one in findings], default=0))


def _told(run: RunDirectory) -> dict[str, Any]:
    """A run's verdict and what its last model, not its best, came to on validation."""
    said, last = read_json(run.doctor), (run.checks() or [{}])[-1]
    problems = [finding["problem"] for finding in said["findings"]]
    numbers = {name: last.get(name) for name in ("kid", "coverage")}
    return {"run": str(run.path), "verdict": said["verdict"], "problems": problems, **numbers, "seconds": run.read()["seconds"]}
