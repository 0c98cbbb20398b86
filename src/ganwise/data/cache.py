"""What was decoded and measured once is kept: sources point at contents, contents hold arrays and facts.

    sources/<fingerprint>.json      what a source was when it was last read, and which content it has
    contents/<sha-256>/*.npy        values, labels and split
    contents/<sha-256>/facts.json   what the audit measured

A damaged entry counts as a missing one, and a folder that can't be written as an empty one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ganwise.cache import cache_folder
from ganwise.data.dataset import Dataset, as_json, content_hash, open_arrays, save_arrays, write_whole
from ganwise.types import Value

BYTES_AT_MOST = 20 << 30

# raised whenever a fact is measured in another way
_FACTS_FORMAT = 2
_DAMAGE = (OSError, ValueError, KeyError, TypeError)


def _source(fingerprint: str) -> Path:
    return cache_folder() / "sources" / f"{fingerprint}.json"


def _content(content: str) -> Path:
    return cache_folder() / "contents" / content


def stored(fingerprint: str, verify: bool) -> Dataset | None:
    """The data set of a source read before. ``verify`` compares all bytes with their hash, which reads them."""
    try:
        about = json.loads(_source(fingerprint).read_text())
        dataset = open_arrays(about, _content(about["content"]))
        if verify and content_hash(dataset.values, dataset.labels, dataset.split) != dataset.content:
            raise ValueError("the bytes do not have their hash")
        os.utime(_content(dataset.content))
    except _DAMAGE:
        return None
    return dataset


def store(fingerprint: str, dataset: Dataset) -> None:
    """Keep a data set; without a word where the folder can't be written, because a cache is no promise."""
    try:
        save_arrays(dataset, _content(dataset.content))
        _source(fingerprint).parent.mkdir(parents=True, exist_ok=True)
        write_whole(_source(fingerprint), json.dumps(as_json(dataset)).encode())
        _make_room(dataset.content)
    except OSError:
        return


def _make_room(newest: str) -> None:
    """Remove the contents that were not opened for longest, until the rest is under 20 GiB."""
    folders = [f for f in (cache_folder() / "contents").iterdir() if f.is_dir() and f.name != newest]
    total = 0
    for folder in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True):
        total += sum(file.stat().st_size for file in folder.iterdir())
        if total > BYTES_AT_MOST:
            shutil.rmtree(folder, ignore_errors=True)


def stored_facts(content: str) -> dict[str, Value] | None:
    """The measured facts of a content, where they were kept whole."""
    try:
        kept = json.loads((_content(content) / "facts.json").read_text())
        text = json.dumps(kept["facts"], sort_keys=True)
        if kept["format"] != _FACTS_FORMAT or kept["sha256"] != hashlib.sha256(text.encode()).hexdigest():
            return None
        facts: dict[str, Value] = kept["facts"]
    except _DAMAGE:
        return None
    return facts


def store_facts(content: str, facts: Mapping[str, Value]) -> None:
    """Keep measured facts; silent where the folder can't be written."""
    digest = hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()
    try:
        _content(content).mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": _FACTS_FORMAT, "sha256": digest, "facts": dict(facts)}, indent=1)
        write_whole(_content(content) / "facts.json", text.encode())
    except OSError:
        return
