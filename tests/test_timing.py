"""`ganwise bench`: real steps timed, a profile kept, and read by the cost of a short list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_select import DIGITS

from ganwise.select import select
from ganwise.select.profile import newest, profiles, read
from ganwise.study import timing
from ganwise.types import Unusable


def profile() -> dict[str, object]:
    return timing.measure("cpu", 0.05, ["mlp"])


def test_a_profile_has_the_machine_and_rates_that_its_steps_bear_out() -> None:
    found = timing.measure("cpu", 0.05, ["mlp"])
    assert found["machine"].keys() == {"platform", "processor", "device", "threads", "torch", "date"}
    assert {row["precision"] for row in found["timings"]} >= {"fp32"}
    assert sum(row["usual"] for row in found["timings"]) == 1
    for row in found["timings"]:
        small, large = row["measured"]
        assert (small["batch"], large["batch"]) == timing.BATCHES
        assert large["operations_per_step"] == pytest.approx(4 * small["operations_per_step"])
        assert min(small["steps"], large["steps"]) >= 4
        said = 2 * row["overhead"] + large["operations_per_step"] / row["rate"]
        assert said == pytest.approx(large["seconds_per_step"])


def measured(batch: int, seconds: float) -> timing.Measured:
    return timing.Measured(batch, 9, seconds, batch * 10.0, batch * 10 / seconds)


def test_two_batches_tell_the_price_of_an_update_from_that_of_an_operation() -> None:
    overhead, rate = timing._line(measured(16, 2 * 3 + 160 / 20), measured(64, 2 * 3 + 640 / 20))
    assert (overhead, rate) == pytest.approx((3, 20))


@pytest.mark.parametrize("small", [1.0, 100.0, 9.0])
def test_noise_makes_no_negative_price(small: float) -> None:
    large = measured(64, 40.0)
    overhead, rate = timing._line(measured(16, small), large)
    assert overhead >= 0 < rate
    assert 2 * overhead + 640 / rate == pytest.approx(40.0)


def test_what_is_kept_is_found_and_gives_candidates_their_seconds() -> None:
    file = timing.keep(profile())
    try:
        found = newest()
        assert found == read(file)
        assert found is not None and newest("cuda") is None  # noqa: PT018
        timed = select(DIGITS)
        cost = timed.candidates[0].cost
        assert cost is not None and cost.seconds_per_1000_images  # noqa: PT018
        assert cost.machine == found.machine
        assert cost.seconds_per_1000_images < 60
        assert (
            select(DIGITS, device="cuda").candidates[0].cost._replace(machine="")
            == select(DIGITS, device="cuda").candidates[0].cost
        )
    finally:
        file.unlink()
    bare = select(DIGITS)
    assert [(one.name, one.score) for one in bare.candidates] == [(one.name, one.score) for one in timed.candidates]
    assert bare.candidates[0].cost == cost._replace(seconds_per_1000_images=None, machine="")


def test_the_verb_prints_one_json_object_or_a_table(call, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    made = profile()
    monkeypatch.setattr(timing, "measure", lambda device, seconds: made)  # the others would take half a minute
    answer = call("bench", "--json", "--device", "cpu")
    content = json.loads(answer.out)
    assert (answer.status, content.keys()) == (0, {"format", "machine", "timings", "out"})
    Path(content["out"]).unlink()
    answer = call("bench", "--device", "cpu")
    assert "mlp" in answer.out
    newest_file = max(profiles().glob("*.json"))
    assert newest_file.name in answer.out
    newest_file.unlink()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_no_time_and_no_end_are_refused(seconds: float) -> None:
    with pytest.raises(Unusable, match="more than 0 seconds"):
        timing.measure("cpu", seconds)


@pytest.mark.parametrize("change", [{"overhead": "much"}, {"overhead": None}, {"rate": float("nan")}, {"usual": False}], ids=str)
def test_a_damaged_profile_is_passed_over(change: dict[str, object]) -> None:
    made = profile()
    for one in made["timings"]:
        one |= change
    file = timing.keep(made)
    try:
        assert newest() is None
        cost = select(DIGITS).candidates[0].cost
        assert cost is not None and cost.seconds_per_1000_images is None  # noqa: PT018
    finally:
        file.unlink()
