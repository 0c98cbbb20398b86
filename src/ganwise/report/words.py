"""Numbers and facts in words that need no expertise."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from ganwise.report.gather import Candidate, Json, Run, Study, number


class Metric(NamedTuple):
    """How a metric is printed, and what it says."""

    label: str
    says: str
    lower: bool = False
    times: float = 1.0


METRICS = {
    "kid": Metric("KID ×1000", "distance between the features of generated and of real images; 0 is equal", True, 1000),
    "sliced_wasserstein": Metric("Sliced W₂", "how far points have to move, over many directions; 0 is equal", True),
    "fid": Metric("Fréchet distance", "distance between two normal distributions fitted to the features", True),
    "coverage": Metric("Coverage", "share of real test samples that have a generated one close by"),
    "recall": Metric("Recall", "share of real test samples that lie among the generated ones"),
    "precision": Metric("Precision", "share of generated samples that lie among the real ones"),
    "density": Metric("Density", "how crowded the real neighborhoods are that generated samples fall into"),
    "parzen": Metric("Parzen window", "log likelihood of the test samples in nats, as in the 2014 paper"),
    "two_sample": Metric("Two-sample accuracy", "how often a classifier tells generated from real; 0.5 is chance", True),
    "ms_ssim": Metric("MS-SSIM", "how alike two generated images are; above that of real pairs: too alike", True),
    "modes": Metric("Modes", "how many of the known modes hold a generated sample"),
    "mode_kl": Metric("Mode divergence", "how unevenly generated samples fill the known modes, in nats; 0 is even", True),
    "memorization": Metric(
        "Nearest-neighbor ratio", "distance to the nearest training sample, over that of unseen real samples; far below 1: copies"
    ),
}
MAIN = ("coverage", "recall", "precision")


def metric(name: str) -> Metric:
    return METRICS.get(name, Metric(name.replace("_", " "), ""))


def figure(value: Any, times: float = 1.0) -> str:
    """Three digits that count, with a true minus sign; a dash where there is no finite number."""
    found = number(value)
    if found is None:
        return "–" if value is None else "not finite"
    found *= times
    size = abs(found)
    places = 0 if size >= 100 else 1 if size >= 10 or (size >= 1 and times > 1) else 2
    text = f"{found:.2g}" if 0 < size < 0.01 and times == 1 else "0" if not size and times > 1 else f"{found:,.{places}f}"
    return text.replace("-", "−")


def tick(value: float, times: float = 1.0) -> str:
    """A round value on an axis, without digits that say nothing."""
    size = abs(value * times)
    return (f"{value * times:,.0f}" if size >= 1000 else f"{value * times:.4g}").replace("-", "−")


def several(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def plural(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


class Verdict(NamedTuple):
    """The answer: a title, the sentence that explains it, and what the numbers say about its samples."""

    title: str
    because: str
    quality: str


def verdict(study: Study) -> Verdict:
    best = study.recommended
    if study.single:
        return _verdict_of_one(study)
    if best is None:
        return Verdict("Nothing is recommended.", _why_nothing(study), "")
    return Verdict(f"Recommended: {best.name}", _why(study, best), quality(best))


def _verdict_of_one(study: Study) -> Verdict:
    run = study.runs[0]
    said = {
        "healthy": "The doctor found nothing wrong with this run.",
        "warning": "The doctor has a warning about this run.",
        "failing": "The doctor says that this run is failing.",
        "failed": "The doctor says that this run has failed.",
    }.get(run.verdict, "Too little was recorded to call this run healthy or sick.")
    if study.interrupted:
        said = f"The run was interrupted before its end. {said}"
    elif not run.scores:
        said += f" It has no scores: it is {run.status}."
    return Verdict(f"One run: {run.name}", said, quality(study.candidates[0]))


def _why_nothing(study: Study) -> str:
    scored = [c for c in study.candidates if c.scores]
    if study.interrupted and not scored:
        return "The race was interrupted before any run was measured."
    if study.interrupted and not all(c.sick for c in scored):
        return "The race was interrupted before its runs were compared."
    if study.interrupted:
        return "The race was interrupted, and no healthy run had been measured by then."
    if study.candidates and all(c.sick for c in study.candidates):
        return "Every run was sick. What the doctor found, and what it would change, stands below."
    return "No run that was healthy came to be measured."


def _why(study: Study, best: Candidate) -> str:
    begin = "The race was interrupted; of what was measured by then: " if study.interrupted else ""
    healthy = [c for c in study.candidates if c.scores and not c.sick]
    rivals = [c.name for c in study.candidates if c.name in _tied(study, best) and c.name != best.name]
    seeds = max((len(c.row.get("seeds") or []) for c in healthy), default=0)
    with_seeds = f"with {plural(seeds, 'seed')} each"
    if study.result.get("winner"):
        others = "every other finalist" if study.leavers else "every other candidate"
        return f"{begin}Significant winner: {best.name} beats {others} by more than chance explains, {with_seeds}.{_left(study)}"
    unscored = study.result.get("unscored") or []
    if not best.scores:
        none = "was measured on the test part" if unscored else "stayed healthy"
        return f"{begin}No finalist {none}; {best.name} is the best of the healthy ones on validation.{_left(study)}"
    if unscored and not rivals:
        return f"{begin}{best.name} is the best of those measured; {several(unscored)} was not: nobody wins.{_left(study)}"
    if len(healthy) < 2 and study.leavers:
        return (
            f"{begin}{best.name} is the only finalist that stayed healthy: no other was measured on the test part.{_left(study)}"
        )
    if len(healthy) < 2:
        return f"{begin}{best.name} is the only candidate that stayed healthy and was measured: nothing compares with it."
    first = healthy[0].name
    near = f"{best.name} came first, and nothing as good within the error of its scores took less training"
    if first != best.name:
        near = f"{best.name} is as good as {first} within the error of the scores, and reached its best in less training"
    tie = several([best.name, *rivals])
    alone = "One seed can't tell candidates apart. " if seeds == 1 else ""
    return f"{begin}No significant winner between {tie} {with_seeds}. {alone}{near}.{_left(study)}"


def _left(study: Study) -> str:
    """Those that no finalist was compared with on the test part."""
    count = len(study.leavers)
    return f" {plural(count, 'candidate')} left before, by validation or by the doctor." if count else ""


def _tied(study: Study, best: Candidate) -> set[str]:
    """All that are tied with the first of the ranking: the group that the recommendation was picked from."""
    first = study.candidates[0]
    return {first.name, *first.row.get("tied_with", [])} if best.name != first.name else set(best.row.get("tied_with", []))


def quality(best: Candidate) -> str:
    """Where the candidate stands between the yardsticks, so far as intervals allow to say."""
    said: dict[str, list[str]] = {}
    for name in (best.metric, *MAIN):
        if (words := _against_mixture(best, name)) is not None:
            said.setdefault(words, []).append(name if name in MAIN else metric(name).label.removesuffix(" ×1000"))
    if not said:
        return ""
    parts = [f"{words} by {several(names)}" for words, names in said.items()]
    return f"Measured against a plain Gaussian mixture fitted to the same data, its samples are {'; '.join(parts)}."


def _against_mixture(best: Candidate, name: str) -> str | None:
    reach = Reach.of(best, name)
    mixture = reach and reach.mixture
    if reach is None or mixture is None:
        return None
    if reach.low <= mixture <= reach.high:
        return "not told apart from it"
    return "better" if (reach.high < mixture) == metric(name).lower else "worse"


class Reach(NamedTuple):
    """A candidate's mean of one metric over its seeds, what its intervals span, and the yardsticks."""

    value: float
    low: float
    high: float
    real: float | None
    mixture: float | None
    seeds: tuple[float, ...]

    @classmethod
    def of(cls, candidate: Candidate, name: str) -> Reach | None:
        rows = candidate.values(name)
        values = [v for r in rows if (v := number(r.get("value"))) is not None]
        if not values:
            return None
        ends = [v for r in rows for key in ("low", "high") if (v := number(r.get(key))) is not None] + values
        sticks = rows[0].get("yardsticks") or {}
        real, mixture = (number(sticks.get(side)) for side in ("real", "mixture"))
        return cls(sum(values) / len(values), min(ends), max(ends), real, mixture, tuple(values))


