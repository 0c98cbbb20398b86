"""The facts that rules read: of an audit, said by a person, and computed. All logic of selection's conditions stands here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from ganwise.catalog import closest
from ganwise.knowledge import Rule
from ganwise.parts import to_train_on
from ganwise.select.application import WANTS, Application, Device, known
from ganwise.shapes import takes
from ganwise.types import Audit, Shape, Unusable, Value

TINY_SIDE = 16  # pixels: below it a convolution sees little more than the whole; 8x8 digits are measured, 28x28 differ
SPARSE_BACKGROUND = 0.4  # ours: digits and MNIST lie above, photographs far below
SPARSE_CONSTANT = 0.25  # ours, as above
THIN = 0.5  # intrinsic dimensions per dimension, below which the data count as a thin manifold; ours
LOW_SECONDS = 3600.0  # one accelerator hour: the framework's reviewers call less than this a tiny budget
HIGH_SECONDS = 86400.0
ROUNDED = 0.005  # a share may be said in whole percent
FEW_LABELED = 0.1  # what "few labels" is taken for where nobody says how many; ours

STATES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("kind", "height", "width", "channels", "columns"), ("shape",)),
    "n": ("n",),
    "classes": ("n_classes",),
    "labels": ("labels",),
    "labeled_share": ("labels",),
    "domain": ("domain",),
    "aligned": ("aligned",),
    "sparse": ("sparse_image",),
    "discrete": ("discrete",),
    "device": ("device",),
    "memory_gb": ("memory_gb",),
    "seconds": ("budget_seconds",),
    "private": ("private",),
    "want": ("want",),
    "title": (),
}
"""Which facts a statement of an `Application` is about."""

DEPENDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("kind", "dimensions", "channels", "side"), ("shape",)),
    **dict.fromkeys(("tiny_image", "needs_convolution", "valid_side", "toy"), ("shape",)),
    **{f"want.{need}": ("want",) for need in WANTS},
    "n_train": ("n",),
    "n_validation": ("n",),
    "n_test": ("n",),
    "labels": ("n_classes",),
    "labeled_share": ("labels", "n_classes"),
    "domain": ("n_classes",),
    "single_domain": ("domain",),
    "sparse_image": ("shape", "background_share", "constant_pixel_share"),
    "thin_manifold": ("shape", "intrinsic_dimension"),
    "discrete": ("shape", "discrete_columns"),
    **dict.fromkeys(("compute", "compute_stated"), ("device", "budget_seconds")),
    "divergence_reason": ("want.coverage",),
    "private": ("want.privacy",),
}
"""From what each computed fact is computed. What is no key here is measured by the audit or said by a person."""


MEASURED: tuple[str, ...] = (
    *("background_share", "balanced", "colorful", "constant_columns", "constant_images", "constant_pixel_share", "corrupt_files"),
    *("cropped", "discrete_columns", "exact_duplicate_share", "exact_duplicates", "intrinsic_dimension", "largest_class_share"),
    *("leaked_duplicates", "mixed_sizes", "near_duplicates", "padding_share", "resized", "scale_ratio", "smallest_class_share"),
    *("value_max", "value_mean", "value_min", "value_std"),
)
"""What only an audit can tell, beside the facts that a person may state."""


def refuse_unheard(rules: Iterable[Rule]) -> None:
    """Refuses a rule about a fact that there is not: it would wait for it forever.

    Raises:
        Unusable: The rule, the fact, and the likeliest that there is.
    """
    names = {*MEASURED, *DEPENDS, *(fact for facts in STATES.values() for fact in facts if fact not in ("shape", "want"))}
    for name, fact in ((rule.name, condition.fact) for rule in rules for condition in rule.when):
        if fact not in names:
            raise Unusable(f"rule {name}: there is no fact '{fact}': {closest(fact, names)}")


def moved(facts: Iterable[str]) -> frozenset[str]:
    """Every fact that may change when these do: themselves, and all that is computed from them."""
    found = set(facts)
    while more := {fact for fact, origins in DEPENDS.items() if found & set(origins)} - found:
        found |= more
    return frozenset(found)


def gather(
    audit: Audit,
    want: Sequence[str] = (),
    device: Device = "unknown",
    seconds: float | None = None,
    said: Application | None = None,
) -> dict[str, Value]:
    """Every fact that is known, by name; an unknown one is absent. ``want``, ``device``, ``seconds`` come before what was said.

    Raises:
        Unusable: A need outside `WANTS`.
    """
    known(want)
    said = said or Application()
    want = (*want, *said.want)
    device = said.device or "unknown" if device == "unknown" else device
    seconds = said.seconds if seconds is None else seconds
    of_images = () if audit.kind == "image" else ("channels", "side")  # an audit of a table says 0, which is no size
    facts: dict[str, Value | None] = {**_of_shape(audit), **{k: v for k, v in audit.facts.items() if k not in of_images}}
    facts.setdefault("n_train", to_train_on(audit.n))
    facts.setdefault("labels", "all" if audit.classes else "none")
    facts.setdefault("labeled_share", 1.0 if audit.classes else 0.0)
    facts["domain"] = _domain(facts, said)
    facts["single_domain"] = facts["domain"] == "single"
    facts["sparse_image"] = _sparse(facts, said)
    facts["thin_manifold"] = _thin(facts)
    facts["discrete"] = _discrete(facts, said)
    facts["device"], facts["budget_seconds"], facts["memory_gb"] = device, seconds, said.memory_gb
    facts["compute"] = _compute(device, seconds)
    facts["compute_stated"] = facts["compute"] != "unknown"
    facts["divergence_reason"] = "cover" if "coverage" in want else "none"
    facts["aligned"] = said.aligned
    facts["private"] = True if "privacy" in want else said.private
    facts |= {f"want.{need}": need in want for need in WANTS}
    return {name: value for name, value in sorted(facts.items()) if value is not None and value != "unknown"}


def imagined(said: Application, measured: Mapping[str, Value] | None = None) -> Audit:
    """What an audit would see of data that nobody has brought yet, beside facts measured elsewhere.

    Raises:
        Unusable: What was said does not suffice; the line names what is missing.
    """
    shape = said.shape
    missing = [] if shape else ["the size (--image 64x64x3 for images, --columns 12 for tables)"]
    missing += [] if said.n else ["the number of samples (--n 5000)"]
    labeled = said.labels in ("few", "all") or bool(said.labeled_share)
    missing += ["the number of classes (--classes 10)"] if labeled and not said.classes else []
    if missing or shape is None:
        raise Unusable(f"without DATA selection has to be told {', '.join(missing)}; or use --ask")
    share = _labeled_share(said)
    facts: dict[str, Value] = {"labels": "none" if not share else "few" if share < 0.5 else "all", "labeled_share": share}
    facts |= {"n_classes": said.classes or 0, **(measured or {})}
    return Audit("image" if len(shape) > 1 else "vector", shape, int(said.n or 0), (), facts, ())


def _labeled_share(said: Application) -> float:
    if said.labeled_share is not None:
        return said.labeled_share
    return {"all": 1.0, "few": FEW_LABELED}.get(said.labels or "none", 0.0)


def observed(audit: Audit) -> Application:
    """What an audit measured, as a person would say it."""
    vector = {"columns": audit.shape[0]}
    size = vector if audit.kind == "vector" else dict(zip(("channels", "height", "width"), audit.shape, strict=True))
    n_classes = int(audit.facts.get("n_classes", len(audit.classes)))
    share = float(audit.facts.get("labeled_share", 1.0 if n_classes else 0.0))
    labels = str(audit.facts.get("labels", "all" if audit.classes else "none"))
    exact = {} if labels == "none" or share in (0, 1) else {"labeled_share": share}
    return Application.model_validate(
        {"kind": audit.kind, "n": audit.n, "classes": n_classes, **size, **(exact or {"labels": labels})}
    )


def agree(audit: Audit, said: Application) -> None:
    """Refuses a statement that the data contradict; what an audit can only guess a person may overrule.

    Raises:
        Unusable: With both sides, and what would be right.
    """
    seen = observed(audit).but(labels=str(audit.facts.get("labels", "all" if audit.classes else "none")))
    for name, value in seen.said.items():
        claim = getattr(said, name)
        if claim is not None and claim != value:
            ask = f", or ask what would be with --compare {name}={claim}" if name in ("n", "labels", "classes") else ""
            raise Unusable(f"{name} = {claim} contradicts the data: their audit says {name} = {value}; leave it out{ask}")
    claim, share = said.labeled_share, float(audit.facts.get("labeled_share", 1.0 if audit.classes else 0.0))
    if claim is not None and abs(claim - share) > ROUNDED:
        ask = f"leave it out, or ask what would be with --compare labeled_share={claim:g}"
        raise Unusable(f"labeled_share = {claim:g} contradicts the data: their audit says labeled_share = {share:g}; {ask}")
    seen.but(**{name: value for name, value in said.said.items() if name != "want"})  # refuses what can't be true of such data


def suppose(audit: Audit | None, said: Application, changes: Mapping[str, Value]) -> tuple[Audit, Application]:
    """The application with some statements changed, and what an audit would then see: measured facts stay where they can.

    Raises:
        Unusable: A change to what can't be, or as `imagined`.
    """
    whole = said if audit is None else observed(audit).but(**said.said)
    other = whole.but(**changes)
    touched = [name for name in STATES if getattr(whole, name) != getattr(other, name)]
    gone = moved(fact for name in touched for fact in STATES[name])
    kept = {name: value for name, value in (audit.facts if audit else {}).items() if name not in gone}
    if audit and "n" in touched and other.n:
        share = int(audit.facts.get("n_train", audit.n)) / audit.n
        kept["n_train"] = max(1, round(share * other.n))
    return imagined(other, {k: v for k, v in kept.items() if k != "n_classes"}), other


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


Facts = Mapping[str, Value | None]


def _domain(facts: Facts, said: Application) -> Value:
    """Many where the audit can't tell and there are classes: mixing them is what makes a domain wide."""
    if said.domain:
        return "single" if said.domain == "one" else "many"
    seen = facts.get("domain") or "unknown"
    return "many" if seen == "unknown" and int(facts["n_classes"] or 0) > 1 else seen


