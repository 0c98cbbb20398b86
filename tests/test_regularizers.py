"""Each regularizer against its authors' formula on networks whose slopes are known, in float64; rules and traits of its row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganwise import catalog
from ganwise.build import NOISES, PENALTIES, PROJECTIONS, TRANSFORMS, build
from ganwise.catalog import REGULARIZERS, choice
from ganwise.consistency import balanced_consistency, consistency, disturb, latent_consistency
from ganwise.data import load
from ganwise.losses import non_saturating
from ganwise.networks import Generator, Labels, energy_autoencoder, stylegan2
from ganwise.networks.labels import Stack
from ganwise.objective import Objective, Output, Part, Pass
from ganwise.recipe import Recipe
from ganwise.regularizers import (
    LeCam,
    PathLength,
    dragan,
    dropout,
    gradient_penalty,
    label_smoothing,
    last_layer,
    orthogonal,
    pulling_away,
    r1,
    r2,
    slope,
    spectral_normalization,
    svm_weight,
    weight_clipping,
    weighted,
)
from ganwise.testing import check_regularizer
from ganwise.train import train
from ganwise.types import Shape, Unusable

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def seen(score: nn.Module, real: Tensor, fake: Tensor, step: int = 0, **fields: Any) -> Pass:
    def look(x: Tensor) -> Output:
        return Output(score(x).flatten())

    return Pass(step, nn.Identity(), look, real, fake, fake, None, look(real), look(fake), score)._replace(**fields)


class Quadratic(nn.Module):
    """score(x) = x A x / 2, whose slope at x is (A + A') x / 2."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.matrix * x).sum(1) / 2


MATRIX = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]], dtype=torch.float64)
SLOPE = (MATRIX + MATRIX.T) / 2


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(16, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    return real, fake + 1


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(6, 2, 8, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    return real, fake


# slopes of the discriminator


def test_the_slope_of_a_linear_score_is_its_weight(batch: tuple[Tensor, Tensor]) -> None:
    linear = nn.Linear(3, 1).double()
    torch.testing.assert_close(slope(seen(linear, *batch), batch[0]), linear.weight.expand(16, 3))


@pytest.mark.parametrize(("penalty", "side"), [(r1, 0), (r2, 1)])
def test_r1_and_r2_are_half_gamma_times_the_mean_squared_slope_at_real_samples_and_at_fakes(
    penalty: Callable[..., Objective], side: int, batch: tuple[Tensor, Tensor]
) -> None:
    expected = 0.7 / 2 * (batch[side] @ SLOPE).square().sum(1).mean()
    torch.testing.assert_close(penalty(0.7).discriminator(seen(Quadratic(MATRIX), *batch)), expected, **EXACT)


def test_the_constant_of_code_without_the_half_is_half_of_ours(batch: tuple[Tensor, Tensor]) -> None:
    theirs = 10 * (batch[0] @ SLOPE).square().sum(1).mean()  # reg_param 10 of GAN_stability
    torch.testing.assert_close(r1(20.0).discriminator(seen(Quadratic(MATRIX), *batch)), theirs, **EXACT)


def test_the_gradient_penalty_is_that_of_wgan_gp_between_real_and_fake(batch: tuple[Tensor, Tensor]) -> None:
    for center in (0.0, 1.0):
        torch.manual_seed(3)
        found = gradient_penalty(10.0, center).discriminator(seen(Quadratic(MATRIX), *batch))
        torch.manual_seed(3)
        share = torch.rand(16, 1, dtype=torch.float64)
        between = share * batch[0] + (1 - share) * batch[1]
        expected = 10 * (((between @ SLOPE).square().sum(1).sqrt() - center) ** 2).mean()
        torch.testing.assert_close(found, expected, **EXACT)


def test_dragan_is_its_authors_code_around_real_samples(batch: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(3)
    found = dragan().discriminator(seen(Quadratic(MATRIX), *batch))
    torch.manual_seed(3)
    x = batch[0].numpy()
    around = torch.tensor(x + 0.5 * x.std() * torch.rand(16, 3, dtype=torch.float64).numpy())
    expected = 10 * (((around @ SLOPE).square().sum(1).sqrt() - 1) ** 2).mean()
    torch.testing.assert_close(found, expected, **EXACT)


def test_the_gradient_penalty_looks_between_real_and_fake() -> None:
    inside: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            inside.append(x.detach())
            return x.sum(1)

    gradient_penalty().discriminator(seen(Spy(), torch.zeros(64, 2), torch.ones(64, 2)))
    between = inside[-1]
    assert torch.equal(between[:, 0], between[:, 1]), "one share for a sample, not one for each coordinate"
    assert 0 < between.min() < between.max() < 1


def test_a_penalty_on_a_flat_discriminator_has_a_finite_gradient(batch: tuple[Tensor, Tensor]) -> None:
    flat = nn.Linear(3, 1).double()
    nn.init.zeros_(flat.weight)
    for objective in (gradient_penalty(), dragan(), r1(1.0), r2(1.0)):
        (gradient,) = torch.autograd.grad(objective.discriminator(seen(flat, *batch)), flat.weight)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("penalty", [r1(1.0), r2(1.0), dragan(), gradient_penalty()])
def test_a_penalty_is_float32_inside_a_bfloat16_run(penalty: Objective) -> None:
    network, x = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)), torch.randn(16, 3)
    torch.manual_seed(0)
    outside = penalty.discriminator(seen(network, x, x + 1))
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(penalty.discriminator(seen(network, x, x + 1)), outside)


def test_a_ramp_and_laziness_multiply_a_penalty(batch: tuple[Tensor, Tensor]) -> None:
    d, ramped = Quadratic(MATRIX), r2("2 -> 1 linear 100", every=10)
    one = r2(1.0).discriminator(seen(d, *batch))
    for step, factor in ((0, 20.0), (5, 0.0), (50, 15.0), (1000, 10.0)):
        found = ramped.discriminator(seen(d, *batch, step=step))
        torch.testing.assert_close(found, factor * one, check_dtype=False)


# weights


def test_orthogonal_sums_squared_products_of_different_rows_of_each_weight() -> None:
    network = nn.Sequential(nn.Conv2d(2, 5, 3), nn.Flatten(), nn.Linear(5, 3), nn.Linear(3, 8)).double()
    p = seen(nn.Identity(), torch.zeros(2, 1), torch.zeros(2, 1), discriminator=network, generator=network)
    expected = torch.zeros((), dtype=torch.float64)
    for weight in (network[0].weight.reshape(5, 18), network[2].weight, network[3].weight):
        for i, a in enumerate(weight):
            for j, b in enumerate(weight):
                expected = expected + (a @ b) ** 2 * (i != j)
    torch.testing.assert_close(orthogonal(0.3).discriminator(p), 0.3 * expected, **EXACT)
    torch.testing.assert_close(orthogonal(0.3, player="generator").generator(p), 0.3 * expected, **EXACT)
    assert orthogonal(0.3).generator(p) == orthogonal(0.3, player="generator").discriminator(p) == 0
    with pytest.raises(ValueError, match="discriminator or generator"):
        orthogonal(player="both")


def test_a_transposed_convolution_has_one_row_for_each_of_its_outputs() -> None:
    layer = nn.ConvTranspose2d(6, 2, 3).double()
    p = seen(nn.Identity(), torch.zeros(2, 1), torch.zeros(2, 1), generator=layer)
    first, second = layer.weight[:, 0].flatten(), layer.weight[:, 1].flatten()
    torch.testing.assert_close(orthogonal(1.0, player="generator").generator(p), 2 * (first @ second) ** 2, **EXACT)


def test_the_scales_and_shifts_of_classes_are_left_out_and_embeddings_that_act_on_features_are_not() -> None:
    told = Recipe(architecture=choice("dcgan", width=8, latent=8), loss=choice("hinge"), conditioning=choice("projection"))
    gan = build(told, (1, 8, 8), classes=3)
    kinds = [{type(layer) for layer, _ in weighted(network)} for network in (gan.generator, gan.discriminator)]
    assert any(isinstance(layer, nn.Embedding) for layer in gan.generator.modules())
    assert nn.Embedding not in kinds[0]
    assert nn.Embedding in kinds[1]
    for network in (gan.generator, gan.discriminator):
        assert all(rows.dim() == 2 and rows.numel() == layer.weight.numel() for layer, rows in weighted(network))


def test_orthogonal_reads_equalized_weights_as_they_act() -> None:
    discriminator = stylegan2((1, 8, 8), latent=8, width=8).discriminator
    x = torch.randn(4, 1, 8, 8)
    p = Pass(0, nn.Identity(), discriminator, x, x, x, None, None, discriminator(x), discriminator)
    layers = [layer for layer in discriminator.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    products = [layer.weight.flatten(1) @ layer.weight.flatten(1).T for layer in layers]
    expected = sum(m.square().sum() - m.diagonal().square().sum() for m in products)
    torch.testing.assert_close(orthogonal(1.0).discriminator(p), expected)


def test_the_svm_weight_makes_the_hinge_loss_a_machines_cost_divided_by_cost_and_samples(batch: tuple[Tensor, Tensor]) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1), nn.Linear(1, 2)).double()
    assert last_layer(network) is network[2]
    p = seen(network[:3], *batch, discriminator=network)
    hinges = torch.relu(1 - p.r).sum() + torch.relu(1 + p.f).sum()
    machine = network[2].weight.square().sum() / 2 + 0.5 * hinges
    ours = torch.relu(1 - p.r).mean() + torch.relu(1 + p.f).mean() + svm_weight(0.5).discriminator(p)
    torch.testing.assert_close(ours * 0.5 * 16, machine, **EXACT)


