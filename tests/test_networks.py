"""Every architecture makes every shape that it says it takes."""

from __future__ import annotations

import pytest
import torch

from ganwise import catalog
from ganwise.build import ARCHITECTURES, build
from ganwise.catalog import choice
from ganwise.networks.mlp import Maxout
from ganwise.recipe import Recipe
from ganwise.shapes import side_stages, takes
from ganwise.types import Unusable

SHAPES = [(2,), (30,), (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 10, 10), (1, 24, 24), (3, 64, 64)]


def recipe(architecture: str, **options: bool | int | float | str) -> Recipe:
    loss = "boundary-equilibrium" if "autoencoder" in architecture else "non-saturating"
    return Recipe(architecture=choice(architecture, **options), loss=choice(loss))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_pair_makes_samples_of_the_shape_and_scores_of_one_number(architecture: str, shape: tuple[int, ...]) -> None:
    if takes(architecture, shape):
        with pytest.raises(Unusable, match="makes"):
            build(recipe(architecture), shape)
        return
    gan = build(recipe(architecture, width=8), shape)
    z = gan.generator.draw(5, gan.device)
    fake = gan.generator(z)
    assert gan.scaling.view.decode(fake).shape == (5, *shape)
    levels = len(getattr(gan.discriminator, "levels", ())) + 1  # a pyramid scores each of its levels
    assert gan.discriminator(fake).score.shape == (levels * 5,)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_images_stay_within_their_bounds_where_the_catalog_says_so(architecture: str) -> None:
    gan = build(recipe(architecture, width=8), (1, 8, 8))
    for weight in gan.generator.parameters():
        weight.data *= 10
    largest = gan.generator(gan.generator.draw(20, gan.device)).abs().max()
    assert (largest <= 1) == catalog.ARCHITECTURES[architecture].traits["bounded"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_discriminator_does_not_mix_samples_unless_the_catalog_says_so(architecture: str) -> None:
    quiet = {option: 0.0 for option in ("dropout", "input_dropout") if option in catalog.ARCHITECTURES[architecture].options}
    gan = build(recipe(architecture, width=8, **quiet), (1, 28, 28))
    x = gan.scaling.view.encode(torch.randn(6, 1, 28, 28))
    together = gan.discriminator(x).score.reshape(-1, 6)
    alone = torch.cat([gan.discriminator(x[i : i + 1]).score.reshape(-1, 1) for i in range(6)], 1)
    mixes = not torch.allclose(together, alone, atol=1e-5)
    assert mixes == catalog.ARCHITECTURES[architecture].traits["mixes_samples"]


def test_batch_normalization_in_the_discriminator_is_scored_apart() -> None:
    assert not build(catalog.named("dcgan"), (1, 28, 28)).together
    assert build(catalog.named("wgan-gp"), (1, 28, 28)).together


def test_sides_are_four_to_seven_times_a_power_of_two() -> None:
    assert [s for s in range(1, 66) if side_stages(s)] == [8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64]
    assert side_stages(28) == (7, 2)
    assert side_stages(128) == (4, 5)


def test_maxout_is_the_largest_of_its_pieces() -> None:
    layer = Maxout(4, 3, 5)
    x = torch.randn(2, 4)
    pieces = torch.stack([x @ layer.linear.weight[i : i + 3].T + layer.linear.bias[i : i + 3] for i in range(0, 15, 3)])
    torch.testing.assert_close(layer(x), pieces.amax(0))


def test_a_prior_is_normal_or_uniform() -> None:
    normal = build(recipe("mlp", prior="normal"), (2,)).generator.draw(4000, torch.device("cpu"))
    uniform = build(recipe("mlp", prior="uniform"), (2,)).generator.draw(4000, torch.device("cpu"))
    assert normal.std().item() == pytest.approx(1, abs=0.05)
    assert uniform.abs().max() <= 1
    assert uniform.std().item() == pytest.approx(3**-0.5, abs=0.02)


def test_the_score_of_an_autoencoder_is_its_mean_reconstruction_error() -> None:
    gan = build(recipe("autoencoder", width=4), (1, 8, 8))
    x = torch.randn(3, 1, 8, 8)
    network = gan.discriminator
    rebuilt = network.decoder(network.encoder(x))
    torch.testing.assert_close(network(x).score, (x - rebuilt).abs().mean((1, 2, 3)))
