"""How discriminators end: one score a sample, and what they say of its class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganwise.objective import Output
from ganwise.shapes import Shape


class Scorer(nn.Module):
    """A trunk and a last layer; the trunk's output (B, width) is the features."""

    def __init__(self, trunk: nn.Module, width: int) -> None:
        super().__init__()
        self.trunk, self.head = trunk, nn.Linear(width, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        features = self.trunk(x)
        return Output(self.head(features).flatten(), features=features)


class ProjectionScorer(Scorer):
    """score = psi(h) + <embed(y), h>. Source: miyato2018projection, equation 3."""

    def __init__(self, trunk: nn.Module, width: int, classes: int) -> None:
        super().__init__(trunk, width)
        self.proxies = nn.Embedding(classes, width)
        nn.init.xavier_uniform_(self.proxies.weight)  # as in the authors' code: of the size of psi's weights

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        said = super().forward(x)
        assert labels is not None, "a projection needs labels"
        return said._replace(score=said.score + (self.proxies(labels) * said.features).sum(1))


class ClassifierScorer(Scorer):
    """A score and, beside it, logits (B, classes). Source: odena2017acgan, section 4."""

    def __init__(self, trunk: nn.Module, width: int, classes: int) -> None:
        super().__init__(trunk, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        said = super().forward(x)
        return said._replace(logits=self.classifier(said.features))


class OpenScorer(nn.Module):
    """Logits of K classes; fake is class K + 1 with its logit fixed at 0, so that score = log sum exp(logits).

    Source: salimans2016improved, section 5.
    """

    def __init__(self, trunk: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.trunk, self.head = trunk, nn.Linear(width, classes)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        features = self.trunk(x)
        logits = self.head(features)
        return Output(logits.logsumexp(1), features=features, logits=logits)


class Informed(nn.Module):
    """A discriminator that reads the label with the sample: as a learned plane of an image, or one-hot beside a vector.

    Source: mirza2014cgan, section 3.2.
    """

    def __init__(self, discriminator: nn.Module, shape: Shape, classes: int) -> None:
        super().__init__()
        self.discriminator, self.shape, self.classes = discriminator, shape, classes
        self.planes = nn.Embedding(classes, math.prod(shape[1:])) if len(shape) == 3 else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        assert labels is not None, "this discriminator reads labels"
        if self.planes is None:
            told = one_hot(labels, self.classes).to(x)
        else:
            told = self.planes(labels).to(x).unflatten(1, (1, *self.shape[1:]))
        said: Output = self.discriminator(torch.cat([x, told], 1))
        return said
