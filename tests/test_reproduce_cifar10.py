"""Three GANs at mimicry's protocol: their networks and rates, the rule, and that they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganwise import ramp
from ganwise.build import build
from ganwise.cli import main
from ganwise.reproduce.cifar10 import PUBLISHED, STEPS, conclude, judge, recipe
from ganwise.reproduce.work import Row


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_networks_have_the_published_sizes(name: str) -> None:
    """Counted in the authors' code for SNGAN, whose last layer has no bias."""
    gan = build(recipe(name), (3, 32, 32))
    sizes = [sum(w.numel() for w in network.parameters()) for network in (gan.generator, gan.discriminator)]
    assert sizes == [4_276_739, 1_053_824 + 1]


@pytest.mark.parametrize("name", PUBLISHED)
def test_rates_fall_to_zero_with_the_steps_of_g(name: str) -> None:
    plan = recipe(name).schedule
    for player, updates in ((plan.generator, STEPS), (plan.discriminator, 5 * STEPS)):
        assert ramp.at(player.learning_rate, 0) == 2e-4
        assert ramp.at(player.learning_rate, updates // 2) == pytest.approx(1e-4)
        assert ramp.at(player.learning_rate, updates) == pytest.approx(0)
        assert (player.beta1, player.beta2) == (0.0, 0.9)
    assert (plan.batch, plan.discriminator_steps, plan.ema) == (64, 5, 0.0)


def test_each_has_its_own_loss_and_penalty() -> None:
    made = {name: (recipe(name).loss.name, [each.name for each in recipe(name).regularizers]) for name in PUBLISHED}
    assert made == {
        "dcgan": ("non-saturating", []),
        "wgan-gp": ("wasserstein", ["gradient-penalty"]),
        "sngan": ("hinge", ["spectral-norm"]),
    }


def _run(name: str, times: float | None, step: int = STEPS, width: int = 256) -> Row:
    fid, protocol = PUBLISHED[name]
    point = {"step": step, "kid": 50.0, "low": 45.0, "high": 55.0, "coverage": 0.3, "precision": 0.5, "recall": 0.2}
    row: Row = {
        "cell": name,
        "options": {"width": width},
        **point,
        "curve": [point],
        "seconds": 60.0,
        "computed_in": "torch.float32",
    }
    return row if times is None else {**row, "fid": {protocol: fid * times}}


def _runs(*times: float | None, **rest: int) -> dict[str, Row]:
    return {name: _run(name, each, **rest) for name, each in zip(PUBLISHED, times, strict=True)}


def test_the_worst_of_the_three_decides() -> None:
    assert judge(_runs(0.9, 1.0, 1.04), "paper") == "reproduced"
    assert judge(_runs(0.9, 1.0, 1.1), "paper") == "close"
    assert judge(_runs(0.9, 1.0, 1.2), "paper") == "not reproduced"


def test_a_short_or_narrow_run_or_one_without_fid_is_out_of_reach() -> None:
    assert judge(_runs(1.0, 1.0, 1.0, step=600), "here") == "out of reach here"
    assert judge(_runs(1.0, 1.0, 1.0, width=32), "here") == "out of reach here"
    assert judge(_runs(1.0, None, 1.0), "paper") == "out of reach here"
    assert judge(_runs(1.0, 1.0, 1.0), "sample") == "unjudged"


def test_what_would_be_needed_is_said_in_hours() -> None:
    rows: list[Row] = [{"cell": "speed", "seconds_a_step": {"sngan": 9.0}}, _run("sngan", None, step=600, width=32)]
    found = conclude("cifar10", rows, "here")
    assert "600 of 100,000 steps" in found.because
    assert "sngan 250 h" in found.because
    assert not found.ours, "a KID of ours beside the published FID would mislead"
    assert any("600: 50 (45 to 55 at the end)" in note for note in found.notes)


def test_a_measured_fid_is_ours() -> None:
    found = conclude("cifar10", [*_runs(1.0, 1.0, 1.0).values()], "paper")
    assert [figure.value for figure in found.ours] == [fid for fid, _ in PUBLISHED.values()]


def test_the_sample_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    arguments = ["ganwise", "reproduce", "cifar10", "--scale", "sample", "--out", str(tmp_path / "out"), "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert '"verdict": "unjudged"' in capfd.readouterr().out
    assert {file.name for file in (tmp_path / "out").glob("*.png")} == {"curves.png", "samples.png"}