def test_clipping_bounds_every_weight_and_leaves_small_ones() -> None:
    network = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 1))
    before = [w.clone() for w in network.parameters()]
    weight_clipping(0.1)(network)
    for old, new in zip(before, network.parameters(), strict=True):
        torch.testing.assert_close(new, old.clamp(-0.1, 0.1))


def test_spectral_normalization_makes_the_largest_singular_value_one() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 1))
    with torch.no_grad():
        network[0].weight.mul_(7)
    spectral_normalization(network)
    for _ in range(500):
        network(torch.randn(4, 12))
    for layer in (network[0], network[2]):
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, rel=1e-3)


def test_spectral_normalization_reaches_every_layer_that_has_a_weight() -> None:
    recipe = Recipe(
        architecture=choice("stylegan2", width=8, latent=8),
        loss=choice("non-saturating"),
        regularizers=(choice("spectral-norm"),),
        conditioning=choice("projection"),
    )
    gan = build(recipe, (1, 8, 8), classes=3)
    x, y = torch.rand(3, 1, 8, 8), torch.arange(3)
    for _ in range(60):
        gan.discriminator(x, y)
    weights = [
        m.weight for m in gan.discriminator.modules() if isinstance(getattr(m, "weight", None), Tensor) and m.weight.dim() > 1
    ]
    assert {w.dim() for w in weights} == {2, 4}
    assert any(len(w) == 3 and w.dim() == 2 for w in weights), "the classes' embedding too"
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, rel=2e-2)


