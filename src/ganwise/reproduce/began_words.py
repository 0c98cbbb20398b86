"""What BEGAN's rows say."""

from __future__ import annotations

from collections.abc import Sequence

from ganwise.reproduce.work import Conclusion, Row, Scale


def conclude(rows: Sequence[Row], scale: Scale) -> Conclusion:
    return Conclusion((), "unjudged", "")
