"""What this machine computes best with: its device, and the precision for a network on it."""

from __future__ import annotations

import torch
from torch import nn

from ganwise.types import Unusable

CHOICES: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16}
TOLD = {"float32": "fp32", "bfloat16": "bf16"}
"""The choice that a run.json tells of."""
LARGE = 2**17
"""Weights of a fully connected layer from which on bfloat16 pays: docs/why/speed.md."""


def precision(wanted: str, device: str, network: nn.Module) -> torch.dtype | None:
    """The autocast dtype of a run, None for plain float32.

    ``auto`` is bfloat16 where it pays: on a GPU, and on a processor with instructions for it for convolutions and large fully
    connected layers (1.1 to 2.3 times the step, measured). Small layers lose more in casts than they gain. It is a rule and no
    timing, so that all runs of a race, and a run and its repetition, compute alike on one machine however busy it is.

    Raises:
        Unusable: Neither auto nor a known precision.
    """
    if wanted == "auto":
        pays = device.startswith("cuda") or (device == "cpu" and native_bf16() and any(map(_heavy, network.modules())))
        return torch.bfloat16 if pays else None
    if wanted not in CHOICES:
        raise Unusable(f"--precision {wanted}: choose one of auto, {', '.join(CHOICES)}")
    return CHOICES[wanted]


def _heavy(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Linear):
        return layer.in_features * layer.out_features >= LARGE
    return isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))


def native_bf16() -> bool:
    """Whether the processor multiplies bfloat16 matrices itself: AVX512-BF16 or AMX."""
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # older versions of torch lack one or the other
    return any(getattr(torch.cpu, name, bool)() for name in asked)
