"""What a person can say: three ways in that mean the same, refusals of one line, explanations that add up, and what-ifs."""

from __future__ import annotations

import io
import json
import os
import pty
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Answer

from ganwise.catalog import LOSSES
from ganwise.cli import advise, ask, runs
from ganwise.knowledge import rules
from ganwise.select import Advice, Application, select
from ganwise.select.application import WANTS, duration, read, read_changes, read_file
from ganwise.select.facts import DEPENDS, STATES, gather, imagined, moved, observed, suppose
from ganwise.select.whatif import alternatives, compare, explain
from ganwise.select.wishes import CAPABILITIES
from ganwise.types import Audit, Unusable, Value

COLORS = Application.model_validate({"image": "32x32x3", "n": 50_000, "labels": "none", "classes": 40, "domain": "many"})
TEXTURES = Application.model_validate({"image": "64x64x1", "n": 200, "domain": "one", "sparse": False, "time": "2h"})
READINGS = Application.model_validate({"columns": 12, "n": 20_000, "want": ["diversity", "stability"], "device": "cpu"})
LABELED = Application.model_validate({"image": "28x28x1", "n": 6_000, "classes": 10, "labels": "all", "private": True})
BASES = {"colors": COLORS, "textures": TEXTURES, "readings": READINGS, "labeled": LABELED}
BASE = pytest.mark.parametrize("base", BASES.values(), ids=BASES)
DIGITS = Audit("image", (1, 8, 8), 1797, tuple("0123456789"), {"n_train": 1257, "background_share": 0.49, "domain": "many"}, ())
CHANGES: dict[str, tuple[Value, ...]] = {
    "side": (8, 128, 33),
    "channels": (1, 3),
    "n": (100, 5_000, 1_000_000),
    "classes": (2, 25),
    "labels": ("none", "few", "all"),
    "labeled_share": (0.3, 1.0),
    "domain": ("one", "many"),
    "aligned": (True, False),
    "sparse": (True, False),
    "discrete": (True,),
    "want": (*(need for need in WANTS), "diversity+quality"),
    "device": ("cpu", "cuda"),
    "memory_gb": (2, 80),
    "time": ("5m", "3d"),
    "private": (True, False),
}
FLAGS = "--image 32x32x3 --n 50000 --labels none --classes 40 --domain many --device cuda --memory 8 --time 2h --private"


def what_ifs(base: Application) -> Iterator[tuple[str, Application]]:
    """The base with one statement changed at a time, where the change makes sense for it."""
    for name, values in CHANGES.items():
        for value in values:
            try:
                other = base.but(**{name: value})
                imagined(other)
            except Unusable:
                continue
            if (name in ("side", "channels")) <= (base.kind == "image"):
                yield name, other


# three ways in


def test_flags_a_file_and_answers_to_questions_say_the_same(call: Callable[..., Answer], tmp_path: Path) -> None:
    file = tmp_path / "app.toml"
    file.write_text(
        'image = "32x32x3"\nn = 50000\nlabels = "none"\nclasses = 40\ndomain = "many"\ndevice = "cuda"\n'
        'memory_gb = 8\ntime = "2h"\nprivate = true\n'
    )
    answers = iter(["", "", "50000", "40", "none", "many", "-", "cuda", "8", "2h", "yes"])
    asked = ask.ask(Application(), None, lambda prompt: next(answers))
    assert asked == read_file(file)
    by_flags = call("select", *FLAGS.split(), "--json").json
    by_file = call("select", "--application", str(file), "--json").json
    assert by_flags == by_file
    assert by_flags["application"] == json.loads(json.dumps(asked.said))
    assert by_flags["candidates"] == json.loads(json.dumps(select(asked).as_json()))["candidates"]


