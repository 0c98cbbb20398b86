"""What the rows of BEGAN's two experiments say: figures, verdicts by stated rules, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ganwise.reproduce.work import Conclusion, Figure, Row, Scale, Verdict

NEAR = 0.1
"""How far E A(G) / E A(x) may be from gamma for the equilibrium to hold."""
OPEN = 0.5
"""The share of the real images' spread from which diversity counts as open."""
PINNED = 500
"""Steps with k at 0 after which the controller counts as pinned."""
ALIVE = {"diversity": (0.6, 1.4), "detail": (0.5, 2.0), "brightness": (-0.08, 0.08)}
"""Between which samples of MNIST are neither blank, nor one digit, nor noise."""
LOOKS = {"diversity": ".2f", "detail": ".2f", "brightness": "+.2f"}
"""Of samples, against real images: 1, 1 and 0 are theirs."""
UNBALANCED = ("halved-discriminator", "halved-generator", "small-code")
LESS = (
    "one seed a setting, 16 filters, thousands of steps where the paper takes hundreds of thousands; no rate was halved, no skip "
    "connections, no vanishing residuals; the scale paper has all of these, at 32, 64 and 128 pixels for a folder of faces"
)
NEEDED = (
    "the inception score of 5.62 and the FIDs of 71.4 and 38.9 are out of reach here: they need all of CIFAR-10 or 200,000 "
    "aligned faces, 64 to 128 filters, hundreds of thousands of steps on a GPU, and the scores' own Inception network"
)


class Claim(NamedTuple):
    """A statement of the paper, and whether our rows bear it out."""

    says: str
    holds: bool
    seen: str


def late(row: Row, name: str, share: float = 1 / 3) -> float:
    """Mean of a number over the last windows of a run's trace."""
    points = [point[name] for point in row["trace"]]
    last = points[-max(1, round(len(points) * share)) :]
    return float(sum(last) / len(last))


def settled(row: Row, name: str) -> float:
    """Mean of what the last three marks saw."""
    last = [point[name] for point in row["curve"][-3:]]
    return float(sum(last) / len(last))


def pinned(row: Row) -> int:
    """The longest time in steps that k was 0 throughout."""
    longest = now = before = 0
    for point in row["trace"]:
        now = now + int(point["step"]) - before if point["k"] <= 0 else 0
        before, longest = int(point["step"]), max(longest, now)
    return longest


def opens(row: Row) -> int | None:
    """The first mark from which on diversity is open; None where it never is."""
    step = None
    for point in row["curve"]:
        if point["diversity"] < OPEN:
            step = None
        elif step is None:
            step = int(point["step"])
    return step


def balanced(row: Row) -> bool:
    """The ratio is near gamma, and k is free."""
    gamma = float(row["options"]["loss.gamma"])
    return abs(late(row, "ratio") - gamma) <= NEAR and pinned(row) < PINNED


def claims(rows: Sequence[Row]) -> list[Claim]:
    """The paper's statements against the runs of the dial, by gamma, and the unbalanced ones."""
    dial = dial_of(rows)
    others = [row for row in rows if row["options"]["part"] in UNBALANCED]
    spreads, details = ([settled(row, name) for row in dial] for name in ("diversity", "detail"))
    falls = [row["trace"][0]["m_global"] / late(row, "m_global") for row in dial]
    found = [
        Claim(
            f"the ratio of errors is held within {NEAR:g} of gamma and k is not pinned at 0",
            all(map(balanced, dial)),
            ", ".join(f"{late(row, 'ratio'):.2f} at {row['options']['loss.gamma']}" for row in dial),
        ),
        Claim(
            "M_global falls to less than a half",
            min(falls) > 2,
            ", ".join(f"{row['trace'][0]['m_global']:.3f} to {late(row, 'm_global'):.3f}" for row in dial),
        ),
        Claim("a higher gamma gives more diverse samples", _rises(spreads), _listed(spreads)),
        Claim("a lower gamma gives samples of more detail", _rises(details[::-1]), _listed(details)),
    ]
    if others:
        found.append(_unbalanced(others, next(row for row in dial if row["options"]["loss.gamma"] == 0.5)))
    return found


def _rises(numbers: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(numbers))


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.2f}" for number in numbers)


