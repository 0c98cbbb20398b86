"""Other libraries' training steps for `speed.py`: torchgan's DCGAN, and torch-mimicry's SNGAN and WGAN-GP at 32 x 32.

Both are on PyPI; the user puts them into a folder of their own, never beside ganwise's dependencies, and names it:

    pip install --no-deps --target peers torchgan==0.1.0 torch-mimicry==0.1.16
    python benchmarks/speed.py --peers peers

Their models, losses and step functions run as installed. What they import at the start and a step does not need (torchvision,
TensorFlow, scikit-image, ...; `torch._six`, which torch no longer has) is replaced by empty modules, so that they start at all on
a torch of today. Their loops around the step (logs, checkpoints) are left out, and they average no weights: both in their favor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

UNNEEDED = ("torchvision", "tensorflow", "skimage", "sklearn", "tensorboardX", "visdom", "requests", "six", "torch._six")
VERSIONS = {"torchgan": "0.1.0", "torch-mimicry": "0.1.16"}

Step = Callable[[], None]
Real = Iterator[tuple[Tensor, Tensor]]  # batches of samples and labels


class Empty(ModuleType):
    """A module of which every name is an empty class: enough to be imported from, of no use to anyone who calls it."""

    __path__ = ()  # so that parts of it can be imported, too

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class StandIns(MetaPathFinder, Loader):
    """Finds an empty module for what is not installed and not needed; asked last, so that whatever is installed comes first."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        wanted = any(name == known or name.startswith(known + ".") for known in UNNEEDED)
        return ModuleSpec(name, self, is_package=True) if wanted else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def installed(folder: Path | None) -> bool:
    """Whether the peers lie in ``folder``; if so they can be imported from now on."""
    if folder is None or not (folder / "torchgan").is_dir() or not (folder / "torch_mimicry").is_dir():
        return False
    os.environ |= {"TENSORBOARD_LOGGING": "0", "VISDOM_LOGGING": "0", "CONSOLE_LOGGING": "0"}
    sys.path.append(str(folder.resolve()))
    sys.meta_path.append(StandIns())
    sys.modules["torch.utils.tensorboard"] = Empty("torch.utils.tensorboard")  # the real one would ask the empty TensorFlow
    return True


def dcgan(real: Real, batch: int, device: torch.device) -> Step:
    """torchgan: its networks, losses and their own ``train_ops``, D before G."""
    from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss
    from torchgan.models import DCGANDiscriminator, DCGANGenerator

    G = DCGANGenerator(encoding_dims=100, out_size=32, step_channels=64).to(device)
    D = DCGANDiscriminator(in_size=32, step_channels=64).to(device)
    optimizer_d, optimizer_g = (torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (D, G))
    loss_d, loss_g = MinimaxDiscriminatorLoss(), MinimaxGeneratorLoss()

    def step() -> None:
        images = next(real)[0].to(device)
        loss_d.train_ops(G, D, optimizer_d, images, device)
        loss_g.train_ops(G, D, optimizer_g, device, batch)

    return step


def _mimicry(G: Any, D: Any, betas: tuple[float, float], real: Real, device: torch.device) -> Step:
    """Five steps of D, then one of G, as in its trainer."""
    from torch_mimicry.training.metric_log import MetricLog

    G, D = G.to(device), D.to(device)
    optimizer_d, optimizer_g = (torch.optim.Adam(network.parameters(), 2e-4, betas) for network in (D, G))

    def step() -> None:
        log = MetricLog()
        for _ in range(5):
            images, labels = next(real)
            batch = images.to(device), labels.to(device)
            log = D.train_step(real_batch=batch, netG=G, optD=optimizer_d, log_data=log, device=device)
        G.train_step(real_batch=batch, netD=D, optG=optimizer_g, log_data=log, device=device)

    return step


def sngan(real: Real, batch: int, device: torch.device) -> Step:
    """torch-mimicry: one power iteration for each forward pass of D, where ours and the plain step have one an update."""
    from torch_mimicry.nets.sngan.sngan_32 import SNGANDiscriminator32, SNGANGenerator32

    return _mimicry(SNGANGenerator32(), SNGANDiscriminator32(), (0.0, 0.9), real, device)


def wgan_gp(real: Real, batch: int, device: torch.device) -> Step:
    """torch-mimicry: without normalization in D, as the catalog's."""
    from torch_mimicry.nets.wgan_gp.wgan_gp_32 import WGANGPDiscriminator32, WGANGPGenerator32

    return _mimicry(WGANGPGenerator32(), WGANGPDiscriminator32(), (0.0, 0.9), real, device)


STEPS: dict[str, Callable[[Real, int, torch.device], Step]] = {"dcgan": dcgan, "sngan": sngan, "wgan-gp": wgan_gp}
