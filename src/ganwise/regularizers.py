"""The regularizers: penalties on slopes, weights, scores and codes; clipping as a projection; two transforms of D.

A penalty on a slope makes its own forward pass through ``p.look``, in float32 at least whatever the run's precision: double
backward in bfloat16 errs by percents. The one convention for R1 and R2: gamma / 2 times the mean squared slope, so that the 10 of
code that leaves out the half is our 20 (docs/why/penalty-constants.md). |.| is the Euclidean norm over all numbers of a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu
from torch.nn.utils.parametrizations import spectral_norm

from ganwise.networks.convolution import differentiated_twice
from ganwise.networks.labels import ConditionalBatchNorm
from ganwise.networks.mlp import Maxout
from ganwise.networks.stylegan2 import Rectify
from ganwise.objective import Objective, Part, Pass, Signals, lazy, nothing
from ganwise.ramp import Number, at

Projection = Callable[[nn.Module], None]


def exact(x: Tensor) -> torch.autocast:
    """The run's lower precision is off inside: for derivatives of derivatives, and for products of large matrices."""
    return torch.autocast(x.device.type, enabled=False)


# slopes of the discriminator


def slope(p: Pass, x: Tensor) -> Tensor:
    """Gradient of each sample's score with respect to the sample, flattened, shape (B, D); differentiable."""
    if p.slopes is not None:
        return p.slopes(x)
    with exact(x), differentiated_twice():
        x = x.detach().to(torch.promote_types(x.dtype, torch.float32)).requires_grad_()
        gradient: Tensor = torch.autograd.grad(p.look(x).score.sum(), x, create_graph=True)[0]
        flat: Tensor = gradient.flatten(1)
    return flat


def steepness(p: Pass, x: Tensor) -> Tensor:
    """|grad D(x)|, shape (B,): as a vector norm, whose gradient at zero is zero, where the root of a sum of squares has none."""
    norms: Tensor = torch.linalg.vector_norm(slope(p, x), dim=1)
    return norms


def r1(gamma: Number = 0.1, every: int = 1) -> Objective:
    """gamma/2 E|grad D(x)|^2 on real samples. Source: mescheder2018converge, equation 9."""
    return lazy(every, Objective(lambda p: at(gamma, p.step) / 2 * slope(p, p.real).square().sum(1).mean()))


def r2(gamma: Number = 0.1, every: int = 1) -> Objective:
    """gamma/2 E|grad D(G(z))|^2 on fakes. Source: mescheder2018converge, equation 10."""
    return lazy(every, Objective(lambda p: at(gamma, p.step) / 2 * slope(p, p.fake).square().sum(1).mean()))


def gradient_penalty(weight: Number = 10.0, center: float = 1.0) -> Objective:
    """weight E(|grad D(x')| - center)^2 on lines from real to fake. Source: gulrajani2017wgangp, equation 3."""

    def penalty(p: Pass) -> Tensor:
        share = torch.rand(len(p.real), *[1] * (p.real.dim() - 1), device=p.real.device, dtype=p.real.dtype)
        between = torch.lerp(p.fake.detach().to(p.real.dtype), p.real, share)
        return at(weight, p.step) * (steepness(p, between) - center).square().mean()

    return Objective(penalty)


def dragan(weight: Number = 10.0, center: float = 1.0, spread: float = 0.5) -> Objective:
    """weight E(|grad D(x + d)| - center)^2, d = spread * std(batch) * U[0, 1) for each number: slopes around real samples.

    Source: kodali2017dragan and the authors' code, which we follow; the text has Gaussian d instead.
    """

    def penalty(p: Pass) -> Tensor:
        around = p.real + spread * p.real.std(correction=0) * torch.rand_like(p.real)
        return at(weight, p.step) * (steepness(p, around) - center).square().mean()

    return Objective(penalty)


# weights


def weight_clipping(limit: float = 0.01) -> Projection:
    """Clamps every weight to [-limit, limit] in place. Source: arjovsky2017wgan, algorithm 1."""

    def project(discriminator: nn.Module) -> None:
        with torch.no_grad():
            for weight in discriminator.parameters():
                weight.clamp_(-limit, limit)

    return project


def spectral_normalization(discriminator: nn.Module) -> None:
    """Divides every layer's weight by its spectral norm, one power iteration per update. Source: miyato2018sngan, algorithm 1."""
    for module, _ in list(weighted(discriminator)):
        spectral_norm(module)


def weighted(network: nn.Module) -> Iterator[tuple[nn.Module, Tensor]]:
    """Layers with a matrix as their weight, and that matrix as it acts, one row an output.

    Those are linear layers, convolutions and embeddings of classes, but not the scales and shifts of a conditional normalization:
    these multiply and add number by number, and no matrix product is taken with them.
    """
    tables = {table for m in network.modules() if isinstance(m, ConditionalBatchNorm) for table in (m.scale, m.shift)}
    for module in network.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.dim() > 1 and module not in tables:
            inputs_first = isinstance(module, nn.ConvTranspose2d)
            yield module, (weight.transpose(0, 1) if inputs_first else weight).flatten(1)


def orthogonal(weight: Number = 1e-4, player: str = "discriminator") -> Objective:
    """weight sum over W of |W W' - diagonal|_F^2, W a layer's weight with one row an output: rows may have any length.

    Source: brock2019biggan, equation 3, there for the generator. Their PyTorch code adds half of its gradient.
    """

    def penalty(network: nn.Module) -> Tensor:
        return torch.stack([coherence(matrix) for _, matrix in weighted(network)]).sum()

    if player == "discriminator":
        return Objective(lambda p: at(weight, p.step) * penalty(p.discriminator))
    if player == "generator":
        return Objective(generator=lambda p: at(weight, p.step) * penalty(p.generator))
    raise ValueError(f"player is discriminator or generator, not '{player}'")


