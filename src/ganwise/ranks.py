"""Several processes that train one GAN (`torchrun`): each computes its rows of every batch, and all compute the same step.

The batch is a whole in each process: the same samples, the same latents from the same random state. A network runs on this
process's rows alone, and what it says is gathered, so that objectives, controllers and records see the whole batch, whatever they
make of it (docs/why/data-parallel.md). Backward, a sum of whole and partial gradients becomes the mean over the processes: what a
network's rows contribute is counted as often as there are processes, and `Ranks.average` divides by that number.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganwise.objective import Output
from ganwise.types import Unusable

T = TypeVar("T")
Said = TypeVar("Said", Tensor, Output)
WAIT = timedelta(hours=2)
"""How long one process waits for the others, of which the first may be scoring samples. One that dies is noticed at once."""
GO, END = "go", "end"


class Lost(Exception):
    """Another process of this run has died or can't be reached. Its text is one line."""


class Dismissed(Exception):
    """The first process has ended the run, for better or worse, and says so itself."""


class Ranks:
    """The processes that train one GAN. This one is alone."""

    rank, count = 0, 1

    @property
    def first(self) -> bool:
        """Whether it is this process that writes and speaks."""
        return self.rank == 0

    def split(self, network: Callable[..., Said], *batch: Tensor | None) -> Said:
        """What the network says of a batch, each tensor of which has one row a sample.

        Where it says several rows a sample, as a pyramid's discriminator does, it says the first of all samples first.
        """
        return network(*batch)

    def average(self, gradients: Sequence[Tensor]) -> None:
        """Makes each the mean over the processes, in place."""

    def settle(self, *networks: nn.Module) -> None:
        """Makes the running statistics of batch normalization the mean over the processes."""

    def most(self, number: int) -> int:
        """The largest of the processes' numbers."""
        return number

    def together(self, function: Callable[[], T]) -> T:
        """Calls the function in every process. Where it is `Unusable` in one, it is in all, with the same words."""
        return function()

    def alike(self, what: str, value: object) -> None:
        """Makes sure that all processes have the same value.

        Raises:
            Unusable: They have not; ``what`` names it.
        """

    def tell(self, word: Callable[[], Any]) -> None:
        """Gives what the function returns to the others, all of which `hear`; called by the first process."""

    def hear(self) -> Any:
        """What the first process tells.

        Raises:
            Dismissed: The run is over.
        """
        raise Dismissed

    def drive(self, records: Iterator[T]) -> Iterator[T]:
        """The first process's way through the records of `train`: between two of them the others hear, until told ``GO``."""
        return records

    def check(self, batch: int) -> None:
        """Makes sure that a batch can be shared out evenly.

        Raises:
            Unusable: It can't.
        """


ALONE = Ranks()


