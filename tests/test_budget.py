"""Budgets as people write them."""

from __future__ import annotations

import pytest

from ganwise.study.budget import parse
from ganwise.types import Unusable


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("3m", "wall", 180),
        ("90s", "wall", 90),
        ("1.5h", "wall", 5400),
        ("2d", "wall", 172_800),
        (" 3M ", "wall", 180),
        ("cpu:10m", "cpu", 600),
        ("images:2M", "images", 2_000_000),
        ("images:60k", "images", 60_000),
        ("images:1e6", "images", 1_000_000),
        ("images:5000", "images", 5000),
        ("flops:1e15", "flops", 1e15),
        ("flops:2.5T", "flops", 2.5e12),
    ],
)
def test_a_budget_is_time_images_or_operations(text: str, unit: str, amount: float) -> None:
    budget = parse(text)
    assert (budget.unit, budget.amount, budget.text) == (unit, amount, text.strip())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "3",
        "-3m",
        "3 weeks",
        "m",
        "gpu:3m",
        "cpu:",
        "images:3h",
        "1e999m",
        "nanm",
        "inf",
        "0s",
        "cpu:0m",
        "images:0",
        "flops:0",
    ],
)
def test_what_is_no_budget_is_refused_and_the_forms_are_named(text: str) -> None:
    with pytest.raises(Unusable, match=r"3m.*cpu:10m.*images:2M.*flops:1e15"):
        parse(text)
