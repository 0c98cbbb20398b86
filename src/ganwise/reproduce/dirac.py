"""The Dirac-GAN: data at 0, G = theta, D(x) = psi x, the smallest GAN there is; which methods settle, and how fast.

Source: mescheder2018converge, sections 2 and 3. Near the equilibrium (0, 0) the two players' gradient field is linear; its
eigenvalues are -g/2 + sqrt(g^2/4 - f'(0)^2) for a zero-centered penalty of strength g, and +- i f'(0) without one.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganwise.augmentations import InstanceNoise
from ganwise.losses import minimax, non_saturating, relativistic, wasserstein
from ganwise.objective import Objective, Output, Pass
from ganwise.regularizers import gradient_penalty, r1, r2, weight_clipping
from ganwise.reproduce.plots import COLORS, panels, save
from ganwise.reproduce.work import Cell, Conclusion, Figure, Row, Scale, Verdict, Work

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP = 0.1
STEPS = {"sample": 600, "here": 2_000, "paper": 2_000}
FAR, NEAR = (1.0, 1.0), (1e-3, 1e-3)
"""Starting points (theta, psi): of the trajectories, and of the rates, where the field is linear."""
NOISE = 1.0


class Line(nn.Module):
    """D(x) = psi x, or G(z) = theta whatever z is."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.tensor(number, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.number * x


