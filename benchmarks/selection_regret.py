"""Is the short list good? The five GANs that selection lists, against twelve random valid combinations and the popular choice.

    python benchmarks/selection_regret.py draw                 fixed once: results/selection-regret/random.json
    python benchmarks/selection_regret.py lists --cifar FILE   what selection answers: results/selection-regret/lists.json
    python benchmarks/selection_regret.py run --data-set grid --arm random popular --seeds 0 1 2     resumable
    python benchmarks/selection_regret.py collect              results/selection-regret/rows.jsonl, from the run directories
    python benchmarks/selection_regret.py page                 the generated part of docs/selection.md

The protocol was fixed before the first run and stands in docs/selection.md; what it names is in the constants below. A run is a
trial of a race: its own process on one thread, five looks at the validation part of which the best is kept, scores on the test
part. Runs are kept in `--out` and a finished one is never repeated.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from selection_regret_page import write  # beside this file

import ganwise as gw
from ganwise import catalog, model
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.audit import audit
from ganwise.build import build
from ganwise.data import Dataset, content_hash, load, save, toy_modes
from ganwise.evaluate import prepare
from ganwise.metrics import nearest_mode, ranking_metric
from ganwise.mixture import fit_mixture, images_of
from ganwise.recipe import Choice, Recipe
from ganwise.select import Application
from ganwise.select.space import NONE, Combination, possible
from ganwise.study.engine import Stop, Task
from ganwise.study.local import Local
from ganwise.study.trial import ENOUGH
from ganwise.types import Audit, Shape, Unusable

HERE = Path(__file__).parent / "results" / "selection-regret"
RANDOM, LISTS, ROWS = HERE / "random.json", HERE / "lists.json", HERE / "rows.jsonl"
OUT = Path(__file__).parents[2] / "runs" / "selection-regret"
DRAWN, LISTED, SEEDS = 12, 5, 3
DRAW_SEED = 5
CIFAR_PART = 10_000
GOOD, HELD, JUDGED = 3.0, 0.2, 2_500
"""Standard deviations to a center, share of a mode's fair part, and samples, as in toy_modes.py."""
PATIENCE = 4
"""Times its CPU seconds that a run may take by the clock; then it scores what it has."""
Row = dict[str, Any]


class Setting(NamedTuple):
    """One data set of the study. ``seconds`` is CPU time of training a run; ``n`` test samples against as many fakes."""

    shape: Shape
    seconds: float
    n: int
    draws: int
    popular: str
    domain: Literal["many"] | None  # what a person would say of it besides


SETTINGS = {
    "grid": Setting((2,), 20.0, 2_000, 1, "fcgan", None),
    "digits": Setting((1, 8, 8), 20.0, 360, 3, "dcgan", "many"),
    "mnist-10k": Setting((1, 28, 28), 120.0, 2_000, 1, "dcgan", "many"),
    "cifar10-10k": Setting((3, 32, 32), 600.0, 2_000, 1, "dcgan", "many"),
}
"""DCGAN makes images only: on the grid its loss, optimizer and schedule run on fully connected networks, which is fcgan."""
ARMS = ("list", "random", "popular")
MEASURED_ON = {
    "grid": ("ten-generator-steps",),
    "digits": ("measured-on-digits", "tiny-images-no-spectral-norm", "ten-generator-steps"),
}
"""Rules for which nothing speaks but what this project measured on the same data: there agreement would be no evidence."""


def data_set(name: str, cifar: Path | None) -> Dataset:
    """A data set of the study, without its labels.

    Random combinations read no labels, and on the grid a label names the mode, so no arm gets them. Of CIFAR-10 a fixed part of
    the training images is used, and none of the test images.
    """
    if name != "cifar10-10k":
        data = load(name)
    elif cifar is None:
        raise Unusable("cifar10-10k: give --cifar FILE, as scripts/make_cifar10_npz.py writes it")
    else:
        with np.load(cifar) as arrays:
            images = arrays["x_train"]
        data = load(images[np.sort(np.random.default_rng(DRAW_SEED).permutation(len(images))[:CIFAR_PART])], name=name)
    labels = np.full(len(data), -1)
    return replace(data, labels=labels, classes=(), content=content_hash(data.values, labels, data.split))


