"""The doctor's verb: anybody's run in, a verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganwise.artifacts import RunDirectory
from ganwise.cli import show, verdict
from ganwise.cli.runs import find
from ganwise.doctor import diagnose, kind
from ganwise.doctor.readers import read
from ganwise.doctor.stop import advise
from ganwise.types import SICK, Record, Unusable


def doctor(path: Path, loss: str, columns: Sequence[str], page: Path | None, json: bool) -> int:
    """Diagnoses the run or log at ``path``; returns the exit status, 1 for a failing run.

    The page goes to ``page``, by default to `doctor.html` in the directory of a run of ours, where that can be written to.

    Raises:
        Unusable: Nothing there that tells of a training run, an option that names nothing, or a page that can't be written.
    """
    from ganwise.report import clinic

    named = kind(loss) if loss else ""
    log = read(find(path) if path.is_dir() else path, _mapping(columns))
    if named and log.recipe is None:
        log = log._replace(loss=named)
    diagnosis = diagnose(log.records, log.recipe, log.scores, loss=log.loss, coarse=log.coarse)
    stop = advise(log.records, log.recipe, loss=log.loss, coarse=log.coarse)
    written = clinic.write(page, diagnosis, log, stop) if page else clinic.beside(diagnosis, log, stop)
    content = {**diagnosis.as_json(), "read": log.as_json(), "stop": stop.as_json(), "page": written and str(written)}
    content["first"] = odd._asdict() if (odd := clinic.first(diagnosis, log)) else None
    for finding in content["findings"]:
        finding["pictures"] = clinic.pictures(log, finding["since_step"])
    show.result(content, json, lambda: verdict.diagnosis(diagnosis, log, stop, str(written or "")))
    return 1 if diagnosis.verdict in SICK else 0


def heal(path: Path, steps: int | None, out: Path | None, json: bool) -> int:
    """Continues a sick run with the doctor's remedy in a new directory; returns the exit status, 1 where nothing cured it.

    Raises:
        Unusable: The path is no run of ours, it is not sick, or ``out`` can't be used.
    """
    from ganwise.cli import live, runs, single
    from ganwise.heal import Healer
    from ganwise.study.job import free_directory
    from ganwise.study.trial import Stop

    run = RunDirectory.open(find(path))
    told = runs.told(run)
    healer = Healer(run, single.data_of(run, told), out or free_directory(f"{run.path.name}-healed"), steps)
    healer.device = runs.device(str(told.get("device", "auto")))
    with live.bars() as progress, Stop().listening() as stop:
        task = progress.add_task(run.path.name, total=1.0, numbers="starting")
        healer.say = live.errors.print
        healer.show = lambda record, share: progress.update(task, completed=share, numbers=live.numbers(dict(record.signals)))
        result = healer.go(stop)
    show.result(result, json, lambda: show.healed(result))
    return stop.status or int(not result["cured"])


def demo(out: Path | None, seed: int, json: bool) -> int:
    """Trains a GAN that collapses, diagnoses and heals it; returns the exit status, 1 where it was not healed.

    Raises:
        Unusable: ``out`` can't be used.
    """
    import torch

    from ganwise.cli import live
    from ganwise.demo import Demo
    from ganwise.study.job import free_directory
    from ganwise.study.trial import Stop

    torch.set_num_threads(1)  # networks this small are slower on more
    show_demo = Demo(out or free_directory("doctor-demo"), seed)
    with live.bars() as progress, Stop().listening() as stop:
        tasks = {}

        def show_progress(name: str, record: Record, share: float) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=1.0, numbers="")
            progress.update(tasks[name], completed=share, numbers=live.numbers(dict(record.signals)))

        show_demo.show, show_demo.say = show_progress, live.errors.print
        result = show_demo.go(stop)
    show.result(result, json, lambda: verdict.demo(result))
    if stop.interrupted:
        live.errors.print(f"interrupted; what was made is in {result['out']}", markup=False, soft_wrap=True)
        return stop.status
    return int(not result["heal"]["cured"])


def _mapping(columns: Sequence[str]) -> dict[str, str]:
    """``loss_d=D_loss,step=iter``, once or repeated."""
    told = {}
    for part in ",".join(columns).split(",") if columns else ():
        signal, equals, name = part.partition("=")
        if not equals or not signal.strip() or not name.strip():
            raise Unusable(f"--map {part}: expected SIGNAL=COLUMN, as in loss_d=D_loss,step=iter")
        told[signal.strip()] = name.strip()
    return told
