"""The command line: verbs over the library. Nothing here imports torch before a verb needs it."""

from ganwise.cli.entry import main

__all__ = ["main"]