def draw(name: str) -> list[Row]:
    """``DRAWN`` combinations that differ, in the order in which they were drawn.

    Architecture, loss and regularization uniformly among all that go together, then one of the divergences that these can have:
    drawn uniformly from the list of all combinations, half would be f-GANs, which it counts once for every divergence.
    """
    rng = np.random.default_rng([DRAW_SEED, list(SETTINGS).index(name)])
    shape, found = SETTINGS[name].shape, {}
    left = [combination for combination, _ in possible(shape)]
    while len(found) < DRAWN:
        kinds = sorted({one[:3] for one in left})
        kind = kinds[int(rng.integers(len(kinds)))]
        alike = [one for one in left if one[:3] == kind]
        drawn = alike[int(rng.integers(len(alike)))]
        left.remove(drawn)
        made = recipe_of(drawn)
        try:
            build(made, shape)
        except Unusable as error:
            print(f"{name}: {drawn} can't be built: {error}")
            continue
        found[drawn] = made
    return [
        {"name": f"random-{place:02d}", "combination": one._asdict(), "recipe": made.model_dump(mode="json")}
        for place, (one, made) in enumerate(found.items(), 1)
    ]


def recipe_of(one: Combination) -> Recipe:
    """A combination as a recipe, with the catalog's options.

    Where a named GAN has the same loss and the same regularization, its options and its schedule are taken, so that a
    combination is not crippled by settings that were made for another; else the catalog's default schedule, which is DCGAN's.
    """
    wanted = () if one.regularizer == NONE else (one.regularizer,)
    plain = [entry.recipe for entry in catalog.RECIPES.values() if entry.recipe and not entry.recipe.conditioning]
    alike = [made for made in plain if made.loss.name == one.loss and tuple(r.name for r in made.regularizers) == wanted]
    architecture, divergence = Choice(name=one.architecture), Choice(name=one.divergence) if one.loss == "f-gan" else None
    if not alike:
        made = Recipe(architecture=architecture, loss=Choice(name=one.loss), regularizers=tuple(Choice(name=n) for n in wanted))
        return made.model_copy(update={"divergence": divergence})
    nearest = next((made for made in alike if made.architecture.name == one.architecture), alike[0])
    if nearest.architecture.name == one.architecture:
        architecture = nearest.architecture
    return nearest.model_copy(update={"architecture": architecture, "divergence": divergence})


def short_list(seen: Audit, name: str, measured: bool = False) -> list[Row]:
    """The first five of selection for these data, on a CPU, with the time that a race of them takes; no wish is stated.

    Without ``measured``, evidence and the rules that this project measured on the same data do not count.
    """
    setting = SETTINGS[name]
    said = Application(device="cpu", seconds=LISTED * SEEDS * setting.seconds, domain=setting.domain)
    switched: Row = {} if measured else {"without": MEASURED_ON.get(name, ()), "evidence": ()}
    advice = gw.select(seen, application=said, limit=LISTED, **switched)
    return [{"name": one.name, "rank": one.rank, "recipe": one.recipe.model_dump(mode="json")} for one in advice.candidates]


def lists(cifar: Path | None) -> None:
    """Writes what selection answers now. A data set that is not at hand keeps what it had."""
    found = read_json(LISTS) if LISTS.is_file() else {}
    for name in SETTINGS:
        if name != "cifar10-10k" or cifar:
            seen = audit(data_set(name, cifar))
            told = [one["name"] for one in short_list(seen, name, measured=True)]
            found[name] = {"commit": commit(), "without": MEASURED_ON.get(name, ()), "with_measurements": told}
            found[name]["candidates"] = short_list(seen, name)
    write_json(LISTS, found)


def commit() -> str:
    """The commit of the code that runs, with a plus where files differ from it."""
    where = Path(__file__).parent
    told = subprocess.run(["git", "describe", "--always", "--dirty=+", "--exclude=*"], cwd=where, capture_output=True, text=True)
    return told.stdout.strip() or "unknown"


def entrants(name: str, arm: str, listed: Path) -> list[tuple[str, Row]]:
    """The recipes of an arm, by name."""
    if arm == "popular":
        popular = SETTINGS[name].popular
        return [(popular, catalog.named(popular).model_dump(mode="json"))]
    held = read_json(RANDOM)[name] if arm == "random" else read_json(listed)[name]["candidates"]
    return [(row["name"], row["recipe"]) for row in held]