def test_a_flag_comes_before_the_file(call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text("columns = 3\nn = 900\n")
    assert call("select", "--application", "app.toml", "--n", "70", "--json").json["facts"]["n"] == 70


def test_the_dialog_explains_and_asks_again_after_a_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    answers = iter(
        ["vector", "?", "many", "-4", "12", "0", "500", "", "diversty", "diversity", "toaster", "cpu", "-", "1h", "no"]
    )
    said = ask.ask(Application(), None, lambda prompt: next(answers))
    assert said.said == {
        "kind": "vector",
        "columns": 12,
        "n": 500,
        "classes": 0,
        "want": ("diversity",),
        "device": "cpu",
        "seconds": 3600.0,
        "private": False,
    }
    shown = capfd.readouterr().err
    for words in ("One for each column", "columns = many", "out of range", "did you mean diversity", "toaster"):
        assert words in " ".join(shown.split())


def test_the_dialog_does_not_ask_what_the_audit_measured() -> None:
    asked: list[str] = []
    said = ask.ask(Application(), DIGITS, lambda prompt: asked.append(prompt) or "")
    assert not [prompt for prompt in asked if "How many samples" in prompt or "How large" in prompt]
    assert {prompt.partition("[")[2].rstrip("] ") for prompt in asked} >= {"many", "diversity, quality", "cpu"}
    assert select(DIGITS, application=said).candidates


def test_a_dialog_that_ends_early_or_has_no_terminal_is_one_line(
    call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    answer = call("select", "--ask")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "no terminal" in answer.err

    def ended(prompt: str) -> str:
        raise EOFError

    with pytest.raises(Unusable, match="ended before"):
        ask.ask(Application(), None, ended)


def test_in_a_terminal_enter_accepts_every_default(tmp_path: Path) -> None:
    """A real pseudo-terminal: the questions go to standard error, the one JSON object to standard output."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ganwise", "select", "--ask", "--n", "3000", "--json"]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True)
    os.close(theirs)
    os.write(ours, b"\n" * 20)
    out, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0, err
    assert json.loads(out)["application"] == {
        "kind": "image",
        "height": 32,
        "width": 32,
        "channels": 3,
        "n": 3000,
        "classes": 0,
        "domain": "many",
        "want": ["diversity", "quality"],
        "device": "cpu",
        "seconds": 3600.0,
        "private": False,
    }
    assert "How large are the images? (as in 64x64x3) [32x32x3]" in err


# what can't be used


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("select", "--image 32x32x3 --n 50000"),
        ("select --image 32x32x3", "the number of samples (--n 5000)"),
        ("select --n 500", "the size (--image"),
        ("select --image 32x32x3 --n 500 --labels all", "--classes 10"),
        ("select --image 0x0x3 --n 9", "height = 0 is out of range"),
        ("select --image large --n 9", "as in 64x64x3"),
        ("select --columns 3 --n 0", "n = 0 is out of range"),
        ("select --columns 3 --n 9 --memory 0", "memory_gb = 0 is out of range"),
        ("select --columns 3 --n 9 --labeled-share 1.5", "labeled_share = 1.5 is out of range"),
        ("select --columns 3 --n 9 --time 2s", "seconds = 2 is out of range: from 10"),
        ("select --columns 3 --n 9 --time soon", "as in 90s, 30m, 2h"),
        ("select --columns 3 --n 9 --time 1h30m", "time = 1h30m: not a time"),
        ("select --columns 3 --n 9 --time 12w", "time = 12w: not a time"),
        ("select --columns 3 --n 9 --time 1mo", "time = 1mo: not a time"),
        ("select digits --labeled-share 0.1", "labeled_share = 0.1 contradicts the data: their audit says labeled_share = 1"),
        ("select --columns 3 --n 9 --device toaster", "device = toaster: input should be 'cpu'"),
        ("select --columns 3 --n 9 --labels some", "labels = some: input should be 'none'"),
        ("select --columns 3 --n 9 --want luck", "unknown need"),
        ("select --columns 3 --image 8x8 --n 9", "kind = image contradicts columns = 3"),
        ("select --columns 3 --n 9 --sparse", "kind = vector contradicts sparse = true"),
        ("select --columns 3 --n 9 --classes 10", "classes = 10 contradicts n = 9"),
        ("select --columns 3 --n 99 --classes 9 --labels none --want classes", "labels = none contradicts want = classes"),
        ("select --columns 3 --n 9 --not-private --want privacy", "private = false contradicts want = privacy"),
        ("select digits --n 500", "n = 500 contradicts the data: their audit says n = 1797"),
        ("select digits --labels none", "labels = none contradicts the data: their audit says labels = all"),
        ("select digits --columns 3", "kind = vector contradicts the data: their audit says kind = image"),
        ("select digits --want convergence-measure,reconstruction", "reconstruction contradicts want = convergence-measure"),
        ("select digits ring", "one data set at a time"),
        ("select digits --compare", "say what would be different"),
        ("select digits --compare n", "'n' is no statement; write one as in labels=all"),
        ("select digits --compare m=5", "unknown key 'm'"),
        ("select digits --compare n=many", "n = many: input should be a valid integer"),
        ("select digits --compare n=-5", "n = -5 is out of range"),
        ("select digits --explain wgna", "did you mean wgan"),
        ("select digits --without clipping-is-supersede", "did you mean clipping-is-superseded"),
        ("select digits --rules nowhere.toml", "nowhere.toml"),
        ("select --application nowhere.toml", "nowhere.toml: No such file"),
        ("select --application broken.toml", "broken.toml: not TOML"),
        ("select --application key.toml", "key.toml: unknown key 'chanels': did you mean channels"),
        ("select --application type.toml", "type.toml: n = lots: input should be a valid integer"),
        ("select digits --rules unsourced.toml", "nobody2026"),
    ],
)
def test_bad_input_is_answered_in_one_line(line: str, words: str, call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("n = = 3")
    (tmp_path / "key.toml").write_text('image = "8x8x1"\nn = 99\nchanels = 1\n')
    (tmp_path / "type.toml").write_text('columns = 3\nn = "lots"\n')
    (tmp_path / "unsourced.toml").write_text(RULE.replace("lucic2018equal", "nobody2026"))
    answer = call(*line.split())
    assert (answer.status, answer.out) == (2, ""), answer
    assert answer.err.count("\n") == 1
    assert words in answer.err


def test_what_a_person_knows_better_than_an_audit_counts() -> None:
    one = Application(domain="one", sparse=False)
    facts = select(DIGITS, application=one).facts
    assert (facts["domain"], facts["sparse_image"]) == ("single", False)


# facts


def test_device_memory_and_time_are_facts_only_where_somebody_states_them() -> None:
    silent = select(COLORS).facts
    assert not silent.keys() & {"device", "budget_seconds", "memory_gb", "compute", "private", "aligned"}
    assert silent["compute_stated"] is False
    told = select(COLORS.but(device="cuda", time="2h", memory_gb=8)).facts
    assert (told["device"], told["budget_seconds"], told["memory_gb"], told["compute"]) == ("cuda", 7200.0, 8.0, "medium")


@BASE
def test_a_statement_moves_only_the_facts_that_are_declared_to_follow_from_it(base: Application) -> None:
    def facts(said: Application) -> dict[str, Value]:
        return gather(imagined(said), said=said)

    before, tried = facts(base), 0
    for _, other in what_ifs(base):
        after = facts(other)
        touched = [key for key in STATES if getattr(base, key) != getattr(other, key)]
        allowed = moved(fact for key in touched for fact in STATES[key])
        assert {name for name in {*before, *after} if before.get(name) != after.get(name)} <= allowed
        tried += 1
    assert tried > 20


def test_every_need_that_can_be_named_is_one_that_some_rule_hears() -> None:
    read_by_rules = {condition.fact for rule in rules() for condition in rule.when}
    heard = moved(["want"]) & read_by_rules
    for need in WANTS:
        assert heard & moved([f"want.{need}"]), need


def test_every_computed_fact_is_declared_and_every_declared_fact_exists() -> None:
    said = LABELED.but(device="cpu", memory_gb=1, time="1h", aligned=True, domain="one", sparse=True)
    names = gather(imagined(said), said=said).keys() | gather(imagined(READINGS), said=READINGS).keys()
    stated = {fact for facts in STATES.values() for fact in facts}
    assert names <= moved(stated) | stated
    measured = {"n_validation", "n_test"}
    assert DEPENDS.keys() - names <= measured


@BASE
def test_a_change_of_one_statement_is_explained_by_rules_about_the_facts_that_it_moves(base: Application) -> None:
    before = select(base)
    for name, other in what_ifs(base):
        after = select(other)
        found = compare(before, after)
        rules = {rule.name: rule for rule in (*before.fired, *after.fired)}
        for change in (*found.fires, *found.silent):
            assert {condition.fact for condition in rules[change.rule].when} & found.facts.keys()
        if name in ("device", "memory_gb", "time", "want", "private", "aligned") and not (found.fires or found.silent):
            assert [c.name for c in before.candidates] == [c.name for c in after.candidates]


def test_a_what_if_that_changes_nothing_gives_the_same_answer() -> None:
    data, said = suppose(DIGITS, Application(), {"n": 1797})
    assert select(data, application=said).candidates == select(DIGITS).candidates
    assert gather(data, said=said) == gather(DIGITS)
    assert observed(DIGITS).said == {
        "kind": "image",
        "height": 8,
        "width": 8,
        "channels": 1,
        "n": 1797,
        "classes": 10,
        "labels": "all",
    }


def test_fewer_images_keep_the_share_that_trains_and_what_was_measured_of_the_pixels() -> None:
    data, _ = suppose(DIGITS, Application(), {"n": "500"})
    assert (data.n, data.facts["n_train"], data.facts["background_share"]) == (500, 350, 0.49)


# explanations


@BASE
def test_the_points_of_the_rules_add_up_to_the_score(base: Application) -> None:
    advice = select(base)
    for one in explain(advice):
        assert sum(reason.points for reason in one.reasons) == pytest.approx(one.score)
        assert all(reason.strength for reason in one.reasons)


def test_a_gan_that_is_not_listed_is_explained_too() -> None:
    one, *_ = explain(select(COLORS), "began")
    assert (one.rank, one.out.partition(":")[0]) == (None, "began-not-for-many-classes")
    with pytest.raises(Unusable, match="no labels for their 40 classes"):
        explain(select(COLORS), "cgan")


def test_a_rule_that_is_switched_off_moves_nothing(call: Callable[..., Answer]) -> None:
    full, less = select(COLORS), select(COLORS, without=["zero-centered-penalty-converges"])
    assert [(c.name, c.score) for c in full.candidates] != [(c.name, c.score) for c in less.candidates]
    assert "zero-centered-penalty-converges" not in {r.rule for c in less.candidates for r in c.reasons}
    assert compare(full, less).silent[0].rule == "zero-centered-penalty-converges"


RULE = """
[[rule]]
name = "ours"
question = 2
when = ["n >= 10"]
prefers = ["loss.least-squares"]
strength = "theorem"
because = "at our institute least squares has always been what worked best in the end"
sources = ["lucic2018equal"]
fires_on = { n = 10 }
silent_on = { n = 9 }
"""


def test_a_rule_of_the_user_s_own_counts(call: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(RULE)
    found = call("select", "digits", "--rules", "ours.toml", "--explain", "lsgan", "--json").json["explain"]
    assert [(r["rule"], r["points"]) for r in found[0]["reasons"] if r["rule"] == "ours"] == [("ours", 4.0)]


def test_rules_that_leave_nothing_are_refused_with_the_one_that_takes_most(call: Callable[..., Answer], tmp_path: Path) -> None:
    every = ", ".join(f'"loss.{name}"' for name in LOSSES)
    all_out = RULE.replace('prefers = ["loss.least-squares"]', f"rules_out = [{every}]")
    (tmp_path / "all.toml").write_text(all_out)
    kept = [f"--without={rule.name}" for rule in rules() if "keeps" in rule.effects]
    refused = call("select", "digits", "--rules", "all.toml", *kept)
    assert (refused.status, refused.out) == (2, "")
    assert "no GAN is left: ours excludes" in refused.err
    silent = call("select", "digits", *(f"--without={rule.name}" for rule in rules()))
    assert (silent.status, len(silent.err.splitlines())) == (2, 1)


def test_needs_in_a_list_of_lists_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('want = [["diversity"]]')
    with pytest.raises(Unusable, match=r"a\.toml: want\.0 = \['diversity'\]: input should be a valid string"):
        read_file(tmp_path / "a.toml")


# what-ifs


def test_labels_bring_a_conditional_gan_and_the_comparison_says_why(call: Callable[..., Answer]) -> None:
    flags = ["--image", "32x32x3", "--n", "50000", "--classes", "10", "--want", "diversity,quality"]
    answer = call("select", *flags, "--compare", "labels=all", "n=500", "--json").json
    labels, few = answer["compare"]
    assert (labels["change"], few["change"]) == ("labels=all", "n=500")
    assert labels["facts"]["labels"] == ["none", "all"]
    entered = {move["name"]: move for move in labels["entered"]}
    assert "no labels" in entered["sngan-projection"]["because"][0]
    assert "classes-projection" in {change["rule"] for change in labels["fires"]}
    assert few["counts"]["valid"][0] == few["counts"]["valid"][1]
    assert "r1gan-diffaugment" in {move["name"] for move in few["entered"]}
    assert {move["name"] for move in few["entered"]} & {move["name"] for move in few["left"]} == set()


def test_a_comparison_of_an_answer_with_itself_is_empty() -> None:
    found = compare(select(COLORS), select(COLORS))
    changes = {name: value for name, value in found._asdict().items() if name != "counts"}
    assert not any(changes.values())


def test_what_would_change_the_answer_is_asked_of_selection_itself() -> None:
    advice = select(COLORS)
    heavy = [one for one in alternatives(None, COLORS, advice, select) if one.fact == "compute"]
    by_say = {one.say: one for one in heavy}
    assert "r3gan" in by_say["device=cuda,time=1d"].entered
    for say, one in by_say.items():
        then = {c.name for c in select(COLORS.but(**read_changes(say))).candidates}
        assert {*one.entered} == then - {c.name for c in advice.candidates}


def test_wishes_that_nothing_fulfills_and_privacy_of_few_samples_are_warned_of() -> None:
    table = select(READINGS.but(want="reconstruction", n=300, private=True))
    words = " ".join(table.warnings)
    assert "want = reconstruction: nothing left fulfills it" in words
    assert "formal guarantee" in words
    assert "300 samples are so few" in words
    assert not select(COLORS).warnings


def test_what_was_not_said_and_had_to_be_assumed_is_told() -> None:
    assert any("taken for none" in words for words in select(COLORS.but(labels=None)).assumed)
    assert any("tenth" in words for words in select(COLORS.but(labels="few")).assumed)
    assert not select(COLORS).assumed


@pytest.mark.parametrize("needs", [CAPABILITIES[:2]], ids=str)
def test_capabilities_that_exclude_each_other_here_go_together_elsewhere(needs: tuple[str, ...]) -> None:
    """An auto-encoder whose value measures convergence is BEGAN: not for digits, but for aligned faces."""
    with pytest.raises(Unusable, match="contradicts"):
        select(DIGITS, needs)
    faces = read({"image": "64x64x3", "n": 30_000, "domain": "one", "aligned": True, "sparse": False}, "here")
    assert "began" in {one.name for one in select(faces, needs).candidates}


# the terminal


def shown(width: int, *arguments: str) -> str:
    environment = os.environ | {"COLUMNS": str(width), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ganwise", "select", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("width", [80, 120])
def test_the_answer_begins_with_what_to_do_and_keeps_its_lines(width: int) -> None:
    text = shown(width, "digits", "--want", "quality")
    lines = text.splitlines()
    assert lines[1] == "What to do"
    assert max(len(line) for line in lines if "--set" not in line) <= width
    assert not [line for line in lines if line != line.rstrip()]
    assert "\x1b" not in text
    heads = [line for line in lines if line and not line.startswith(" ")]
    order = ["What to do", "1. Which", "4. Is", "The search space", "The short list", "What would change", "Left out"]
    places = [next(i for i, head in enumerate(heads) if head.startswith(words)) for words in order]
    assert places == sorted(places)


@BASE
def test_the_commands_that_it_gives_train_the_candidates_exactly_as_listed(base: Application, tmp_path: Path) -> None:
    """By name and changes, or from the files that --save writes; read as `ganwise train` reads them."""
    advice = select(base)
    saved = advise.save(advice, tmp_path / "list")
    for one in advice.candidates:
        assert runs.read_recipe(saved[one.name]) == one.recipe
        words = shlex.split(advise.train(one, "photos/", {}))
        if words[2].startswith("FILE"):  # what changes can't say has to be saved
            continue
        assert words[3] == "photos/"
        assert runs.read_recipe(words[2], [word for word in words[4:] if word != "--set"]) == one.recipe
    assert not advise.train(advice.candidates[0], None, {}).startswith("FILE")


@pytest.mark.parametrize("text", ["1800s", "30m", "30min", "30 minutes", "0.5h", "0.5 hours", "1800", "1800 sec"])
def test_a_time_may_be_said_in_a_few_words(text: str) -> None:
    assert duration(text) == 1800


def test_the_answer_takes_less_than_a_second_of_processor_time() -> None:
    shown(80, "digits")
    spent = []
    for _ in range(2):
        before = os.times()
        shown(80, "digits")
        after = os.times()
        spent.append(after.children_user - before.children_user)
    assert min(spent) < 1.2, "a machine under load pays more than the 0.8 s of a quiet one"


def test_the_answer_is_the_same_at_every_call() -> None:
    def once() -> Advice:
        return select(COLORS.but(want="quality", device="cuda", time="1d"))

    begun = time.perf_counter()
    assert json.dumps(once().as_json()) == json.dumps(once().as_json())
    assert time.perf_counter() - begun < 5
