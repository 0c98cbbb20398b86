"""Arrays, idx files and tables end as one array of bytes or floats."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_cases import RNG, csv_of, noise, npz, refusal

from ganwise.data import load

pytestmark = pytest.mark.usefixtures("fresh_cache")


# --- arrays -----------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("header", [b"{'descr': '|u1', 'fortran_order'", b"{'descr': '''", b"  {'a'\n      'b': 1"])
def test_a_damaged_header_of_an_array_is_refused(tmp_path: Path, header: bytes) -> None:
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117) + b"\n" + bytes(640)
    (tmp_path / "a.npy").write_bytes(content)
    assert "a.npy: damaged" in refusal(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", content)
    assert "b.npz: damaged" in refusal(tmp_path / "b.npz")


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


def test_a_column_of_measurements_is_no_label_whatever_its_name(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2))
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(f"{a},{b}" for a, b in rows))
    data = load(tmp_path / "t.csv")
    assert (data.shape, data.classes) == ((2,), ())
    np.testing.assert_allclose(data.values, rows, rtol=1e-6)