class Mirrored:
    """Noise whose mean over the batch is 0 exactly: every deviate comes with its opposite."""

    def __init__(self, noise: InstanceNoise) -> None:
        self.noise = noise

    def __call__(self, x: Tensor) -> Tensor:
        half = x[: len(x) // 2]
        moved = self.noise(half) - half
        return x + torch.cat([moved, -moved])


class Game:
    """Gradient descent of both players on the library's objectives, with what each pass gives them."""

    def __init__(
        self,
        *objectives: Objective,
        start: tuple[float, float] = NEAR,
        noise: Callable[[Tensor], Tensor] = lambda x: x,
        batch: int = 1,
        project: Callable[[nn.Module], None] = lambda d: None,
        critic_steps: int = 1,
    ) -> None:
        self.G, self.D = Line(start[0]), Line(start[1])
        self.objectives, self.noise, self.batch, self.project = objectives, noise, batch, project
        self.critic_steps = critic_steps

    def look(self, x: Tensor) -> Output:
        return Output(self.D(self.noise(x)).flatten())

    def gradient(self, player: str) -> Tensor:
        ones = torch.ones(self.batch, 1, dtype=torch.float64)
        real, fake = 0 * ones, self.G(ones)
        p = Pass(0, self.G, self.look, real, fake, ones, None, self.look(real), self.look(fake), self.D)
        loss = torch.stack([getattr(o, player)(p) for o in self.objectives]).sum()
        (gradient,) = torch.autograd.grad(loss, (self.D if player == "discriminator" else self.G).number)
        return gradient

    def play(self, steps: int, simultaneous: bool = True, step: float = STEP) -> list[float]:
        """Distances from the equilibrium, after each step of both players."""
        return [math.hypot(*at) for at in self.path(steps, simultaneous, step)]

    def path(self, steps: int, simultaneous: bool = True, step: float = STEP) -> list[tuple[float, float]]:
        """Where the players are, (theta, psi), after each step of both."""
        found = []
        for _ in range(steps):
            of_g = self.gradient("generator") if simultaneous else None
            for _ in range(self.critic_steps):
                self.D.number.data -= step * self.gradient("discriminator")
                self.project(self.D)
            self.G.number.data -= step * (self.gradient("generator") if of_g is None else of_g)
            found.append((float(self.G.number.detach()), float(self.D.number.detach())))
        return found


def eigenvalues(slope: float, penalty: float) -> list[complex]:
    """Of the gradient field at the equilibrium: slope f'(0) of the loss, penalty g / 2 psi^2."""
    root = cmath.sqrt(penalty**2 / 4 - slope**2)
    return [-penalty / 2 + root, -penalty / 2 - root]


def factors(slope: float, penalty: float, simultaneous: bool = True, step: float = STEP) -> list[complex]:
    """By what a step multiplies the two modes: the eigenvalues of one step of both players, taken as a linear map.

    At once it is 1 + h lambda; in turn the discriminator's step comes first and the generator sees its result.
    """
    if simultaneous:
        return [1 + step * value for value in eigenvalues(slope, penalty)]
    discriminator = np.array([[1.0, 0.0], [-step * slope, 1 - step * penalty]])
    generator = np.array([[1.0, step * slope], [0.0, 1.0]])
    return [complex(value) for value in np.linalg.eigvals(generator @ discriminator)]


def turn(found: Sequence[complex]) -> int:
    """Steps of one turn around the equilibrium, 200 where there is none."""
    angle = abs(cmath.phase(found[0]))
    return round(2 * cmath.pi / angle) if angle else 200


def factor(distances: Sequence[float], last: int) -> float:
    """By how much the distance changes in a step, over the last ones."""
    return float((distances[-1] / distances[-1 - last]) ** (1 / last))


class Method(NamedTuple):
    """A way of training, and what is known of it at the equilibrium: loss slope and penalty, or None where it is not smooth."""

    objectives: tuple[Objective, ...]
    linear: tuple[float, float] | None
    converges: bool
    noise: float = 0.0
    clip: float = 0.0
    critic_steps: int = 1

    def game(self, start: tuple[float, float]) -> Game:
        return Game(
            *self.objectives,
            start=start,
            noise=Mirrored(InstanceNoise(self.noise)) if self.noise else lambda x: x,
            batch=4_000 if self.noise else 1,
            project=weight_clipping(self.clip) if self.clip else lambda d: None,
            critic_steps=self.critic_steps,
        )


METHODS: dict[str, Method] = {
    "minimax": Method((minimax(),), (0.5, 0.0), False),
    "non-saturating": Method((non_saturating(),), (0.5, 0.0), False),
    "wgan": Method((wasserstein(),), (1.0, 0.0), False),
    "wgan-clipped": Method((wasserstein(),), None, False, clip=1.0, critic_steps=5),
    "wgan-gp": Method((wasserstein(), gradient_penalty(0.3, 1.0)), None, False, critic_steps=5),
    "heavy-wgan-gp": Method((wasserstein(), gradient_penalty(1.0, 1.0)), None, False, critic_steps=5),
    "instance-noise": Method((non_saturating(),), (0.5, NOISE**2 / 2), True, noise=NOISE),
    "r1": Method((non_saturating(), r1(0.6)), (0.5, 0.6), True),
    "r2": Method((non_saturating(), r2(0.6)), (0.5, 0.6), True),
    "strong-r1": Method((non_saturating(), r1(2.6)), (0.5, 2.6), True),
    "relativistic-r1-r2": Method((relativistic(), r1(0.3), r2(0.3)), (0.5, 0.6), True),
}
"""Slopes and penalties in the notation of `eigenvalues`; noise of deviation s damps like a penalty of -2 f'' s^2 = s^2 / 2.

``converges`` is what the text proves (of unregularized GANs, WGAN, WGAN-GP, instance noise and zero-centered penalties).
"""


CHOSEN = {"sample": ("minimax", "r1")}


def cells(experiment: str, scale: Scale) -> list[Cell]:
    return [
        Cell(f"{name}-{'simultaneous' if simultaneous else 'alternating'}", {"method": name, "simultaneous": simultaneous})
        for name in CHOSEN.get(scale, tuple(METHODS))
        for simultaneous in (True, False)
    ]


def measure(cell: Cell, folder: Path, work: Work) -> Row:
    """The path from afar, where it ends, and the rate close to the equilibrium beside that of the eigenvalues."""
    name, simultaneous = str(cell.options["method"]), bool(cell.options["simultaneous"])
    method, steps = METHODS[name], STEPS[work.scale] // (4 if METHODS[str(cell.options["method"])].noise else 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        path = method.game(FAR).path(steps, simultaneous)
        measured, predicted = rate(method, simultaneous) if method.linear else (None, None)
    distances = [math.hypot(*at) for at in path]
    return {
        "method": name,
        "simultaneous": simultaneous,
        "converges": method.converges,
        "steps": steps,
        "last": distances[-1],
        "nearest": min(distances[-steps // 4 :]),
        "factor": measured,
        "predicted": predicted,
        "path": [[round(number, 3) for number in at] for at in [FAR, *path][: steps // 2 : max(1, steps // 500)]],
    }


def rate(method: Method, simultaneous: bool) -> tuple[float, float]:
    """The factor of a step over the last whole turn, and that of the linear map's slower mode."""
    assert method.linear is not None
    found = factors(*method.linear, simultaneous)
    length = turn(found)
    # where nothing turns, the faster mode has to fade first
    steps = 3 * length if found[0].imag else 400
    return factor(method.game(NEAR).play(steps, simultaneous), length), max(map(abs, found))


SETTLED = 1e-2
"""A run has converged when it ends within that distance from the equilibrium, where it started at 1.4."""


def conclude(experiment: str, rows: Sequence[Row], scale: Scale) -> Conclusion:
    rows = sorted(rows, key=lambda row: list(METHODS).index(row["method"]))
    kept = [row for row in rows if settles(row) == row["converges"]]
    smooth = [row for row in rows if row["factor"] is not None]
    worst = max((error(row) for row in smooth), default=0.0)
    ours = [Figure(f"of {len(rows)} runs, those that settle or do not as the text proves", len(kept))]
    ours.append(Figure("largest relative difference between a measured and a predicted factor per step", worst))
    for row in rows:
        note = f"predicted {row['predicted']:.5f}" if row["factor"] is not None else "no linear map at the equilibrium"
        told = "in turn" if not row["simultaneous"] else "at once"
        if row["factor"] is not None:
            ours.append(Figure(f"{row['method']}, {told}: factor per step", row["factor"], note=note))
    because = (
        f"{len(kept)} of {len(rows)} runs end as the text proves, and factors per step are the eigenvalues' within {worst:.0e}"
    )
    return Conclusion(ours, judge(len(rows) - len(kept), worst, scale), because, notes(rows))


def settles(row: Row) -> bool:
    return bool(row["last"] < SETTLED)


def error(row: Row) -> float:
    return abs(float(row["factor"]) / float(row["predicted"]) - 1)


def judge(wrong: int, worst: float, scale: Scale) -> Verdict:
    """Reproduced where every run ends as proved and every factor is within .003 of the eigenvalues'; close but for one run."""
    if scale == "sample":
        return "unjudged"
    if not wrong and worst <= 3e-3:
        return "reproduced"
    return "close" if wrong <= 1 and worst <= 3e-2 else "not reproduced"


def notes(rows: Sequence[Row]) -> list[str]:
    found = [f"steps of {STEP:g} from (1, 1) for the paths and from {NEAR} for the rates; a run has settled within {SETTLED:g}"]
    for row in rows:
        how = "at once" if row["simultaneous"] else "in turn"
        end = "settles" if settles(row) else f"comes no nearer than {row['nearest']:.2f} in its last quarter"
        found.append(f"{row['method']}, {how}: {end}; after {row['steps']} steps at {row['last']:.2g}")
    creeps = "from afar the non-saturating loss creeps nearer, by the curvature of its slope, but slower than any factor below 1"
    rests = "from (1, 1) a weight of 1 brings WGAN-GP to rest at theta = 2 with D flat: stationary, and no equilibrium"
    told = {"non-saturating": creeps, "heavy-wgan-gp": rests}
    return found + [said for name, said in told.items() if any(row["method"] == name for row in rows)]


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    """A phase portrait of each method: the path of steps at once, and that of steps in turn."""
    names = [name for name in METHODS if any(row["method"] == name for row in rows)]
    figure, axes = panels(-(-len(names) // 4), min(len(names), 4), width=2.9, height=2.9)
    for panel, name in zip(axes, names, strict=False):
        method = METHODS[name]
        if not method.noise:
            _field(panel, method)
        for row in rows:
            if row["method"] == name:
                kind = 0 if row["simultaneous"] else 1
                panel.plot(*zip(*row["path"], strict=True), color=COLORS[kind], linewidth=1, alpha=0.8)
        panel.plot(0, 0, "k+", markersize=9)
        panel.plot(*FAR, "ko", markersize=3)
        panel.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), title=f"{name}: {'settles' if method.converges else 'does not settle'}")
        panel.set_xlabel("theta (G)", labelpad=1)
        panel.set_ylabel("psi (D)", labelpad=-4)
    for panel in axes[len(names) :]:
        panel.set_visible(False)
    figure.suptitle("Dirac-GAN from (1, 1): both players at once (blue), in turn (orange); + is the equilibrium", fontsize=10)
    save(figure, out / "portraits.png")


def _field(panel: Axes, method: Method) -> None:
    """Where the gradients point, by the library's own objectives."""
    ticks = np.linspace(-2, 2, 11)
    arrows = []
    for theta in ticks:
        for psi in ticks:
            game = method.game((theta, psi))
            arrows.append((theta, psi, *(-float(game.gradient(player)) for player in ("generator", "discriminator"))))
    x, y, u, v = np.array(arrows).T
    length = np.hypot(u, v) + 1e-9
    panel.quiver(x, y, u / length, v / length, color="#b9b4a5", scale=26, width=0.005)
