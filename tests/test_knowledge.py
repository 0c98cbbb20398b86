"""The knowledge base: every rule runs on its own cases, and every source that the package names exists."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import ganwise
from ganwise import knowledge
from ganwise.catalog import AXES, RECIPES, Axis, misfits
from ganwise.knowledge import bibtex
from ganwise.knowledge.rule import read_condition, read_rule, read_target
from ganwise.select.application import Application
from ganwise.select.facts import gather
from ganwise.types import Audit, Unusable, Value

PACKAGE = Path(ganwise.__file__).parent
PAGE = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "make_rules_page.py"))
COVERAGE: list[dict[str, Any]] = PAGE["coverage"]()
RULES = knowledge.rules()
ROW = {
    "name": "a",
    "question": 2,
    "when": ["side <= 28"],
    "prefers": ["loss.hinge"],
    "strength": "reported",
    "because": "b",
    "sources": ["lim2017geometric"],
    "fires_on": {"side": 8},
    "silent_on": {"side": 64},
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_fires_on_its_positive_case_and_is_decided_and_silent_on_its_negative_case(rule: knowledge.Rule) -> None:
    assert rule.judge(rule.fires_on) == (True, ())
    assert rule.judge(rule.silent_on) == (False, ())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_why_in_words_and_cites_sources_that_exist(rule: knowledge.Rule) -> None:
    assert len(rule.because.split()) >= 8
    assert knowledge.cite(rule.sources)


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_every_fact_that_a_rule_reads_is_one_that_selection_computes_or_an_audit_measures() -> None:
    measured: dict[str, Value] = {"domain": "many", "intrinsic_dimension": 5.0, "background_share": 0.5}
    said = Application(aligned=True, memory_gb=8, private=False)
    known = gather(Audit("image", (1, 8, 8), 99, (), measured, ()), (), "cpu", 60.0, said)
    conditions = [one.when for one in RULES] + [one.when for one in knowledge.disagreements()]
    read = {condition.fact for when in conditions for condition in when}
    assert read <= known.keys()


def test_every_condition_separates_some_case_of_its_rule() -> None:
    for rule in RULES:
        for condition in rule.when:
            assert condition.holds(rule.fires_on), rule.name


def test_an_unknown_fact_keeps_a_rule_from_firing_and_is_named() -> None:
    rule = read_rule({**ROW, "when": ["side <= 28", "n_train < 10"]}, "here")
    assert rule.judge({"side": 8}) == (False, ("n_train",))
    assert rule.judge({"side": 64}) == (False, ()), "decided without the unknown fact"


def test_a_word_is_not_compared_with_a_number() -> None:
    assert read_condition("side <= 28", "here").holds({"side": "large"}) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"when": ["side + 1 <= 28"]}, "no condition"),
        ({"when": ["side <= 28 or side > 3"]}, "no condition"),
        ({"prefers": ["loss.hing"]}, "did you mean loss.hinge"),
        ({"strength": "certain"}, "strength of theorem"),
        ({"question": 7}, "question from 0 to 4"),
        ({"wishes": ["loss.hinge"]}, "unknown field 'wishes'"),
        ({"strength": "folklore", "rules_out": ["loss.hinge"]}, "folklore"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_what_would_be_right(change: dict[str, object], said: str) -> None:
    with pytest.raises(Unusable, match=re.escape(said)):
        read_rule({**ROW, **change}, "my.toml")


def test_a_missing_field_is_named() -> None:
    row = {key: value for key, value in ROW.items() if key != "because"}
    with pytest.raises(Unusable, match="lacks the field 'because'"):
        read_rule(row, "my.toml")


def test_a_target_of_two_tags_wants_both() -> None:
    assert read_target("loss.hinge + regularizers.r1", "here") == {"loss.hinge", "regularizers.r1"}


def test_every_source_named_anywhere_in_the_package_resolves() -> None:
    key = re.compile(r"\b([a-z]+(?:19|20)\d\d[a-z][a-z0-9]*)\b")
    used = {found for path in PACKAGE.rglob("*.py") for found in key.findall(path.read_text(encoding="utf-8"))}
    used |= {k for path in PACKAGE.rglob("*.toml") for k in key.findall(path.read_text(encoding="utf-8"))}
    entries = [*RECIPES.values(), *(entry for rows in AXES.values() for entry in rows.values())]
    used |= {k for entry in entries for k in (*entry.sources, *(k for fit in entry.fits for k in fit.sources))}
    assert len(used) > 20
    assert sorted(used - knowledge.sources().keys()) == []


def test_the_two_ls_gans_share_no_key() -> None:
    titles = {key: source.fields["title"] for key, source in knowledge.sources().items()}
    assert titles["mao2017lsgan"].startswith("Least Squares")
    assert titles["qi2020losssensitive"].startswith("Loss-Sensitive")


def test_a_citation_reads_as_a_line_with_letters_instead_of_tex() -> None:
    (one,) = knowledge.cite(["kynkaanniemi2019precision", "kynkaanniemi2019precision"])
    assert one.line.startswith("Kynkäänniemi et al. (2019). Improved Precision")
    assert one.line.endswith("arXiv:1904.06991.")
    assert one.bibtex.startswith("@inproceedings{kynkaanniemi2019precision,")


def test_an_unknown_key_is_refused_with_the_closest() -> None:
    with pytest.raises(Unusable, match="did you mean goodfellow2014gan"):
        knowledge.cite(["goodfelow2014gan"])


@pytest.mark.parametrize("text", ["@misc{a,\n  author = {B},\n}\n", "@misc{a, author = {B}}\n", "stray\n"])
def test_a_bibliography_with_anything_unreadable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.bib"):
        bibtex.read(text, "x.bib")


def test_nothing_here_claims_the_counts_of_the_framework_paper() -> None:
    text = " ".join(rule.because for rule in RULES)
    assert not re.search(r"\d+ (combinations|GANs) to \d+", text)


MINE = """
[[rule]]
name = "cast-iron"
question = 2
when = ["kind == image", "n_train < 300"]
prefers = ["loss.hinge"]
strength = "reported"
because = "two hundred textures of cast iron trained best with the hinge loss in our lab"
sources = ["lab2025iron", "lim2017geometric"]
fires_on = { kind = "image", n_train = 200 }
silent_on = { kind = "image", n_train = 500 }
"""
LAB = """@misc{lab2025iron,
  author = {Lab, Our},
  title = {Textures},
  howpublished = {a notebook},
  year = {2025},
}
"""


def test_a_persons_own_rules_are_read_with_a_bibliography_beside_them(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    (tmp_path / "mine.bib").write_text(LAB)
    (rule,) = knowledge.own(file)
    assert rule.judge({"kind": "image", "n_train": 200}) == (True, ())
    first, second = knowledge.cite(rule.sources, knowledge.sources_of(file))
    assert first.line == "Lab (2025). Textures. a notebook."
    assert second == knowledge.sources()["lim2017geometric"]


def test_a_rule_file_names_a_bibliography_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('sources = "papers.bib"' + MINE)
    (tmp_path / "papers.bib").write_text(LAB)
    assert [rule.name for rule in knowledge.own(file)] == ["cast-iron"]
    (tmp_path / "papers.bib").unlink()
    with pytest.raises(Unusable, match=r"papers\.bib: can't be read"):
        knowledge.own(file)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lab2025iron", "lim2017geometrc", "rule cast-iron: no source 'lim2017geometrc': did you mean lim2017geometric"),
        ('name = "cast-iron"', 'name = "default-divergence"', "ganwise has a rule of that name"),
        ("n_train = 200", "n_train = 400", "does not fire on its own case"),
        ("n_train = 500", "n_train = 100", "is not decided and silent"),
        ("[[rule]]", "[[rules]]", "unknown part 'rules': did you mean rule"),
        ("when = [", "when = ", "not TOML"),
        ('when = ["kind == image", "n_train < 300"]', 'when = "kind == image"', "when = 'kind == image' is no list of texts"),
        ("fires_on = {", "fires_on = 1 # {", "is no table of facts"),
        ("n_train = 200", "n_train = [200]", "fires_on: n_train = [200] is no single value"),
        ("because = ", "because = 5 # ", "because = 5 is no text"),
        (MINE, "", "holds no rule"),
        (MINE, MINE + MINE, "the name comes 2 times"),
        (MINE, "sources = 3" + MINE, "is no file name"),
    ],
)
def test_a_rule_file_with_a_fault_is_refused_in_one_line_that_names_it(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace(old, new))
    (tmp_path / "mine.bib").write_text(LAB)
    with pytest.raises(Unusable) as caught:
        knowledge.own(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bib", "said"),
    [
        ("@misc{lab2025iron}", "not an entry"),
        (LAB + LAB.replace("lab2025iron", "lim2017geometric"), "choose another key"),
    ],
)
def test_a_bibliography_of_ones_own_that_is_none_or_hides_ours_is_refused(tmp_path: Path, bib: str, said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    (tmp_path / "mine.bib").write_text(bib)
    with pytest.raises(Unusable, match=said):
        knowledge.own(file)


def test_a_rule_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("gone.toml", "binary.toml"):
        with pytest.raises(Unusable, match=rf"{name}: can't be read"):
            knowledge.own(tmp_path / name)


def test_the_page_of_the_rules_is_up_to_date() -> None:
    assert PAGE["PAGE"].read_text(encoding="utf-8") == PAGE["page"](), "run python scripts/make_rules_page.py"


@pytest.mark.parametrize("row", COVERAGE, ids=lambda row: row["says"].split(":")[0][:40])
def test_every_sentence_stands_in_rules_that_exist(row: dict[str, Any]) -> None:
    assert row.keys() <= {"group", "says", "rules", "disagreements", "refused", "note"}
    assert row.keys() & {"rules", "refused", "note"}, "it stands nowhere"
    assert set(row.get("rules", ())) <= {rule.name for rule in RULES}
    assert set(row.get("disagreements", ())) <= {one.name for one in knowledge.disagreements()}
    for pair in row.get("refused", ()):
        one, two = (tag.split(".") for tag in pair.split(" + "))
        picks: dict[Axis, tuple[str, ...]] = {}
        for axis, name in (one, two):
            picks[axis] = (*picks.get(axis, ()), name)
        said = [misfit.what for misfit in misfits(picks)]
        assert any(one[1] in what and two[1] in what for what in said), f"{pair} is not refused: {said}"


def test_no_sentence_is_missing() -> None:
    numbered = [row["says"].split(".")[0] for row in COVERAGE if row["group"] == "R1 to R28"]
    assert numbered == [f"R{number}" for number in range(1, 29)]
    answers = [row["says"][0] for row in COVERAGE if row["group"] == "The framework's four answers"]
    assert sorted(set(answers)) == ["1", "2", "3", "4"]
    assert {row["says"][:2] for row in COVERAGE if row["group"] == "Tables 2 to 7"} == {f"T{n}" for n in range(2, 8)}


def test_a_disagreement_has_sides() -> None:
    for one in knowledge.disagreements():
        assert len(set(one.sources)) >= 2, one.name
        assert knowledge.cite(one.sources)
        assert one.touches, one.name
    assert len({one.name for one in knowledge.disagreements()}) == len(knowledge.disagreements())


def test_a_figure_of_memory_is_marked_as_such() -> None:
    tagged = re.compile(r"\[(mem|mem, unverified|2nd|code|log|page)\]")
    odd = [rule.name for rule in RULES for mark in re.findall(r"\[[^\]]*\]", rule.because) if not tagged.fullmatch(mark)]
    assert odd == []


def test_folklore_neither_requires_nor_rules_out() -> None:
    hard = [rule.name for rule in RULES if rule.strength == "folklore" and rule.effects.keys() & {"requires", "rules_out"}]
    assert hard == []
