"""Loading and splitting data. Neither torch nor any worker process is involved."""

from ganwise.cache import cache_folder
from ganwise.data.builtin import BUILTIN, toy_modes
from ganwise.data.dataset import Dataset, Part, Split, content_hash, open_saved, save
from ganwise.data.images import nearest_side, valid_side
from ganwise.data.readers import fingerprint, load, located

__all__ = [
    "BUILTIN",
    "Dataset",
    "Part",
    "Split",
    "cache_folder",
    "content_hash",
    "fingerprint",
    "load",
    "located",
    "nearest_side",
    "open_saved",
    "save",
    "toy_modes",
    "valid_side",
]
