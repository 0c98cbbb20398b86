"""The questionnaire: one question at a time, a default that Enter accepts, and an explanation for a question mark."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from rich.console import Console

from ganwise.cli.advise import say
from ganwise.select.application import Application
from ganwise.select.facts import observed
from ganwise.types import Audit, Unusable, Value

Read = Callable[[str], str]
screen = Console(stderr=True, highlight=False)  # standard output is for the answer


class Prompt(NamedTuple):
    """One question: ``key`` as an `Application` has it; asked where ``when`` holds."""

    key: str
    question: str
    form: str
    explains: str
    default: str
    when: Callable[[Application], bool] = lambda said: True


def _image(said: Application) -> bool:
    return said.kind == "image"


PROMPTS = (
    Prompt(
        "kind",
        "Are the data images or a table of numbers?",
        "image or vector",
        "An image is a grid of pixels; a vector is a row of numbers, such as sensor readings or a row of a table.",
        "image",
    ),
    Prompt(
        "image",
        "How large are the images?",
        "as in 64x64x3",
        "Height x width x channels: 3 channels for color, 1 for gray. The size that the GAN will draw; photographs are "
        "usually scaled down to 32, 64 or 128. Larger images need far more computing.",
        "32x32x3",
        _image,
    ),
    Prompt(
        "columns",
        "How many numbers has each row?",
        "a number",
        "One for each column that the GAN will imitate.",
        "",
        lambda said: said.kind == "vector",
    ),
    Prompt(
        "n",
        "How many samples are there?",
        "a number",
        "For training and testing together. Below ten thousand images augmentation and regularization count most.",
        "",
    ),
    Prompt(
        "classes",
        "How many classes do they show?",
        "a number; 0 where there are none",
        "Kinds of things that you would tell apart, such as ten digits or 40 icons, whether they are labeled or not.",
        "0",
    ),
    Prompt(
        "labels",
        "How many samples have a label of their class?",
        "none, few or all",
        "With labels a GAN can be told what to draw, and usually draws better. Few: less than half of the samples.",
        "none",
        lambda said: bool(said.classes),
    ),
    Prompt(
        "domain",
        "Do all images show one kind of thing, or many?",
        "one or many",
        "One: only faces, only castings. Many: as in a photo album. Auto-encoder GANs such as BEGAN are good at one.",
        "many",
        _image,
    ),
    Prompt(
        "aligned",
        "Is it at the same place in each image?",
        "yes or no",
        "Faces with the eyes always at the same pixels are aligned; street scenes are not.",
        "no",
        lambda said: _image(said) and said.domain == "one",
    ),
    Prompt(
        "want",
        "What matters most?",
        "any of diversity, quality, stability, coverage, speed, ..., separated by commas",
        "diversity: samples that differ; quality: samples that look real; stability: training that does not break; coverage: no "
        "kind of sample left out; generalization: new samples, not copies; speed: little computing; convergence-measure: a "
        "number that says how far training is; reconstruction: an encoder; classes: samples of a class that you name; privacy.",
        "diversity, quality",
    ),
    Prompt(
        "device",
        "On what will it train?",
        "cpu, cuda or mps",
        "cuda is an NVIDIA GPU, mps a Mac's. Without one choose cpu: small networks train there in minutes.",
        "cpu",
    ),
    Prompt(
        "memory_gb",
        "How many gigabytes of memory has it?",
        "a number; - where you don't know",
        "Of the GPU, or of the machine where it trains on the processor.",
        "-",
    ),
    Prompt(
        "time",
        "How long may it compute?",
        "as in 30m, 2h or 1d",
        "For one GAN. Minutes suffice for small gray images; large color images take a GPU for hours to days.",
        "1h",
    ),
    Prompt(
        "private",
        "Must nobody learn who was among the training samples?",
        "yes or no",
        "Medical images, for instance. A GAN can memorize samples, above all where there are few.",
        "no",
    ),
)


def typed(prompt: str) -> str:
    """A line from the terminal.

    Raises:
        EOFError: The input ended.
    """
    screen.print(prompt, end="", markup=False, soft_wrap=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def ask(said: Application, seen: Audit | None, read: Read = typed) -> Application:
    """Asks for what was not said yet; the audit answers what it has measured, and its guesses are the defaults.

    Raises:
        Unusable: Standard input is no terminal, or ended.
    """
    if read is typed and not sys.stdin.isatty():
        raise Unusable("--ask: standard input is no terminal; describe the application by flags or with --application FILE")
    screen.print("Enter accepts the answer in brackets; ? explains; - leaves a question open.", markup=False)
    measured = observed(seen).said if seen else {}
    known = Application.model_validate({**measured, **said.said})
    for prompt in PROMPTS:
        if prompt.when(known) and _open(prompt, known):
            answer = _answered(prompt, known, seen, read)
            if answer is not None:
                known = known.but(**{prompt.key: answer})
    return known


def _open(prompt: Prompt, known: Application) -> bool:
    fields = {"image": ("height",), "time": ("seconds",), "labels": ("labels", "labeled_share")}.get(prompt.key, (prompt.key,))
    return all(getattr(known, field) in (None, ()) for field in fields)


def _answered(prompt: Prompt, known: Application, seen: Audit | None, read: Read) -> Value | None:
    """What the person says, asked again until it can be used; None leaves it open."""
    default = _default(prompt, seen)
    while True:
        try:
            text = read(f"{prompt.question} ({prompt.form}) [{default}] ").strip() or default
        except EOFError:
            raise Unusable("--ask: the input ended before the last question") from None
        if text == "-" and prompt.key not in ("kind", "image", "columns", "n"):
            return None
        if text in ("?", "help", ""):
            say(prompt.explains, "", 2, on=screen)
            continue
        try:
            return _value(prompt, text, known)
        except Unusable as error:
            say(f"{error}; once more", "! ", 2, "yellow", on=screen)


def _value(prompt: Prompt, text: str, known: Application) -> Value:
    """The answer, where the application takes it.

    Raises:
        Unusable: It does not.
    """
    short = {"y": "yes", "n": "no"}.get(text.lower(), text) if prompt.form == "yes or no" else text
    known.but(**{prompt.key: short})
    return short


def _default(prompt: Prompt, seen: Audit | None) -> str:
    """What the audit guesses, else what is usual."""
    if seen and prompt.key == "domain" and seen.facts.get("domain") == "single":
        return "one"
    return prompt.default
