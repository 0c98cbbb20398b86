"""Features are a fixed function of the samples: not of the batch, the number of channels, or anything random."""

import numpy as np
import pytest
import torch

from ganwise.efficientnet import SHA256, WEIGHTS, Convolution, load_efficientnet
from ganwise.features import (
    FEATURE_SCALE,
    RESIZERS,
    Identity,
    ImageFeatures,
    ModuleFeatures,
    as_input,
    extractor_for,
    extractor_named,
)
from ganwise.features.resize import clean, friendly, pytorch, tf1
from ganwise.types import Unusable


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 20, 28, 3), dtype=np.uint8)


def close(a, b):
    return np.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_an_image_has_1280_finite_features_of_the_declared_scale(images):
    features = ImageFeatures()(images)
    assert features.shape == (5, 1280)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert 0 <= features.min()
    assert features.max() <= 6 / FEATURE_SCALE  # ReLU6, averaged


def test_the_same_image_has_the_same_features_in_any_batch(images):
    whole = ImageFeatures()(images)
    assert np.array_equal(whole, ImageFeatures()(images))
    assert close(whole, ImageFeatures(batch=2)(images))
    assert close(whole[3:4], ImageFeatures()(images[3:4]))


def test_gray_is_repeated_into_rgb(images):
    gray = images[..., :1]
    assert close(ImageFeatures()(gray), ImageFeatures()(gray.repeat(3, axis=3)))


def test_extraction_leaves_the_global_random_state_alone(images):
    before = torch.get_rng_state()
    ImageFeatures()(images[:1])
    assert torch.equal(before, torch.get_rng_state())


def test_dtype_and_size_stand_in_the_name_and_both_dtypes_nearly_agree(images):
    fp32, bf16 = ImageFeatures(), ImageFeatures(dtype="bf16")
    assert (fp32.name, bf16.name) == ("efficientnet-lite0@96-fp32", "efficientnet-lite0@96-bf16")
    assert fp32.fingerprint != bf16.fingerprint
    a, b = fp32(images), bf16(images)
    assert 0 < np.linalg.norm(a - b) / np.linalg.norm(a) < 0.2


def test_a_flat_color_is_only_normalized_by_resizing():
    white = torch.full((1, 7, 130, 3), 255, dtype=torch.uint8)
    seen = as_input(white)
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert seen.shape == (1, 3, 96, 96)
    assert torch.allclose(seen, expected[:, None, None].expand(1, 3, 96, 96), atol=1e-5)


def test_shrinking_looks_at_every_pixel():
    lines = torch.zeros((1, 960, 960, 1), dtype=torch.uint8)
    lines[:, ::10] = 255  # plain bilinear sampling at 96 would see black or stripes, never the mean
    gray = as_input(lines)[:, 0, 8:-8] * 0.229 + 0.485
    assert torch.allclose(gray, torch.full_like(gray, 0.1), atol=0.02)


