"""What anybody's optimizers do to two networks, seen at the moment they move: torch calls a hook before each optimizer's step."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook


class Ear:
    """Notes, while ``listening``, each network's gradient as its optimizer gets it, and its weights before they move.

    By name of the network. Between two calls of `forget` the last gradient counts and the first weights. A gradient that
    another player's pass adds later, as in loops that call ``backward`` through both networks, is never read. An optimizer that
    is not torch's, or that a gradient scaler passed over because of an overflow, is not heard.
    """

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self.listening = False
        self.grads: dict[str, Tensor] = {}
        self.before: dict[str, list[Tensor]] = {}
        self._weights = {name: list(network.parameters()) for name, network in networks.items()}
        self._owner = {id(w): name for name, weights in self._weights.items() for w in weights}
        me = weakref.ref(self)

        def hear(optimizer: torch.optim.Optimizer, arguments: Any, named: Any) -> None:
            ear = me()
            if ear is not None and ear.listening:
                ear._hear(optimizer)

        handle = register_optimizer_step_pre_hook(hear)
        self.close = weakref.finalize(self, handle.remove)

    def forget(self) -> None:
        self.grads, self.before = {}, {}

    @torch.no_grad()
    def _hear(self, optimizer: torch.optim.Optimizer) -> None:
        moved = [w for group in optimizer.param_groups for w in group["params"]]
        scale = getattr(optimizer, "grad_scale", None)  # of fused optimizers, which undo a gradient scaler themselves
        for name in {self._owner[id(w)] for w in moved if id(w) in self._owner}:
            grads = [w.grad.detach() for w in moved if w.grad is not None and self._owner.get(id(w)) == name]
            if grads:
                norm = nn.utils.get_total_norm([g.coalesce().values() if g.is_sparse else g for g in grads])
                self.grads[name] = norm if scale is None else norm / scale
            if name not in self.before:
                self.before[name] = [w.detach().clone() for w in self._weights[name]]