@pytest.mark.parametrize("architecture", ["mlp", "dcgan", "resnet", "r3gan", "stylegan2", "energy-autoencoder"])
def test_dropout_follows_each_activation_of_the_discriminator(architecture: str) -> None:
    loss = "energy-margin" if architecture == "energy-autoencoder" else "non-saturating"
    recipe = Recipe(architecture=choice(architecture, width=8), loss=choice(loss))
    plain = build(recipe, (1, 8, 8))
    gan = build(recipe.model_copy(update={"regularizers": (choice("dropout", rate=0.75),)}), (1, 8, 8))
    kinds = (nn.LeakyReLU, nn.ReLU, nn.ELU)
    activations = sum(isinstance(m, kinds) or type(m).__name__ == "Rectify" for m in plain.discriminator.modules())
    added = [m for m in gan.discriminator.modules() if isinstance(m, nn.Dropout)]
    assert len(added) == activations > 0
    assert all(m.p == 0.75 for m in added)
    assert not any(isinstance(m, nn.Dropout) for m in gan.generator.modules())
    assert plain.discriminator.state_dict().keys() == gan.discriminator.state_dict().keys()


def test_dropout_drops_its_share_of_maxout_units() -> None:
    gan = build(Recipe(architecture=choice("mlp", pieces=3, width=500, depth=1), loss=choice("hinge")), (2,))
    dropout(gan.discriminator, 0.2)
    features = gan.discriminator(torch.randn(40, 2)).features
    assert (features == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


# scores and codes


def test_label_smoothing_makes_the_log_loss_that_of_a_softer_label(batch: tuple[Tensor, Tensor]) -> None:
    p = seen(Quadratic(MATRIX), *batch)
    ours = non_saturating().discriminator(p) + label_smoothing(0.9).discriminator(p)
    smooth = (0.9 * softplus(-p.r) + 0.1 * softplus(p.r)).mean() + softplus(p.f).mean()
    torch.testing.assert_close(ours, smooth, **EXACT)


@pytest.mark.parametrize("sign", [1, -1])
def test_lecam_follows_its_equations_on_recorded_scores(sign: int) -> None:
    part, real, fake = LeCam(weight=0.3, decay=0.9, start=2).double(), 0.0, 0.0
    generator = torch.Generator().manual_seed(0)
    for step in range(6):
        r, f = (torch.randn(8, generator=generator, dtype=torch.float64) for _ in range(2))
        p = Pass(step, nn.Identity(), Output, r, f, f, None, Output(sign * r), Output(sign * f), sign=sign)
        term = 0.3 * (torch.relu(r - fake).square().mean() + torch.relu(real - f).square().mean())
        torch.testing.assert_close(part.discriminator(p).double(), term * (step >= 2), **EXACT)
        part.update(p, p, {})
        decay = 0.9 if step >= 2 else 0.0
        real, fake = decay * real + (1 - decay) * r.mean(), decay * fake + (1 - decay) * f.mean()


def test_pulling_away_is_the_mean_squared_cosine_of_different_codes(batch: tuple[Tensor, Tensor]) -> None:
    code = batch[0]
    p = seen(Quadratic(MATRIX), *batch)
    p = p._replace(fake_out=p.fake_out._replace(code=code))
    pairs = [(i, j) for i in range(16) for j in range(16) if i != j]
    cosines = torch.stack([code[i] @ code[j] / code[i].norm() / code[j].norm() for i, j in pairs])
    torch.testing.assert_close(pulling_away(0.1).generator(p), 0.1 * cosines.square().sum() / (16 * 15), **EXACT)


# consistency


class Bumpy(nn.Module):
    """A score that neither mirroring nor moving leaves as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(5), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x).sin().sum((1, 2, 3))


def test_consistency_is_the_mean_squared_change_of_the_score_by_moving(images: tuple[Tensor, Tensor]) -> None:
    d = Bumpy()
    p = seen(d, *images)
    torch.manual_seed(1)
    drifts = [((d(x) - d(disturb(x))) ** 2).mean() for x in images]
    for objective, expected in (
        (consistency(10.0), 10 * drifts[0]),
        (balanced_consistency(10.0, 7.0), 10 * drifts[0] + 7 * drifts[1]),
    ):
        torch.manual_seed(1)
        torch.testing.assert_close(objective.discriminator(p), expected, **EXACT)
    assert drifts[0] > 0


def test_an_image_is_mirrored_in_half_of_the_cases_and_moved_by_up_to_an_eighth() -> None:
    image = torch.arange(3 * 16 * 16).view(1, 3, 16, 16).float()
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2), "reflect")
    known = {}
    for down in range(5):
        for across in range(5):
            moved = padded[0, :, down : down + 16, across : across + 16]
            known[moved.numpy().tobytes()] = (down, across, False)
    mirrored = torch.nn.functional.pad(image.flip(3), (2, 2, 2, 2), "reflect")
    for down in range(5):
        for across in range(5):
            known[mirrored[0, :, down : down + 16, across : across + 16].contiguous().numpy().tobytes()] = (down, across, True)
    torch.manual_seed(0)
    found = [known[x.contiguous().numpy().tobytes()] for x in disturb(image.expand(2000, -1, -1, -1))]
    assert set(found) == set(known.values())
    assert sum(flipped for _, _, flipped in found) / 2000 == pytest.approx(0.5, abs=0.04)


def test_latent_consistency_attracts_scores_and_parts_samples(batch: tuple[Tensor, Tensor]) -> None:
    d, g = Quadratic(MATRIX), Generator(Stack(nn.Linear(3, 3)), 3, "normal").double()
    z = batch[1]
    p = seen(d, batch[0], g(z), generator=g, z=z)
    objective = latent_consistency(20.0, 0.5, sigma=0.05)
    torch.manual_seed(4)
    beside = g(z + 0.05 * torch.randn(16, 3, dtype=torch.float64))
    expected = 20 * ((d(g(z)) - d(beside)) ** 2).mean()
    torch.manual_seed(4)
    torch.testing.assert_close(objective.discriminator(p), expected, **EXACT)
    torch.manual_seed(4)
    torch.testing.assert_close(objective.generator(p), -0.5 * ((g(z) - beside) ** 2).mean(), **EXACT)


# slopes of the generator


class Painter(nn.Module):
    """Styles (B, layers, 3) to images (B, 1, 4, 4), linear in each layer's style."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.matrices = nn.Parameter(torch.randn(layers, 3, 16, generator=generator, dtype=torch.float64))

    def forward(self, styles: Tensor, labels: Tensor | None = None) -> Tensor:
        return torch.einsum("bld,ldp->bp", styles, self.matrices).view(-1, 1, 4, 4)


class Spread(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.linear, self.layers = nn.Linear(3, 3).double(), layers

    def forward(self, z: Tensor) -> Tensor:
        return self.linear(z)[:, None].expand(-1, self.layers, -1)


@pytest.mark.parametrize("layers", [1, 4])
def test_the_path_length_penalty_is_stylegan2s_on_a_linear_synthesis(layers: int, batch: tuple[Tensor, Tensor]) -> None:
    painter = Painter(layers)
    g = Generator(painter, 3, "normal", mapping=Spread(layers))
    part, average = PathLength(weight=2.0, every=4, decay=0.99).double(), 0.0
    for step in (0, 1, 4, 8):
        p = seen(Quadratic(MATRIX), *batch, step=step, generator=g, z=batch[0])
        torch.manual_seed(step)
        found = part.generator(p)
        if step == 1:
            assert found == 0
            continue
        torch.manual_seed(step)
        y = torch.randn(8, 1, 4, 4, dtype=torch.float64).view(8, 16) / 4
        # sum over a style's numbers, mean over layers, as pl_lengths of the authors' code
        lengths = torch.einsum("bp,ldp->bld", y, painter.matrices).square().sum(2).mean(1).sqrt()
        average = 0.99 * average + 0.01 * lengths.mean()
        torch.testing.assert_close(found, 4 * 2 * ((lengths - average) ** 2).mean(), **EXACT)
        assert part.length != average, "a forward pass changes nothing"
        part.update(p, p, {})
        torch.testing.assert_close(part.length, average.detach(), **EXACT)


# all of them


def differentiable(name: str) -> tuple[Objective | Part, Callable[[], Pass], nn.Module]:
    """A penalty in float64, a pass that can be made again, and the player whose weights it moves."""
    torch.manual_seed(0)
    d = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 16, 2), nn.Tanh(), nn.Linear(2, 1)
    ).double()
    mapping = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Unflatten(1, (1, 3))).double()
    synthesis = nn.Sequential(nn.Flatten(), nn.Linear(3, 16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4))).double()
    g = Generator(Stack(*synthesis), 3, "normal", mapping=mapping)
    real, z = torch.randn(6, 1, 4, 4, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    options = {**REGULARIZERS[name].options, **({"start": 0} if name == "lecam" else {})}
    penalty = PENALTIES[name](**options)

    def made() -> Pass:
        def look(x: Tensor) -> Output:
            return Output(d(x).flatten(), code=d[:3](x)[:, :5])

        fake = g(z)
        return Pass(0, g, look, real, fake, z, None, look(real), look(fake), d)

    player = g if REGULARIZERS[name].traits["player"] == "generator" else d
    return penalty, made, player


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penaltys_gradient_is_that_of_finite_differences(name: str) -> None:
    penalty, made, player = differentiable(name)
    term = penalty.generator if REGULARIZERS[name].traits["player"] == "generator" else penalty.discriminator

    def value() -> Tensor:
        torch.manual_seed(1)
        return term(made()).double()

    weights = list(player.parameters())
    gradients = torch.autograd.grad(value(), weights, allow_unused=True)
    direction = [torch.randn_like(w) for w in weights]
    along = sum((g * v).sum() for g, v in zip(gradients, direction, strict=True) if g is not None)
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            for w, v in zip(weights, direction, strict=True):
                w += sign * 1e-5 * v
        ends.append(value().item())
        with torch.no_grad():
            for w, v in zip(weights, direction, strict=True):
                w -= sign * 1e-5 * v
    assert along.item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)
    assert along != 0


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_has_the_traits_that_the_catalog_declares(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    penalty, made, _ = differentiable(name)
    slopes: list[str] = []
    gradient = torch.autograd.grad

    def spy(outputs: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        slopes.append("sample" if isinstance(inputs, Tensor) and inputs.shape == p.real.shape else "style")
        return gradient(outputs, inputs, *rest, **more)

    monkeypatch.setattr(torch.autograd, "grad", spy)
    p = made()
    acts = {player for player in ("discriminator", "generator") if getattr(penalty, player)(p).detach() != 0}
    traits = REGULARIZERS[name].traits
    assert traits["player"] == ("both" if len(acts) == 2 else acts.pop())
    assert traits["double_backward"] == bool(slopes)
    assert traits["per_sample"] == ("sample" in slopes)
    assert traits["slot"] == "objective"


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_passes_the_conformance_suite(name: str) -> None:
    at_once = {option: value for option, value in (("start", 0), ("every", 1)) if option in REGULARIZERS[name].options}
    made = {"path-length": partial(stylegan2, latent=8), "pulling-away": energy_autoencoder}.get(name)
    networks = made((1, 8, 8), width=8) if made else None
    check_regularizer(PENALTIES[name](**{**REGULARIZERS[name].options, **at_once}), networks=networks)


def fitting(name: str) -> Recipe:
    """The smallest recipe that a regularizer fits."""
    needs = {f.axis: f.names[0] for f in REGULARIZERS[name].fits if f.only}
    loss = needs.get("loss", "hinge")
    architecture = needs.get("architecture", "mlp")
    if architecture == "autoencoder":
        architecture, loss = "energy-autoencoder", "energy-margin"
    return Recipe(architecture=choice(architecture, width=8), loss=choice(loss), regularizers=(choice(name),))


@pytest.mark.parametrize(("source", "shape"), [("digits", (1, 8, 8)), ("ring", (2,))])
@pytest.mark.parametrize("name", REGULARIZERS)
def test_every_regularizer_trains_on_images_and_on_vectors_if_the_catalog_says_so(name: str, source: str, shape: Shape) -> None:
    recipe, vectors = fitting(name), REGULARIZERS[name].traits["vectors"]
    if len(shape) == 1 and not vectors:
        with pytest.raises(Unusable, match="vectors of 2 numbers"):
            build(recipe, shape)
        return
    records = list(train(build(recipe, shape), load(source), steps=5, every=1))
    assert all(torch.tensor(list(record.signals.values())).isfinite().all() for record in records)


def test_the_rows_are_where_their_slot_says() -> None:
    slots = {"objective": PENALTIES, "projection": PROJECTIONS, "transform": TRANSFORMS, "noise": NOISES}
    assert {name: slot for slot, rows in slots.items() for name in rows} == {n: e.traits["slot"] for n, e in REGULARIZERS.items()}


def test_slopes_at_samples_and_batch_statistics_in_the_discriminator_exclude_each_other() -> None:
    for name, entry in REGULARIZERS.items():
        norm = {"width": 8, "discriminator_norm": "batch"}
        recipe = Recipe(architecture=choice("dcgan", **norm), loss=fitting(name).loss, regularizers=(choice(name),))
        if entry.traits["per_sample"]:
            with pytest.raises(Unusable, match="which batch statistics mix"):
                catalog.check(recipe)


def test_a_conditional_discriminator_is_penalized_with_its_labels() -> None:
    names = ("r1", "r2", "gradient-penalty", "dragan", "consistency", "latent-consistency")
    recipe = Recipe(
        architecture=choice("mlp", width=8),
        loss=choice("hinge"),
        regularizers=tuple(choice(name) for name in names),
        conditioning=choice("projection"),
    )
    digits = load("digits")
    gan = build(recipe, digits.shape, classes=len(digits.classes))
    assert gan.generator.labels == Labels(10, "input", "projection")
    assert list(train(gan, digits, steps=2))[-1].signals["loss_d"] > 0