def data(audit: Json) -> list[str]:
    """The audit's facts in sentences."""
    facts = audit.get("facts") or {}
    if not facts:
        return []
    shape = " × ".join(str(s) for s in audit.get("shape", []))
    said = [
        f"{audit.get('n', 0):,} {audit.get('kind', 'sample')}s of shape {shape}.",
        f"{facts.get('n_train', 0):,} to train on, {facts.get('n_validation', 0):,} for validation, which chooses checkpoints, "
        f"and {facts.get('n_test', 0):,} for the test, which no training saw.",
        _classes(audit, facts),
        _dimension(facts),
        _copies(facts),
    ]
    return [s for s in said if s]


def _classes(audit: Json, facts: Json) -> str:
    names = [str(c) for c in audit.get("classes", [])]
    if not names:
        return "No labels."
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    balance = "about equally many samples in each" if facts.get("balanced") else "out of balance"
    labeled = number(facts.get("labeled_share")) or 0.0
    part = "" if labeled >= 1 else f", {labeled:.0%} of the samples labeled"
    return f"{plural(len(names), 'class', 'classes')} ({listed}), {balance}{part}."


def _dimension(facts: Json) -> str:
    found = number(facts.get("intrinsic_dimension"))
    if not found:
        return ""
    return f"Of {facts.get('dimensions', '?')} numbers in a sample about {found:.0f} vary independently (intrinsic dimension)."


def _copies(facts: Json) -> str:
    exact, near = facts.get("exact_duplicates", 0), number(facts.get("near_duplicates")) or 0.0
    leaked = facts.get("leaked_duplicates", 0)
    close = f", about {near:.1%} nearly equal to another" if near else ""
    copies = plural(int(exact), "exact copy", "exact copies")
    return f"{copies}{close}; {leaked or 'none'} leaked from the training part into the others."


def again(study: Study, run: Run | None) -> list[tuple[str, str]]:
    """What repeats the work: the whole race, and the shown run alone."""
    commands = []
    if study.request.get("command"):
        commands.append(("The whole of it", str(study.request["command"])))
    commands += [("Gone on with by", str(command)) for command in study.request.get("resumed") or []]
    if run is not None and run.told.get("steps") and run.told.get("data"):
        commands.append((f"The run {run.id} alone", train_again(run)))
    return commands


def train_again(run: Run) -> str:
    """The command that repeats a run."""
    told = run.told
    parts = ["ganwise", "train", str(run.folder.recipe), str(told["data"].get("source", "DATA"))]
    parts += ["--steps", str(told["steps"]), "--seed", str(run.seed)]
    parts += ["--device", str(told.get("device", "cpu")), "--threads", str(told.get("threads", 1))]
    layout = "-nchw" if told.get("layout") == "contiguous" else ""
    parts += ["--precision", ("bf16" if told.get("precision") == "bfloat16" else "fp32") + layout]
    return shlex.join(parts)
