"""Folders and zips of pictures end as one array of bytes, with what was seen on the way."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_cases import folder_of, noise, refusal
from PIL import Image

from ganwise.data import Dataset, load

pytestmark = pytest.mark.usefixtures("fresh_cache")


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_pngs_arrives_unchanged(tmp_path: Path) -> None:
    images = noise(70, 16, 16, 3)
    data = load(folder_of(tmp_path / "photos", images))
    assert (data.name, data.shape, data.classes, data.troubles) == ("photos", (3, 16, 16), (), ())
    assert np.array_equal(data.values, images)


def test_gray_images_of_any_depth_have_one_channel(tmp_path: Path) -> None:
    gray = noise(70, 16, 16)
    folder = folder_of(tmp_path / "gray", gray[:64])
    for i, array in enumerate(gray[64:]):
        Image.fromarray(array.astype(np.uint16) * 257).save(folder / f"z{i}.png")
    data = load(folder)
    assert data.shape == (1, 16, 16)
    assert np.array_equal(data.values[..., 0], gray)


def test_gray_images_stored_as_color_keep_one_channel(tmp_path: Path) -> None:
    gray = noise(70, 16, 16)
    data = load(folder_of(tmp_path / "a", np.repeat(gray[..., None], 3, 3)))
    assert np.array_equal(data.values[..., 0], gray)
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
    assert not any("gray" in trouble.what for trouble in data.troubles), "colors stay colors"
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


def test_a_zip_with_a_damaged_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("\u00e9.png", b"x")
    damaged = (tmp_path / "a.zip").read_bytes().replace("\u00e9".encode(), b"\xc3\xff")
    (tmp_path / "a.zip").write_bytes(damaged)
    assert "a.zip: not a readable zip" in refusal(tmp_path / "a.zip")
