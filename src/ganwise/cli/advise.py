"""Selection's answer for a person who has never trained a GAN: first what to do, then why."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ganwise import catalog, recipe
from ganwise.artifacts import write_json
from ganwise.cli.show import console, heading
from ganwise.recipe import Recipe
from ganwise.select import WANTS, Advice, Candidate
from ganwise.select.cost import Cost
from ganwise.select.whatif import Alternative
from ganwise.types import Unusable, Value

WIDEST = 110  # longer lines are hard to read
FEW = 3
MOST = 5
FACTS = {
    "compute": "on what and how long it will train",
    "domain": "whether the samples show one kind of thing or many",
    "sparse_image": "whether the images are mostly plain background",
    "aligned": "whether the subject is at the same place in each image",
    "memory_gb": "how much memory there is",
    "private": "whether the training samples are private",
    "budget_seconds": "how long it will train",
    "device": "on what it will train",
}


def answer(advice: Advice, data: str | None, open_: Sequence[Alternative], saved: Mapping[str, str]) -> None:
    """All of it, the most useful first."""
    _to_do(advice, data, saved)
    for words in advice.warnings:
        say(words, "! ", 2, "yellow")
    for words in advice.assumed:
        say(words, "· ", 2, "bright_black")
    _questions(advice)
    _funnel(advice)
    _shortlist(advice)
    _would_change(open_)
    _left_out(advice)
    _disputes(advice)
    heading("More")
    for flag, words in (
        ("--explain", "the points of every rule for every candidate, or for the GANs that you name after it"),
        ('--compare "n=500"', "what would be different"),
        ("--without RULE, --rules FILE", "without a rule of ours, with rules of yours"),
        ("--save DIR", "each recipe of the list as a file that ganwise train takes"),
        (
            "[code], [log], [page], [2nd]",
            "a figure was read in code, in a training log, on a page, in a text that quotes the paper",
        ),
        ("[mem, unverified]", "a figure from memory that was not looked up again"),
    ):
        say(words, f"{flag}: ", 2)


def say(text: str, mark: str = "", indent: int = 2, style: str = "", on: Console = console) -> None:
    """A paragraph that keeps its indent where it wraps, without a space too many at the ends of lines."""
    first, rest = " " * indent + mark, " " * (indent + (len(mark) if len(mark) <= 8 else 2))
    width = min(on.width, WIDEST)
    filled = textwrap.fill(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    on.print(Text(filled, style=style), soft_wrap=True)


def _to_do(advice: Advice, data: str | None, saved: Mapping[str, str]) -> None:
    first = advice.candidates[0]
    chosen = next((one for one in advice.candidates if one.role == "strong default"), first)
    heading("What to do")
    why = _for(chosen, advice)
    say(f"Begin with {chosen.name}, the strong default{f': {short(why[0])}' if why else ''}.")
    command(train(chosen, data, saved))
    if first.name != chosen.name:
        say(f"The rules put {first.name} first for what you want: it is the one to try next.")
        command(train(first, data, saved))
    say("No table decides which GAN is best for your data: let the short list compete under one equal budget.")
    wanted, device = ",".join(need for need in WANTS if advice.facts.get(f"want.{need}")), advice.application.device
    flags = [f"--want {wanted}"] if wanted else []
    flags += [f"--device {device}"] if device else []
    command(" ".join(["ganwise run", shlex.quote(data) if data else "DATA", *flags, "--budget 30m"]))


def command(text: str) -> None:
    console.print(Text(f"      {text}", style="cyan"), soft_wrap=True)


def train(one: Candidate, data: str | None, saved: Mapping[str, str]) -> str:
    """The command that trains this candidate, exactly as it is listed."""
    where = shlex.quote(data) if data else "DATA"
    if one.name in saved:
        return f"ganwise train {shlex.quote(saved[one.name])} {where}"
    name = next(name for name in sorted(catalog.RECIPES, key=len, reverse=True) if (one.name + "-").startswith(name + "-"))
    changes = _changes(one.recipe, catalog.named(name))
    if changes is None:
        return f"ganwise train FILE {where}   (FILE: what --save DIR writes for {one.name})"
    return " ".join([f"ganwise train {name} {where}", *(f"--set {shlex.quote(f'{k}={v}')}" for k, v in changes.items())])


def _changes(to: Recipe, from_: Recipe) -> dict[str, Value] | None:
    """The ``--set`` changes from one recipe to another; None where they don't suffice: then it has to be saved."""
    old, new = _flat(from_), _flat(to)
    changes = {path: value for path, value in new.items() if old.get(path) != value}
    try:
        return changes if recipe.change(from_, changes) == to else None
    except Unusable:
        return None


