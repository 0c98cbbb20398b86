"""What people type, write and hand over to selection by mistake: each is refused in one line, or taken for what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Answer
from test_application import DIGITS, RULE
from test_evidence import RACE

from ganwise import knowledge
from ganwise.audit import audit_source
from ganwise.cli import ask
from ganwise.select import Application, select
from ganwise.select.application import read_changes, read_file
from ganwise.select.evidence import named, own, read_rows
from ganwise.select.facts import MEASURED, gather, observed
from ganwise.types import Audit, Unusable, Value

MARK = b"\xef\xbb\xbf"  # what Windows editors begin a file with
DEEP = "[" * 100_000
ONE_LINE = pytest.mark.parametrize("reader", [read_file, knowledge.own, own], ids=["application", "rules", "evidence"])


# files


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('image = "8x8x1"\nside = 16\n', "side = 16 contradicts height = 8"),
        ('image = "8x8x1"\nheight = 16\n', "image = 8x8x1 contradicts height = 16"),
        ('time = "2h"\nseconds = 60\n', "time = 2h contradicts seconds = 60"),
        ("n = true\n", "n = true: a number is expected"),
        ("labeled_share = false\n", "labeled_share = false: a number is expected"),
        ('labels = "few"\nlabeled_share = 0.6\nclasses = 3\n', "labels = few contradicts labeled_share = 0.6"),
        (f"n = 1{'0' * 400}\n", "n = a huge number is out of range"),
        (f'image = "{"9" * 5000}x4"\n', "not a size"),
    ],
)
def test_a_file_that_can_not_be_meant_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text(text)
    with pytest.raises(Unusable, match=words):
        read_file(tmp_path / "app.toml")


def test_two_forms_of_one_statement_that_agree_are_taken(tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text('image = "8x8x1"\nside = 8\nheight = "8"\ntime = "2h"\nseconds = 7200\n')
    assert read_file(tmp_path / "app.toml").seconds == 7200


@ONE_LINE
def test_brackets_without_end_are_refused_in_one_line(reader: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "deep").write_text(f"a = {DEEP}" if reader is not own else DEEP)
    with pytest.raises(Unusable, match=r"deep.*: not (TOML|JSON): maximum recursion depth"):
        reader(tmp_path / "deep")


def test_files_may_begin_with_the_mark_of_windows(tmp_path: Path) -> None:
    texts = {"app.toml": 'image = "8x8x1"\n', "rules.toml": RULE, "rows.jsonl": json.dumps(RACE[0]._asdict())}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(MARK + text.encode())
    assert read_file(tmp_path / "app.toml").height == 8
    assert [rule.name for rule in knowledge.own(tmp_path / "rules.toml")] == ["ours"]
    assert own(tmp_path / "rows.jsonl") == RACE[:1]


# rules


def test_a_rule_about_a_fact_that_there_is_not_is_refused(call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "typo.toml").write_text(RULE.replace("n >= 10", "n_trian >= 10").replace("{ n = ", "{ n_trian = "))
    answer = call("select", "digits", "--rules", "typo.toml")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "rule ours: there is no fact 'n_trian': did you mean n_train" in answer.err


def test_rules_may_speak_of_all_that_an_audit_tells() -> None:
    told = {*audit_source("digits").facts, *audit_source("ring").facts}
    assert {*MEASURED} < told
    (rule,) = knowledge.read_rules(RULE, "here")
    assert select(DIGITS, rules=[rule._replace(name=fact, when=(rule.when[0]._replace(fact=fact),)) for fact in told]).candidates


def test_a_misspelled_field_of_a_rule_is_named_rather_than_the_one_that_is_lacking(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RULE.replace("because", "becuase"))
    with pytest.raises(Unusable, match="unknown field 'becuase': did you mean because"):
        knowledge.own(tmp_path / "mine.toml")


def test_of_several_fields_that_are_lacking_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[[rule]]\nsources = ["lucic2018equal"]\n')
    with pytest.raises(Unusable, match="lacks the field 'name'"):
        knowledge.own(tmp_path / "mine.toml")


def test_a_question_is_a_whole_number(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RULE.replace("question = 2", "question = true"))
    with pytest.raises(Unusable, match="a question from 0 to 4"):
        knowledge.own(tmp_path / "mine.toml")


# evidence


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"data": ["parts"]}, r"data = \['parts'\] is no text"),
        ({"recipe": None}, "recipe = None is no text"),
        ({"value": 10**400, "low": None, "high": None}, "are numbers"),
        ({"value": True, "low": None, "high": None}, "are numbers"),
        ({"seeds": True}, "whole numbers"),
        ({"low": 12, "high": 8}, "does not lie in its interval"),
        ({"low": None}, "does not lie in its interval"),
        ({"kind": "vector"}, "kind = vector contradicts shape"),
    ],
)
def test_a_row_that_can_not_be_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(Unusable, match=f"mine:1: .*{says}"):
        read_rows(json.dumps(RACE[0]._asdict() | change), "mine")


def test_a_file_without_rows_is_no_evidence(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(Unusable, match="no finished race and no"):
        own(tmp_path / "empty.jsonl")


def test_a_file_given_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(one._asdict()) for one in RACE[:2]))
    twice = named(["none", str(tmp_path / "mine.jsonl"), str(tmp_path / "mine.jsonl")])
    assert twice == RACE[:2]


RUNLESS = '{"metric": "kid", "ranking": [{"scores": [{"metric": "kid", "value": 1}], "runs": []}]}'


@pytest.mark.parametrize("text", [DEEP, RUNLESS], ids=["deep", "runless"])
def test_a_damaged_race_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("plan.json", "data/dataset.json", "audit.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "race.json").write_text(text)
    with pytest.raises(Unusable, match=r"race\.json: no race that can be read"):
        own(tmp_path)


def test_names_in_brackets_are_shown_as_they_are(call: Callable[..., Answer], tmp_path: Path) -> None:
    rows = [one._replace(data="parts [/old]", kind="image") for one in RACE]
    (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(one._asdict()) for one in rows))
    answer = call("select", "dcgan", "--image", "32x32x3", "--n", "40000", "--evidence", "mine.jsonl", "--explain")
    assert answer.status == 0
    assert "[/old]" in answer.out


# words on the command line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("select digits --discrete", "kind = image contradicts discrete = true"),
        ("select ring --sparse", "kind = vector contradicts sparse = true"),
        ("select --image 8x8x1 --n 99 --size 8", "--size 8: resizes DATA, and there is none"),
        ("select digits --compare n=9,n=99", "n is said twice, as 9 and as 99"),
        ("select digits --compare side=16,image=8x8x1", "side = 16 contradicts height = 8"),
        ("select digits --compare n=yes", "n = yes: input should be a valid integer"),
        ("select digits --compare want=diversity,quality", "write one as in want=diversity+quality"),
    ],
)
def test_contradictions_are_refused_in_one_line(line: str, words: str, call: Callable[..., Answer]) -> None:
    answer = call(*line.split())
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert words in answer.err


def test_an_empty_change_is_called_one(call: Callable[..., Answer]) -> None:
    assert "'' is no statement" in call("select", "digits", "--compare", "").err


@pytest.mark.parametrize(
    "want", [["diversity,quality"], ["diversity", "quality"], ["diversity+quality"], [" quality diversity,"]]
)
def test_needs_may_be_joined_or_said_one_at_a_time(want: list[str], call: Callable[..., Answer]) -> None:
    flags = [part for one in want for part in ("--want", one)]
    facts = call("select", "--columns", "3", "--n", "999", *flags, "--json").json["facts"]
    assert {name for name in facts if name.startswith("want.") and facts[name]} == {"want.diversity", "want.quality"}


def test_yes_and_no_are_read_where_a_statement_is_one_of_them() -> None:
    said = Application().but(**read_changes("private=yes,aligned=NO,sparse=true"))
    assert (said.private, said.aligned, said.sparse) == (True, False, True)


def test_a_variant_that_the_list_names_can_be_explained_without_data(call: Callable[..., Answer]) -> None:
    answer = call("select", "r1gan-resnet", "--explain", "--image", "32x32x3", "--n", "5000", "--json")
    assert [one["name"] for one in answer.json["explain"]] == ["r1gan-resnet"]


def test_another_list_is_not_saved_among_the_recipes_of_an_earlier_one(call: Callable[..., Answer], tmp_path: Path) -> None:
    assert call("select", "digits", "--save", "list", "--json").status == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "list").iterdir()}
    assert call("select", "digits", "--save", "list", "--json").status == 0
    refused = call("select", "digits", "--save", "list", "--limit", "2")
    assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "holds the recipes of another list" in refused.err
    assert {file.name: file.read_bytes() for file in (tmp_path / "list").iterdir()} == before


def test_the_dialog_does_not_ask_for_labels_whose_share_was_measured() -> None:
    facts: dict[str, Value] = {"n_train": 70, "n_classes": 3, "labels": "all", "labeled_share": 0.9}
    seen = Audit("image", (1, 8, 8), 100, ("a", "b", "c"), facts, ())
    said = ask.ask(Application(), seen, lambda prompt: "")
    assert said.labels is None
    assert select(seen, application=said).facts["labeled_share"] == 0.9


def test_json_is_utf_8_whatever_the_terminal_shows(tmp_path: Path) -> None:
    file = tmp_path / "app.toml"
    file.write_text('title = "Gießerei"\ncolumns = 3\nn = 500\n', encoding="utf-8")
    command = [sys.executable, "-m", "ganwise", "select", "--application", str(file), "--json"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout
    assert json.loads(found.decode("utf-8"))["application"]["title"] == "Gießerei"


# the same facts of data and of their description


def test_a_table_has_no_side_and_no_channels_whether_it_is_described_or_there() -> None:
    seen = audit_source("ring")
    assert not {"side", "channels"} & {*gather(seen), *gather(seen, said=observed(seen))}
    assert not {"side", "channels"} & select(observed(seen)).facts.keys()


def test_a_single_sample_is_told_in_the_singular() -> None:
    assert "1 sample is too few" in select(Application(columns=3, n=1)).warnings[0]
