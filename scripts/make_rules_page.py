"""Write docs/rules.md from the knowledge base itself; a test holds the page to it.

python scripts/make_rules_page.py
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from ganwise import knowledge
from ganwise.knowledge import Condition, Rule
from ganwise.markdown import table

PAGE = Path(__file__).parents[1] / "docs" / "rules.md"
ASKED = {
    1: "Question 1: the architecture",
    2: "Question 2: the loss",
    3: "Question 3: regularization",
    4: "Question 4: the divergence",
    0: "How it is trained: conditioning, augmentation, schedule",
}
HEAD = """# The rules of selection

{rules} rules and {disagreements} disagreements, made by `scripts/make_rules_page.py` from `src/ganwise/knowledge/rules/`. Do not
edit.

A rule whose conditions all hold prefers, avoids, requires, rules out or keeps what it names; *a + b* means both. Rules of how a
GAN is trained move ranks and remove nothing, also where they rule out. Strength says what a rule rests on: theorem (proven, or so
by definition), replicated (several sources), reported (one), folklore, which can't require or rule out. In the reasons
[code], [log], [page] and [2nd] say where a figure was read (in code, in a training log, on a page, in a text that quotes the
paper), [mem, unverified] that it was not read again. `ganwise select --explain` shows what each rule moved.
Why they are data: [rules-are-data](why/rules-are-data.md).

## Rules of your own

`ganwise select DATA --rules mine.toml` adds yours, which are held to the same checks. Sources are keys of our bibliography or of
yours: `mine.bib` beside the file, or the one that `sources = "papers.bib"` at its top names.

    [[rule]]
    name = "cast-iron"
    question = 2
    when = ["kind == image", "n_train < 300"]
    prefers = ["loss.hinge"]
    strength = "reported"
    because = "two hundred textures of cast iron trained best with the hinge loss in our lab"
    sources = ["lim2017geometric"]
    fires_on = {{ kind = "image", n_train = 200 }}
    silent_on = {{ kind = "image", n_train = 500 }}

## Numbers that fit the data

A candidate of the short list carries `fitted`: fields that were set for these data, each with its reason and source
(`select/fitting.py`). A recipe that is run by its name is untouched.

| field | by | source |
|---|---|---|
| `architecture.*` | published widths with an accelerator and 8 GB or more, else a laptop's | each network's own |
| `schedule.batch` | StyleGAN2: the smaller of 32 and 4096 / side; R3GAN from 64 pixels: 256 [code] | each one's own |
| `regularizers.r1.gamma` | .0002 side^2 / batch from 32 pixels on [code]; R3GAN: its own table | karras2020ada, huang2024r3gan |
| `loss.gamma` of BEGAN | .7 where diversity is wanted, .3 where quality is, else .5 | berthelot2017began |
| `loss.margin` of EBGAN | `auto`: measured on the networks when the GAN is built | zhao2016ebgan |
| `augmentation` | below 10,000 images (StyleGAN2: 70,000) | zhao2020diffaugment, karras2020ada |
| `schedule.ema` | half is forgotten in some 300 updates where the run is short [code] | karras2020ada |

The baseline and the strong default are not augmented here: they are what a candidate with augmentation is compared with. Between
R3GAN's sides of 64 and 256 pixels the value is ours and says so. Vectors and gray images below 32 pixels keep the catalog's
values: no source speaks about them, and these were measured there."""


def coverage() -> list[dict[str, Any]]:
    """Where each sentence of the sources stands: ``knowledge/coverage.toml``."""
    text = files(knowledge).joinpath("coverage.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["row"]
    return rows


def page() -> str:
    head = HEAD.format(rules=len(knowledge.rules()), disagreements=len(knowledge.disagreements()))
    return "\n".join([head, *_rules(), *_disagreements(), *_coverage(), *_references()]) + "\n"


def _rules() -> Iterator[str]:
    for number, title in ASKED.items():
        yield f"\n## {title}\n"
        asked = [rule for rule in knowledge.rules() if rule.question == number]
        cells = ((f"`{r.name}`", _when(r.when), _effects(r), r.strength, r.because, _keys(r.sources)) for r in asked)
        yield from table(("rule", "when", "what follows", "strength", "because", "sources"), cells)


def _disagreements() -> Iterator[str]:
    yield "\n## Where sources disagree\n"
    cells = ((d.name, _when(d.when), d.says, _keys(d.sources)) for d in knowledge.disagreements())
    yield from table(("disagreement", "when", "what they say", "sources"), cells)


def _coverage() -> Iterator[str]:
    rows = coverage()
    yield "\n## Where each stands\n"
    yield "Every sentence of the framework's answers and tables, the validity rules, and the 28 rules that the literature was"
    yield "condensed to, with what carries it here. The sentences are ours. From `knowledge/coverage.toml`."
    for group in dict.fromkeys(row["group"] for row in rows):
        yield f"\n### {group}\n"
        yield from table(
            ("what is said", "where it stands"), ((row["says"], _stands(row)) for row in rows if row["group"] == group)
        )


def _stands(row: dict[str, Any]) -> str:
    parts = [
        ", ".join(f"`{name}`" for name in row.get("rules", ())),
        "disputed: " + "; ".join(row["disagreements"]) if "disagreements" in row else "",
        "the catalog refuses " + ", ".join(f"`{pair}`" for pair in row["refused"]) if "refused" in row else "",
        row.get("note", ""),
    ]
    return ". ".join(part.rstrip(".") for part in parts if part)


def _references() -> Iterator[str]:
    cited = [*(key for r in knowledge.rules() for key in r.sources), *(k for d in knowledge.disagreements() for k in d.sources)]
    yield "\n## References\n"
    yield from (f"- {source.key}: {source.line}" for source in knowledge.cite(sorted(set(cited))))


def _when(conditions: Iterable[Condition]) -> str:
    return ", ".join(f"{c.fact} {c.compare} {_value(c.value)}" for c in conditions)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:,.12g}" if isinstance(value, float) else str(value)


def _effects(rule: Rule) -> str:
    return "; ".join(
        f"{effect.replace('_', ' ')} " + ", ".join(" + ".join(sorted(target)) for target in targets)
        for effect, targets in rule.effects.items()
    )


def _keys(sources: Iterable[str]) -> str:
    return ", ".join(sources)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
