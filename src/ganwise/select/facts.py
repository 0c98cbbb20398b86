"""The facts that rules read: the audit's, and those computed from them. All logic of selection's conditions stands here."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

from ganwise.catalog import closest
from ganwise.shapes import takes
from ganwise.types import Audit, Unusable, Value

Device = Literal["cpu", "cuda", "mps", "unknown"]

WANTS = (
    "diversity",
    "quality",
    "stability",
    "convergence-measure",
    "reconstruction",
    "generalization",
    "speed",
    "coverage",
)
"""What an application may need."""

TINY_SIDE = 16  # pixels: below it a convolution sees little more than the whole; 8x8 digits are measured, 28x28 differ
SPARSE_BACKGROUND = 0.4  # ours: digits and MNIST lie above, photographs far below
SPARSE_CONSTANT = 0.25  # ours, as above
THIN = 0.5  # intrinsic dimensions per dimension, below which the data count as a thin manifold; ours
LOW_SECONDS = 3600.0  # one accelerator hour: the framework's reviewers call less than this a tiny budget
HIGH_SECONDS = 86400.0


def known(want: Sequence[str]) -> None:
    """Refuses a need that nobody has heard of.

    Raises:
        Unusable: A need outside `WANTS`.
    """
    for need in want:
        if need not in WANTS:
            raise Unusable(f"--want {need}: unknown need: {closest(need, WANTS)}")


def gather(audit: Audit, want: Sequence[str], device: Device, seconds: float | None) -> dict[str, Value]:
    """Every fact that is known, by name; an unknown one is absent.

    Raises:
        Unusable: A need outside `WANTS`.
    """
    known(want)
    facts: dict[str, Value] = {**_of_shape(audit), **audit.facts}
    facts.setdefault("n_train", facts["n"])
    facts.setdefault("labeled_share", 1.0 if audit.classes else 0.0)
    facts.setdefault("labels", "all" if audit.classes else "none")
    facts["domain"] = _domain(facts)
    facts["sparse_image"] = _sparse(facts)
    facts["thin_manifold"] = _thin(facts)
    facts["discrete"] = facts["kind"] == "vector" and int(facts.get("discrete_columns", 0)) > 0
    facts["compute"] = _compute(device, seconds)
    facts["divergence_reason"] = "cover" if "coverage" in want else "none"
    facts |= {f"want.{need}": need in want for need in WANTS}
    if seconds is not None:
        facts["budget_seconds"] = seconds
    return {name: value for name, value in sorted(facts.items()) if value not in ("unknown", None)}


def _of_shape(audit: Audit) -> dict[str, Value]:
    image = audit.kind == "image"
    channels, side = (audit.shape[0], max(audit.shape[1:])) if image else (1, 0)
    tiny = image and side <= TINY_SIDE
    facts: dict[str, Value] = {
        "kind": audit.kind,
        "n": audit.n,
        "dimensions": prod(audit.shape),
        "n_classes": len(audit.classes),
        "tiny_image": tiny,
        "needs_convolution": image and not tiny and (side >= 32 or channels > 1),
        "valid_side": image and takes("dcgan", audit.shape) is None,
        "toy": not image and audit.shape[0] <= 3,
    }
    return {**facts, "channels": channels, "side": side} if image else facts


def _domain(facts: dict[str, Value]) -> Value:
    """Many where the audit can't tell and there are classes: mixing them is what makes a domain wide."""
    said = facts.get("domain", "unknown")
    return "many" if said == "unknown" and int(facts["n_classes"]) > 1 else said


def _sparse(facts: dict[str, Value]) -> Value:
    """Mostly background, or mostly pixels that never change."""
    if facts["kind"] != "image":
        return False
    limits = {"background_share": SPARSE_BACKGROUND, "constant_pixel_share": SPARSE_CONSTANT}
    known = {name: float(facts[name]) for name in limits if name in facts}
    return any(share >= limits[name] for name, share in known.items()) if known else "unknown"


def _thin(facts: dict[str, Value]) -> Value:
    """Whether the data fill few of their dimensions; images always do."""
    if facts["kind"] == "image":
        return True
    if not facts.get("intrinsic_dimension"):
        return "unknown"
    return float(facts["intrinsic_dimension"]) < THIN * float(facts["dimensions"])


def _compute(device: Device, seconds: float | None) -> Value:
    """How much computing there is: low on a CPU or for less than an accelerator hour, high from a day on."""
    if device == "cpu" or (seconds is not None and seconds < LOW_SECONDS):
        return "low"
    if device == "unknown" or seconds is None:
        return "unknown"
    return "high" if seconds >= HIGH_SECONDS else "medium"
