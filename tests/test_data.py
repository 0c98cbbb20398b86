"""Loading: every format ends as one array of bytes or floats, and bad input as one clear line."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import textwrap
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganwise.audit import audit, audit_source
from ganwise.data import Dataset, cache_folder, fingerprint, load, located, nearest_side, open_saved, save, toy_modes, valid_side
from ganwise.data.dataset import content_hash
from ganwise.types import Unusable

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANWISE_CACHE", str(tmp_path / "cache"))


def noise(n: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def folder_of(where: Path, arrays: np.ndarray, suffix: str = "png", **options: object) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(where / f"{i:04d}.{suffix}", **options)
    return where


def refusal(source: object, **options: object) -> str:
    with pytest.raises(Unusable) as caught:
        load(source, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


# --- built-in data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "n", "shape"), [("digits", 1797, (1, 8, 8)), ("mnist-10k", 10_000, (1, 28, 28))])
def test_built_in_digits_are_real_images_of_ten_classes(name: str, n: int, shape: tuple[int, ...]) -> None:
    data = load(name)
    assert (len(data), data.shape, data.kind, data.name) == (n, shape, "image", name)
    assert data.values.dtype == np.uint8
    assert data.values.flags.c_contiguous
    assert data.classes == tuple("0123456789")
    # a nearest class mean reads most of them, so labels belong to images
    images, labels = data.part("train").reshape(-1, np.prod(shape)).astype(float), data.labels[data.split.train]
    means = np.stack([images[labels == c].mean(0) for c in range(10)])
    test = data.part("test").reshape(-1, np.prod(shape)).astype(float)
    guess = ((test[:, None] - means) ** 2).sum(2).argmin(1)
    assert (guess == data.labels[data.split.test]).mean() > 0.75


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_toy_mixtures_lie_at_their_modes(name: str, modes: int) -> None:
    data, (centers, sd) = load(name), toy_modes(name)
    assert (data.kind, data.shape, data.values.dtype, len(centers)) == ("vector", (2,), np.float32, modes)
    offsets = np.asarray(data.values) - centers[data.labels]
    assert offsets.std() == pytest.approx(sd, rel=0.02)
    assert np.bincount(data.labels).tolist() == [10_000 // modes] * modes


def test_the_spiral_has_no_modes_and_no_labels() -> None:
    data = load("spiral")
    assert (len(data), data.classes, set(data.labels)) == (10_000, (), {-1})
    with pytest.raises(Unusable, match="ring and grid"):
        toy_modes("spiral")


def test_neither_loading_nor_auditing_imports_torch() -> None:
    code = "import sys; from ganwise.audit import audit_source; audit_source('digits'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- sides ------------------------------------------------------------------------------------------------------------


def test_valid_sides_are_four_to_seven_doubled() -> None:
    expected = sorted(b * 2**k for b in (4, 5, 6, 7) for k in range(1, 9))
    assert [side for side in range(1, expected[-1] + 1) if valid_side(side)] == expected
    assert [nearest_side(side) for side in (1, 8, 9, 30, 31, 63, 64, 100)] == [8, 8, 8, 28, 28, 56, 64, 96]


def test_a_size_that_no_generator_has_is_refused_with_its_neighbors(tmp_path: Path) -> None:
    assert "use 28 or 32" in refusal(folder_of(tmp_path / "a", noise(70, 32, 32, 3)), size=30)


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_pngs_arrives_unchanged(tmp_path: Path) -> None:
    images = noise(70, 16, 16, 3)
    data = load(folder_of(tmp_path / "photos", images))
    assert (data.name, data.shape, data.classes, data.troubles) == ("photos", (3, 16, 16), (), ())
    assert np.array_equal(data.values, images)


def test_grey_images_of_any_depth_have_one_channel(tmp_path: Path) -> None:
    grey = noise(70, 16, 16)
    folder = folder_of(tmp_path / "grey", grey[:64])
    for i, array in enumerate(grey[64:]):
        Image.fromarray(array.astype(np.uint16) * 257).save(folder / f"z{i}.png")
    data = load(folder)
    assert data.shape == (1, 16, 16)
    assert np.array_equal(data.values[..., 0], grey)


def test_grey_images_stored_as_color_keep_one_channel(tmp_path: Path) -> None:
    grey = noise(70, 16, 16)
    data = load(folder_of(tmp_path / "a", np.repeat(grey[..., None], 3, 3)))
    assert np.array_equal(data.values[..., 0], grey)
    assert any("one channel was kept" in trouble.what for trouble in data.troubles)


def test_transparency_is_laid_on_white_and_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16, 3))
    Image.new("RGBA", (16, 16), (255, 0, 0, 0)).save(folder / "aa_clear.png")
    palette = Image.new("P", (16, 16), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.save(folder / "ab_palette.png")
    palette.save(folder / "ac_palette_clear.png", transparency=1)
    data = load(folder)
    first = [data.values[70 + i, 0, 0].tolist() for i in range(3)]
    assert first == [[255, 255, 255], [0, 0, 255], [255, 255, 255]]
    assert any("2 images have transparency" in trouble.what for trouble in data.troubles)


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16, 3))
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8, :8] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the top left corner belongs to the top right
    Image.fromarray(pixels).save(folder / "zz.jpg", quality=95, exif=exif)
    upright = load(folder).values[-1].astype(int)
    assert upright[3, 12, 0] > 200
    assert upright[3, 3, 0] < 60


def test_cmyk_jpeg_bitmap_and_animation_are_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16, 3))
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    red.convert("CMYK").save(folder / "za.jpg", quality=95)
    Image.new("1", (16, 16), 1).save(folder / "zb.png")
    red.save(folder / "zc.gif", save_all=True, append_images=[Image.new("RGB", (16, 16), (0, 0, 255))])
    values = load(folder).values[-3:].astype(int)
    assert abs(values[0, 8, 8] - [255, 0, 0]).max() < 12
    assert values[1].min() == 255
    assert values[2, 8, 8].tolist() == [255, 0, 0]


def test_mixed_sizes_become_the_median_size_center_cropped(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(60, 32, 32, 3))
    wide = np.zeros((20, 40, 96, 3), np.uint8)
    wide[:, :, 28:68] = 200
    folder_of(folder / "wide", wide)
    data = load(folder)
    assert data.shape == (3, 32, 32)
    assert (data.seen["mixed_sizes"], data.seen["side_min"], data.seen["side_max"]) == (True, 32, 96)
    # the filter looks a little over the edge of the crop
    assert (np.asarray(data.values)[:, 4:-4, 4:-4] == 200).all((1, 2, 3)).sum() == 20
    assert any("20 images are not square" in trouble.what for trouble in data.troubles)


def test_large_images_shrink_to_64_with_antialiasing_and_a_hint(tmp_path: Path) -> None:
    stripes = np.zeros((70, 200, 200), np.uint8)
    stripes[:, :, ::2] = 255
    data = load(folder_of(tmp_path / "a", stripes))
    assert data.shape == (1, 64, 64)
    # without antialiasing the stripes would turn into full black and full white
    assert abs(data.values[0, 8:-8, 8:-8].astype(int) - 127).max() < 32
    assert any("--size" in trouble.fix for trouble in data.troubles)
    assert load(tmp_path / "a", size=128).shape == (1, 128, 128)


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    for name in ("dog", "cat"):
        folder_of(tmp_path / "pets" / name, noise(40, 16, 16, 3))
    data = load(tmp_path / "pets")
    assert data.classes == ("cat", "dog")
    assert np.bincount(data.labels).tolist() == [40, 40]


def stray(data: Dataset) -> list[str]:
    return [trouble.what for trouble in data.troubles if trouble.severity == "warning"]


def test_a_picture_beside_the_class_folders_has_no_label_and_is_told(tmp_path: Path) -> None:
    for name in ("dog", "cat"):
        folder_of(tmp_path / "pets" / name, noise(40, 16, 16, 3))
    folder_of(tmp_path / "pets", noise(2, 16, 16, 3))
    data = load(tmp_path / "pets")
    assert data.classes == ("cat", "dog")
    assert [int((data.labels == label).sum()) for label in (-1, 0, 1)] == [2, 40, 40]
    assert stray(data) == ["2 images lie outside of the class folders: 2 have no label"]
    (tmp_path / "wrapped").mkdir()
    (tmp_path / "pets").rename(tmp_path / "wrapped" / "pets")
    assert load(tmp_path / "wrapped").classes == ("cat", "dog")


def test_a_picture_beside_the_folders_of_a_split_is_left_out_and_told(tmp_path: Path) -> None:
    for part, n in (("train", 40), ("test", 30)):
        for name in ("dog", "cat"):
            folder_of(tmp_path / "pets" / part / name, noise(n, 16, 16, 3))
    whole = load(tmp_path / "pets")
    folder_of(tmp_path / "pets", noise(1, 16, 16, 3))
    data = load(tmp_path / "pets")
    assert stray(data) == ["1 images lie outside of the class folders: 1 were skipped"]
    assert data.content == whole.content
    assert not any("grey" in trouble.what for trouble in data.troubles), "colors stay colors"
    folder_of(tmp_path / "pets" / "train", noise(1, 16, 16, 3))
    data = load(tmp_path / "pets")
    assert (data.classes, len(data.split.test), (data.labels < 0).sum()) == (("cat", "dog"), 60, 1)
    assert stray(data) == ["2 images lie outside of the class folders: 1 were skipped and 1 have no label"]


def test_pictures_of_which_most_lie_in_no_folder_have_no_classes(tmp_path: Path) -> None:
    folder_of(tmp_path / "a", noise(50, 16, 16, 3))
    for name in ("old", "new"):
        folder_of(tmp_path / "a" / name, noise(20, 16, 16, 3))
    data = load(tmp_path / "a")
    assert (data.classes, stray(data)) == ((), [])


def test_hidden_files_and_resource_forks_are_ignored(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16))
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "a.png").write_bytes(b"x")
    (folder / "notes.txt").write_text("hello")
    data = load(folder, strict=True)
    assert (len(data), data.seen["files_ignored"], data.seen["corrupt_files"]) == (70, 1, 0)


def broken_folder(tmp_path: Path) -> Path:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16, 3))
    whole = (folder / "0003.png").read_bytes()
    (folder / "0003.png").write_bytes(whole[: len(whole) // 2])
    (folder / "0005.png").write_bytes(b"")
    (folder / "0007.png").write_text("not an image at all")
    return folder


def test_corrupt_files_are_skipped_named_and_counted(tmp_path: Path) -> None:
    data = load(broken_folder(tmp_path))
    assert (len(data), data.seen["corrupt_files"]) == (67, 3)
    named = " ".join(trouble.where for trouble in data.troubles if trouble.severity == "warning")
    assert all(name in named for name in ("0003.png", "0005.png", "0007.png"))


def test_strict_refuses_corrupt_files_also_when_they_are_cached(tmp_path: Path) -> None:
    folder = broken_folder(tmp_path)
    assert "3 files can't be read" in refusal(folder, strict=True)
    load(folder)
    assert "000" in refusal(folder, strict=True)


def test_of_many_corrupt_files_twenty_are_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16))
    for i in range(30):
        (folder / f"bad{i}.jpg").write_bytes(b"bad")
    troubles = load(folder).troubles
    assert len(troubles) == 21
    assert "30 of 100" in troubles[-1].what


def test_a_decompression_bomb_is_a_corrupt_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16))
    header = struct.pack(">IIBBBBB", 30_000, 5_000, 8, 0, 0, 0, 0)
    png = (folder / "0000.png").read_bytes()
    checksum = struct.pack(">I", __import__("zlib").crc32(b"IHDR" + header))
    (folder / "bomb.png").write_bytes(png[:16] + header + checksum + png[33:])
    data = load(folder)
    assert data.seen["corrupt_files"] == 1
    assert "bomb" in data.troubles[0].what


# --- zip --------------------------------------------------------------------------------------------------------------


def png_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_reads_like_its_folder_and_leaves_nothing_on_disk(tmp_path: Path) -> None:
    images = noise(70, 16, 16, 3)
    members = {f"pets/{'cat' if i < 30 else 'dog'}/{i:03d}.png": png_bytes(image) for i, image in enumerate(images)}
    path = zip_of(tmp_path / "pets.zip", members)
    data = load(path, use_cache=False)
    assert np.array_equal(data.values, images)
    assert (data.classes, np.bincount(data.labels).tolist()) == (("cat", "dog"), [30, 40])
    assert [file.name for file in tmp_path.iterdir()] == ["pets.zip"]


def test_a_zip_member_that_points_outside_is_refused(tmp_path: Path) -> None:
    members = {f"{i:03d}.png": png_bytes(image) for i, image in enumerate(noise(70, 16, 16, 3))}
    evil = {name: png_bytes(noise(1, 16, 16, 3)[0]) for name in ("../evil.png", "/etc/evil.png", "a/../../evil.png")}
    data = load(zip_of(tmp_path / "a.zip", members | evil))
    assert (len(data), data.seen["corrupt_files"]) == (70, 3)
    assert "outside" in data.troubles[0].what


def test_of_a_name_that_a_zip_holds_twice_the_first_is_read_as_it_says(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i, picture in enumerate([*noise(70, 8, 8), np.zeros((8, 8), np.uint8)]):
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "png")
            with warnings.catch_warnings(action="ignore"):
                archive.writestr(f"{i % 70:02d}.png", file.getvalue())
    data = load(tmp_path / "a.zip")
    assert data.values[0].any()
    assert "the name occurs twice" in data.troubles[0].what


def test_a_zip_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nonsense")
    assert "not a readable zip" in refusal(tmp_path / "a.zip")
    assert "no image" in refusal(zip_of(tmp_path / "b.zip", {"readme.txt": b"hello"}))


# --- arrays -----------------------------------------------------------------------------------------------------------


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize("key", ["x", "images", "data", "arr_0", "anything"])
def test_the_samples_of_an_npz_are_found_by_name(tmp_path: Path, key: str) -> None:
    images = noise(70, 16, 16, 3)
    assert np.array_equal(load(npz(tmp_path / "a.npz", **{key: images})).values, images)


@pytest.mark.parametrize("order", ["nhw", "nhwc", "nchw", "columns"])
def test_any_order_of_axes_is_understood(tmp_path: Path, order: str) -> None:
    images = noise(70, 16, 16, 3)
    given = {"nhw": images[..., 0], "nhwc": images, "nchw": np.moveaxis(images, 3, 1), "columns": np.asfortranarray(images)}
    expected = images[..., :1] if order == "nhw" else images
    assert np.array_equal(load(npz(tmp_path / "a.npz", x=given[order])).values, expected)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (lambda b: b / 255, "[0, 1]"),
        (lambda b: (b / 127.5 - 1).astype(np.float32), "[-1, 1]"),
        (lambda b: b.astype(np.float64), "[0, 255]"),
        (lambda b: b.astype(np.int64), "[0, 255]"),
        (lambda b: b.astype(np.uint16) * 257, "0 to 65535"),
    ],
)
def test_pixels_of_other_ranges_become_bytes_and_it_is_said(tmp_path: Path, numbers: object, said: str) -> None:
    images = noise(70, 16, 16, 3)
    data = load(npz(tmp_path / "a.npz", x=numbers(images)))
    assert np.array_equal(data.values, images)
    assert said in data.troubles[0].what


@pytest.mark.parametrize("off", [{"high": 1.0000001}, {"low": -1e-8}, {"low": -0.0009, "high": 1.0009}])
def test_floats_a_rounding_error_beyond_0_and_1_are_no_floats_of_minus_1_to_1(off: dict[str, float]) -> None:
    images = noise(70, 16, 16, 3)
    images[0, 0, :2, 0] = 0, 255
    floats = images / 255
    floats[0, 0, :2, 0] = off.get("low", 0.0), off.get("high", 1.0)
    assert np.array_equal(load(floats).values, images)


def test_parts_of_different_dtypes_are_refused_with_both(tmp_path: Path) -> None:
    images = noise(70, 16, 16)
    text = refusal(npz(tmp_path / "a.npz", x_train=images, x_test=(images / 255).astype(np.float32)))
    assert "'x_train' holds uint8 and 'x_test' float32; save them with one dtype" in text
    floats = npz(tmp_path / "b.npz", x_train=images / 255, x_test=(images / 255).astype(np.float32))
    assert len(load(floats)) == 140
    columns = npz(tmp_path / "c.npz", x_train=np.arange(240, dtype=np.int32).reshape(80, 3), x_test=np.arange(120).reshape(40, 3))
    assert load(columns).shape == (3,), "of a table any numbers are columns"


def test_pixels_of_an_unknown_range_are_refused(tmp_path: Path) -> None:
    assert "range from" in refusal(npz(tmp_path / "a.npz", x=RNG.normal(0, 9, (70, 16, 16))))


def test_images_of_odd_size_in_an_array_are_resized(tmp_path: Path) -> None:
    data = load(npz(tmp_path / "a.npz", x=noise(70, 30, 45, 3)))
    assert data.shape == (3, 28, 28)
    assert data.seen["cropped"]


def test_pickled_objects_are_refused_by_the_name_of_their_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}] * 70, dtype=object))
    text = refusal(tmp_path / "a.npz")
    assert "'x'" in text
    assert "pickled objects" in text
    np.save(tmp_path / "b.npy", np.array([print] * 70, dtype=object))
    assert "pickled objects" in refusal(tmp_path / "b.npy")
    np.savez(tmp_path / "c.npz", x=noise(70, 8, 8), y=np.array(["a"] * 70, dtype=object))
    assert "'y'" in refusal(tmp_path / "c.npz")


def test_a_truncated_npz_is_refused(tmp_path: Path) -> None:
    whole = npz(tmp_path / "a.npz", x=noise(70, 16, 16)).read_bytes()
    (tmp_path / "b.npz").write_bytes(whole[:-500])
    assert "damaged" in refusal(tmp_path / "b.npz")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    (tmp_path / "c.npz").write_bytes(flipped)
    assert "damaged" in refusal(tmp_path / "c.npz")


def test_labels_may_be_numbers_text_or_one_hot(tmp_path: Path) -> None:
    images, numbers = noise(70, 8, 8), np.arange(70) % 3
    as_text = load(npz(tmp_path / "a.npz", x=images, y=np.array(["ant", "bee", "cow"])[numbers]))
    one_hot = load(npz(tmp_path / "b.npz", x=images, y=np.eye(3)[numbers]))
    gaps = load(npz(tmp_path / "c.npz", x=images, y=np.where(numbers == 1, -1, numbers * 10)))
    assert (as_text.classes, one_hot.classes, gaps.classes) == (("ant", "bee", "cow"), ("0", "1", "2"), ("0", "20"))
    assert np.array_equal(as_text.labels, numbers)
    assert np.array_equal(one_hot.labels, numbers)
    assert np.array_equal(gaps.labels, np.array([0, -1, 1])[numbers])


def test_a_wrong_number_of_labels_is_refused(tmp_path: Path) -> None:
    assert "69 labels for the 70" in refusal(npz(tmp_path / "a.npz", x=noise(70, 8, 8), y=np.zeros(69, int)))


def test_arrays_of_the_caller_are_taken_as_they_are() -> None:
    images, labels = noise(70, 16, 16, 3), np.arange(70) % 2
    data = load((images, labels), name="mine")
    assert data.name == "mine"
    assert np.array_equal(data.values, images)
    assert np.array_equal(data.labels, labels)
    vectors = load(RNG.normal(size=(70, 5)))
    assert (vectors.kind, vectors.shape, vectors.values.dtype) == ("vector", (5,), np.float32)


def test_numbers_that_are_not_finite_are_refused_with_their_place() -> None:
    values = np.zeros((70, 3))
    values[12, 1] = np.nan
    assert "sample 12" in refusal(values)


# --- idx --------------------------------------------------------------------------------------------------------------


def write_idx(path: Path, array: np.ndarray) -> None:
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    (gzip.open if path.suffix == ".gz" else open)(path, "wb").write(head + array.tobytes())


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_keep_the_official_test_part(tmp_path: Path, ending: str) -> None:
    train, test = noise(100, 28, 28), noise(40, 28, 28)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, images in (("train", train), ("t10k", test)):
        write_idx(folder / f"{name}-images-idx3-ubyte{ending}", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte{ending}", (np.arange(len(images)) % 10).astype(np.uint8))
    data = load(folder)
    assert data.shape == (1, 28, 28)
    assert sorted(map(bytes, data.part("test"))) == sorted(map(bytes, test))
    assert len(data.split.validation) == 25
    assert len(data.classes) == 10
    assert len(load(folder / f"train-images-idx3-ubyte{ending}")) == 100
    assert len(load(folder / "train")) == 100


def test_a_short_idx_file_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", noise(100, 28, 28))
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    assert "damaged" in refusal(tmp_path)


# --- tables -----------------------------------------------------------------------------------------------------------


def csv_of(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("header", [b"{'descr': '|u1', 'fortran_order'", b"{'descr': '''", b"  {'a'\n      'b': 1"])
def test_a_damaged_header_of_an_array_is_refused(tmp_path: Path, header: bytes) -> None:
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117) + b"\n" + bytes(640)
    (tmp_path / "a.npy").write_bytes(content)
    assert "a.npy: damaged" in refusal(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", content)
    assert "b.npz: damaged" in refusal(tmp_path / "b.npz")


def test_a_zip_with_a_damaged_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("\u00e9.png", b"x")
    damaged = (tmp_path / "a.zip").read_bytes().replace("\u00e9".encode(), b"\xc3\xff")
    (tmp_path / "a.zip").write_bytes(damaged)
    assert "a.zip: not a readable zip" in refusal(tmp_path / "a.zip")


def test_a_csv_is_read_with_and_without_header_and_labels(tmp_path: Path) -> None:
    values = RNG.normal(size=(70, 3)).astype(np.float32)
    rows = [",".join(map(repr, row)) for row in values.tolist()]
    assert np.array_equal(load(csv_of(tmp_path / "a.csv", rows)).values, values)
    assert np.array_equal(load(csv_of(tmp_path / "b.csv", ["p,q,r", *rows])).values, values)
    labeled = [f"{row},{'low' if i % 2 else 'high'}" for i, row in enumerate(rows)]
    data = load(csv_of(tmp_path / "c.csv", ["p,q,r,class", *labeled]))
    assert np.array_equal(data.values, values)
    assert (data.classes, data.labels[:3].tolist()) == (("high", "low"), [0, 1, 0])


def test_integer_labels_of_a_csv_keep_their_order(tmp_path: Path) -> None:
    data = load(csv_of(tmp_path / "a.csv", ["v,label", *(f"{i}.5,{i % 11}" for i in range(77))]))
    assert data.classes[-1] == "10"


@pytest.mark.parametrize(("cell", "said"), [("tall", "'tall'"), ("", "an empty cell"), ("nan", "'nan'"), ("1e99", "'inf'")])
def test_a_cell_that_is_no_number_is_named_with_line_and_column(tmp_path: Path, cell: str, said: str) -> None:
    rows = ["width,height", *("1.5,2.5" for _ in range(80))]
    rows[41] = f"1.5,{cell}"
    text = refusal(csv_of(tmp_path / "a.csv", rows))
    assert all(part in text for part in ("a.csv", "line 42", "'height'", said))


def test_rows_of_different_length_are_refused(tmp_path: Path) -> None:
    assert "line 3 has 3 cells; 2 are needed" in refusal(csv_of(tmp_path / "a.csv", ["1,2", "3,4", "5,6,7"]))


def test_a_column_that_counts_rows_is_noticed(tmp_path: Path) -> None:
    data = load(csv_of(tmp_path / "a.csv", ["id,v", *(f"{i},{i % 7}.5" for i in range(80))]))
    assert "'id' only counts" in data.troubles[0].what


@pytest.mark.parametrize(
    ("header", "index", "classes"),
    [("0,1,2", False, False), ("1,2,3", False, False), (",0,1,2", True, False), (",a,b,c", True, False),
     ("0,1,2,label", False, True), (",0,1,2,y", True, True), ("Unnamed: 0,0,1,2", True, False)],
)  # fmt: skip
def test_numbered_columns_and_an_index_as_pandas_saves_them_are_no_samples(
    tmp_path: Path, header: str, index: bool, classes: bool
) -> None:
    values = RNG.normal(size=(70, 3)).astype(np.float32)
    rows = [",".join(map(repr, row)) for row in values.tolist()]
    rows = [f"{i},{row}" if index else row for i, row in enumerate(rows)]
    rows = [f"{row},{i % 2}" if classes else row for i, row in enumerate(rows)]
    data = load(csv_of(tmp_path / "a.csv", [header, *rows]))
    assert np.array_equal(data.values, values)
    assert data.classes == (("0", "1") if classes else ())
    said = [trouble.what for trouble in data.troubles]
    assert any("left out" in what for what in said) == index
    assert any("names of the columns" in what for what in said) == ("a,b" not in header)


def test_a_first_line_of_measurements_and_a_single_integer_are_samples(tmp_path: Path) -> None:
    rows = [f"{i % 7}.5,{i % 5}" for i in range(80)]
    assert len(load(csv_of(tmp_path / "a.csv", ["0.0,1.0", *rows]))) == 81
    assert len(load(csv_of(tmp_path / "b.csv", ["3,4", *rows]))) == 81
    assert len(load(csv_of(tmp_path / "c.csv", [str(i % 9) for i in range(80)]))) == 80


def test_a_parquet_table_is_read_and_its_missing_cells_are_refused(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    column = RNG.normal(size=70).astype(np.float32)
    table = arrow.table({"a": column, "b": np.arange(70) ** 2, "label": ["x", "y"] * 35})
    parquet.write_table(table, tmp_path / "a.parquet")
    data = load(tmp_path / "a.parquet")
    assert (data.shape, data.classes) == ((2,), ("x", "y"))
    assert np.array_equal(data.values[:, 0], column)
    parquet.write_table(arrow.table({"a": np.arange(70) + 2**60, "b": column}), tmp_path / "d.parquet")
    assert load(tmp_path / "d.parquet").values[0, 0] == 2**60
    parquet.write_table(arrow.table({"a": [1.0, None] * 35}), tmp_path / "b.parquet")
    assert "row 2, column 'a'" in refusal(tmp_path / "b.parquet")
    parquet.write_table(arrow.table({"a": ["x"] * 70}), tmp_path / "c.parquet")
    assert "column 'a' holds string" in refusal(tmp_path / "c.parquet")


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_path_that_does_not_exist_is_refused_with_the_built_in_names() -> None:
    text = refusal("digit")
    assert "does not exist" in text
    assert "did you mean the built-in digits?" in text


@pytest.mark.parametrize("source", ["", "a**", "x" * 300, "/nowhere/at/all", "~nosuchuser/photos", "a\0b", "hf:cifar10"])
def test_odd_paths_are_refused_like_missing_ones(source: str) -> None:
    assert "does not exist" in refusal(source) or source.startswith("hf:")


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((80, 2, 8, 8, 3)),
        np.zeros((80, 8, 8, 5)),
        np.zeros((80, 0)),
        np.zeros(80, complex),
        np.array(["a"] * 80),
        np.array([None] * 80),
        np.float64(1),
    ],
)
def test_arrays_that_are_no_samples_are_refused_with_what_would_be_right(tmp_path: Path, values: np.ndarray) -> None:
    assert "needed" in refusal((values, np.zeros(80, int)))


@pytest.mark.parametrize("suffix", ["csv", "npz", "npy", "zip", "parquet"])
def test_files_that_are_not_what_their_name_says_are_refused(tmp_path: Path, suffix: str) -> None:
    for name, content in (("empty", b""), ("bytes", bytes(range(256)) * 9)):
        (tmp_path / f"{name}.{suffix}").write_bytes(content)
        assert f"{name}.{suffix}: " in refusal(tmp_path / f"{name}.{suffix}")


def test_folders_without_usable_images_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty folder" in refusal(empty)
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("hello")
    assert "no image" in refusal(texts)
    (texts / "a.png").write_text("hello")
    assert "none of the 1 images can be read" in refusal(texts)


def test_fewer_than_64_samples_are_refused(tmp_path: Path) -> None:
    assert "63 usable samples; at least 64" in refusal(folder_of(tmp_path / "a", noise(63, 16, 16)))


def test_a_single_image_and_an_unknown_file_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(1, 16, 16))
    assert "a single image" in refusal(folder / "0000.png")
    (tmp_path / "a.xyz").write_text("hello")
    assert "no known kind" in refusal(tmp_path / "a.xyz")


# --- keeping ----------------------------------------------------------------------------------------------------------


def same(a: Dataset, b: Dataset) -> bool:
    return content_hash(a.values, a.labels, a.split) == content_hash(b.values, b.labels, b.split) == a.content == b.content


def test_a_saved_data_set_opens_as_a_memory_map(tmp_path: Path) -> None:
    data = load("digits")
    save(data, tmp_path / "kept")
    again = open_saved(tmp_path / "kept")
    assert isinstance(again.values, np.memmap)
    assert same(data, again)
    assert (again.name, again.classes, again.troubles, again.seen) == (data.name, data.classes, data.troubles, data.seen)
    with pytest.raises(Unusable, match="no readable saved data set"):
        open_saved(tmp_path)


def test_the_second_load_is_a_memory_map_from_the_cache(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16, 3))
    first, second = load(folder), load(folder)
    assert not isinstance(first.values, np.memmap)
    assert isinstance(second.values, np.memmap)
    assert same(first, second)
    assert first.troubles == second.troubles


def test_what_the_cache_holds_goes_by_the_name_that_is_typed_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "here" / "photos", noise(70, 16, 16))
    (folder / "broken.png").write_bytes(b"x")
    monkeypatch.chdir(tmp_path / "here")
    first = load("photos")
    monkeypatch.chdir(folder)
    for data in (load(tmp_path / "here" / "photos"), load("../photos"), load(".")):
        assert data.content == first.content
    assert load(".").name == load(".", use_cache=False).name
    again = load("../photos")
    assert (again.name, again.source) == ("photos", "../photos")
    assert [trouble.where for trouble in again.troubles] == [
        trouble.where for trouble in load("../photos", use_cache=False).troubles
    ]
    assert audit_source("../photos").problems == audit(load("../photos", use_cache=False)).problems
    monkeypatch.chdir(tmp_path)
    assert located(load("here/photos")).source == str(folder)
    assert located(load("digits")).source == "digits"


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16, 3))
    before = fingerprint(folder)
    assert before == fingerprint(folder) != fingerprint(folder, size=8)
    os.utime(folder / "0003.png", ns=(1, 1))
    assert fingerprint(folder) != before


@pytest.mark.parametrize("damage", ["values.npy", "labels.npy", "train.npy", "source"])
@pytest.mark.parametrize("how", ["cut", "flip"])
def test_a_damaged_cache_entry_is_rebuilt(tmp_path: Path, damage: str, how: str) -> None:
    folder = folder_of(tmp_path / "a", noise(70, 16, 16, 3))
    first = load(folder)
    pattern = "sources/*.json" if damage == "source" else f"contents/*/{damage}"
    (file,) = cache_folder().glob(pattern)
    content = bytearray(file.read_bytes())
    content[-20] ^= 255
    file.write_bytes(content[:-100] if how == "cut" else content)
    assert same(first, load(folder))
    assert isinstance(load(folder).values, np.memmap)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("GANWISE_CACHE", str(tmp_path / "file"))
    assert len(load("digits")) == 1797


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of one process is read from /proc")
def test_memory_of_loading_50_000_color_images_stays_under_one_and_a_half_times_their_bytes(tmp_path: Path) -> None:
    block = noise(500, 32, 32, 3)
    head = {"descr": "|u1", "fortran_order": False, "shape": (50_000, 32, 32, 3)}
    archive = zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("x.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, head)
        for i in range(100):
            file.write((block + np.uint8(i)).tobytes())
    code = """
        import sys
        from ganwise.data import load
        def peak():
            (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
            return int(line.split()[1]) * 1024
        load("digits")
        before = peak()
        data = load(sys.argv[1])
        assert len(data) == 50_000
        print((peak() - before) / data.values.nbytes)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "a.npz")]
    ratio = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert 0.9 < ratio < 1.5


def test_a_column_of_measurements_is_no_label_whatever_its_name(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2))
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(f"{a},{b}" for a, b in rows))
    data = load(tmp_path / "t.csv")
    assert (data.shape, data.classes) == ((2,), ())
    np.testing.assert_allclose(data.values, rows, rtol=1e-6)
