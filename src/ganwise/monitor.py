"""The doctor in anybody's loop: three lines in a training loop whose networks, loss and optimizers somebody else wrote.

>>> monitor = gw.Monitor(generator, discriminator, loss="non-saturating")
>>> for real in loader:
...     ...  # both players are updated as always
...     monitor.step(real_scores, fake_scores, fake, real=real, loss_d=loss_d, loss_g=loss_g)
>>> monitor.verdict, monitor.findings
"""

from __future__ import annotations

import csv
import io
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganwise import catalog
from ganwise.artifacts import to_json, write_bytes
from ganwise.build import LOSSES
from ganwise.catalog import AUTO
from ganwise.divergences import DIVERGENCES
from ganwise.doctor import Diagnosis, diagnose
from ganwise.doctor.traits import kind
from ganwise.objective import Objective, Output, Part, Pass
from ganwise.probes import CHEAP, PROBES, RARE, Look, Moment, Need, Reference, numbers, pooled, undisturbed
from ganwise.probes.optimizers import Ear
from ganwise.recipe import Recipe
from ganwise.types import Finding, Record, Unusable, Verdict

SEEN, DRAWN, KNOWN, FEWEST = 64, 128, 2048, 32
"""Samples of a batch that are compared pixel by pixel; that are compared as points; real ones kept; fewest worth comparing."""
NUMBERS = 12_288
"""Numbers of a sample that are read, evenly from larger ones: as many as 64 x 64 pixels in color have."""
KEPT = 4096
"""Records in memory. Beyond that every second of the older half is dropped."""
PATIENCE = 300
"""A diagnosis is made when the loop has run so many times as long as the last one took: a third of a percent of the time."""
OF_SCORES = (
    "minimax",
    "non-saturating",
    "least-squares",
    "hinge",
    "wasserstein",
    "relativistic",
    "relativistic-average",
    "f-gan",
)
"""Losses whose slope follows from scores alone; others read samples, features, or a state that only their own loop knows."""

GRADIENTS = {"discriminator": "grad_d", "generator": "grad_g"}
LOGITS = ("minimax", "non-saturating")
"""Losses of logits, which some loops give as probabilities."""

Scores = Tensor | Sequence[Tensor]


class Judge(NamedTuple):
    """How scores are read: the loss where its slopes can be had, which way they point, where real ends."""

    loss: Objective | Part | None
    sign: int
    threshold: float | None

    @classmethod
    def of(cls, name: str, recipe: Recipe | None) -> Judge:
        pick = recipe.loss if recipe else catalog.choice(name)
        options, traits = catalog.options("loss", pick), catalog.LOSSES[name].traits
        takes_divergence = catalog.own_divergence(name) is None
        divergence = recipe.divergence if recipe and takes_divergence else None
        if name in OF_SCORES and AUTO not in options.values() and (divergence or not takes_divergence):
            arguments = [DIVERGENCES[divergence.name]] if divergence else []
            loss = LOSSES[name](*arguments, **options)
            return cls(loss, loss.sign, loss.threshold)
        sign, threshold = traits["sign"], traits["threshold"]
        return cls(None, int(sign), float(threshold) if isinstance(threshold, (int, float)) else None)


