"""The lines of Python in a card: they run as they stand, in the folder of the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganwise.model import Model

N, ROW = 64, 8


def example(model: Model, file: str) -> Iterator[str]:
    """Lines that load ``file``, draw samples and save them: through ganwise, or of an ONNX file through its runtime alone."""
    return _runtime(model, file) if file.endswith(".onnx") else _ganwise(model, file)


def _labels(model: Model) -> Iterator[str]:
    names = ", ".join(model.classes[:ROW]) + (", ..." if len(model.classes) > ROW else "")
    yield f"labels = np.arange({N}) % {len(model.classes)}  # classes by number: {names}"


def _ganwise(model: Model, file: str) -> Iterator[str]:
    image = len(model.shape) == 3
    yield "from pathlib import Path"
    yield ""
    if model.conditional or not image:
        yield "import numpy as np"
        yield ""
    yield f"from ganwise import model{', pictures' if image else ''}"
    yield ""
    yield f'generator = model.load(Path("{file}"))  # refused if its SHA-256 is another'
    told = ""
    if model.conditional:
        yield from _labels(model)
        told = ", labels=labels"
    if image:
        channels, height, width = model.shape
        yield f"samples = generator.sample({N}, seed=0{told})  # ({N}, {height}, {width}, {channels}) bytes"
        yield 'pictures.save(pictures.picture(samples), Path("new-samples.png"))'
    else:
        yield f"samples = generator.sample({N}, seed=0{told})  # ({N}, {model.shape[0]}), in the units of the data"
        yield 'np.savetxt("new-samples.csv", samples, delimiter=",")'


def _runtime(model: Model, file: str) -> Iterator[str]:
    yield "import numpy as np"
    yield "import onnxruntime"
    yield ""
    yield f'session = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])'
    size = f"({N}, {model.generator.latent})"
    normal = f"standard_normal({size}, dtype=np.float32)"
    drawn = normal if model.generator.prior == "normal" else f"uniform(-1, 1, {size}).astype(np.float32)"
    yield f"inputs = {{'z': np.random.default_rng(0).{drawn}}}".replace("'", '"')
    if model.conditional:
        yield from _labels(model)
        yield 'inputs["labels"] = labels'
    yield "samples = session.run(None, inputs)[0]"
    if len(model.shape) == 3:
        yield "images = np.rint(samples * 127.5 + 127.5).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)"
        yield 'np.savez("new-samples.npz", images=images)'
        return
    shift, scale = (", ".join(f"{number:.9g}" for number in side.tolist()) for side in (model.scaling.shift, model.scaling.scale))
    yield f"samples = samples * np.float32([{scale}]) + np.float32([{shift}])  # in the units of the data"
    yield 'np.savetxt("new-samples.csv", samples, delimiter=",")'
