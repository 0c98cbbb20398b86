"""The command line: verbs over the library. Nothing here imports torch before a verb needs it."""

from ganwise.cli.app import main

__all__ = ["main"]
