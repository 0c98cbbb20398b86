"""Where is kept what was decoded, measured or timed once."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """``$GANWISE_CACHE``, or the platform's place for caches."""
    return Path(os.environ.get("GANWISE_CACHE") or platformdirs.user_cache_dir("ganwise"))
