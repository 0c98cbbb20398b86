"""The doctor's verb: anybody's run in, a verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganwise.cli import show
from ganwise.cli.runs import find
from ganwise.doctor import diagnose, kind
from ganwise.doctor.readers import read
from ganwise.doctor.stop import advise
from ganwise.types import Unusable


def doctor(path: Path, loss: str, columns: Sequence[str], json: bool) -> int:
    """Diagnoses the run or log at ``path``; returns the exit status, 1 for a failing run.

    Raises:
        Unusable: Nothing there that tells of a training run, or an option that names nothing.
    """
    named = kind(loss) if loss else ""
    log = read(find(path) if path.is_dir() else path, _mapping(columns))
    if named and log.recipe is None:
        log = log._replace(loss=named)
    diagnosis = diagnose(log.records, log.recipe, log.scores, loss=log.loss, coarse=log.coarse)
    stop = advise(log.records, log.recipe, loss=log.loss, coarse=log.coarse)
    content = {**diagnosis.as_json(), "read": log.as_json(), "stop": stop.as_json()}
    show.result(content, json, lambda: show.diagnosis(diagnosis, log, stop))
    return 1 if diagnosis.verdict in ("failing", "failed") else 0


def _mapping(columns: Sequence[str]) -> dict[str, str]:
    """``loss_d=D_loss,step=iter``, once or repeated."""
    told = {}
    for part in ",".join(columns).split(",") if columns else ():
        signal, equals, name = part.partition("=")
        if not equals or not signal.strip() or not name.strip():
            raise Unusable(f"--map {part}: expected SIGNAL=COLUMN, as in loss_d=D_loss,step=iter")
        told[signal.strip()] = name.strip()
    return told
