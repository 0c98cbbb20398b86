"""Selection: the four questions answered for an application, the search space counted, and a short list with reasons."""

from __future__ import annotations

from ganwise.select.advice import Advice, plain, select
from ganwise.select.answers import Question
from ganwise.select.application import WANTS, Application, Device, known
from ganwise.select.evidence import Measured, Row
from ganwise.select.funnel import Removed, Stage
from ganwise.select.judge import Reason, Undecided
from ganwise.select.shortlist import Candidate, Excluded
from ganwise.select.whatif import Comparison, Explained, alternatives, compare, explain

__all__ = [
    "WANTS",
    "Advice",
    "Application",
    "Candidate",
    "Comparison",
    "Device",
    "Excluded",
    "Explained",
    "Measured",
    "Question",
    "Reason",
    "Removed",
    "Row",
    "Stage",
    "Undecided",
    "alternatives",
    "compare",
    "explain",
    "known",
    "plain",
    "select",
]