class Several(Ranks):
    """This process is one of several, joined by torch's default process group."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self.hearing = True  # whether the others do, as far as the first process knows
        self._normalized: WeakKeyDictionary[nn.Module, list[Tensor]] = WeakKeyDictionary()
        self._random: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()

    def split(self, network: Callable[..., Said], *batch: Tensor | None) -> Said:
        n = next(len(t) for t in batch if t is not None)
        rows = [None if t is None else self._share(t) for t in batch]
        with self._noise(network, next(t.device for t in batch if t is not None)):
            said = network(*rows)
        own = next(len(t) for t in rows if t is not None)
        if isinstance(said, Output):
            return said.each(lambda t: self._whole(t, own, n))
        return self._whole(said, own, n)

    def _whole(self, said: Tensor, own: int, n: int) -> Tensor:
        """What all processes say of n samples, in the order in which one process says it; ``said`` is of this one's ``own``."""
        if len(said) == own:
            return self._gather(said, n)
        beside = said.reshape(-1, own, *said.shape[1:]).transpose(0, 1)  # all that is said of a sample in one row
        return self._gather(beside, n).transpose(0, 1).flatten(0, 1)

    def _share(self, whole: Tensor) -> Tensor:
        """This process's rows, as many in each: copies of the last row fill them up, and `_gather` drops these."""
        own: Tensor | None = getattr(whole, "own_rows", None)
        if own is not None:  # just gathered: spares the way there and back, and the gradient's
            return own
        missing = -len(whole) % self.count
        filled = torch.cat([whole, whole[-1:].expand(missing, *whole.shape[1:])]) if missing else whole
        return cast(Tensor, _Share.apply(filled, self))  # type: ignore[no-untyped-call]

    def _gather(self, rows: Tensor, n: int) -> Tensor:
        whole = cast(Tensor, _Gather.apply(rows, self))  # type: ignore[no-untyped-call]
        if len(whole) == n:
            whole.own_rows = rows  # type: ignore[attr-defined]
        return whole[:n] if len(whole) > n else whole

    @contextmanager
    def _noise(self, network: Any, device: torch.device) -> Iterator[None]:
        """Dropout and noise inside a network: other draws for other rows, and the same random state in all processes after."""
        if not isinstance(network, nn.Module) or not network.training or not self._draws(network):
            yield
            return
        seed = int(torch.randint(2**62, ()))
        with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
            torch.manual_seed(seed + self.rank)
            yield

    def _draws(self, network: nn.Module) -> bool:
        if network not in self._random:
            kinds = nn.modules.dropout._DropoutNd
            self._random[network] = any(
                m.p > 0 if isinstance(m, kinds) else getattr(m, "draws", False) for m in network.modules()
            )
        return self._random[network]

    def average(self, gradients: Sequence[Tensor]) -> None:
        if not gradients:
            return
        flat = torch.cat([g.reshape(-1) for g in gradients])  # one message: a small network has many small gradients
        with _told():
            dist.all_reduce(flat)
        means = torch.split(flat / self.count, [g.numel() for g in gradients])
        torch._foreach_copy_(list(gradients), [mean.view_as(g) for mean, g in zip(means, gradients, strict=True)])

    def settle(self, *networks: nn.Module) -> None:
        for network in networks:
            if network not in self._normalized:
                kinds = nn.modules.batchnorm._BatchNorm
                layers = [m for m in network.modules() if isinstance(m, kinds)]
                self._normalized[network] = [b for m in layers for b in (m.running_mean, m.running_var) if b is not None]
        self.average([buffer for network in networks for buffer in self._normalized[network]])

    def most(self, number: int) -> int:
        largest = torch.tensor(number)
        with _told():
            dist.all_reduce(largest, dist.ReduceOp.MAX)
        return int(largest)

    def together(self, function: Callable[[], T]) -> T:
        answer: T | Unusable
        try:
            answer = function()
        except Unusable as error:
            answer = error
        found: list[Any] = [None] * self.count
        with _told():
            dist.all_gather_object(found, answer if isinstance(answer, Unusable) else None)
        for failed in found:
            if failed is not None:
                self.hearing = False
                raise failed
        return cast(T, answer)

    def alike(self, what: str, value: object) -> None:
        found: list[Any] = [None] * self.count
        with _told():
            dist.all_gather_object(found, value)
        if any(other != found[0] for other in found):
            self.hearing = False
            raise Unusable(f"{what}: not the same in all processes; each has to read the same")

    def tell(self, word: Callable[[], Any]) -> None:
        with _told():
            dist.broadcast_object_list([word()])

    def hear(self) -> Any:
        words: list[Any] = [None]
        with _told():
            dist.broadcast_object_list(words)
        if words[0] == END:
            raise Dismissed
        return words[0]

    def drive(self, records: Iterator[T]) -> Iterator[T]:
        self.hearing = False
        for record in records:
            self.hearing = True
            yield record
            self.tell(lambda: GO)
            self.hearing = False
        self.hearing = True

    def check(self, batch: int) -> None:
        if batch % self.count:
            self.hearing = False
            near = max(batch - batch % self.count, self.count)
            raise Unusable(f"schedule.batch: {batch} samples can't be shared out to {self.count} processes; take {near}")


@contextmanager
def _told() -> Iterator[None]:
    """What torch says where another process has ended is many lines; the one that failed says why."""
    try:
        yield
    except RuntimeError as error:
        raise Lost(f"another process of this run has died: {' '.join(str(error).split())[:200]}") from None


# rows of a batch, and the whole: each is the other's derivative, so that derivatives of derivatives hold as well


class _Share(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, whole: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        size = len(whole) // ranks.count
        return whole[ranks.rank * size : (ranks.rank + 1) * size].clone(memory_format=torch.preserve_format)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return _Gather.apply(slopes[0], ctx.ranks) / ctx.ranks.count, None  # type: ignore[no-untyped-call]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        last = rows.dim() == 4 and rows.is_contiguous(memory_format=torch.channels_last)
        dense = (rows.permute(0, 2, 3, 1) if last else rows).contiguous()
        whole = dense.new_empty(ranks.count * len(dense), *dense.shape[1:])
        parts = [part.view(-1).view(torch.uint8) for part in whole.chunk(ranks.count)]  # not every backend knows every dtype
        with _told():
            dist.all_gather(parts, dense.view(-1).view(torch.uint8))
        return whole.permute(0, 3, 1, 2) if last else whole

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return _Share.apply(slopes[0], ctx.ranks) * ctx.ranks.count, None  # type: ignore[no-untyped-call]


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes that torchrun has started, by its environment; this one alone where it has not.

    Messages go through gloo on processors and NCCL between GPUs, of which each process takes that of its ``LOCAL_RANK``.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # defaults of its functions are the group of that time, and torch's optimizers import it: after joining, a group and
    # its threads would outlive `destroy_process_group`, and a thread that lives when Python ends can abort the process
    importlib.import_module("torch.distributed.nn.functional")
    with _told():
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=WAIT)
    ours = Several()
    try:
        yield ours
    finally:
        if ours.first and ours.hearing:
            with suppress(Lost):
                ours.tell(lambda: END)
        dist.destroy_process_group()