class Monitor:
    """Watches two networks train in a loop of any kind, and diagnoses them.

    ``loss`` is what the discriminator is trained with: a name of the catalog's losses or GANs, or what people call it (``bce``,
    ``lsgan``, ``wgan-gp``, ``hinge``); ``recipe`` says it, too. Without either, nobody knows which way scores point, and what
    depends on that is not judged. Every ``every`` steps a record is made; all else costs nothing. ``full`` adds, at each fifth
    record, singular values and, where real samples are given to `step`, coverage, precision and recall, and with ``held``, real
    samples that are not trained on, the distance to training samples. ``probabilities`` says that a discriminator of logits ends
    in a sigmoid; by default that is seen where the sigmoid is a module. Each new finding is a `RuntimeWarning`, unless ``quiet``.

    Gradients and weights are read as torch's optimizers move them; they and the networks are left as they are, and no random
    number is drawn.

    Raises:
        Unusable: No loss is called so.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        loss: str | None = None,
        every: int = 50,
        recipe: Recipe | None = None,
        full: bool = False,
        held: Tensor | None = None,
        probabilities: bool | None = None,
        quiet: bool = False,
    ) -> None:
        if every < 1:
            raise Unusable(f"every {every}: a record is made each so many steps, 1 or more")
        self.networks = {"discriminator": discriminator, "generator": generator}
        self.loss = recipe.loss.name if recipe else kind(loss) if loss else None
        self.every, self.recipe, self.full, self.quiet = every, recipe, full, quiet
        self.probabilities = probabilities
        self.steps, self.images = 0, 0
        self.records: list[Record] = []
        self._judge = Judge.of(self.loss, recipe) if self.loss else None
        self._real, self._held = torch.empty(0), None if held is None else pooled(held)
        self._ear = Ear(self.networks)
        self._ear.listening = every == 1
        self._begin, self._checked, self._cost = time.perf_counter(), 0.0, 0.0
        self._told: set[tuple[str, str]] = set()
        self._diagnosis: tuple[int, Diagnosis] | None = None

    @torch.no_grad()
    def step(
        self,
        real_scores: Scores,
        fake_scores: Scores,
        fake: Tensor,
        *,
        real: Tensor | None = None,
        loss_d: Tensor | float | None = None,
        loss_g: Tensor | float | None = None,
        held_scores: Scores | None = None,
    ) -> None:
        """Call it once for each update of the generator, after both optimizers have moved.

        Scores are those of the discriminator for one batch of real samples and one of fakes, of any shape and precision: one
        a sample, a map of patches, or several of these. ``fake`` and ``real`` are the samples, batch first; ``held_scores``
        those of real samples that are not trained on. What is left out is not judged.

        Raises:
            Unusable: Scores or samples are none.
        """
        self.steps += 1
        due = self.steps % self.every == 0
        if due or self.steps == 1:
            _check(real_scores=real_scores, fake_scores=fake_scores, fake=[fake])
        self.images += len(fake)
        if due:
            given = [self._scores(part) for part in (real_scores, fake_scores, held_scores) if part is not None]
            r, f, *held = self._logits(*given)
            losses = {"loss_d": loss_d, "loss_g": loss_g}
            signals = {name: torch.as_tensor(v).detach().float() for name, v in losses.items() if v is not None}
            self._record(r, f, held, fake.detach(), None if real is None else real.detach(), signals)
            self._ear.forget()
            if not self.quiet:
                self._warn()
        self._ear.listening = (self.steps + 1) % self.every == 0

    @property
    def diagnosis(self) -> Diagnosis:
        """Of the records so far; of a run that goes on."""
        if self._diagnosis is None or self._diagnosis[0] != self.steps:
            begin = time.perf_counter()
            self._diagnosis = self.steps, diagnose(self.records, self.recipe, running=True, loss=self.loss)
            self._cost = time.perf_counter() - begin
        return self._diagnosis[1]

    @property
    def verdict(self) -> Verdict:
        return self.diagnosis.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.diagnosis.findings

    @property
    def not_judged(self) -> tuple[str, ...]:
        return self.diagnosis.not_judged

    def report(self, path: str | Path) -> Path:
        """Writes the records as a table (``.csv``) or else as lines of JSON; ``ganwise doctor`` reads both.

        Raises:
            Unusable: The file can't be written.
        """
        path, rows = Path(path), [record.as_json() for record in self.records]
        if path.suffix == ".csv":
            text = io.StringIO()
            table = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
            content = text.getvalue()
        else:
            content = "".join(to_json(row) + "\n" for row in rows)
        try:
            write_bytes(path, content.encode())
        except OSError as error:
            raise Unusable(f"{path}: can't be written: {error.strerror}; name another file") from None
        return path

    def close(self) -> None:
        """Stops reading the optimizers. Otherwise that ends with the monitor itself."""
        self._ear.close()

    def _scores(self, scores: Scores) -> Tensor:
        parts = [scores] if isinstance(scores, Tensor) else scores
        return torch.cat([part.detach().float().flatten() for part in parts])

    def _logits(self, *scores: Tensor) -> list[Tensor]:
        """Probabilities become logits, of a loss that reads logits."""
        if self.probabilities is None:
            unit = all(bool(((part >= 0) & (part <= 1)).all()) for part in scores)
            self.probabilities = unit and any(isinstance(m, nn.Sigmoid) for m in self.networks["discriminator"].modules())
        turned = self.probabilities and self.loss in LOGITS
        return [torch.logit(part, eps=1e-6) if turned else part for part in scores]

    def _record(
        self, r: Tensor, f: Tensor, held: list[Tensor], fake: Tensor, real: Tensor | None, signals: dict[str, Tensor]
    ) -> None:
        judge = self._judge or Judge(None, 1, None)
        thin, none = _thinned(fake), fake[:0].flatten(1).float()
        p = Pass(self.steps, self.networks["generator"], _no_look, none if real is None else _thinned(real), thin, none, None,
                 Output(r), Output(f), self.networks["discriminator"], judge.sign, judge.threshold)  # fmt: skip
        signals |= {GRADIENTS[name]: norm for name, norm in self._ear.grads.items()}
        loss = judge.loss if judge.loss and (not judge.loss.pairs or len(r) == len(f)) else None
        missing: tuple[Need, ...] = () if self._judge else ("polarity",)
        moment = Moment(p, p, signals, self.networks, loss, self._ear.before, missing=missing)
        found = self._full(moment, fake, real, held) if self.full else numbers(CHEAP, moment)
        self.records.append(Record(self.steps, self.images, time.perf_counter() - self._begin, found))
        if len(self.records) > KEPT:
            self.records[: KEPT // 2] = self.records[: KEPT // 2 : 2]

    def _full(self, moment: Moment, fake: Tensor, real: Tensor | None, held: list[Tensor]) -> dict[str, float]:
        if real is not None and len(self._real) < KNOWN:
            self._real = torch.cat([self._real.to(real.device), pooled(real)]) if len(self._real) else pooled(real)
        if self.steps % (RARE * self.every):
            return numbers(CHEAP, moment)
        n = min(len(fake), len(self._real), DRAWN)
        if n >= FEWEST:
            moment.reference = Reference(self._real[:n], self._real, self._held)
        moment.seen = Look(pooled(fake[:n]), held=(held[0], moment.d.side(held[0])) if held else None)
        with undisturbed(fake.device, *self.networks.values()):
            return numbers(PROBES, moment)

    def _warn(self) -> None:
        now = time.perf_counter() - self._begin
        if now - self._checked < PATIENCE * self._cost:
            return
        self._checked = now
        for finding in self.findings:
            if (finding.problem, finding.severity) not in self._told:
                self._told.add((finding.problem, finding.severity))
                cure = f"; what helps: {finding.remedies[0].because}" if finding.remedies else ""
                since = f"{finding.problem} ({finding.severity}) since step {finding.since_step:,}"
                warnings.warn(f"ganwise: {since}: {finding.evidence}{cure}", RuntimeWarning, stacklevel=4)


def _check(**given: Scores) -> None:
    for name, tensors in given.items():
        parts = tensors if isinstance(tensors, (list, tuple)) else [tensors]
        if not parts or not all(isinstance(part, Tensor) and part.numel() for part in parts):
            raise Unusable(f"Monitor.step: {name}: expected a tensor that is not empty, or several, got {type(tensors).__name__}")


def _thinned(x: Tensor) -> Tensor:
    flat = x[:SEEN].flatten(1).float()
    return flat[:, :: -(-flat.shape[1] // NUMBERS)]


def _no_look(*arguments: object) -> Output:
    raise NotImplementedError("no probe looks at other samples in a loop that is not ours")
