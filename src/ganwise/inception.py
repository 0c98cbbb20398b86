"""The Inception-v3 of FID: the network of TensorFlow's 2015 weights, into which the published PyTorch conversions load.

It differs from the one that image classification uses: average pools leave the padding out, the last block pools by maximum, and
there are 1,008 classes. Sources: szegedy2016inceptionv3 (the architecture), heusel2017ttur (its use),
seitzer2020pytorchfid and obukhov2020torchfidelity (the conversions, and where they differ from the paper).
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from ganwise.types import Unusable

SIZE = 299
FEATURES = 2048
CLASSES = 1008
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of the published file; its first eight digits stand in the file's name."""

PUBLISHED = (
    "pt_inception-2015-12-05-6726825d.pth (releases of mseitzer/pytorch-fid) or "
    "weights-inception-2015-12-05-6726825d.pth (releases of toshas/torch-fidelity)"
)

_EPSILON = 1e-3
_MOST = 1 << 30
_SHORTEST = 8


class Layer(NamedTuple):
    """A convolution with its name in the published files. At stride 1 it keeps the size, at stride 2 it pads nothing."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


Pool = Literal["average", "maximum", "halve"]
Stage = Layer | Pool | tuple[Layer, Layer]
"""One step of a branch; of a pair both see the same input, and their outputs are joined."""


def _seven(prefix: str, narrow: int, kernels: str) -> tuple[Layer, ...]:
    """A narrow layer of one pixel, then one row (``-``) or column (``|``) of seven after the other, the last 192 wide."""
    shapes = {"-": (1, 7), "|": (7, 1)}
    rest = [Layer(f"{prefix}_{i}", narrow, shapes[k]) for i, k in enumerate(kernels, 2)]
    return (Layer(f"{prefix}_1", narrow), *rest[:-1], rest[-1]._replace(channels=192))


def _block_a(pooled: int) -> tuple[tuple[Stage, ...], ...]:
    double = (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, (3, 3)), Layer("branch3x3dbl_3", 96, (3, 3)))
    five = (Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, (5, 5)))
    return ((Layer("branch1x1", 64),), five, double, ("average", Layer("branch_pool", pooled)))


def _block_b() -> tuple[tuple[Stage, ...], ...]:
    double = (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, (3, 3)), Layer("branch3x3dbl_3", 96, (3, 3), 2))
    return ((Layer("branch3x3", 384, (3, 3), 2),), double, ("halve",))


def _block_c(narrow: int) -> tuple[tuple[Stage, ...], ...]:
    seven, double = _seven("branch7x7", narrow, "-|"), _seven("branch7x7dbl", narrow, "|-|-")
    return ((Layer("branch1x1", 192),), seven, double, ("average", Layer("branch_pool", 192)))


def _block_d() -> tuple[tuple[Stage, ...], ...]:
    three = (Layer("branch3x3_1", 192), Layer("branch3x3_2", 320, (3, 3), 2))
    seven = (*_seven("branch7x7x3", 192, "-|"), Layer("branch7x7x3_4", 192, (3, 3), 2))
    return (three, seven, ("halve",))


def _block_e(pool: Pool) -> tuple[tuple[Stage, ...], ...]:
    def ends(prefix: str) -> tuple[Layer, Layer]:
        return Layer(f"{prefix}a", 384, (1, 3)), Layer(f"{prefix}b", 384, (3, 1))

    three = (Layer("branch3x3_1", 384), ends("branch3x3_2"))
    double = (Layer("branch3x3dbl_1", 448), Layer("branch3x3dbl_2", 384, (3, 3)), ends("branch3x3dbl_3"))
    return ((Layer("branch1x1", 320),), three, double, (pool, Layer("branch_pool", 192)))


STEM = (
    ("Conv2d_1a_3x3", 32, 3, 2, 0),
    ("Conv2d_2a_3x3", 32, 3, 1, 0),
    ("Conv2d_2b_3x3", 64, 3, 1, 1),
    "halve",
    ("Conv2d_3b_1x1", 80, 1, 1, 0),
    ("Conv2d_4a_3x3", 192, 3, 1, 0),
    "halve",
)
"""Name, channels, kernel, stride and padding of the layers before the blocks, and two pools."""

BLOCKS: dict[str, tuple[tuple[Stage, ...], ...]] = {
    "Mixed_5b": _block_a(32),
    "Mixed_5c": _block_a(64),
    "Mixed_5d": _block_a(64),
    "Mixed_6a": _block_b(),
    "Mixed_6b": _block_c(128),
    "Mixed_6c": _block_c(160),
    "Mixed_6d": _block_c(160),
    "Mixed_6e": _block_c(192),
    "Mixed_7a": _block_d(),
    "Mixed_7b": _block_e("average"),
    "Mixed_7c": _block_e("maximum"),
}


class Convolution(nn.Module):
    """Convolution without bias, batch normalization, ReLU."""

    def __init__(self, inputs: int, channels: int, kernel: tuple[int, int], stride: int, padding: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(cast(Tensor, self.bn(self.conv(x))))


class Mixed(nn.Module):
    """Branches over one input, their channels joined. ``channels`` is their number."""

    def __init__(self, inputs: int, branches: tuple[tuple[Stage, ...], ...]) -> None:
        super().__init__()
        self.branches = branches
        self.channels = sum(self._add(inputs, branch) for branch in branches)

    def _add(self, channels: int, branch: tuple[Stage, ...]) -> int:
        for stage in branch:
            if isinstance(stage, str):
                continue
            layers = (stage,) if isinstance(stage, Layer) else stage
            for layer in layers:
                (high, wide), stride = layer.kernel, layer.stride
                padding = (high // 2, wide // 2) if stride == 1 else (0, 0)
                self.add_module(layer.name, Convolution(channels, layer.channels, layer.kernel, stride, padding))
            channels = sum(layer.channels for layer in layers)
        return channels

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self._branch(x, branch) for branch in self.branches], 1)

    def _branch(self, x: Tensor, branch: tuple[Stage, ...]) -> Tensor:
        for stage in branch:
            if isinstance(stage, str):
                x = pool(x, stage)
            else:
                layers = (stage,) if isinstance(stage, Layer) else stage
                x = torch.cat([self.get_submodule(layer.name)(x) for layer in layers], 1)
        return x


def pool(x: Tensor, how: Pool) -> Tensor:
    """3 x 3 pooling of ``(B, C, H, W)``. An average at the border is over the pixels that exist, as in TensorFlow."""
    if how == "average":
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return F.max_pool2d(x, 3, 1, 1) if how == "maximum" else F.max_pool2d(x, 3, 2)


class InceptionV3(nn.Module):
    """RGB ``(B, 3, 299, 299)``, scaled to about [-1, 1], to the features ``pool3``: ``(B, 2048)``.

    The logits of the 1,008 classes are a linear function of them: `logits`.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for row in STEM:
            if not isinstance(row, str):
                name, wide, kernel, stride, padding = row
                self.add_module(name, Convolution(channels, wide, (kernel, kernel), stride, (padding, padding)))
                channels = wide
        for name, branches in BLOCKS.items():
            block = Mixed(channels, branches)
            self.add_module(name, block)
            channels = block.channels
        self.fc = nn.Linear(channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        for row in STEM:
            x = pool(x, "halve") if isinstance(row, str) else self.get_submodule(row[0])(x)
        for name in BLOCKS:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))

    def logits(self, features: Tensor, bias: bool = False) -> Tensor:
        """Logits ``(B, 1008)`` of features ``(B, 2048)``. The Inception score as first published leaves the bias out.

        Source: salimans2016improved's code, which multiplies ``pool_3`` by the weights of ``softmax/logits`` and adds nothing.
        """
        return F.linear(features, self.fc.weight, self.fc.bias if bias else None)