def _flat(one: Recipe) -> dict[str, Value]:
    """Every part of a recipe by the path that ``--set`` knows it by."""
    data = one.model_dump(mode="json")
    found: dict[str, Value] = {}
    for regularizer in data.pop("regularizers"):
        found[f"regularizers.{regularizer['name']}"] = True
        found |= {f"regularizers.{regularizer['name']}.{k}": v for k, v in regularizer["options"].items()}
    for part, value in data.pop("schedule").items():
        inner = value if isinstance(value, dict) else {"": value}
        found |= {f"schedule.{part}.{k}".rstrip("."): v for k, v in inner.items()}
    for axis, choice in data.items():
        if choice:
            found[f"{axis}.name"] = choice["name"]
            found |= {f"{axis}.{k}": v for k, v in choice["options"].items()}
    return found


def save(advice: Advice, folder: Path) -> dict[str, str]:
    """Each candidate's recipe as a file, by name.

    Raises:
        Unusable: The folder can't be made, or holds recipes of a list that is not this one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(f"--save {folder}: can't be written to: {error.strerror}") from None
    paths = {one.name: folder / f"{one.rank}-{one.name}.json" for one in advice.candidates}
    others = sorted(file.name for file in folder.glob("[0-9]*-*.json") if file not in paths.values())
    if others:
        raise Unusable(f"--save {folder}: holds the recipes of another list, such as {others[0]}; name a new directory")
    for one in advice.candidates:
        write_json(paths[one.name], one.recipe.model_dump(mode="json"))
    return {name: str(path) for name, path in paths.items()}


def _questions(advice: Advice) -> None:
    for i, question in enumerate(advice.questions, 1):
        heading(f"{i}. {question.question}")
        say(question.answer, style="green")
        for _, because in question.reasons[:MOST]:
            say(because, "- ", 4)
        if len(question.reasons) > MOST:
            say("also: " + "; ".join(short(because) for _, because in question.reasons[MOST:]), "- ", 4)
        say(f"[{', '.join(question.sources)}]", "", 4, "bright_black")


def short(because: str) -> str:
    """The first clause of a reason."""
    return re.split(r"[:;] |, (?=where |since |because |as )", because)[0]


def _funnel(advice: Advice) -> None:
    heading("The search space (our arithmetic, from our catalog)")
    for stage in advice.funnel:
        say(f"{stage.name}: {stage.arithmetic}", f"{stage.left:>6,}  ", 2)
        for one in stage.removed[:FEW]:
            say(f"-{one.combinations:,} {one.rule}", "", 10, "bright_black")
        if len(stage.removed) > FEW:
            rest = sum(one.combinations for one in stage.removed[FEW:])
            say(f"-{rest:,} by {len(stage.removed) - FEW} rules more, which --json names", "", 10, "bright_black")


def _shortlist(advice: Advice) -> None:
    heading("The short list")
    told: set[str] = set()

    def reason(because: str, mark: str) -> None:
        """In full where it comes first, then its beginning."""
        say(f"{short(because)} (as above)" if because in told else because, mark, 5)
        told.add(because)

    for one in advice.candidates:
        role = one.role
        points = f"  {one.score:+g} points{f', the {role}' if role else ''}"
        console.print(Text(f"  {one.rank}. {one.name}", style="bold") + Text(points, style="bright_black"))
        say(_made_of(one.recipe), "", 5, "bright_black")
        for words in _for(one, advice)[:FEW]:
            reason(words, "+ ")
        for against in [r for r in one.reasons if r.points < 0][:FEW]:
            reason(against.because, "- ")
        for label, words in _details(one, told):
            say(words, f"{label}: ", 5, "bright_black")


def _made_of(one: Recipe) -> str:
    """The four choices in words."""
    regularizers = " and ".join(r.name for r in one.regularizers) or "no regularization"
    others = [f"{c.name}" for c in (one.conditioning, one.augmentation) if c]
    divergence = [f"divergence {one.divergence.name}"] if one.divergence else []
    return ", ".join([f"{one.architecture.name} networks", f"{one.loss.name} loss", regularizers, *divergence, *others])


def _for(one: Candidate, advice: Advice) -> list[str]:
    """Reasons for a candidate, those first that tell it from the others on the list."""
    shared = Counter(r.rule for other in advice.candidates for r in other.reasons if r.points > 0)
    mine = [reason for reason in one.reasons if reason.points > 0]
    mine.sort(key=lambda r: (shared[r.rule] == len(advice.candidates), -r.points / shared[r.rule]))
    return list(dict.fromkeys(reason.because for reason in mine))


def _details(one: Candidate, told: set[str]) -> list[tuple[str, str]]:
    """Cost, what to watch, numbers that fit the data, measurements and disputes; what was ``told`` before, shorter."""

    def once(text: str) -> str:
        words = f"{short(text)} (as above)" if text in told else text
        told.add(text)
        return words

    found = [("cost", _cost(one.cost))] if one.cost else []
    found += [("watch", once(watch.says)) for watch in one.watch]
    for because in dict.fromkeys(fitted.because for fitted in one.fitted):
        numbers = ", ".join(f"{fitted.field} = {fitted.value}" for fitted in one.fitted if fitted.because == because)
        found.append(("fitted", f"{numbers}: {once(because)}"))
    found += [("measured", f"{row.says} [{row.source}]") for row in one.measured[:FEW]]
    return [*found, *([("disputed", " ".join(one.disputes))] if one.disputes else [])]


def _cost(cost: Cost) -> str:
    time = ""
    if cost.seconds_per_1000_images is not None:
        time = f", {cost.seconds_per_1000_images:.2g} s on {cost.machine or 'this machine'}"
    millions = (cost.parameters_generator + cost.parameters_discriminator) / 1e6
    memory, operations = cost.memory / 2**30, cost.operations_per_1000_images / 1e12
    room = f"{memory:.2g} GiB" if memory >= 1 else f"{memory * 1024:.2g} MiB"
    work = f"{operations:.3g} Tflop" if operations >= 1 else f"{operations * 1000:.3g} Gflop"
    return f"{work} per 1,000 images{time}; {room} of memory at least; {millions:.2g} million weights"


def _would_change(open_: Sequence[Alternative]) -> None:
    if not open_:
        return
    heading("What would change this answer")
    for fact in dict.fromkeys(one.fact for one in open_):
        mine = [one for one in open_ if one.fact == fact]
        waiting = len(mine[0].rules)
        rules = "1 rule waits" if waiting == 1 else f"{waiting} rules wait"
        say(f"You have not said {FACTS.get(fact, fact)}; {rules} for it.", "? ", 2)
        for one in mine:
            flags = " ".join(_flag(part) for part in one.say.split(","))
            moves = [f"{', '.join(one.entered)} would enter"] if one.entered else []
            moves += [f"{', '.join(one.left)} would leave"] if one.left else []
            say(f"{flags}: {one.first} first; {'; '.join(moves) or 'the same GANs in another order'}", "", 6)


def _flag(statement: str) -> str:
    name, _, value = statement.partition("=")
    flag = {"memory_gb": "memory"}.get(name, name)
    return f"--{flag}" if value == "yes" else f"--not-{flag}" if value == "no" else f"--{flag} {value}"


def _left_out(advice: Advice) -> None:
    if not advice.excluded:
        return
    heading("Left out")
    for because in dict.fromkeys(one.because for one in advice.excluded):
        names = [one.name for one in advice.excluded if one.because == because]
        say(f"{', '.join(names)}: {short(because)}", "- ", 2)


def _disputes(advice: Advice) -> None:
    """In full what touches a listed candidate, the rest by name."""
    listed = {one.name for one in advice.candidates}
    tags = [option.tags for option in advice.considered if option.name in listed]
    near = [one for one in advice.disagreements if any(target <= having for target in one.touches for having in tags)]
    if not near:
        return
    heading("Where sources disagree about the list")
    for one in near[:MOST]:
        say(f"{one.name} {one.says} [{', '.join(one.sources)}]", "- ", 2)
    others = [one.name for one in advice.disagreements if one not in near[:MOST]]
    if others:
        say(f"also: {' '.join(others)} (in full with --json)", "- ", 2)
