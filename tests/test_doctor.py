"""The doctor on sequences made of formulas: what it sees, what it leaves alone, and what it prescribes."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from ganwise import catalog, knowledge
from ganwise.catalog import LOSSES, RECIPES, named
from ganwise.doctor import WATCHES, Traits, diagnose, kind, lasting, warmed_up
from ganwise.recipe import Recipe, change
from ganwise.types import Record, Score, Unusable

Signal = Callable[[int], float]
RECIPE = named("r1gan")
MINIMAX = change(named("gan"), {"loss.name": "minimax"})
EVERY_RECIPE = pytest.mark.parametrize("recipe", [e.recipe for e in RECIPES.values() if e.recipe], ids=list(RECIPES))


def wave(step: int, size: float = 0.1) -> float:
    """Around 1 without a period, and the same at each call."""
    return 1 + size * random.Random(step).uniform(-1, 1)


HEALTHY: dict[str, Signal] = {
    "loss_d": lambda t: 1.2 * wave(t),
    "loss_g": lambda t: 0.9 * wave(t + 50),
    "grad_d": lambda t: 1.5 * wave(t, 0.4),
    "grad_g": lambda t: 3.0 * wave(t, 0.4) * math.exp(-t / 4000),
    "accuracy_real": lambda t: 0.75 * wave(t),
    "accuracy_fake": lambda t: 0.75 * wave(t + 90),
    "spread": lambda t: 0.95 - 0.85 * math.exp(-t / 200),
    "near": lambda t: 1.1 * wave(t),
    "novel": lambda t: 1.1 * wave(t + 30),
}
DECAY: Signal = lambda t: 2 * math.exp(-t / 100)  # noqa: E731
WON: dict[str, Signal] = {"accuracy_real": lambda t: 1.0, "accuracy_fake": lambda t: 1.0}


def run(steps: int = 4000, every: int = 20, **changed: Signal | None) -> list[Record]:
    """Records of the healthy signals with some replaced, or left out where None."""
    signals = {name: signal for name, signal in {**HEALTHY, **changed}.items() if signal}
    return [Record(t, t * 64, t * 0.01, {n: s(t) for n, s in signals.items()}) for t in range(every, steps + 1, every)]


def from_step(start: int, sick: float, name: str) -> Signal:
    return lambda t: sick if t >= start else HEALTHY[name](t)


@EVERY_RECIPE
def test_a_healthy_run_is_healthy_under_every_recipe(recipe: Recipe) -> None:
    diagnosis = diagnose(run(), recipe)
    assert (diagnosis.verdict, diagnosis.findings, diagnosis.not_judged) == ("healthy", (), ())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_fails_the_run_at_its_first_step(value: float) -> None:
    diagnosis = diagnose(run(loss_g=from_step(1200, value, "loss_g")), RECIPE)
    assert diagnosis.verdict == "failed"
    (found,) = diagnosis.findings
    assert (found.problem, found.since_step) == ("not_finite", 1200)
    assert "loss_g" in found.evidence


def test_not_finite_is_seen_in_the_first_record_of_all() -> None:
    assert diagnose([Record(20, 0, 0.0, {"loss_d": math.nan})], None).verdict == "failed"


def test_a_generator_whose_gradient_dies_while_the_discriminator_is_always_right_is_failing() -> None:
    diagnosis = diagnose(run(grad_g=DECAY, **WON), MINIMAX)
    assert diagnosis.verdict == "failing"
    found, imbalance = diagnosis.findings
    assert (found.problem, imbalance.problem) == ("vanishing_gradient", "imbalance")
    assert "generator" in found.evidence
    assert found.remedies[0].change == {"loss.name": "non-saturating"}


def test_a_small_gradient_of_a_discriminator_that_is_often_wrong_is_no_sign() -> None:
    assert diagnose(run(grad_g=DECAY), MINIMAX).verdict == "healthy"


def test_without_accuracy_a_fading_gradient_is_only_a_warning() -> None:
    records = run(grad_g=DECAY, accuracy_real=None, accuracy_fake=None)
    assert diagnose(records, MINIMAX).verdict == "warning"


@pytest.mark.parametrize("name", ["grad_d", "grad_g"])
def test_a_gradient_of_exactly_zero_is_failing_whatever_the_accuracy(name: str) -> None:
    diagnosis = diagnose(run(**{name: from_step(1500, 0.0, name)}), RECIPE)
    assert diagnosis.verdict == "failing"
    assert diagnosis.findings[0].since_step == 1500


def test_a_gradient_that_recovers_is_no_sign() -> None:
    records = run(grad_g=lambda t: 0.0 if 1000 <= t < 3000 else 1.0, **WON)
    assert "vanishing_gradient" not in {found.problem for found in diagnose(records, RECIPE).findings}


def test_the_tiny_gradients_of_a_clipped_critic_are_judged_by_their_own_history() -> None:
    wgan = named("wgan")
    assert diagnose(run(grad_g=lambda t: 1e-5 * wave(t), **WON), wgan).verdict == "healthy"
    assert diagnose(run(grad_g=lambda t: 1e-5 * DECAY(t)), wgan).verdict == "failing"


def test_collapse_at_the_end_is_failing_since_its_step() -> None:
    diagnosis = diagnose(run(spread=from_step(2000, 0.1, "spread")), RECIPE)
    assert diagnosis.verdict == "failing"
    (found,) = diagnosis.findings
    assert (found.problem, found.since_step) == ("mode_collapse", 2000)


def test_a_narrow_spread_is_a_warning() -> None:
    assert diagnose(run(spread=from_step(2000, 0.4, "spread")), RECIPE).verdict == "warning"


@pytest.mark.parametrize("spike", [2000, 3980])
def test_one_narrow_batch_is_no_collapse(spike: int) -> None:
    records = run(spread=lambda t: 0.05 if t == spike else 0.9)
    assert diagnose(records, RECIPE).verdict == "healthy"


def test_a_tenth_of_wide_batches_does_not_hide_a_collapse() -> None:
    records = run(spread=lambda t: 0.9 if t < 2000 or t % 240 == 0 else 0.1)
    assert diagnose(records, RECIPE).verdict == "failing"


def test_the_first_steps_are_never_judged() -> None:
    assert diagnose(run(100, spread=lambda t: 0.01), RECIPE).verdict == "unknown"
    assert warmed_up(run(100), Traits()) == 100
    assert warmed_up(run(20000, 500), Traits()) == 2000


def test_of_a_running_run_narrow_samples_are_a_warning_until_they_should_have_opened() -> None:
    def narrow(steps: int, running: bool) -> str:
        return diagnose(run(steps, spread=lambda t: 0.12), RECIPE, running=running).verdict

    assert [narrow(800, True), narrow(800, False), narrow(2000, True)] == ["warning", "failing", "failing"]


def test_a_run_that_had_opened_and_collapses_is_failing_while_it_runs() -> None:
    records = run(1200, spread=lambda t: 0.9 if t < 800 else 0.1)
    assert diagnose(records, RECIPE, running=True).verdict == "failing"


def test_began_may_draw_one_face_for_three_thousand_steps() -> None:
    began = named("began")
    early = diagnose(run(2800, spread=lambda t: 0.05), began)
    assert early.verdict == "healthy"
    assert early.not_judged
    assert "mode_collapse" in early.not_judged[0]
    assert diagnose(run(6000, spread=lambda t: 0.05), began).verdict == "failing"
    assert diagnose(run(6000, spread=lambda t: 0.05 if t < 2500 else 0.9), began).verdict == "healthy"


def test_too_little_to_judge_is_unknown_and_says_what_is_missing() -> None:
    records = [Record(t, t, 0.0, {"brightness": 0.4}) for t in range(20, 4001, 20)]
    diagnosis = diagnose(records, None)
    assert diagnosis.verdict == "unknown"
    assert {gap.split(":")[0] for gap in diagnosis.not_judged} == {watch.problem for watch in WATCHES} - {"not_finite"}
    assert diagnose([], None).verdict == "unknown"


def test_a_run_without_recipe_is_judged_too() -> None:
    assert diagnose(run(), None).verdict == "healthy"
    assert diagnose(run(spread=from_step(2000, 0.1, "spread")), None).findings[0].remedies


@EVERY_RECIPE
@pytest.mark.parametrize(
    "sick",
    [{"loss_d": lambda t: math.nan}, {"grad_g": DECAY, **WON}, {"spread": lambda t: 0.05}],
    ids=["not_finite", "vanishing_gradient", "mode_collapse"],
)
def test_remedies_make_other_recipes_that_the_catalog_accepts(recipe: Recipe, sick: dict[str, Signal]) -> None:
    findings = diagnose(run(6000, **sick), recipe).findings
    assert findings
    for found in findings:
        knowledge.cite(found.sources)
        assert found.remedies, "something can always be tried"
        for remedy in found.remedies:
            healed = change(recipe, remedy.change)
            catalog.check(healed)
            assert healed != recipe
            assert knowledge.cite(remedy.sources)
            assert remedy.because


def test_detectors_are_pure() -> None:
    records = run(spread=lambda t: 0.1)
    before = json.dumps([r.as_json() for r in records])
    results = [watch.detect(records, Traits.of(RECIPE)) for watch in WATCHES for _ in range(2)]
    assert results[0::2] == results[1::2]
    assert json.dumps([r.as_json() for r in records]) == before


def test_the_json_has_the_contracts_fields() -> None:
    content = json.loads(json.dumps(diagnose(run(spread=lambda t: 0.1), RECIPE).as_json()))
    assert content.keys() == {"verdict", "findings", "not_judged"}
    found = content["findings"][0]
    assert found.keys() >= {"problem", "severity", "since_step", "evidence", "remedies", "sources", "why", "if_nothing"}
    assert found["remedies"][0].keys() == {"change", "because", "sources"}


def test_a_sign_lasts_only_when_it_fills_a_window_up_to_the_end() -> None:
    def values(sick_from: int) -> list[tuple[int, float]]:
        return [(t, 0.0 if t >= sick_from else 1.0) for t in range(20, 4001, 20)]

    assert lasting(values(3000), 0.5) == 3000
    assert lasting(values(3900), 0.5) is None
    assert lasting([], 0.5) is None


def test_values_written_as_words_are_read_as_numbers() -> None:
    record = Record.from_json({"step": 20, "loss_d": "nan", "grad_g": "inf"})
    assert diagnose([record], None).verdict == "failed"


def trained(name: str, steps: int) -> tuple[list[Record], Recipe]:
    """Records of a real run on the handwritten digits, fully connected."""
    build, train, data = (pytest.importorskip(f"ganwise.{part}") for part in ("build", "train", "data"))
    digits = data.load("digits")
    recipe = change(named(name), {"architecture.name": "mlp"})
    return list(train.train(build.build(recipe, digits.shape, seed=0), digits, steps=steps)), recipe


def test_a_real_run_of_the_strong_default_is_healthy_and_an_unpenalized_relativistic_one_collapses() -> None:
    assert diagnose(*trained("r1gan", 600)).verdict == "healthy"
    assert diagnose(*trained("rsgan", 600)).verdict == "failing"


def score(metric: str, value: float, mixture: float) -> Score:
    features = "pixels[0,1]" if metric in ("memorization", "novelty") else "efficientnet-lite0@96-fp32"
    yardsticks = {"real": 0.0, "mixture": mixture}
    return Score(metric, value, value, value, 360, features, "360 test vs 360 generated", 0, "lower", yardsticks)


def test_ten_prototypes_with_a_good_kid_are_a_collapse_by_their_coverage() -> None:
    prototypes = [score("kid", 0.0112, 0.0143), score("coverage", 0.16, 0.81)]
    undertrained = [score("kid", 0.09, 0.0143), score("coverage", 0.16, 0.81)]
    good = [score("kid", 0.004, 0.0143), score("coverage", 0.92, 0.81)]
    assert [f.problem for f in diagnose([], named("r1gan"), prototypes).findings] == ["mode_collapse"]
    assert not diagnose([], named("r1gan"), undertrained).findings
    assert not diagnose([], named("r1gan"), good).findings


def test_scores_that_are_no_numbers_are_no_sign() -> None:
    nan = [score(name, math.nan, math.nan) for name in ("kid", "memorization", "novelty")]
    assert not diagnose([], named("r1gan"), [*nan, score("coverage", 0.16, 0.81)]).findings
    assert not diagnose([], named("r1gan"), [score("memorization", 0.5, 1.2), nan[2]]).findings


@pytest.mark.parametrize(("ratio", "severity"), [(1.04, None), (0.93, "warning"), (0.5, "failing")])
def test_copies_of_training_images_are_memorization(ratio: float, severity: str | None) -> None:
    signs = [score("memorization", ratio, 1.18), score("novelty", ratio, 1.18)]
    findings = diagnose([], named("r1gan"), signs).findings
    assert [f.severity for f in findings] == ([severity] if severity else [])
    assert all(f.problem == "memorization" and f.remedies for f in findings)


@EVERY_RECIPE
def test_no_two_remedies_are_the_same(recipe: Recipe) -> None:
    copies = [score("memorization", 0.5, 1.18), score("novelty", 0.5, 1.18)]
    for found in diagnose(run(6000, spread=lambda t: 0.05), recipe, copies).findings:
        healed = [change(recipe, remedy.change) for remedy in found.remedies]
        assert healed
        assert len(set(healed)) == len(healed)


def test_what_the_doctor_knows_of_a_loss_stands_in_the_catalog() -> None:
    known = {name: Traits.of(entry.recipe) for name, entry in RECIPES.items()}
    assert {name for name, traits in known.items() if traits.dial} == {"began"}
    assert {name for name, traits in known.items() if traits.divergent} == {name for name in RECIPES if name.startswith("fgan-")}
    assert {name for name, traits in known.items() if traits.saturates} == {"gan-minimax"}
    assert {name for name, traits in known.items() if traits.critic} == {"wgan", "wgan-gp", "began"}


@pytest.mark.parametrize("novelty", [0.88, 1.2])
def test_blurred_samples_are_near_to_everything_and_no_copies(novelty: float) -> None:
    signs = [score("memorization", 0.4, 1.18), score("novelty", novelty, 1.18)]
    assert not diagnose([], named("r1gan"), signs).findings


def problems(records: list[Record], loss: str = "non-saturating") -> dict[str, str]:
    return {found.problem: found.severity for found in diagnose(records, loss=loss).findings}


def test_a_discriminator_whose_loss_is_near_nothing_has_won() -> None:
    sick = run(loss_d=lambda t: 0.05 * wave(t), loss_g=lambda t: 6 * wave(t + 50))
    assert problems(sick) == {"imbalance": "failing"}
    assert problems(sick, "boundary-equilibrium").get("imbalance") is None


def test_within_the_hinges_margin_nobody_has_won() -> None:
    near = run(loss_d=lambda t: 0.02 * wave(t), loss_g=lambda t: 0.8 * wave(t + 50))
    assert problems(near) == {"imbalance": "failing"}
    assert problems(near, "hinge") == {}


def test_what_is_healthy_for_a_critic_is_sick_for_a_hinge() -> None:
    always = run(**WON)
    assert problems(always, "wasserstein") == {}
    assert problems(always, "hinge") == {"imbalance": "warning"}


def test_a_discriminator_that_sees_no_fake_has_lost() -> None:
    assert problems(run(accuracy_fake=lambda t: 0.02)) == {"imbalance": "failing"}


def test_a_discriminator_that_knows_its_images_by_heart_is_seen_on_held_out_ones() -> None:
    assert problems(run(accuracy_real=lambda t: 0.95, accuracy_held=lambda t: 0.5)) == {"imbalance": "warning"}
    assert problems(run(accuracy_held=lambda t: 0.7)) == {}


@pytest.mark.parametrize(("k", "severity"), [(0.0, "failing"), (1.0, "failing"), (0.05, None)])
def test_began_with_its_controller_at_a_stop_is_failing(k: float, severity: str | None) -> None:
    diagnosis = diagnose(run(6000, k=lambda t: k), named("began"))
    assert [f.severity for f in diagnosis.findings if f.problem == "imbalance"] == ([severity] if severity else [])


def test_a_loss_that_jumps_by_more_than_its_mean_is_unstable() -> None:
    alone = {"accuracy_real": None, "accuracy_fake": None}
    assert problems(run(loss_d=lambda t: 3.0 if t % 200 == 0 else 0.3, **alone)) == {"instability": "failing"}
    assert problems(run(loss_d=lambda t: 3.0 if t % 200 == 0 and t < 2000 else 0.3, **alone)) == {}


@pytest.mark.parametrize("name", ["grad_d", "grad_g"])
def test_a_gradient_that_grows_without_bound_is_unstable(name: str) -> None:
    assert problems(run(**{name: lambda t: 2 * math.exp(t / 500)})) == {"instability": "failing"}


def test_steps_too_long_for_the_weights_are_a_warning() -> None:
    assert problems(run(update_g=lambda t: 0.2 * wave(t))) == {"instability": "warning"}
    assert problems(run(update_g=lambda t: 0.002 * wave(t))) == {}


def test_weights_that_are_large_at_once_tell_of_rates_too_high() -> None:
    assert problems(run(sigma_g=lambda t: 25.0)) == {"instability": "warning"}
    assert problems(run(sigma_g=lambda t: 3 + t / 500)) == {}


@pytest.mark.parametrize(("d", "g"), [(0.01, 0.0002), (0.0002, 0.01)])
def test_a_player_that_moves_many_times_as_far_as_the_other_is_out_of_balance(d: float, g: float) -> None:
    moves: dict[str, Signal] = {"update_d": lambda t: d * wave(t), "update_g": lambda t: g * wave(t + 9)}
    assert problems(run(**moves)) == {"imbalance": "failing"}
    assert problems(run(**moves), "wasserstein") == {}


@pytest.mark.parametrize(
    ("name", "usual", "burst", "limit"),
    [("grad_d", 1.0, 2000.0, 100), ("sigma_d", 1.0, 500.0, 33), ("update_d", 0.0001, 0.009, 15), ("novel", 1.0, 0.3, -0.9)],
)
def test_no_finding_contradicts_its_limit_where_a_signal_bursts(name: str, usual: float, burst: float, limit: float) -> None:
    quiet: dict[str, Signal] = {"near": lambda t: 0.5, "update_g": lambda t: 0.0001}
    found = diagnose(run(**quiet, **{name: lambda t: usual if t % 60 else burst})).findings
    said = [float(re.findall(r" (\d[\d.]*(?:e[+]\d+)?) ", one.evidence)[0]) for one in found]
    assert [math.copysign(1, limit) * number > limit for number in said] == [True]


def test_units_that_nothing_sets_off_let_no_gradient_pass() -> None:
    assert problems(run(dead_g=lambda t: 1.0 if t > 2000 else 0.1)) == {"vanishing_gradient": "failing"}


def test_players_that_circle_do_not_converge_and_a_circle_that_calms_down_does() -> None:
    assert problems(run(score_real=lambda t: math.sin(t / 70))) == {"non_convergence": "warning"}
    assert problems(run(score_real=lambda t: math.sin(t / 70) * math.exp(-t / 800))) == {}
    assert problems(run(score_real=wave)) == {}


def test_samples_that_became_worse_for_good_do_not_converge() -> None:
    def fid(t: int) -> float:
        return 100 - t / 50 if t <= 2000 else 60 + (t - 2000) / 20

    diagnosis = diagnose(run(every=200, fid=fid), RECIPE)
    (found,) = [f for f in diagnosis.findings if f.problem == "non_convergence"]
    assert found.severity == "failing"
    assert "step 2,000" in found.evidence
    assert problems(run(every=200, fid=lambda t: 100 - t / 50)) == {}


def test_a_critic_that_tells_nothing_apart_is_a_vanishing_gradient() -> None:
    silent = run(loss_d=lambda t: -1e-9 * wave(t), grad_d=None, grad_g=None)
    assert problems(silent, "wasserstein") == {"vanishing_gradient": "failing"}
    assert problems(run(loss_d=lambda t: -2 * wave(t), grad_d=None, grad_g=None), "wasserstein") == {}


def test_fakes_where_the_loss_is_flat_are_a_vanishing_gradient() -> None:
    assert problems(run(saturated=lambda t: 0.99)) == {"vanishing_gradient": "failing"}
    assert problems(run(saturated=lambda t: 0.5)) == {}


def test_fakes_near_to_training_samples_alone_are_copies_and_blurred_ones_are_not() -> None:
    assert problems(run(near=lambda t: 0.5, novel=lambda t: 0.6)) == {"memorization": "failing"}
    assert problems(run(every=500, near=lambda t: 0.5, novel=lambda t: 0.6))["memorization"] == "failing"
    assert problems(run(novel=lambda t: 0.85)) == {"memorization": "warning"}
    assert problems(run(near=lambda t: 0.4)) == {}


def test_coverage_that_was_there_and_is_gone_is_a_collapse() -> None:
    assert problems(run(6000, coverage=lambda t: 0.8 if t < 3000 else 0.1)) == {"mode_collapse": "failing"}
    assert problems(run(6000, coverage=lambda t: 0.1)) == {}


@pytest.mark.parametrize(
    "text", ["hinge", "BCE", "wgan-gp", "lsgan", "Vanilla", "began", "r3gan", "least_squares", "least_square"]
)
def test_a_loss_is_known_by_what_people_call_it(text: str) -> None:
    assert kind(text) in LOSSES


def test_an_unknown_loss_is_refused_with_what_is_near() -> None:
    with pytest.raises(Unusable, match="hinge"):
        kind("hinje")


def test_every_remedy_against_every_problem_has_a_source() -> None:
    sick = run(
        6000, loss_d=lambda t: 0.05, loss_g=lambda t: 6.0, grad_g=DECAY, spread=lambda t: 0.05, update_d=lambda t: 0.3, **WON
    )
    findings = diagnose(sick, MINIMAX).findings
    assert {f.problem for f in findings} == {"vanishing_gradient", "mode_collapse", "imbalance", "instability"}
    for found in findings:
        assert found.remedies
        assert all(knowledge.cite(remedy.sources) for remedy in found.remedies)


def test_the_doctor_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, ganwise.doctor.readers, ganwise.doctor.stop; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