Job = tuple[str, str, Row, int]


def jobs(name: str, arms: Sequence[str], seeds: Sequence[int], listed: Path) -> Iterator[Job]:
    """Every run, one seed of everything before the next, and within a seed in an order that mixes the arms."""
    every = [(arm, entrant, recipe) for arm in arms for entrant, recipe in entrants(name, arm, listed)]
    for seed in seeds:
        for place in np.random.default_rng([DRAW_SEED, seed]).permutation(len(every)):
            yield (*every[place], seed)


def run(name: str, wanted: Sequence[Job], out: Path, cifar: Path | None, setting: Setting | None = None) -> int:
    """Trains and scores what is not finished in ``out``; returns the signal that ended it, or 0."""
    setting, data = setting or SETTINGS[name], data_set(name, cifar)
    folder, spent = out / name, setting.seconds
    save(data, folder / "data")
    prepare(data, "test", n=setting.n).yardsticks  # noqa: B018  # cached here once, for all runs
    if not (folder / "floor.json").is_file():
        write_json(folder / "floor.json", floor(data, setting))
    for arm, entrant, recipe, seed in wanted:
        trial = RunDirectory(folder / arm / f"{entrant}-s{seed}")
        if trial.run.is_file() and finished(trial.read()):
            continue
        shutil.rmtree(trial.path, ignore_errors=True)
        trial.path.mkdir(parents=True)
        job = {"data": str(folder / "data"), "recipe": recipe, "limit": {"seconds": spent}, "seed": seed, "device": "cpu"}
        trial.update(name=entrant, arm=arm, commit=commit(), status="waiting", job=job | {"n": setting.n, "draws": setting.draws})
        if stopped := run_alone(trial, PATIENCE * spent + 60):
            return stopped
        if name == "grid" and trial.model.is_file():
            write_json(trial.path / "modes.json", modes(trial))
        told = trial.read()
        said = told.get("broken") or f"{told.get('steps', 0):,} steps, {told.get('verdict')}, {_primary(trial, data)}"
        print(f"{name} {arm} {entrant} seed {seed}: {said}", flush=True)
    return 0


def run_alone(trial: RunDirectory, patience: float) -> int:
    """Trains a run to its end and scores it; one that is slow scores what it has. Returns the signal that came, 0 for none."""
    engine, deadline = Local(1), time.monotonic() + patience
    with Stop().listening() as stop:
        for task in (Task(trial, 1.0), Task(trial, None)):
            engine.start(task)
            while not (ended := engine.finished(0.5)) and not stop.number:
                if time.monotonic() > deadline:
                    engine.stop(ENOUGH, task)
            if stop.number:
                break
            if ended[0].error:
                trial.update(broken=ended[0].error)
        engine.close()
    return stop.number


def finished(told: Row) -> bool:
    return told["status"] == "done" or "broken" in told


def _primary(trial: RunDirectory, data: Dataset) -> str:
    scores = read_json(trial.scores)["scores"] if trial.scores.is_file() else []
    return ", ".join(f"{s['metric']} {float(s['value']):.4f}" for s in scores if s["metric"] == ranking_metric(data.kind))


def floor(data: Dataset, setting: Setting) -> Row:
    """What one Gaussian with the training part's mean and covariance scores: a run that is worse was not worth its time."""
    train, image = data.part("train"), data.kind == "image"
    flat = train.reshape(len(train), -1).astype(np.float32)
    fitted, count = fit_mixture(flat / np.float32(255) if image else flat, components=1), setting.n * 3
    drawn = fitted.sample(count, DRAW_SEED)
    fakes = images_of(drawn, train.shape[1:]) if image else drawn
    (score,) = prepare(data, "test", n=setting.n).scores(fakes, metrics=[ranking_metric(data.kind)])
    return {"metric": score.metric, "value": score.value, "protocol": score.protocol, "features": score.features}


def modes(trial: RunDirectory) -> Row:
    """Of the grid: the share of good samples, and how many of the 25 modes hold a fifth of their fair share."""
    centers, sd = toy_modes("grid")
    samples = model.load(trial.model).sample(JUDGED, seed=DRAW_SEED)
    mode, good = nearest_mode(samples, centers, sd, GOOD).T
    counts = np.bincount(mode[good > 0], minlength=len(centers))
    return {"good": round(float(good.mean()), 4), "held": int((counts >= HELD * JUDGED / len(centers)).sum())}


