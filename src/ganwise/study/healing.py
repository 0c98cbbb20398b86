"""What healing a sick run takes: the remedies to try, the checkpoint to go on from, what of it fits the changed recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ganwise import checkpoint, doctor, ramp
from ganwise.artifacts import RunDirectory, append_row, rows
from ganwise.build import GAN, build
from ganwise.checkpoint import State
from ganwise.data import Dataset
from ganwise.doctor.slips import slip
from ganwise.recipe import Recipe, change, from_data
from ganwise.study.trial import CHECKPOINTS
from ganwise.types import Finding, Remedy

TREATED = ("failed", "failing", "warning")
"""Verdicts that call for a remedy, the worst first."""
CURED = ("healthy", "unknown", "warning")


class Treatment(NamedTuple):
    """A remedy for a finding, and the recipe that it makes."""

    finding: Finding
    remedy: Remedy
    recipe: Recipe


def treatments(diagnosis: doctor.Diagnosis, recipe: Recipe) -> list[Treatment]:
    """The doctor's remedies in the order in which to try them, each another recipe.

    Settings that no recipe of the catalog comes near are set right first. Of the worst findings the earliest is treated first:
    what came first is nearest to the cause. Within a finding the order is the doctor's, by expected gain and cost.
    """
    sick = [finding for finding in diagnosis.findings if finding.severity in TREATED]
    sick.sort(key=lambda one: (TREATED.index(one.severity), one.since_step))
    odd = doctor.prescribe(recipe, *filter(None, [slip(recipe)]))
    found: dict[Recipe, Treatment] = {}
    for finding in sick:
        for remedy in (*odd, *finding.remedies):
            made = change(recipe, remedy.change)
            found.setdefault(made, Treatment(finding, remedy, made))
    return list(found.values())


def changing(found: Sequence[Treatment], recipe: Recipe, data: Dataset, seed: int, device: str) -> list[Treatment]:
    """Those that make it another GAN: a margin that is to be measured again may come out as it was."""
    made = (build(one.recipe, data.shape, classes=len(data.classes), seed=seed, device=device).recipe for one in found)
    return [one for one, built in zip(found, made, strict=True) if built != recipe]


def last_healthy(run: RunDirectory, recipe: Recipe, finding: Finding) -> State | None:
    """The newest checkpoint before a finding where the doctor could see this problem and nothing failed; None where none is.

    What is found from the first look on was never seen healthy: of such a run no weights are kept.
    """
    records = run.records()
    for state in checkpoint.before(run.path / CHECKPOINTS, finding.since_step):
        seen = doctor.diagnose([r for r in records if r.step <= state.record.step], recipe, running=True)
        blind = any(gap.startswith(f"{finding.problem}:") for gap in seen.not_judged)
        if seen.verdict in CURED and not blind:
            return state
    return None


def graft(state: State, gan: GAN, same_loss: bool) -> tuple[State | None, str]:
    """The checkpoint fitted to a GAN of another recipe, and in words what it keeps; None where the networks differ.

    A layer under spectral normalization takes the weight that it had without. What the loss and the regularizers remember (k,
    running averages) is kept where the loss is the same and remembers as much.
    """
    fresh = checkpoint.tensors(gan)
    old = {**{_normalized(name): value for name, value in state.tensors.items()}, **state.tensors}
    weights = {f"{name}.{key}" for name in ("generator", "discriminator") for key, _ in getattr(gan, name).named_parameters()}
    for name in sorted(weights):
        if name not in old or old[name].shape != fresh[name].shape:
            return None, f"nothing: {name.partition('.')[0]} has other layers now, so that training starts anew"
    parts = [name for name in fresh if name.startswith("part")]
    remembered = same_loss and parts == [name for name in state.tensors if name.startswith("part")]
    fits = {name for name in fresh if name in old and old[name].shape == fresh[name].shape}
    kept = {name: old[name] if name in fits and (remembered or name not in parts) else value for name, value in fresh.items()}
    memories = [player for player in gan.optimizers if _remembers(state, gan, player)]
    for player in memories:
        kept |= {name: value for name, value in state.tensors.items() if name.startswith(f"optimizer.{player}.")}
    told = f", the optimizer's memory of the {' and the '.join(memories)}" if memories else ", no optimizer's memory"
    return State(state.record, kept), f"weights{told}{', the state of the loss' if parts and remembered else ''}"


def _normalized(name: str) -> str:
    return name.removesuffix("weight") + "parametrizations.weight.original" if name.endswith(".weight") else name


def _remembers(state: State, gan: GAN, player: str) -> bool:
    """Whether a player's optimizer can go on with what it remembers: of weights in the same order and by the same rule."""
    prefix = f"optimizer.{player}."
    flat = {name.removeprefix(prefix): value for name, value in state.tensors.items() if name.startswith(prefix)}
    keys = {name.partition(".")[2] for name in flat}
    wanted = {"adam": {"step", "exp_avg", "exp_avg_sq"}, "rmsprop": {"step", "square_avg"}, "sgd": {"momentum_buffer"}}
    settings = getattr(gan.recipe.schedule, player)
    if settings.name == "rmsprop" and ramp.ends(settings.momentum)[1] > 0:
        wanted["rmsprop"].add("momentum_buffer")
    weights = list(getattr(gan, player).parameters())
    shapes = [(row, value.shape) for name, value in flat.items() for row, _, key in [name.partition(".")] if key not in ("step",)]
    fits = all(int(row) < len(weights) and shape == weights[int(row)].shape for row, shape in shapes)
    return bool(flat) and fits and wanted[settings.name] <= keys


def begin(parent: RunDirectory, run: RunDirectory, treatment: Treatment, data: Dataset, device: str) -> tuple[State | None, str]:
    """Makes ``run`` the child of a sick ``parent``: its records and checks up to the healthy checkpoint, and where it comes from.

    Returns the state to go on from, None where training starts anew, and in words what it keeps.
    """
    told, recipe = parent.read(), treatment.recipe
    old = from_data(told["recipe"], str(parent.run))
    state, kept = last_healthy(parent, old, treatment.finding), "nothing: no checkpoint was seen healthy"
    if state:
        gan = build(recipe, data.shape, classes=len(data.classes), seed=told["seed"], device=device)
        state, kept = graft(state, gan, recipe.loss == old.loss)
    step = state.record.step if state else 0
    for file, copy in ((parent.records_file, run.records_file), (parent.checks_file, run.checks_file)):
        for row in rows(file):
            if row.get("step", step + 1) <= step:
                append_row(copy, row)
    remedy: Remedy = treatment.remedy
    lineage = {"parent": str(parent.path), "from_step": step, "problem": treatment.finding.problem}
    run.update(lineage=lineage | {"change": dict(remedy.change), "because": remedy.because, "kept": kept})
    return state, kept
