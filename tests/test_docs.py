"""What the documents promise is what the house does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ganwise
from ganwise.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = [line.strip() for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("    python3 -m venv")]
    assert len(commands) == 2, "one to run the main job, one to pass the tests"
    assert commands[1] in (ROOT / ".ci" / "run").read_text()
    assert commands[1] in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_pictures_of_a_page_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_readme_names_every_verb() -> None:
    readme = (ROOT / "README.md").read_text()
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(verbs) > 10
    assert [verb for verb in verbs if not re.search(f"`{verb}[ `]", readme)] == []


def test_the_changelog_has_this_version() -> None:
    assert f"## {ganwise.__version__}" in (ROOT / "CHANGELOG.md").read_text()
