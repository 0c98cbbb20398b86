"""The report of a race or a run: one HTML file that asks nothing of any network, the verdict first.

Advice-like: it reads what is on disk and never imports torch.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import ChainableUndefined, Environment, PackageLoader

from ganwise.artifacts import write_bytes
from ganwise.report.gather import gather
from ganwise.report.page import context
from ganwise.types import Unusable


def write(folder: Path) -> Path:
    """Writes ``report.html`` into the directory of a race or a run, all or nothing.

    Raises:
        Unusable: The directory holds neither, or can't be written to.
    """
    page = render(folder)
    path = folder / "report.html"
    try:
        write_bytes(path, page.encode(errors="replace"))  # of a name that is no UTF-8
    except OSError as error:
        raise Unusable(f"{path}: can't be written: {error.strerror}") from None
    return path


def environment() -> Environment:
    """Of every page. All that is filled in is escaped: names come from files and folders of strangers."""
    return Environment(
        loader=PackageLoader("ganwise.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=ChainableUndefined,
    )


def render(folder: Path) -> str:
    """The report's text."""
    return environment().get_template("report.html.j2").render(context(gather(folder)))


__all__ = ["environment", "render", "write"]