def coherence(rows: Tensor) -> Tensor:
    """Sum of the squared inner products of all pairs of different rows.

    |W W'|_F = |W' W|_F: the smaller of the two matrices spares gigabytes where a layer has thousands of outputs.
    """
    with exact(rows):
        gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    return gram.square().sum() - rows.square().sum(1).square().sum()


def svm_weight(cost: float = 1.0) -> Objective:
    """|w|^2 / (2 cost B), w the weights of the discriminator's last layer: a support vector machine's other term.

    The machine minimizes |w|^2/2 + cost * (sum of all hinges); beside means over B samples that is divided by cost * B.
    Source: lim2017geometric and the authors' code, which decays the last weight by 1 / (cost B).
    """
    return Objective(lambda p: last_layer(p.discriminator).weight.square().sum() / (2 * cost * len(p.real)))


def last_layer(discriminator: nn.Module) -> nn.Linear:
    """The last linear layer with one output: the hyperplane in the space of features."""
    return [layer for layer in discriminator.modules() if isinstance(layer, nn.Linear) and layer.out_features == 1][-1]


def dropout(discriminator: nn.Module, rate: float = 0.5) -> None:
    """Sets a share of the numbers after each activation to zero, anew in each pass. Source: goodfellow2014gan, section 5."""
    for parent in list(discriminator.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, (nn.ReLU, nn.LeakyReLU, nn.ELU, Maxout, Rectify)):
                setattr(parent, name, nn.Sequential(child, nn.Dropout(rate)))


# scores and codes


def label_smoothing(real: float = 0.9) -> Objective:
    """Real samples are real with probability ``real`` alone: real sp(-r) + (1 - real) sp(r) = sp(-r) + (1 - real) r.

    Source: salimans2016improved, section 3.4.
    """
    return Objective(lambda p: (1 - real) * p.r.mean())


class LeCam(Part):
    """weight [E relu(r - average f)^2 + E relu(average r - f)^2], moving averages of scores, high ones real.

    Source: tseng2021lecam, section 3, and the authors' code: relu is theirs, not the text's; the averages follow the last batch
    until ``start``, and the term counts from there on.
    """

    def __init__(self, weight: float = 0.3, decay: float = 0.99, start: int = 1000) -> None:
        super().__init__()
        self.weight, self.decay, self.start = weight, decay, start
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("fake", torch.zeros(()))
        self.real: Tensor
        self.fake: Tensor

    def discriminator(self, p: Pass) -> Tensor:
        if p.step < self.start:
            return nothing(p)
        r, f = p.sign * p.r, p.sign * p.f
        return self.weight * (relu(r - self.fake).square().mean() + relu(self.real - f).square().mean())

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        share = 1 - self.decay if d.step >= self.start else 1.0
        self.real.lerp_(d.sign * d.r.mean(), share)
        self.fake.lerp_(d.sign * d.f.mean(), share)


def pulling_away(weight: Number = 0.1) -> Objective:
    """weight / (B (B-1)) sum over i != j of cos(code_i, code_j)^2, for the generator. Source: zhao2016ebgan, section 2.4."""

    def term(p: Pass) -> Tensor:
        assert p.fake_out.code is not None, "only an auto-encoder has a code"
        code, n = normalize(p.fake_out.code.flatten(1), dim=1), len(p.fake)
        with exact(code):
            cosines = code @ code.T
        return at(weight, p.step) * (cosines.square().sum() - n) / (n * (n - 1))

    return Objective(generator=term)


# slopes of the generator


class PathLength(Part):
    """weight E(|J' y| - a)^2 of the synthesis at styles w: J = dG/dw, y ~ N(0, 1/(H W)) an image, a the moving average of |J' y|.

    Where each layer has its own style, |J' y|^2 is the mean over layers. Half a batch suffices. Source: karras2020stylegan2,
    equation 4 and appendix B; ``every`` as in `lazy`.
    """

    def __init__(self, weight: float = 2.0, every: int = 4, decay: float = 0.99) -> None:
        super().__init__()
        self.weight, self.every, self.decay = weight, every, decay
        self.register_buffer("length", torch.zeros(()))
        self.length: Tensor
        self.seen: Tensor | None = None  # a forward pass must not change the average: it may be looked at without a step

    def generator(self, p: Pass) -> Tensor:
        if p.step % self.every:
            return nothing(p)
        lengths = path_lengths(p)
        average = torch.lerp(self.length.to(lengths), lengths.mean(), 1 - self.decay)
        self.seen = average.detach()
        return self.every * self.weight * (lengths - average).square().mean()

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        if self.seen is not None:
            self.length.copy_(self.seen)


def path_lengths(p: Pass) -> Tensor:
    """|J' y| for the first half of the batch, shape (B/2,); differentiable."""
    z = p.z[: max(1, len(p.z) // 2)]
    labels = None if p.labels is None else p.labels[: len(z)]
    with exact(z), differentiated_twice():
        styles = p.generator.mapping(p.generator.labels.join(z, labels))  # type: ignore[operator, union-attr]
        image: Tensor = p.generator.synthesis(styles, labels)  # type: ignore[operator]
        y = torch.randn_like(image) / image[0, 0].numel() ** 0.5
        slopes = torch.autograd.grad((image * y).sum(), styles, create_graph=True)[0]
        layers = slopes[0].numel() / slopes.shape[-1]
        lengths: Tensor = torch.linalg.vector_norm(slopes.flatten(1), dim=1) / layers**0.5
    return lengths
