"""Evidence from measurement: read as rows, weighed within one protocol on similar data, bounded, and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_select import AUDITS, CIFAR, MNIST, TABLE, TOY

from ganwise.catalog import RECIPES
from ganwise.knowledge import cite
from ganwise.select import select
from ganwise.select.evidence import BOUND, OURS, Row, fingerprint, interval, own, read_rows, shipped, similar, weigh
from ganwise.select.space import tags_of_recipe, variants
from ganwise.types import Unusable


def row(recipe: str, value: float, spread: float | None = 1.0, **other: object) -> Row:
    made = Row(
        data="parts",
        kind="image",
        shape=(3, 32, 32),
        n=40_000,
        content="",
        recipe=recipe,
        architecture="dcgan",
        fingerprint="",
        protocol="1,000 test vs 1,000 generated",
        features="some",
        budget="60 s",
        metric="kid",
        direction="lower",
        value=value,
        low=None if spread is None else value - spread,
        high=None if spread is None else value + spread,
        seeds=3,
        source="mine",
    )
    return made._replace(**other)  # type: ignore[arg-type]


RACE = (row("dcgan", 10), row("lsgan", 20), row("wgan-gp", 30), row("sngan", 40), row("rsgan", 50))


def scores(rows: tuple[Row, ...]) -> dict[str, float]:
    return {one.name: one.score for one in select(CIFAR, evidence=rows).considered}


def test_what_beats_the_median_of_its_race_is_preferred_and_what_loses_is_avoided() -> None:
    before, after = scores(()), scores(RACE)
    assert after["dcgan"] == before["dcgan"] + 3
    assert after["wgan-gp"] == before["wgan-gp"]
    assert after["rsgan"] == before["rsgan"] - 3
    assert {name: score for name, score in after.items() if name in ("r1gan", "ebgan")} == {
        name: score for name, score in before.items() if name in ("r1gan", "ebgan")
    }


def test_more_is_better_where_the_metric_says_so() -> None:
    turned = tuple(one._replace(direction="higher") for one in RACE)
    assert scores(turned)["dcgan"] == scores(())["dcgan"] - 3


@pytest.mark.parametrize("spread", [None, 50.0])
def test_a_tie_moves_nothing_and_is_still_shown(spread: float | None) -> None:
    tied = tuple(row(one.recipe, one.value, spread) for one in RACE)
    assert scores(tied) == scores(())
    shown = next(one for one in select(CIFAR, evidence=tied).candidates if one.name == "dcgan").measured
    assert [(one.effect, one.points) for one in shown] == [("tied", 0.0)]


def test_a_certain_difference_too_small_to_matter_is_a_tie() -> None:
    sure = (row("dcgan", 29, 0.0), *RACE[1:3], *RACE[3:])
    assert scores(sure)["dcgan"] == scores(())["dcgan"]


def test_two_seeds_weigh_less_than_three_and_one_nothing() -> None:
    def gain(seeds: int) -> float:
        return scores(tuple(one._replace(seeds=seeds) for one in RACE))["dcgan"] - scores(())["dcgan"]

    assert [gain(seeds) for seeds in (1, 2, 3, 9)] == [0, 2, 3, 3]


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": "another"},
        {"features": "other"},
        {"budget": "600 s"},
        {"metric": "fid"},
        {"data": "elsewhere"},
        {"content": "0123"},
        {"n": 39_999},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_row_of_another_protocol_changes_nothing(other: dict[str, object]) -> None:
    """It would be the best by far, and move the median, if it were compared."""
    strange = row("r1gan", 0.001, 0.0, **other)
    assert select(CIFAR, evidence=(*RACE, strange)) == select(CIFAR, evidence=RACE)


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        ({"shape": (3, 64, 64)}, True),
        ({"shape": (3, 65, 65)}, False),
        ({"shape": (1, 32, 32)}, False),
        ({"shape": (32,), "kind": "vector"}, False),
        ({"n": 5_000}, True),
        ({"n": 4_999}, False),
        ({"n": 500_000}, True),
        ({"n": 500_001}, False),
    ],
)
def test_only_similar_data_count(other: dict[str, object], counts: bool) -> None:
    moved = tuple(one._replace(**other) for one in RACE)  # type: ignore[arg-type]
    assert bool(similar(moved, "image", (3, 32, 32), 50_000)) == counts
    assert (scores(moved) != scores(())) == counts


def test_all_measurements_together_weigh_no_more_than_one_replicated_finding() -> None:
    many = tuple(one._replace(data=f"set {i}") for i in range(20) for one in RACE)
    found = next(one for one in select(CIFAR, evidence=many, limit=40).candidates if one.name == "dcgan")
    assert len(found.measured) == 20
    assert sum(one.points for one in found.measured) == pytest.approx(BOUND)
    assert scores(many)["dcgan"] == pytest.approx(scores(())["dcgan"] + BOUND)


def test_measured_reasons_stand_beside_the_rules_and_name_their_group() -> None:
    found = next(one for one in select(CIFAR, evidence=RACE).candidates if one.name == "dcgan")
    measured = [one for one in found.reasons if one.rule.startswith("measured:")]
    assert [(one.rule, one.effect, one.points, one.sources) for one in measured] == [("measured:parts/kid", "prefers", 3, ())]
    for word in ("kid 10 (9 to 11)", "lower is better", "median of 5 GANs 30", "3 seeds", "60 s", "1,000 test"):
        assert word in measured[0].because
    assert found.score == pytest.approx(sum(one.points for one in found.reasons))


def test_a_race_of_two_has_no_middle() -> None:
    assert scores(RACE[:2]) == scores(())


def test_another_architecture_of_the_same_gan_is_not_what_was_measured() -> None:
    other = tuple(one._replace(architecture="resnet") for one in RACE)
    assert scores(other)["dcgan"] == scores(())["dcgan"]


def test_a_recipe_of_ones_own_is_known_by_its_fingerprint() -> None:
    recipe = variants("r1gan", CIFAR.shape)[1]
    assert recipe.architecture.name == "dcgan"
    mine = row("my-best", 1.0, fingerprint=fingerprint(recipe))
    said = weigh("r1gan", recipe, tags_of_recipe("r1gan", recipe), [[*RACE, mine]])
    assert [one.effect for one in said] == ["prefers"]
    changed = recipe.model_copy(update={"regularizers": ()})
    assert not weigh("r1gan", changed, tags_of_recipe("r1gan", changed), [[*RACE, mine]])


def test_what_ships_names_gans_of_the_catalog_and_has_its_conditions() -> None:
    assert len(shipped()) > 70
    cite([OURS])
    for one in shipped():
        assert one.recipe in RECIPES
        assert one.protocol
        assert one.features
        assert one.budget
        assert one.seeds >= 3
        assert one.low is not None and one.high is not None and one.low <= one.value <= one.high  # noqa: PT018
        assert (Path(__file__).parents[1] / one.source).is_file()


def test_what_ships_speaks_for_toys_and_small_gray_digits_alone() -> None:
    speaking = {name for name, audit in AUDITS.items() if any(one.measured for one in select(audit, limit=40).candidates)}
    assert speaking == {"toy", "mnist"}
    r1gan = next(one for one in select(TOY).candidates if one.name == "r1gan")
    assert {one.effect for one in r1gan.measured} == {"prefers"}
    assert all(one.sources == (OURS,) for one in r1gan.measured)


@pytest.mark.parametrize("audit", [TOY, MNIST, TABLE], ids=["toy", "mnist", "table"])
def test_evidence_moves_scores_within_its_bound_and_no_count_of_the_search_space(audit: object) -> None:
    without, having = (select(audit, limit=60, evidence=rows) for rows in ((), None))  # type: ignore[arg-type]
    assert (without.valid, without.after, without.questions) == (having.valid, having.after, having.questions)
    before = {one.name: one.score for one in without.considered}
    assert all(abs(one.score - before[one.name]) <= BOUND + 1e-9 for one in having.considered)


def test_an_interval_is_students() -> None:
    assert interval([1.0]) == (1.0, None, None)
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert (mean, low, high) == pytest.approx((2.0, 2 - 2.4841, 2 + 2.4841), abs=1e-3)


def test_rows_are_read_back_from_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(one._asdict()) + "\n\n" for one in RACE))
    assert own(tmp_path) == own(tmp_path / "mine.jsonl") == RACE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metrik": 1}, "unknown field 'metrik': did you mean metric"),
        ({"seeds": 0}, "whole numbers above 0"),
        ({"shape": [3, 32]}, "shape"),
        ({"shape": 32}, "shape"),
        ({"value": "good"}, "are numbers"),
        ({"value": None}, "are numbers"),
        ({"kind": "text"}, "image or vector"),
        ({"direction": "down"}, "lower or higher"),
    ],
)
def test_a_row_that_is_none_is_refused_with_its_line_and_field(change: dict[str, object], says: str) -> None:
    text = json.dumps(RACE[0]._asdict()) + "\n" + json.dumps(RACE[0]._asdict() | change)
    with pytest.raises(Unusable, match=says) as refused:
        read_rows(text, "mine.jsonl")
    assert str(refused.value).startswith("mine.jsonl:2")


@pytest.mark.parametrize(("text", "says"), [("{", "not JSON"), ("[]", "JSON object"), ("{}", "lacks the field 'data'")])
def test_a_line_that_is_none_is_refused(text: str, says: str) -> None:
    with pytest.raises(Unusable, match=says):
        read_rows(text, "x")


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="there is nothing"):
        own(tmp_path / "none")
    with pytest.raises(Unusable, match="no finished race"):
        own(tmp_path)
    (tmp_path / "race.json").write_text("{}")
    with pytest.raises(Unusable, match="no race that can be read"):
        own(tmp_path)
    (tmp_path / "race.json").unlink()
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Unusable, match="can't be read"):
        own(tmp_path)


@pytest.mark.slow
def test_a_race_is_read_as_rows(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "race"
    assert call("race", "ring", "fcgan", "rsgan", "--budget", "images:20000", "--seeds", "2", "--out", out).status == 0
    found = {one.recipe: one for one in own(out)}
    assert found.keys() == {"fcgan", "rsgan"}
    for one in found.values():
        assert (one.data, one.shape, one.architecture, one.metric) == ("ring", (2,), "mlp", "sliced_wasserstein")
        assert one.low is not None and one.high is not None and one.low <= one.value <= one.high  # noqa: PT018
        assert "images:20000" in one.budget
    assert own(tmp_path) == tuple(found.values())


def test_the_command_line_adds_ones_own_rows_or_leaves_all_out(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(one._asdict()) for one in RACE))

    def groups(*arguments: object) -> set[str]:
        answer = call("select", "--image", "32x32x3", "--n", "50000", "--json", *arguments)
        return {each["group"] for one in json.loads(answer.out)["candidates"] for each in one["measured"]}

    assert groups() == set()
    assert groups("--evidence", tmp_path / "mine.jsonl") == {"measured:parts/kid"}

    def toy(*arguments: object) -> int:
        answer = call("select", "ring", "--json", *arguments)
        return sum(len(one["measured"]) for one in json.loads(answer.out)["candidates"])

    assert toy() > 0 == toy("--evidence", "none")
    answer = call("select", "ring", "--evidence", "nowhere")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