def _sparse(facts: Facts, said: Application) -> Value:
    """Mostly background, or mostly pixels that never change."""
    if facts["kind"] != "image":
        return False
    if said.sparse is not None:
        return said.sparse
    limits = {"background_share": SPARSE_BACKGROUND, "constant_pixel_share": SPARSE_CONSTANT}
    shares = {name: float(value) for name in limits if (value := facts.get(name)) is not None}
    return any(share >= limits[name] for name, share in shares.items()) if shares else "unknown"


def _thin(facts: Facts) -> Value:
    """Whether the data fill few of their dimensions; images always do."""
    if facts["kind"] == "image":
        return True
    intrinsic = facts.get("intrinsic_dimension")
    return float(intrinsic) < THIN * float(facts["dimensions"] or 1) if intrinsic else "unknown"


def _discrete(facts: Facts, said: Application) -> Value:
    if facts["kind"] != "vector":
        return False
    return said.discrete if said.discrete is not None else int(facts.get("discrete_columns") or 0) > 0


def _compute(device: Device, seconds: float | None) -> Value:
    """How much computing there is: low on a CPU or for less than an accelerator hour, high from a day on."""
    if device == "cpu" or (seconds is not None and seconds < LOW_SECONDS):
        return "low"
    if device == "unknown" or seconds is None:
        return "unknown"
    return "high" if seconds >= HIGH_SECONDS else "medium"


__all__ = ["DEPENDS", "STATES", "Device", "Shape", "agree", "gather", "imagined", "known", "moved", "observed", "suppose"]
