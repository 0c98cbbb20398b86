"""The Python contract: the names of the package, and the way from data to records."""

from __future__ import annotations

import subprocess
import sys

import ganwise as gw


def test_the_way_from_data_to_records() -> None:
    data = gw.load("digits")
    advice = gw.select(gw.audit(data), want=["diversity", "quality"])
    gan = gw.build(advice.candidates[0].recipe, data.shape)
    records = list(gw.train(gan, data, steps=40))
    assert [record.step for record in records] == [20, 40]
    assert gw.Model(gan).sample(3).shape == (3, 8, 8, 1)


def test_a_name_means_the_function_even_after_its_module_was_imported() -> None:
    import ganwise.audit
    import ganwise.train  # noqa: F401

    assert callable(gw.audit)
    assert callable(gw.train)


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(gw, name) is not None for name in gw.__all__)
    assert set(gw.__all__) <= set(dir(gw))


def test_importing_the_package_does_not_import_torch() -> None:
    subprocess.run([sys.executable, "-c", "import ganwise, sys; assert 'torch' not in sys.modules"], check=True)
