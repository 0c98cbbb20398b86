"""EfficientNet-Lite0 without its classifier: 1,280 features of an image, from the weights that the package carries.

Source: tan2019efficientnet, Table 1, in the Lite variant (ReLU6, no squeeze-and-excitation).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor

from ganwise.types import Unusable

WEIGHTS = Path(__file__).parent / "weights" / "efficientnet_lite0_fp16.safetensors"
SHA256 = "852136b280f86f7df20f5e387637ab62ad85676e593051d23db678a8cbe26ca0"
FEATURES = 1280

STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))
"""Blocks, kernel size and stride of the first block of each stage. Channels are read off the weights."""

_EPSILON = 1e-3


class Convolution(NamedTuple):
    """A convolution that has swallowed the batch normalization behind it."""

    weight: Tensor
    bias: Tensor
    stride: int
    groups: int

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve with TensorFlow's 'same' padding: what is odd of it goes right and below."""
        pads = [_same(size, self.weight.shape[-1], self.stride) for size in x.shape[2:]]
        if all(total % 2 == 0 for total in pads):
            return F.conv2d(x, self.weight, self.bias, self.stride, [total // 2 for total in pads], 1, self.groups)
        (top, left) = (total // 2 for total in pads)
        x = F.pad(x, (left, pads[1] - left, top, pads[0] - top))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)


class Block(NamedTuple):
    """An inverted residual: widen (but in the first block), look around per channel, narrow."""

    expand: Convolution | None
    depthwise: Convolution
    project: Convolution

    def __call__(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        out = self.project(F.relu6(self.depthwise(wide), inplace=True))
        return x + out if out.shape == x.shape and self.depthwise.stride == 1 else out


class EfficientNetLite0(NamedTuple):
    """Normalized RGB images ``(B, 3, H, W)`` to features ``(B, 1280)``."""

    stem: Convolution
    blocks: tuple[Block, ...]
    head: Convolution

    def __call__(self, x: Tensor) -> Tensor:
        x = F.relu6(self.stem(x), inplace=True)
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x), inplace=True).mean((2, 3))


def load_efficientnet(
    path: Path = WEIGHTS, sha256: str = SHA256, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> EfficientNetLite0:
    """Read the weights after checking them against their SHA-256. ``Unusable`` where the file is missing or altered."""
    weights = {name: tensor.to(device, torch.float32) for name, tensor in load(_read(path, sha256)).items()}

    def convolution(name: str, norm: str, stride: int = 1, groups: int = 1) -> Convolution:
        weight, bias = _fold(weights, name, norm)
        weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        return Convolution(weight, bias.to(dtype), stride, groups)

    def block(prefix: str, stride: int) -> Block:
        widens = f"{prefix}_expand_conv.weight" in weights
        expand = convolution(f"{prefix}_expand_conv", f"{prefix}_bn0") if widens else None
        channels = len(weights[f"{prefix}_depthwise_conv.weight"])
        depthwise = convolution(f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride, channels)
        return Block(expand, depthwise, convolution(f"{prefix}_project_conv", f"{prefix}_bn2"))

    strides = [stride if first == 0 else 1 for blocks, _, stride in STAGES for first in range(blocks)]
    blocks = tuple(block(f"_blocks.{i}.", stride) for i, stride in enumerate(strides))
    return EfficientNetLite0(convolution("_conv_stem", "_bn0", 2), blocks, convolution("_conv_head", "_bn1"))


def _same(size: int, kernel: int, stride: int) -> int:
    """How many rows of zeros make ceil(size / stride) outputs."""
    return max((-(-size // stride) - 1) * stride + kernel - size, 0)


def _fold(weights: Mapping[str, Tensor], name: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of convolution and batch normalization as one convolution."""
    scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _EPSILON).sqrt()
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return weights[f"{name}.weight"] * scale[:, None, None, None], bias


def _read(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path}: the extractor's weights can't be read ({error.strerror}); reinstall ganwise") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise Unusable(f"{path}: damaged or altered, SHA-256 is {found[:12]}... not {sha256[:12]}...; reinstall ganwise")
    return data
