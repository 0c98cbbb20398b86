"""What the metrics cost at 10,000 x 10,000 x 1,280: CPU seconds and peak memory, each in a process of its own.

    python benchmarks/metrics_10k.py [--n 10000] [--features 1280]

Targets (one thread): precision/recall/density/coverage 15 s and 1 GB, Fréchet 4 s, KID 15 s and 1 GB. Others have none.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import torch

from ganwise.metrics import METRICS

MEASURED = ("precision", "fid", "kid", "two_sample", "sliced_wasserstein", "fid_infinity")


def measure(metric: str, n: int, features: int) -> dict[str, float | str]:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    # a spectrum like that of network features: a few strong directions, many weak ones
    scales = (1 + np.arange(features, dtype=np.float32)) ** -0.5
    real, fake = (rng.standard_normal((n, features), np.float32) * scales + 0.3 for _ in range(2))
    before, start = peak(), time.process_time()
    METRICS[metric].function(real, fake * np.float32(1.1))
    seconds = time.process_time() - start
    return {"metric": metric, "cpu_seconds": round(seconds, 1), "peak_gb": round(peak(), 2), "before_gb": round(before, 2)}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=1280)
    parser.add_argument("--only", choices=MEASURED)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.only, arguments.n, arguments.features)))
        return
    for metric in MEASURED:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--only", metric], check=True)


if __name__ == "__main__":
    main()
