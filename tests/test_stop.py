"""When to stop: the rule on sequences made for it, and on published logs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ganwise.doctor.readers import read
from ganwise.doctor.series import series
from ganwise.doctor.stop import RATE, advise
from ganwise.doctor.thresholds import GAIN, STOP_RATIO, STOP_WON
from ganwise.types import Record

TRACES = Path(__file__).parents[2] / "shared" / "data" / "traces"


def evaluated(*values: float, every: int = 1000) -> list[Record]:
    return [Record(i * every, 0, 0.0, {"fid": value}) for i, value in enumerate(values, 1)]


FALL = [100 * math.exp(-i / 5) + 20 for i in range(20)]


def test_a_run_that_gets_better_goes_on() -> None:
    advice = advise(evaluated(*FALL))
    assert (advice.now, advice.basis, advice.best) == (False, "fid", 20_000)


def test_a_run_that_gets_worse_for_good_is_ended_and_its_best_step_named() -> None:
    advice = advise(evaluated(*FALL, *[FALL[-1] + 4 * i for i in range(1, 9)]))
    assert advice.now
    assert (advice.best, advice.rate) == (20_000, RATE)
    assert 20_000 < (advice.at or 0) <= 28_000


def test_waiting_alone_is_no_reason_to_stop() -> None:
    assert not advise(evaluated(*FALL, *[FALL[-1] * 1.02] * 40)).now


def test_noise_of_the_metric_is_no_reason_to_stop() -> None:
    noisy = [30 + (7 if i % 2 else -7) for i in range(40)]
    assert not advise(evaluated(16.0, *noisy)).now


def test_few_evaluations_are_no_reason_to_stop() -> None:
    assert not advise(evaluated(50, 90, 120, 300, 300)).now


def losses(d: float, g: float, steps: int) -> list[Record]:
    return [Record(t, 0, 0.0, {"loss_d": d * (1 + 0.1 * math.sin(t)), "loss_g": g}) for t in range(100, steps, 100)]


def test_without_a_metric_a_discriminator_that_has_won_for_long_ends_the_run() -> None:
    short, long = advise(losses(0.01, 6.0, 30_000)), advise(losses(0.01, 6.0, 60_000))
    assert (short.now, short.basis) == (False, "losses")
    assert (long.now, long.rate) == (True, RATE)
    assert str(f"{STOP_WON:,}") in long.because
    assert not advise(losses(1.2, 0.9, 60_000)).now


@pytest.mark.parametrize("loss", ["wasserstein", "boundary-equilibrium"])
def test_losses_that_measure_something_else_never_end_a_run(loss: str) -> None:
    assert advise(losses(0.01, 6.0, 60_000), loss=loss).basis == "none"


def test_numbers_that_stay_broken_end_the_run_and_a_skipped_step_does_not() -> None:
    broken = [Record(t, 0, 0.0, {"loss_d": math.nan}) for t in (300, 400)]
    assert advise([*losses(1.2, 0.9, 300), *broken]).at == 300
    assert not advise([*losses(1.2, 0.9, 300), *broken, Record(500, 0, 0.0, {"loss_d": 1.2})]).now


def test_it_ends_published_runs_that_broke_off_and_loses_no_better_model() -> None:
    """The bound was taken from these and 39 other logs: benchmarks/traces.py tells the rate on logs that were left out."""
    if not TRACES.is_dir():
        pytest.skip("the published logs are not here")
    ended = {}
    for path in sorted(TRACES.glob("*.csv")):
        records = read(path).records
        values = series(records, "fid")
        for end, (step, _) in enumerate(values[:-1]):
            if advise([r for r in records if r.step <= step and "fid" in r.signals]).now:
                best = min(v for _, v in values[: end + 1])
                assert min(v for _, v in values[end + 1 :]) >= (1 - GAIN) * best, path.name
                ended[path.name.split("-2")[0]] = step / values[-1][0]
                break
    assert {"ACGAN", "DCGAN", "GGAN", "LSGAN", "ProjGAN", "WGAN-DRA"} <= set(ended)
    assert not {"SNGAN", "BigGAN", "WGAN-GP", "SAGAN"} & set(ended)


def test_the_bound_is_looser_than_the_noise_of_good_runs() -> None:
    assert STOP_RATIO > 1 + GAIN