def load_inception(path: Path, sha256: str = SHA256, device: str = "cpu") -> InceptionV3:
    """The network with the weights of a local file: a state dictionary of torch, or safetensors. Nothing is ever downloaded.

    ``sha256`` is the file's checksum or at least its first eight digits, by default that of the published file.

    Raises:
        Unusable: There is no such file, its checksum is another one, or it holds other tensors.
    """
    data = _read(path, sha256)
    network = InceptionV3()
    wanted = network.state_dict()
    weights = {name: value for name, value in _tensors(path, data).items() if not name.endswith("num_batches_tracked")}
    for name, value in wanted.items():
        if name.endswith("num_batches_tracked"):
            weights[name] = value
        elif name not in weights or weights[name].shape != value.shape:
            found = tuple(weights[name].shape) if name in weights else "missing"
            raise Unusable(f"{path}: no Inception-v3 of FID: {name} is {found}, not {tuple(value.shape)}; expected {PUBLISHED}")
    if extra := sorted(weights.keys() - wanted.keys()):
        raise Unusable(f"{path}: no Inception-v3 of FID: it has {extra[0]} too; expected {PUBLISHED}")
    network.load_state_dict({name: value.float() for name, value in weights.items()})
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _read(path: Path, sha256: str) -> bytes:
    try:
        if path.stat().st_size > _MOST:
            raise Unusable(f"{path}: too large for Inception-v3's weights, which are 96 MB; expected {PUBLISHED}")
        data = path.read_bytes()
    except OSError as error:
        raise Unusable(
            f"{path}: Inception-v3's weights can't be read ({error.strerror}); ganwise downloads nothing:"
            f" fetch {PUBLISHED} and pass it as inception:PATH"
        ) from None
    found = hashlib.sha256(data).hexdigest()
    if len(sha256) < _SHORTEST or not found.startswith(sha256.lower()):
        raise Unusable(
            f"{path}: SHA-256 is {found[:12]}..., not {sha256[:12]}...; expected {PUBLISHED},"
            f" or name your own file's: inception:PATH#{found[:_SHORTEST]}"
        )
    return data


def _tensors(path: Path, data: bytes) -> Mapping[str, Tensor]:
    """What a file holds, with no code of its run."""
    import io

    try:
        if path.suffix == ".safetensors":
            return cast(Mapping[str, Tensor], load_safetensors(data))
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise Unusable(f"{path}: can't be read as weights ({' '.join(str(error).split())[:80]}); expected {PUBLISHED}") from None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise Unusable(f"{path}: holds no state dictionary; expected {PUBLISHED}")
    return found
