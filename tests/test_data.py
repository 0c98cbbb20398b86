"""Loading: what is built in, which sides there are, what is refused in one clear line, and what is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_cases import folder_of, noise, refusal

from ganwise.audit import audit, audit_source
from ganwise.data import Dataset, cache_folder, fingerprint, load, located, nearest_side, open_saved, save, toy_modes, valid_side
from ganwise.data.dataset import content_hash
from ganwise.types import Unusable

pytestmark = pytest.mark.usefixtures("fresh_cache")


# --- built-in data ----------------------------------------------------------------------------------------------------


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
