"""What the data is, and what is wrong with it: the facts that selection reads."""

from __future__ import annotations

from math import prod
from pathlib import Path

from ganwise.data import cache
from ganwise.data.dataset import Dataset
from ganwise.data.facts import Facts, measure
from ganwise.data.readers import Source, fingerprint, load, refuse_corrupt, stored
from ganwise.types import Audit, Severity, Trouble, Value

FEW = 1_000


def audit(dataset: Dataset) -> Audit:
    """The facts about a data set and the problems that follow from them. Measured once per content, then looked up."""
    measured = cache.stored_facts(dataset.content)
    if measured is None:
        measured = measure(dataset)
        cache.store_facts(dataset.content, measured)
    facts = {**stated(dataset), **measured}
    facts["domain"] = domain(facts)
    facts["single_domain"] = facts["domain"] == "single"
    problems = (*dataset.troubles, *problems_in(facts, dataset))
    return Audit(dataset.kind, dataset.shape, len(dataset), dataset.classes, facts, problems)


def audit_source(source: Source, *, size: int | None = None, strict: bool = False) -> Audit:
    """As ``audit(load(source))``; a source audited before is recognized by its files' names, sizes and times alone."""
    known = isinstance(source, str | Path)
    dataset = stored(source, fingerprint(source, size=size), verify=False) if known else None
    if dataset is None or cache.stored_facts(dataset.content) is None:
        dataset = load(source, size=size)
    if strict:
        refuse_corrupt(dataset)
    return audit(dataset)


def stated(dataset: Dataset) -> Facts:
    """What needs no measuring: shape and counts, and what the loader saw."""
    image = dataset.kind == "image"
    seen = dataset.seen
    return {
        "kind": dataset.kind,
        "channels": dataset.shape[0] if image else 0,
        "side": dataset.shape[1] if image else 0,
        "dimensions": prod(dataset.shape),
        "n": len(dataset),
        "n_train": len(dataset.split.train),
        "n_validation": len(dataset.split.validation),
        "n_test": len(dataset.split.test),
        "corrupt_files": int(seen.get("corrupt_files", 0)),
        "mixed_sizes": bool(seen.get("mixed_sizes", False)),
        "resized": bool(seen.get("resized", False)),
        "cropped": bool(seen.get("cropped", False)),
    }


def domain(facts: Facts) -> str:
    """Whether the samples show one kind of thing: only labels can tell, and without them it stays unknown."""
    n_classes = int(facts["n_classes"])
    return "unknown" if n_classes == 0 else "single" if n_classes == 1 else "many"


def problems_in(facts: Facts, dataset: Dataset) -> tuple[Trouble, ...]:
    """The problems that facts show, each in one line."""
    found = [*_sample_problems(facts), *_class_problems(facts, dataset)]
    found += _image_problems(facts) if facts["kind"] == "image" else _table_problems(facts)
    return tuple(Trouble(severity, what, dataset.source, fix) for severity, what, fix in found)


Problem = tuple[Severity, str, str]


def _number(facts: Facts, name: str) -> float:
    value: Value = facts[name]
    return float(value)


def _sample_problems(facts: Facts) -> list[Problem]:
    found: list[Problem] = []
    n = int(facts["n"])
    if n < FEW:
        found.append(("info", f"only {n} samples", "use augmentation, and expect wide intervals on every score"))
    if _number(facts, "exact_duplicate_share") > 0.01:
        what = f"{facts['exact_duplicates']} samples ({_number(facts, 'exact_duplicate_share'):.1%}) are exact copies of others"
        found.append(("warning", what, "remove the copies: a model learns to repeat what it sees most"))
    if _number(facts, "near_duplicates") > 0.01:
        what = f"about {_number(facts, 'near_duplicates'):.1%} of the samples are nearly equal to another"
        found.append(("warning", what, "keep one of each, above all between training and test"))
    if facts["leaked_duplicates"]:
        what = f"{facts['leaked_duplicates']} samples of your validation or test part are also in your training part"
        found.append(("warning", what, "remove them from the training part, or scores will look too good"))
    if not facts["intrinsic_dimension"]:
        found.append(("warning", "the samples hardly differ, or only in steps of one size", "check how the data were made"))
    return found


def _class_problems(facts: Facts, dataset: Dataset) -> list[Problem]:
    found: list[Problem] = []
    largest, smallest = _number(facts, "largest_class_share"), _number(facts, "smallest_class_share")
    if int(facts["n_classes"]) > 1 and largest > 5 * smallest:
        what = f"classes are out of balance: the largest has {largest:.1%} of the samples, the smallest {smallest:.2%}"
        found.append(("warning", what, "add samples of the rare classes, or condition on the class"))
    rare = [dataset.classes[c] for c in _rare_classes(dataset)]
    if rare:
        names = ", ".join(rare[:5]) + (", ..." if len(rare) > 5 else "")
        found.append(("warning", f"{len(rare)} classes have fewer than 10 samples: {names}", "merge or drop them"))
    if facts["labels"] == "few":
        what = f"only {_number(facts, 'labeled_share'):.1%} of the samples have a label"
        found.append(("info", what, "a semi-supervised GAN can use the rest"))
    elif unlabeled := sum(label < 0 for label in dataset.labels.tolist()) if dataset.classes else 0:
        what = f"{unlabeled} of {len(dataset)} samples without a label"
        found.append(("warning", what, "label or remove them: a GAN that draws a chosen class needs the labels of all"))
    return found


def _rare_classes(dataset: Dataset) -> list[int]:
    labels = dataset.labels.tolist()
    counts = [0] * len(dataset.classes)
    for label in labels:
        if label >= 0:
            counts[label] += 1
    return [c for c, count in enumerate(counts) if count < 10]


def _image_problems(facts: Facts) -> list[Problem]:
    found: list[Problem] = []
    if facts["constant_images"]:
        what = f"{facts['constant_images']} training images show one color only"
        found.append(("warning", what, "remove them if they are blank by accident"))
    if facts["mixed_sizes"]:
        found.append(("info", "images have different sizes and were made equal", "nothing to do, unless size matters"))
    if _number(facts, "padding_share") >= 0.1:
        what = f"{_number(facts, 'padding_share'):.0%} of the rows and columns are an empty border"
        found.append(("info", what, "crop the border to spend the pixels on the subject"))
    if _number(facts, "value_max") - _number(facts, "value_min") < 128:
        what = f"pixels use only {facts['value_min']:g} to {facts['value_max']:g} of 0 to 255"
        found.append(("warning", what, "stretch the contrast"))
    if facts["channels"] == 3 and not facts["colorful"]:
        found.append(("info", "color images with almost no color", "convert them to gray: a third of the work"))
    return found


def _table_problems(facts: Facts) -> list[Problem]:
    found: list[Problem] = []
    if facts["constant_columns"]:
        found.append(("warning", f"{facts['constant_columns']} columns never change", "remove them"))
    if _number(facts, "scale_ratio") > 100:
        what = f"columns differ in scale by a factor of {_number(facts, 'scale_ratio'):.3g}"
        found.append(("info", what, "standardize the columns"))
    if facts["discrete_columns"]:
        what = f"{facts['discrete_columns']} columns take 10 values or fewer"
        found.append(("info", what, "a GAN of continuous values smears them; check them in the samples"))
    return found
