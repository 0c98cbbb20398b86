"""Write docs/doctor-signals.md from the table of probes; a test holds the page to it.

python scripts/make_signals_page.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ganwise import probes
from ganwise.markdown import table
from ganwise.probes.watch import DRAWN, KNOWN

PAGE = Path(__file__).parents[1] / "docs" / "doctor-signals.md"

HEAD = """# What a record holds

Every number that training writes into a record, by its name in `records.jsonl`; made by `scripts/make_signals_page.py` from the
table in `ganwise.probes`. The doctor reads nothing else of a run. A number that can't be had is absent, never 0: a quotient of
two zeros, the classes of data without labels, a held-out score where nothing is held out. Only the signals of the step and the
two mean scores are recorded when they are not finite.

Statistics over time (deviation of a loss, trends, the early median) are computed from records and not stored. So is a critic's
estimate of the distance, `score_real - score_fake`, and the r_t of adaptive augmentation, `2 accuracy_real - 1`.

Batches are those of the step that the record closes, both in training mode. Probes draw no random number of the training and put
back every running statistic: a run with records at each step ends in the same weights as one without."""

RARE = f"""
## At each {probes.RARE}th record

Of {DRAWN} fakes from latents that stay the same, against {DRAWN} training samples, up to {KNOWN:,} training samples to be near
to, and up to {DRAWN} of the validation part. Distances are Euclidean in images averaged to 8 x 8 pixels, in the networks' scale;
vectors are compared as they are. A neighborhood reaches to the fifth neighbor among the sample's own kind. Largest singular
values come from four rounds of the power method and lie a few percent under the truth, less where one value stands out.
"""


def page() -> str:
    step, cheap, rare = _table(probes.STEP), _table(_said(probes.CHEAP)), _table(_said(probes.DEAR))
    return "\n".join([HEAD, "\n## Of the step itself\n", *step, "\n## At every record\n", *cheap, RARE, *rare]) + "\n"


def _table(says: Mapping[str, str]) -> Iterator[str]:
    return table(("signal", "what it is"), ((f"`{name}`", words) for name, words in says.items()))


def _said(kinds: Mapping[str, probes.Probe]) -> dict[str, str]:
    return {name: probe.says for name, probe in kinds.items()}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