def _unbalanced(rows: Sequence[Row], whole: Row) -> Claim:
    """Against the run of whole networks over the same steps, since a short run is still on its way to gamma."""
    same = {**whole, "trace": [point for point in whole["trace"] if point["step"] <= rows[0]["step"]]}
    ratio = late(same, "ratio")
    holds = all(abs(late(row, "ratio") - ratio) <= NEAR and pinned(row) < PINNED for row in rows)
    seen = ", ".join(f"{row['cell']} {late(row, 'ratio'):.2f}" for row in rows)
    return Claim(f"networks of unequal size keep the ratio within {NEAR:g} of that of equal ones", holds, f"{ratio:.2f}; {seen}")


def dial_of(rows: Sequence[Row]) -> list[Row]:
    """The runs that differ in gamma alone, at the smallest side, by gamma."""
    dial = [row for row in rows if row["options"]["part"] == "dial"]
    side = min((row["options"]["side"] for row in dial), default=0)
    return sorted((row for row in dial if row["options"]["side"] == side), key=lambda row: row["options"]["loss.gamma"])


def judge(found: Sequence[Claim], complete: bool, scale: Scale) -> Verdict:
    """Reproduced where every statement holds and none is missing, close where one alone does not."""
    if scale == "sample" or not complete:
        return "unjudged"
    missed = sum(not claim.holds for claim in found)
    return "reproduced" if missed == 0 else "close" if missed == 1 else "not reproduced"


def conclude(rows: Sequence[Row], scale: Scale) -> Conclusion:
    dial = dial_of(rows)
    if len(dial) < 3:
        return Conclusion((), "unjudged", "the three values of gamma have not all been run yet")
    found = claims(rows)
    complete = {*UNBALANCED} <= {row["options"]["part"] for row in rows}
    because = "; ".join(f"{claim.says}: {'yes' if claim.holds else 'no'} ({claim.seen})" for claim in found)
    return Conclusion(_figures(dial), judge(found, complete, scale), because, [*_notes(rows), LESS, NEEDED])


def _figures(dial: Sequence[Row]) -> list[Figure]:
    made = [
        Figure(
            f"diversity at gamma {row['options']['loss.gamma']} after {row['step']:,} steps (real images: 1)",
            row["diversity"],
            row["diversity_low"],
            row["diversity_high"],
            note="of the samples; one seed",
        )
        for row in dial
    ]
    for row in dial:
        gamma = row["options"]["loss.gamma"]
        made += [
            Figure(f"E A(G(z)) / E A(x) at gamma {gamma}, last third", late(row, "ratio")),
            Figure(f"k at gamma {gamma}, last third", late(row, "k")),
            Figure(
                f"M_global at gamma {gamma}, last third", late(row, "m_global"), note=f"{_first(row):.3f} in the first window"
            ),
            Figure(f"KID x1000 at gamma {gamma}", row["kid"], note=f"n = {row['n']}, efficientnet-lite0@96"),
        ]
    return made


def _first(row: Row) -> float:
    return float(row["trace"][0]["m_global"])


def _notes(rows: Sequence[Row]) -> list[str]:
    notes = [_run(row) for row in rows if row["options"]["part"] == "dial"]
    rise = "; ".join(
        f"{_k_before(row):.3f} to {row['trace'][-1]['k']:.3f} at {row['options']['loss.gamma']}" for row in dial_of(rows)
    )
    notes += [f"k over the last third by gamma: {rise}; while it rises, the ratio is still on its way"]
    notes += [
        f"interpolation at gamma {row['options']['loss.gamma']}: latents found for 3 test images and a mirrored one are off by "
        f"{row['inversion']:.3f} a pixel, the nearest of 1,000 samples by {row['nearest_sample']:.3f}; the largest step of a "
        f"path is {row['jump']:.1f} times the mean one"
        for row in dial_of(rows)
    ]
    notes += [f"{row['cell']} ({row['step']:,} steps): {_state(row)}" for row in rows if row["options"]["part"] != "dial"]
    return notes