@pytest.mark.parametrize(("size", "stride"), [(9, 1), (9, 2), (8, 2), (12, 2)])
def test_padding_is_tensorflows_same(size, stride):
    convolution = Convolution(torch.ones(1, 1, 3, 3), torch.zeros(1), stride, 1)
    x = torch.arange(float(size * size)).reshape(1, 1, size, size)
    out = convolution(x)
    total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
    padded = np.pad(x[0, 0].numpy(), [(total // 2, total - total // 2)] * 2)
    expected = [
        [padded[i : i + 3, j : j + 3].sum() for j in range(0, padded.shape[1] - 2, stride)]
        for i in range(0, padded.shape[0] - 2, stride)
    ]
    assert out.shape[2:] == (-(-size // stride),) * 2
    assert np.allclose(out[0, 0].numpy(), expected)


def test_batch_normalization_is_folded_exactly():
    from safetensors.torch import load_file

    weights = {name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}
    x = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    plain = torch.nn.functional.conv2d(torch.nn.functional.pad(x, (0, 1, 0, 1)), weights["_conv_stem.weight"], stride=2)
    norm = [weights[f"_bn0.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
    expected = torch.nn.functional.batch_norm(plain, *norm, training=False, eps=1e-3)
    assert torch.allclose(load_efficientnet().stem(x), expected, atol=1e-4)


def test_damaged_weights_are_refused(tmp_path):
    data = bytearray(WEIGHTS.read_bytes())
    data[-1] ^= 1
    damaged = tmp_path / "weights.safetensors"
    damaged.write_bytes(data)
    with pytest.raises(Unusable, match=f"damaged or altered.*{SHA256[:12]}.*reinstall"):
        load_efficientnet(damaged)
    with pytest.raises(Unusable, match="can't be read"):
        load_efficientnet(tmp_path / "nowhere")


@pytest.mark.parametrize("values", [np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8), np.uint8), np.zeros((2, 3, 8, 8), np.uint8)])
def test_what_is_no_array_of_images_is_refused(values):
    with pytest.raises(ValueError, match="uint8 of shape"):
        ImageFeatures()(values)


def test_vectors_are_standardized_by_their_training_part():
    train = np.random.default_rng(0).normal([3, -1, 7], [2, 0.1, 0], (1000, 3)).astype(np.float32)
    extractor = extractor_for("vector", train)
    features = extractor(train)
    assert extractor.name == "standardized"
    assert np.allclose(features.mean(0), 0, atol=1e-4)
    assert np.allclose(features.std(0), [1, 1, 0], atol=1e-4)  # a constant column stays finite
    assert np.allclose(extractor(train[:1] + np.float32(train.std(0))) - features[:1], [[1, 1, 0]], atol=1e-3)
    with pytest.raises(ValueError, match="training part"):
        extractor_for("vector")


def test_identity_is_the_samples_themselves(images):
    vectors = np.random.default_rng(0).normal(size=(4, 3))
    assert np.array_equal(Identity()(vectors), vectors.astype(np.float32))
    assert np.array_equal(Identity()(images), images.reshape(5, -1).astype(np.float32) / 255)


def test_a_module_sees_resized_normalized_images_and_its_output_is_flattened():
    images = np.full((3, 10, 14, 1), 51, np.uint8)
    features = ModuleFeatures(torch.nn.Identity(), "mine", 4, ((0.1, 0.2, 0.3), (0.5, 1.0, 2.0)))(images)
    assert features.dtype == np.float32
    assert np.allclose(features, np.repeat([0.2, 0.0, -0.05], 16), atol=1e-6)
    assert ModuleFeatures(torch.nn.Identity(), "mine", None, ((0,), (1,)))(images).shape == (3, 140)


def test_a_module_sees_vectors_as_they_are_in_any_batch():
    module = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5), torch.nn.Dropout(0.5))
    vectors = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    expected = module.eval()(torch.from_numpy(vectors)).detach().numpy()
    module.train()
    assert np.allclose(ModuleFeatures(module, "mine", batch=2)(vectors), expected, atol=1e-6)
    assert module.training  # the caller's own module is left alone


def test_the_fingerprint_of_a_module_is_of_its_weights_and_settings_at_that_time():
    module = torch.nn.Linear(2, 2)
    extractor = ModuleFeatures(module, "mine")
    before = extractor(np.ones((1, 2)))
    assert ModuleFeatures(module, "mine").fingerprint == extractor.fingerprint
    with torch.no_grad():
        module.weight[0, 0] += 1
    assert np.array_equal(extractor(np.ones((1, 2))), before)
    others = [
        ModuleFeatures(module, "mine"),
        ModuleFeatures(torch.nn.Sequential(module), "mine"),
        ModuleFeatures(module, "other"),
        ModuleFeatures(module, "mine", 8),
        ModuleFeatures(module, "mine", None, ((0.5,), (1.0,))),
    ]
    assert len({extractor.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert len({extractor.name, *(other.name for other in others)}) == 6


def test_a_module_that_does_not_fit_is_refused(images):
    with pytest.raises(Unusable, match="one channel, and the images have 3"):
        ModuleFeatures(torch.nn.Identity(), "mine", 8, ((0.0,), (1.0,)))(images)
    with pytest.raises(Unusable, match="features of 5 samples are"):
        ModuleFeatures(torch.nn.Flatten(0), "mine", 8)(images)
    with pytest.raises(Unusable, match="1 or 3 channels"):
        ModuleFeatures(torch.nn.Identity(), "mine", 8, ((0.0, 0.0), (1.0, 1.0)))


def test_extractors_have_names_on_the_command_line():
    assert extractor_named("efficientnet", "image") is None  # the kind's own
    assert isinstance(extractor_named("identity", "vector"), Identity)
    with pytest.raises(Unusable, match="choose one of efficientnet, inception:PATH, identity"):
        extractor_named("inception", "image")
    with pytest.raises(Unusable, match="Inception sees images"):
        extractor_named("inception:weights.pth", "vector")


def test_every_resizer_gives_a_flat_image_back_in_its_scale():
    white = np.full((1, 20, 32, 3), 255, np.uint8)
    for name, resize in RESIZERS.items():
        x = resize(white)
        assert x.shape == (1, 3, 299, 299)
        top = 127 / 128 if name in ("tf1", "clean") else 1.0
        assert torch.allclose(x, torch.full_like(x, top), atol=1e-5), name


def ramp():
    """Four columns: 0, 64, 128, 192."""
    return np.broadcast_to(np.arange(0, 256, 64, dtype=np.uint8)[:, None], (1, 4, 4, 3)).copy()


def test_resizers_differ_in_where_they_look():
    """From 4 to 8 pixels, by hand: old bilinear reads at i / 2, half-pixel bilinear at (i + 1/2) / 2 - 1/2, cut to the image."""
    old = tf1(ramp(), 8)[0, 0, 0] * 128 + 128
    assert old.tolist() == [0, 32, 64, 96, 128, 160, 192, 192]
    for x in (pytorch(ramp(), 8), friendly(ramp(), 8)):
        half = (x[0, 0, 0] + 1) * 127.5
        assert torch.allclose(half, torch.tensor([0.0, 16, 48, 80, 112, 144, 176, 192]), atol=1e-3)


def test_only_pillows_filters_see_every_pixel_when_they_shrink():
    lines = np.zeros((1, 598, 598, 3), np.uint8)
    lines[:, ::2] = 200
    for resize, expected in ((tf1, 200), (pytorch, 100), (clean, 100), (friendly, 100)):
        x = resize(lines)[0, 0, 20:-20, 20:-20]
        scale = x * 128 + 128 if resize in (tf1, clean) else (x + 1) * 127.5
        assert torch.allclose(scale, torch.full_like(scale, expected), atol=6), resize.__name__
    eighth = np.zeros((1, 2392, 299, 3), np.uint8)
    eighth[:, ::8] = 200  # unfiltered bilinear falls between the lines: black
    assert float(pytorch(eighth)[0, 0].max()) == -1
    assert float(((clean(eighth)[0, 0, 20:-20] * 128 + 128) - 25).abs().max()) < 6


def test_clean_resizing_rounds_nothing_and_stays_in_range():
    edge = np.zeros((1, 16, 16, 3), np.uint8)
    edge[:, 8:] = 255
    x = clean(edge)[0, 0] * 128 + 128
    assert 0 <= float(x.min()) <= float(x.max()) <= 255  # bicubic overshoots: it is cut
    assert float((x - x.round()).abs().max()) > 0.1
