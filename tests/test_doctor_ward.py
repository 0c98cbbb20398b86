"""What the ward taught the doctor, on sequences made of formulas; and what it says of the ward's calibration part itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from test_doctor import DECAY, MINIMAX, RECIPE, WON, Signal, run, wave

from ganwise.doctor import diagnose
from ganwise.recipe import Recipe
from ganwise.types import Record

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import ward_judge
from ward_cases import CELLS

from ganwise.artifacts import rows

FOOLED: dict[str, Signal] = {"accuracy_fake": lambda t: 0.02, "score_real": lambda t: 0.2 * wave(t)}


def told(records: list[Record], recipe: Recipe | None = RECIPE, running: bool = False) -> dict[str, str]:
    return {found.problem: found.severity for found in diagnose(records, recipe, running=running).findings}


@pytest.mark.parametrize(
    ("loss", "running", "severity"), [(0.02, True, "warning"), (0.02, False, "failing"), (1e-4, True, "failing")]
)
def test_a_lead_of_the_minimax_game_is_no_alarm_while_the_run_is_young_unless_it_is_enormous(
    loss: float, running: bool, severity: str
) -> None:
    records = run(800, loss_d=lambda t: loss, loss_g=lambda t: -loss)
    assert told(records, MINIMAX, running)["imbalance"] == severity


def test_a_flat_minimax_loss_is_no_alarm_while_the_run_is_young() -> None:
    assert told(run(800, saturated=lambda t: 0.98), MINIMAX, True) == {"vanishing_gradient": "warning"}
    assert told(run(2000, saturated=lambda t: 0.98), MINIMAX, True) == {"vanishing_gradient": "failing"}


def test_a_discriminator_is_fooled_only_where_it_scores_fakes_above_real_samples() -> None:
    assert told(run(**FOOLED, score_fake=lambda t: 0.1 * wave(t))) == {}
    assert told(run(**FOOLED, score_fake=lambda t: 0.4 * wave(t))) == {"imbalance": "failing"}


def test_a_discriminator_that_is_always_right_on_held_out_samples_too_has_won() -> None:
    assert told(run(**WON)) == {"imbalance": "warning"}
    assert told(run(**WON, accuracy_held=lambda t: 1.0)) == {"imbalance": "failing"}
    assert told(run(**WON, accuracy_held=lambda t: 0.9)) == {"imbalance": "warning"}


def test_a_discriminator_of_a_large_singular_value_is_unstable_and_a_generator_is_not() -> None:
    assert told(run(sigma_d=lambda t: 3.0 if t < 1000 else 80.0, grad_d=None))["instability"] == "failing"
    assert told(run(sigma_d=lambda t: 3 + t / 400, sigma_g=lambda t: 3 + t / 400)) == {}


def test_a_gradient_that_runs_away_before_the_first_record_is_seen_where_the_recipe_is_known() -> None:
    huge = run(grad_d=lambda t: 5e4 * wave(t, 0.4))
    assert told(huge) == {"instability": "failing"}
    assert told(huge, None) == {}, "losses of others may be sums"
    assert told(run(grad_d=lambda t: 150 * wave(t, 0.4))) == {}


@pytest.mark.parametrize("sick", [{"grad_g": lambda t: 0.0}, {"spread": lambda t: 0.01}], ids=["dead", "collapsed"])
@pytest.mark.parametrize(
    "hasty", [{"sigma_g": lambda t: 25.0}, {"update_g": lambda t: 0.2 if t < 400 else 0.001}], ids=["large", "long"]
)
def test_first_steps_too_long_are_failing_where_the_generator_does_not_come_through(
    hasty: dict[str, Signal], sick: dict[str, Signal]
) -> None:
    assert told(run(**hasty))["instability"] == "warning"
    assert told(run(**hasty, **sick))["instability"] == "failing"


def test_a_gradient_of_zero_is_seen_in_a_run_too_short_for_a_comparison() -> None:
    assert told(run(200, grad_g=lambda t: 0.0)) == {"vanishing_gradient": "failing"}
    assert "vanishing_gradient" not in told(run(200, grad_g=DECAY, **WON))


def test_a_critic_whose_loss_is_rounding_is_silent_from_the_first_record_on() -> None:
    critic: dict[str, Signal] = {"accuracy_real": None, "accuracy_fake": None, "grad_d": None, "grad_g": None}
    found = diagnose(run(200, loss_d=lambda t: -1e-10 * wave(t), **critic), loss="wasserstein").findings
    assert [one.problem for one in found] == ["vanishing_gradient"]
    assert not diagnose(run(200, loss_d=lambda t: -1e-2 * wave(t), **critic), loss="wasserstein").findings


def test_the_calibration_part_of_the_ward_meets_what_was_asked_for() -> None:
    """At the end of each run; delays and alarms in passing stand on the ward's page, which replays the runs."""
    outcomes = {row["name"]: row for row in rows(ward_judge.OUTCOMES) if CELLS[row["cell"]].part == "calibration"}
    standings = ward_judge.standings(list(outcomes.values()))
    said = [
        ward_judge.Said(outcomes[name], standings[name], diagnose(records, recipe).findings, None)
        for name, recipe, records in ward_judge.unpacked()
        if name in outcomes
    ]
    found = ward_judge.summary(said, "calibration")
    assert found.sick > 40
    assert found.healthy > 10
    assert found.right >= 0.9 * found.sick
    assert found.alarmed <= 0.05 * found.healthy
