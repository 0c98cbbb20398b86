"""The main job for an application that somebody describes: its short list is that of `ganwise select`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganwise.audit import audit
from ganwise.data import load
from ganwise.select import Advice, Application, select
from ganwise.study.budget import parse
from ganwise.study.job import Hooks, Request, run
from ganwise.types import Unusable


def test_the_main_job_races_the_short_list_of_the_application(tmp_path: Path) -> None:
    application = Application(want=("stability", "reconstruction"), memory_gb=0.5)
    found: list[Advice] = []

    def advised(advice: Advice) -> None:
        found.append(advice)
        raise Unusable("seen enough")

    with pytest.raises(Unusable, match="seen enough"):
        run(Request("digits", tmp_path / "out", parse("3m"), application=application), Hooks(advised=advised))
    seen = audit(load("digits"))
    wanted = select(seen, application=application, device="cpu", seconds=180.0)
    assert [c.name for c in found[0].candidates] == [c.name for c in wanted.candidates]
    assert [c.name for c in found[0].candidates] != [c.name for c in select(seen, device="cpu", seconds=180.0).candidates]
    assert not (tmp_path / "out").exists()