def collect(out: Path) -> None:
    """Writes a row for every finished run, in an order that does not depend on when they ran."""
    rows = []
    for name in SETTINGS:
        for told in sorted((out / name).glob("*/*/run.json")):
            trial = RunDirectory.open(told.parent)
            if finished(trial.read()):
                rows.append(row_of(name, trial, read_json(out / name / "floor.json")))
    known = {_key(row): row for row in committed()} | {_key(row): row for row in rows}
    ROWS.write_text("".join(json.dumps(known[key]) + "\n" for key in sorted(known)))
    print(f"{ROWS.name}: {len(rows)} runs in {out}, {len(known)} rows")


def committed() -> list[Row]:
    return [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.is_file() else []


def order() -> dict[str, list[str]]:
    """The names on the committed short lists, by rank."""
    held = read_json(LISTS) if LISTS.is_file() else {}
    return {name: [row["name"] for row in entry["candidates"]] for name, entry in held.items()}


def _key(row: Row) -> tuple[int, int, str, int]:
    return list(SETTINGS).index(row["data"]), ARMS.index(row["arm"]), row["recipe"], row["seed"]


def row_of(name: str, trial: RunDirectory, least: Row) -> Row:
    """What a run came to, as it is kept."""
    told, spent = trial.read(), SETTINGS[name].seconds
    scores = {s["metric"]: s for s in read_json(trial.scores)["scores"]} if trial.scores.is_file() else {}
    primary = scores.get(least["metric"], {"value": "nan", "low": "nan", "high": "nan"})
    value, low, high = (float(primary[side]) for side in ("value", "low", "high"))
    found = read_json(trial.doctor)["findings"] if trial.doctor.is_file() else []
    row = {
        "data": name,
        "arm": told["arm"],
        "recipe": told["name"],
        "seed": told["job"]["seed"],
        "metric": least["metric"],
        "value": round(value, 6) if math.isfinite(value) else None,
        "interval": [round(low, 6), round(high, 6)] if math.isfinite(value) else None,
        "yardsticks": {side: round(v, 6) for side, v in primary.get("yardsticks", {}).items()},
        "floor": round(least["value"], 6),
        "protocol": primary.get("protocol"),
        "features": primary.get("features"),
        "coverage": round(float(scores["coverage"]["value"]), 4) if "coverage" in scores else None,
        "verdict": told.get("verdict"),
        "problems": sorted({one["problem"] for one in found}),
        "broken": told.get("broken"),
        "budget": spent,
        "seconds": told.get("seconds"),
        "steps": told.get("steps"),
        "images": told.get("images"),
        "best_step": told.get("best", {}).get("step"),
        "commit": told["commit"],
        "made_of": _made_of(told["job"]["recipe"]),
    }
    extra = trial.path / "modes.json"
    return row | (read_json(extra) if extra.is_file() else {})


def _made_of(recipe: Row) -> str:
    names = [recipe["architecture"]["name"], recipe["loss"]["name"], *(one["name"] for one in recipe["regularizers"])]
    return " + ".join(names + ([recipe["divergence"]["name"]] if recipe["divergence"] else []))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["draw", "lists", "run", "collect", "page"])
    parser.add_argument("--data-set", choices=SETTINGS, default="grid")
    parser.add_argument("--arm", choices=ARMS, nargs="+", default=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(SEEDS)))
    parser.add_argument("--cifar", type=Path, help="CIFAR-10 as one .npz file")
    parser.add_argument(
        "--lists", type=Path, default=LISTS, help="the short lists, where the code that runs is older than they are"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    if given.verb == "draw":
        write_json(RANDOM, {name: draw(name) for name in SETTINGS})
    elif given.verb == "lists":
        lists(given.cifar)
    elif given.verb == "collect":
        collect(given.out)
    elif given.verb == "page":
        write(committed(), order())
    else:
        wanted = list(jobs(given.data_set, given.arm, given.seeds, given.lists))
        return 128 + stopped if (stopped := run(given.data_set, wanted, given.out, given.cifar)) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
