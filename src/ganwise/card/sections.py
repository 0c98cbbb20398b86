"""The parts of a card that say what the model is, how it is used and what it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ganwise import catalog, knowledge
from ganwise.artifacts import sha256
from ganwise.card.evidence import choice, limits, scores
from ganwise.card.example import example
from ganwise.card.subject import FILL_IN, OURS, PICTURE, Subject, problem
from ganwise.catalog import tables
from ganwise.report import words


def render(subject: Subject) -> str:
    sections = (_front, _title, _use, _recipe, _data, scores, choice, limits, _versions, _citation)
    return "\n".join(line for section in sections for line in (*section(subject), ""))


def _front(subject: Subject) -> Iterator[str]:
    task = "unconditional-image-generation" if subject.image and not subject.model.conditional else ""
    yield "---"
    yield OURS.rstrip()
    yield f"license: {FILL_IN}"
    if task:
        yield f"pipeline_tag: {task}"
    tags = [
        "gan",
        "generator",
        "image" if subject.image else "tabular",
        subject.recipe.architecture.name,
        subject.recipe.loss.name,
    ]
    if subject.weights.suffix == ".onnx":
        tags.append("onnx")
    yield f"tags: {_yaml(list(dict.fromkeys(tags)))}"
    if subject.run.scores:
        yield "model-index:"
        yield f"- name: {_yaml(_name(subject))}"
        yield "  results:"
        yield f"  - task: {_yaml({'type': task or 'other', 'name': 'generation of ' + subject.makes})}"
        name = subject.data["name"]
        yield f"    dataset: {_yaml({'type': name, 'name': name, 'split': 'test'})}"
        yield "    metrics:"
        for score in subject.run.scores:
            how = f"{score['metric']}, n = {score['n']}, {score['features']}: {score['protocol']}"
            yield f"    - {_yaml({'type': score['metric'], 'value': _plain(score['value']), 'name': how})}"
    yield "---"


def _yaml(value: Any) -> str:
    """JSON on one line, which is YAML, too."""
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> float | str:
    """A number to six digits; what is not finite as a word."""
    found = float(value)
    return float(f"{found:.6g}") if abs(found) < float("inf") else str(value)


def _name(subject: Subject) -> str:
    return f"{subject.run.name} on {subject.data['name']}" if subject.raced else subject.run.name


def _title(subject: Subject) -> Iterator[str]:
    model, told = subject.model, subject.run.told
    yield f"# {_name(subject)}"
    yield ""
    classes = f", of {words.plural(len(model.classes), 'class', 'classes')} on demand" if model.conditional else ""
    count = told.get("parameters", {}).get("generator")
    size = f" It has {count:,} parameters." if count else ""
    yield (
        f"The generator of a GAN: it makes {subject.makes}{classes}, from {model.generator.latent} random numbers each "
        f"({'standard normal' if model.generator.prior == 'normal' else 'uniform on [-1, 1]'}).{size}"
    )
    if subject.pictured:
        yield ""
        yield f"![Samples as they come, none picked out]({PICTURE})"


def _use(subject: Subject) -> Iterator[str]:
    yield "## How to use it"
    yield ""
    needs = "ganwise" if subject.weights.suffix == ".safetensors" else "onnxruntime"
    yield f"`pip install {needs}`, then, in this folder:"
    yield ""
    yield "```python"
    yield from example(subject.model, subject.weights.name)
    yield "```"


def _recipe(subject: Subject) -> Iterator[str]:
    yield "## What it is"
    yield ""
    entry = catalog.RECIPES.get(subject.entry or "")
    if entry:
        yield f"The recipe `{subject.entry}` of ganwise's catalog. {entry.says}"
    else:
        yield "A recipe of its own, not one of the named GANs as they are."
    yield ""
    for label, text in tables.choices(subject.recipe):
        pick, gap, formula = text.partition(":  ")
        yield f"- **{label}**: {pick}{f': `{formula}`' if gap and formula else ''}"
    if entry and entry.deviations:
        yield f"- **differs from its paper**: {'; '.join(entry.deviations)}"
    if lineage := subject.run.told.get("lineage"):
        yield (
            f"- **healed**: a first run showed {problem(lineage['problem'])}; from its step {lineage['from_step']:,} on "
            f"{_changes(lineage['change'])}, because {lineage['because']}"
        )
    if subject.candidate and (tuned := subject.candidate.row.get("tuned")) and tuned.get("change"):
        yield f"- **tuned** on the validation part, before the race: {_changes(tuned['change'])}"


def _changes(change: Mapping[str, Any]) -> str:
    return ", ".join(f"`{path} = {value}`" for path, value in change.items())


def _data(subject: Subject) -> Iterator[str]:
    data, audit = subject.data, subject.study.audit
    yield "## What it was trained on"
    yield ""
    yield f"- **data**: {data['name']}"
    yield f"- **license**: **{FILL_IN}**: whose data these are, under which license, and whether a model of them may be passed on"
    facts, parts = audit.get("facts", {}), data.get("parts") or {}
    sizes = {part: parts.get(part) or facts.get(f"n_{part}") for part in ("train", "validation", "test")}
    if count := data.get("n") or audit.get("n"):
        split = f": {sizes['train']:,} to train on, {sizes['validation']:,} for validation, {sizes['test']:,} for the test"
        yield f"- **samples**: {count:,}{split if all(sizes.values()) else ''}"
    yield f"- **shape** of one: {' × '.join(map(str, data.get('shape', subject.model.shape)))}"
    if subject.model.classes:
        names = subject.model.classes
        more = f" and {len(names) - 12} more" if len(names) > 12 else ""
        told = "" if subject.model.conditional else "; the model was not told them"
        yield f"- **classes**: {', '.join(names[:12])}{more}{told}"
    yield f"- **content**, SHA-256 of samples, labels and split: `{data.get('content', 'unknown')}`"


def _versions(subject: Subject) -> Iterator[str]:
    told = subject.run.told
    yield "## Versions"
    yield ""
    yield f"- **file**: `{subject.weights.name}`, SHA-256 `{sha256(subject.weights)}`"
    if subject.weights.suffix != ".safetensors":
        yield f"- **made from** weights of SHA-256 `{told.get('model_sha256', 'unknown')}`; outputs were compared with theirs"
    yield f"- **made with** {', '.join(f'{name} {version}' for name, version in told.get('versions', {}).items())}"
    device = ", ".join(str(told[name]) for name in ("device", "precision") if told.get(name))
    yield f"- **trained on** {device}, {words.plural(int(told.get('threads', 1)), 'thread')}, seed {subject.run.seed}"


def _citation(subject: Subject) -> Iterator[str]:
    keys = tables.sources(subject.recipe)
    entry = catalog.RECIPES.get(subject.entry or "")
    found = knowledge.cite([*(entry.sources if entry else ()), *keys])
    yield "## Citation"
    yield ""
    yield f"What the recipe rests on: {', '.join(source.key for source in found)}."
    yield ""
    yield "```bibtex"
    yield "\n".join(source.bibtex.rstrip() for source in found)
    yield "```"
