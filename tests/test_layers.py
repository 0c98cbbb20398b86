"""The house has floors: imports go down only, and advice never waits for torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "ganwise"
LAYERS = {
    "types": -1,
    "shapes": -1,
    "ramp": -1,
    "parts": -1,
    "interrupts": -1,
    "cache": -1,
    "markdown": -1,
    "processor": -1,
    "__init__": 9,
    "__main__": 9,
    **dict.fromkeys(["objective", "controllers", "augmentations", "losses", "divergences", "regularizers", "networks"], 0),
    "consistency": 0,
    **dict.fromkeys(["features", "efficientnet", "inception", "metrics", "mixture", "data"], 0),
    **dict.fromkeys(["recipe", "catalog", "knowledge", "artifacts"], 1),
    **dict.fromkeys(["select", "audit", "doctor"], 2),
    **dict.fromkeys(["build", "ranks", "machine"], 3),
    **dict.fromkeys(["train", "batches", "stacked", "probes", "model", "pictures", "checkpoint", "pace"], 4),
    **dict.fromkeys(["evaluate", "protocols", "export", "monitor", "duality", "tensorboard"], 5),
    **dict.fromkeys(["study", "report", "card"], 6),
    **dict.fromkeys(["reproduce", "heal", "demo"], 7),
    "cli": 8,
    "testing": 8,
}


def _room(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def _imported(path: Path) -> set[str]:
    """Rooms of ganwise that a file imports, wherever in the file it does so."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "ganwise":
            rooms |= {alias.name for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ganwise."):
            rooms.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("ganwise.")}
    return rooms


FILES = sorted(SRC.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_go_down_only(path: Path) -> None:
    room = _room(path)
    assert room in LAYERS, f"{room} has no layer yet: say in this test where it belongs"
    for other in _imported(path) - {room}:
        assert LAYERS[other] <= LAYERS[room], f"{room} (layer {LAYERS[room]}) imports {other} (layer {LAYERS[other]})"


def test_no_two_rooms_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        if _room(path) not in ("__init__", "__main__"):
            graph.setdefault(_room(path), set()).update(_imported(path) - {_room(path)})
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["catalog"],
        ["catalog", "wgan-gp"],
        ["catalog", "table", "1"],
        ["audit", "digits"],
        ["select", "digits"],
        ["select", "digits", "--json"],
    ],
    ids=" ".join,
)
def test_help_and_advice_never_import_torch(arguments: list[str]) -> None:
    script = (
        "import sys; sys.argv = ['ganwise', *sys.argv[1:]]\n"
        "from ganwise.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
