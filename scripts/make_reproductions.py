"""Keeps the results of finished experiments, and writes their pages.

    python scripts/make_reproductions.py ../runs/dirac-gan ../runs/began     results, pictures and pages of these directories
    python scripts/make_reproductions.py                                     the pages again, from the results that are kept

A result goes into the package (src/ganwise/reproduce/results), so that `ganwise reproduce` lists it everywhere; its pictures and
its page go to docs/reproductions.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ganwise import knowledge
from ganwise.cli.papers import number
from ganwise.markdown import table
from ganwise.reproduce import EXPERIMENTS, Experiment, find, kept

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "src" / "ganwise" / "reproduce" / "results"
PAGES = ROOT / "docs" / "reproductions"
README = ROOT / "README.md"
MARKS = ("<!-- reproductions -->\n", "<!-- /reproductions -->")
DIGITS = 6
NONE = "No figure of ours that may stand beside these: see the notes."


def keep(out: Path) -> None:
    """Takes over a result, its numbers rounded, and its pictures."""
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    name = find(result["name"]).name
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(rounded(result), ensure_ascii=False) + "\n", encoding="utf-8")
    pictures = PAGES / name
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    for picture in result["pictures"]:
        shutil.copy(out / picture, pictures / picture)


def rounded(value: Any) -> Any:
    """To `DIGITS` significant digits, through lists and mappings."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return {key: rounded(each) for key, each in value.items()} if isinstance(value, dict) else value


def index() -> str:
    """The table of all experiments."""
    lines = [
        "# The papers' experiments, run again",
        "",
        "Made by `python scripts/make_reproductions.py` from the results that the package keeps; `ganwise reproduce` prints",
        "the same list. *Published* has its evidence tag: [2nd] quoted by another text, [code] read in the authors' code,",
        "[review] from a review of the paper, [math] checked numerically, [mem, unverified] as generally known. Verdicts are",
        "given by rules in the code.",
        "",
        *overview(""),
        "",
    ]
    return "\n".join(lines)


def overview(folder: str) -> Iterator[str]:
    """One line an experiment, ours beside the first published figure; pages lie under ``folder``."""
    return table(("experiment", "published", "ours", "verdict"), (_line(experiment, folder) for experiment in EXPERIMENTS))


def _line(experiment: Experiment, folder: str) -> tuple[str, ...]:
    result = kept(experiment.name)
    first = experiment.published[0] if experiment.published else None
    published = f"{first.what}: {first.value} [{first.evidence}]" if first else ""
    if result is None:
        return experiment.name, published, "", "not run"
    ours = f"{result['ours'][0]['what']}: {number(result['ours'][0])}" if result["ours"] else "none comparable"
    return f"[{experiment.name}]({folder}{experiment.name}.md)", published, ours, f"**{result['verdict']}**"


def page(experiment: Experiment, result: Mapping[str, Any]) -> str:
    """All that is known of one experiment."""
    command = f"ganwise reproduce {experiment.name}" + (" --data DATA" if experiment.data else "")
    lines = [f"# {experiment.name}", "", experiment.says, "", f"**{result['verdict']}**: {result['because']}", ""]
    lines += [f"    {command}" + (f" --scale {result['scale']}" if result["scale"] != "here" else ""), ""]
    lines += [f"DATA: {experiment.data}.", ""] if experiment.data else []
    published = ((each.what, each.value, f"{each.source} [{each.evidence}]") for each in experiment.published)
    ours = [(each["what"], f"{number(each)}{_note(each)}", each["seeds"]) for each in result["ours"]]
    lines += [*table(("published", "figure", "source"), published), ""]
    lines += table(("ours", "figure (95 % interval)", "seeds"), ours) if ours else [NONE]
    lines += ["", f"Protocol: {experiment.protocol}.", ""]
    for picture in result["pictures"]:
        lines += [f"![{Path(picture).stem.replace('-', ' ')}]({experiment.name}/{picture})", ""]
    lines += ["## Notes", "", *(f"- {note}" for note in result["notes"]), ""]
    lines += ["## Runs", "", _cost(result), ""]
    lines += table(("part", "SHA-256 of its row"), ((cell, f"`{hash_}`") for cell, hash_ in result["runs"].items()))
    lines += ["", "## Sources", "", *(f"- {key}: {knowledge.sources()[key].line}" for key in experiment.sources), ""]
    return "\n".join(lines)


def _readme() -> str:
    """The README with its table of experiments renewed."""
    before, _, rest = README.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return "".join([before, MARKS[0], *(f"{line}\n" for line in overview("docs/reproductions/")), MARKS[1], after])


def _note(figure: Mapping[str, Any]) -> str:
    return f", {figure['note']}" if figure.get("note") else ""


def _cost(result: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return f"{result['cost']['cells']} parts, {result['cost']['cpu_seconds']:,.0f} CPU seconds; {versions}."


def pages() -> dict[Path, str]:
    """Every page that the kept results make."""
    found = {PAGES / "README.md": index(), README: _readme()}
    for experiment in EXPERIMENTS:
        if (result := kept(experiment.name)) is not None:
            found[PAGES / f"{experiment.name}.md"] = page(experiment, result)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="*", help="directories that ganwise reproduce has made")
    for out in parser.parse_args().out:
        keep(out)
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