def _k_before(row: Row) -> float:
    return float(row["trace"][2 * len(row["trace"]) // 3 - 1]["k"])


def _run(row: Row) -> str:
    step = opens(row)
    opened = f"diversity stays above {OPEN} from step {step:,} on" if step else f"diversity never stays above {OPEN}"
    side, gamma = row["options"]["side"], row["options"]["loss.gamma"]
    return (
        f"gamma {gamma} at {side} pixels: {opened}; {_state(row)}; precision {row['precision']:.2f}, recall {row['recall']:.2f}"
    )


def _state(row: Row) -> str:
    k = f"k pinned at 0 for {pinned(row):,} steps" if pinned(row) else f"k at {late(row, 'k'):.3f}"
    on_dial = row["options"]["part"] == "dial"  # the others are too short for a mean over marks
    seen = {name: settled(row, name) if on_dial else row[name] for name in LOOKS}
    look = ", ".join(f"{name} {seen[name]:{form}}" for name, form in LOOKS.items())
    return (
        f"ratio {late(row, 'ratio'):.2f}, {k}, M_global {late(row, 'm_global'):.3f}; samples: {look}; KID x1000 {row['kid']:.0f}"
    )


# MNIST


def alive(row: Row) -> bool:
    """Samples are neither blank nor all alike nor noise, and k is free."""
    return all(low <= row[name] <= high for name, (low, high) in ALIVE.items()) and pinned(row) < PINNED


def judge_mnist(rows: Sequence[Row], scale: Scale) -> Verdict:
    """Reproduced: the published settings fail, as others report, and tuned ones work with every seed, as in the large study.

    Close where they work with some seed; not reproduced where none does, though the failure is the reported one.
    """
    long, control = _best(rows), _part(rows, "control")
    if scale == "sample" or not long or not control:
        return "unjudged"
    works = sum(map(alive, long))
    if works == len(long) and not any(map(alive, control)):
        return "reproduced"
    return "close" if works else "not reproduced"


def _part(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row["options"]["part"] == name]


def _best(rows: Sequence[Row]) -> list[Row]:
    """Every seed of the setting whose mean KID on validation images is lowest, of those that were run for long."""
    groups: dict[str, list[Row]] = {}
    for row in [*_part(rows, "chosen"), *_part(rows, "second")]:
        groups.setdefault(row["setting"], []).append(row)
    return min(groups.values(), key=lambda group: sum(row["kid"] for row in group) / len(group), default=[])


def conclude_mnist(rows: Sequence[Row], scale: Scale) -> Conclusion:
    long, control = _best(rows), _part(rows, "control")
    others = [row for row in [*_part(rows, "chosen"), *_part(rows, "second")] if row not in long]
    search = sorted(_part(rows, "search"), key=lambda row: row["kid"])
    if not long:
        return Conclusion((), "unjudged", f"{len(search)} settings have been searched; what they chose has not been run")
    works = sum(map(alive, long))
    because = (
        f"with {long[0]['setting']}, the lowest KID on validation images of {len(search)} settings searched and "
        f"{len({row['setting'] for row in [*long, *others]})} run for longer, {works} of {len(long)} seeds give samples that are "
        f"neither blank, nor alike, nor noise after {long[0]['step']:,} steps; the published settings "
        + ("do" if any(map(alive, control)) else "do not" if control else "have not been run as long")
    )
    ours = [
        Figure(
            f"KID x1000 on the test set, {row['setting']}, seed {row['options']['seed']}", row["test"]["kid"], note=_against(row)
        )
        for row in long
    ]
    bounds = ", ".join(f"{name} {low} to {high}" for name, (low, high) in ALIVE.items())
    notes = [
        f"alive means {bounds}, and k at 0 for less than {PINNED} steps",
        *map(_unseen, [row for row in long if not alive(row)]),
    ]
    for row in [*long, *others, *control, *search]:
        notes += [f"{row['cell']} ({row['step']:,} steps): {'alive' if alive(row) else 'failed'}: {_state(row)}{_sameness(row)}"]
    return Conclusion(ours, judge_mnist(rows, scale), because, notes)


def _unseen(row: Row) -> str:
    m_global = f"M_global went from {row['trace'][0]['m_global']:.2f} to {late(row, 'm_global'):.2f}"
    ratio = f"the ratio is {late(row, 'ratio'):.2f}"
    return f"seed {row['options']['seed']}: {m_global} and {ratio}: neither number shows how alike the samples are"


def _sameness(row: Row) -> str:
    test = row.get("test", {})
    return f"; MS-SSIM {test['ms_ssim']:.2f}, of real digits {test['ms_ssim_real']:.2f}" if "ms_ssim" in test else ""


def _against(row: Row) -> str:
    return f"training images have {row['floor']:.1f} on validation; coverage {row['test']['coverage']:.2f}"
