"""The tables, the same in SQLite and PostgreSQL. What belongs to a run is keyed by its race's id and its directory's name."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Dialect, Double, Index, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

FORMAT = 1
"""Of these tables; a record of a newer one is refused."""


class Number(TypeDecorator[float]):
    """A float that may be nan, which SQLite can't hold: NULL in the table, nan again when read."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        return None if value is None or math.isnan(value) else value

    def process_result_value(self, value: float | None, dialect: Dialect) -> float:
        return math.nan if value is None else value


metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

races = Table(
    "races",
    metadata,
    Column("race", Text, primary_key=True),
    Column("host", Text),
    Column("path", Text),
    Column("data", Text),
    Column("content", Text),
    Column("budget", Text),
    Column("seeds", BigInteger),
    Column("command", Text),
    Column("metric", Text),
    Column("winner", Text),
    Column("recommended", Text),
    Column("interrupted", Boolean),
)

runs = Table(
    "runs",
    metadata,
    Column("race", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("name", Text),
    Column("recipe", JSON),
    Column("hash", Text, index=True),
    Column("seed", BigInteger),
    Column("content", Text),
    Column("device", Text),
    Column("status", Text),
    Column("rung", Double),
    Column("verdict", Text),
    Column("broken", Text),
    Column("steps", BigInteger),
    Column("images", BigInteger),
    Column("seconds", Double),
    Column("flops", Double),
    Column("best_step", BigInteger),
    Column("path", Text),
    Column("parent", Text),
    Column("stamp", Text),
)


def _of_a_run(name: str, *columns: Column[Any]) -> Table:
    """One row for each of a run's things, in their order."""
    key = (Column("race", Text, primary_key=True), Column("run", Text, primary_key=True))
    return Table(name, metadata, *key, Column("number", Integer, primary_key=True, autoincrement=False), *columns)


scores = _of_a_run(
    "scores",
    Column("part", Text),
    Column("metric", Text),
    Column("value", Number),
    Column("low", Number),
    Column("high", Number),
    Column("n", BigInteger),
    Column("features", Text),
    Column("protocol", Text),
    Column("seed", BigInteger),
    Column("direction", Text),
)
Index("scores_by_metric", scores.c.metric)

findings = _of_a_run(
    "findings",
    Column("problem", Text),
    Column("severity", Text),
    Column("since_step", BigInteger),
    Column("evidence", Text),
)

checks = _of_a_run(
    "checks",
    Column("step", BigInteger),
    Column("seconds", Double),
    Column("metric", Text),
    Column("value", Number),
)

PARTS = {"scores": scores, "findings": findings, "checks": checks}
"""What a run has several of."""
