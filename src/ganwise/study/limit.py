"""Where a run ends, and where it pauses: shares of a budget in steps, images, seconds or operations."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

from ganwise.build import GAN
from ganwise.types import Record

FAR = 1 << 48


@dataclass(frozen=True)
class Limit:
    """Where a run ends: at the first of these that it reaches. ``wall`` guards a deadline on a busy machine.

    ``flops`` are operations, of which a step has ``operations``. ``lost`` is what the run has cost besides: of a sick parent.
    """

    steps: int | None = None
    seconds: float | None = None
    images: int | None = None
    wall: float | None = None
    flops: float | None = None
    operations: float = 0.0
    lost: Mapping[str, float] = field(default_factory=dict)

    def share(self, record: Record, wall: float) -> float:
        """How much of the limit is spent: 1 and more means the end."""
        spent = self.spent(record) | {"wall": wall}
        return max((used / allowed for name, used in spent.items() if (allowed := getattr(self, name))), default=0.0)

    def spent(self, record: Record) -> dict[str, float]:
        """Steps, images, seconds and operations so far, with what is lost."""
        own = {"steps": record.step, "images": record.images, "seconds": record.seconds, "flops": record.step * self.operations}
        return {name: used + self.lost.get(name, 0) for name, used in own.items()}

    def step(self, gan: GAN, until: float, batch: int) -> int:
        """The first step after which a share of the limit is spent; far away where only time tells."""
        schedule, again = gan.recipe.schedule, gan.pairs and not gan.recipe.schedule.simultaneous

        def share(t: int) -> float:
            batches = schedule.critic_updates(t) + (t * schedule.generator_steps if again else 0)
            return self.share(Record(t, batches * batch, 0.0, {}), 0.0)

        return FAR if share(FAR) < until else bisect_left(range(FAR), until, key=share)
