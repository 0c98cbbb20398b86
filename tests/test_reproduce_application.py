"""The framework's worked application: what is compared, by what rule, and that it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganwise.audit import audit
from ganwise.catalog.recipes import named
from ganwise.cli import main
from ganwise.reproduce import sets
from ganwise.reproduce.application import PAPERS, alone, conclude, entrants, independent, judge, leaders
from ganwise.reproduce.work import Row
from ganwise.select import select
from ganwise.study.race import Entrant

CHEAP = {"none": 1.0, "spectral normalization": 1.1, "gradient penalty": 1.9}


def _row(name: str, rank: int, kid: float, tied: tuple[str, ...] = ()) -> Row:
    return {
        "recipe": name,
        "rank": rank,
        "tied_with": list(tied),
        "interval": {"mean": kid, "low": kid / 2, "high": kid * 2},
        "summary": {"kid": kid, "coverage": 0.2},
        "kid": [{"value": kid}],
        "cost": {"steps": 100.0, "seconds": 30.0},
        "verdict": "healthy",
        "error": None,
    }


def test_all_four_listed_and_one_of_them_first_is_reproduced() -> None:
    assert judge([4, 4], CHEAP, [_row("sngan", 1, 0.1), _row("dcgan", 2, 0.3)], "here") == "reproduced"


def test_a_tie_with_the_leader_counts_as_leading() -> None:
    ranking = [_row("r1gan", 1, 0.1, ("lsgan",)), _row("lsgan", 2, 0.12, ("r1gan",))]
    assert leaders(ranking) == {"r1gan", "lsgan"}
    assert judge([4, 4], CHEAP, ranking, "here") == "reproduced"


def test_a_race_that_none_of_the_four_leads_is_close() -> None:
    assert judge([4, 4], CHEAP, [_row("r1gan", 1, 0.1), _row("lsgan", 2, 0.5)], "here") == "close"


def test_two_of_four_on_a_list_or_a_dear_normalization_are_not_reproduced() -> None:
    ranking = [_row("sngan", 1, 0.1)]
    assert judge([4, 2], CHEAP, ranking, "here") == "not reproduced"
    assert judge([4, 4], CHEAP | {"spectral normalization": 2.5}, ranking, "here") == "not reproduced"


def test_without_a_race_nothing_is_judged() -> None:
    assert judge([4, 4], CHEAP, [], "here") == "unjudged"
    assert judge([4, 4], CHEAP, [_row("sngan", 1, 0.1)], "sample") == "unjudged"


def test_the_race_has_the_four_our_first_other_choice_and_the_baseline() -> None:
    listed = [Entrant(name, named(name)) for name in ("sngan", "r1gan", "began")]
    assert [entrant.name for entrant in entrants(listed)] == [*PAPERS, "r1gan", "dcgan"]


def test_the_framework_s_own_rules_are_left_out_of_the_independent_list() -> None:
    """And they do speak: with them a candidate of the paper's has more points."""
    seen = audit(sets.colored_digits(900))
    whole = select(seen, ("diversity", "quality"), device="cpu", seconds=600.0)
    without = select(seen, ("diversity", "quality"), device="cpu", seconds=600.0, without=alone())
    assert independent(seen, "cpu", 600.0) == [one.name for one in without.candidates]
    assert not [reason.rule for one in without.candidates for reason in one.reasons if reason.rule in alone()]
    points = [{one.name: one.score for one in advice.candidates} for advice in (whole, without)]
    assert any(points[0][name] > points[1][name] for name in PAPERS if name in points[0].keys() & points[1].keys())


def test_figures_are_kid_in_thousandths_by_rank() -> None:
    machine = {"before": 9, "valid": 5, "after": 2, "listed": list(PAPERS), "independent": list(PAPERS), "answers": ["a"] * 4}
    rows: list[Row] = [
        {"cell": "selection", "machines": {"a GPU": machine}},
        {"cell": "costs", "seconds": CHEAP},
        {"cell": "race", "ranking": [_row("sngan", 1, 0.1), _row("dcgan", 2, 0.3)], "images": 30_000, "n": 300},
    ]
    found = conclude("framework-example", rows, "here")
    assert [(figure.what, figure.value) for figure in found.ours[-2:]] == [
        ("KID x1000 of sngan in the race", 100.0),
        ("KID x1000 of dcgan in the race", pytest.approx(300.0)),
    ]
    assert found.verdict == "reproduced"


def test_the_lists_without_the_framework_s_own_rules_are_judged() -> None:
    machine = {"before": 9, "valid": 5, "after": 2, "listed": list(PAPERS), "independent": PAPERS[:3], "answers": ["a"] * 4}
    rows: list[Row] = [
        {"cell": "selection", "machines": {"a GPU": machine}},
        {"cell": "costs", "seconds": CHEAP},
        {"cell": "race", "ranking": [_row("sngan", 1, 0.1)], "images": 30_000, "n": 300},
    ]
    assert conclude("framework-example", rows, "here").verdict == "close"


def test_the_sample_runs_without_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["ganwise", "reproduce", "framework-example", "--scale", "sample", "--out", str(tmp_path / "out"), "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert '"verdict": "unjudged"' in capfd.readouterr().out
    assert {file.stem for file in (tmp_path / "out" / "cells").iterdir()} == {"selection", "costs"}
