"""What this machine computes with: precisions, and the layout of images in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from ganwise.types import Unusable

CHOICES: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16}
LARGE, DEEP = 2**17, 2**15
"""Weights of a fully connected layer, and of a convolution, from which on bfloat16 pays: docs/why/speed.md."""


class Way(NamedTuple):
    """How a GAN computes: the autocast dtype, None for plain float32, and how its images and kernels lie in memory."""

    precision: torch.dtype | None
    layout: torch.memory_format


_LAYOUTS = {"": torch.channels_last, "-nchw": torch.contiguous_format}
WAYS = {name + suffix: Way(kind, layout) for suffix, layout in _LAYOUTS.items() for name, kind in CHOICES.items()}
"""By what ``--precision`` calls them: images lie with channels last, or with ``-nchw`` one channel after the other."""


def way(name: str) -> Way:
    """A way of computing by its name.

    Raises:
        Unusable: No such name.
    """
    if name not in WAYS:
        raise Unusable(f"--precision {name}: choose one of auto, {', '.join(WAYS)}")
    return WAYS[name]


def told(run: Mapping[str, Any]) -> str | None:
    """The name of the way that a run.json tells of; None before it does. Older ones tell no layout and had channels last."""
    pairs = {tuple(described(found).values()): name for name, found in WAYS.items()}
    return pairs.get((str(run.get("precision")), str(run.get("layout", "channels_last"))))


def described(chosen: Way) -> dict[str, str]:
    """As a run.json tells of it."""
    layout = "contiguous" if chosen.layout is torch.contiguous_format else "channels_last"
    return {"precision": str(chosen.precision or torch.float32).removeprefix("torch."), "layout": layout}


def precision(wanted: str, device: str, network: nn.Module) -> torch.dtype | None:
    """The autocast dtype of a run, None for plain float32.

    ``auto`` is bfloat16 where it mostly pays: on a GPU, and on a processor with instructions for it for large layers (1.1 to 2.3
    times the step, measured). Small layers lose more in casts than they gain. A rule and no timing: `pace.choose` times.

    Raises:
        Unusable: Neither auto nor a known precision.
    """
    if wanted == "auto":
        pays = device.startswith("cuda") or (device == "cpu" and native_bf16() and heavy(network))
        return torch.bfloat16 if pays else None
    if wanted not in CHOICES:
        raise Unusable(f"--precision {wanted}: choose one of auto, {', '.join(CHOICES)}")
    return CHOICES[wanted]


def heavy(network: nn.Module) -> bool:
    """Whether a layer is so large that the precision can matter."""
    layers = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]
    return any(layer.weight.numel() >= (LARGE if isinstance(layer, nn.Linear) else DEEP) for layer in layers)


def clock(device: torch.device) -> Callable[[], float]:
    """The clock that training is timed by, in seconds: CPU time on a processor, which others share, and wall time elsewhere."""
    return time.process_time if device.type == "cpu" else time.perf_counter


def native_bf16() -> bool:
    """Whether the processor multiplies bfloat16 matrices itself: AVX512-BF16 or AMX."""
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # older versions of torch lack one or the other
    return any(getattr(torch.cpu, name, bool)() for name in asked)
