"""What this machine computes best with: its device, and the precision for a network on it."""

from __future__ import annotations

import torch
from torch import nn

from ganwise.types import Unusable

CHOICES: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16}


def precision(wanted: str, device: str, network: nn.Module) -> torch.dtype | None:
    """The autocast dtype of a run, None for plain float32.

    ``auto`` is bfloat16 where it pays: on a GPU, and for convolutions on a processor with instructions for it (1.3 to 1.5 times
    the step, measured). Small fully connected networks lose more in casts than they gain.

    Raises:
        Unusable: Neither auto nor a known precision.
    """
    if wanted == "auto":
        convolutions = any(isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) for m in network.modules())
        pays = device.startswith("cuda") or (device == "cpu" and convolutions and native_bf16())
        return torch.bfloat16 if pays else None
    if wanted not in CHOICES:
        raise Unusable(f"--precision {wanted}: choose one of auto, {', '.join(CHOICES)}")
    return CHOICES[wanted]


def native_bf16() -> bool:
    """Whether the processor multiplies bfloat16 matrices itself: AVX512-BF16 or AMX."""
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # older versions of torch lack one or the other
    return any(getattr(torch.cpu, name, bool)() for name in asked)
