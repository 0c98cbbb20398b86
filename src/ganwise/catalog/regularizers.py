"""Regularizers: penalties, projections, transforms and noise; a recipe may have several."""

from __future__ import annotations

from ganwise.catalog.entry import Entry, Fit

REGULARIZERS: dict[str, Entry] = {
    "weight-clipping": Entry(
        "Clamps every weight of the critic to [-c, c] after each of its updates.",
        ("arjovsky2017wgan",),
        formula="w <- clamp(w, -c, c)",
        options={"limit": 0.01},
        traits={"slot": "projection", "double_backward": False, "per_sample": False},
        fits=(
            Fit("loss", ("wasserstein",), True, "clipping is WGAN's Lipschitz bound", ("arjovsky2017wgan",)),
            Fit(
                "regularizers",
                ("spectral-norm",),
                False,
                "two bounds on the same weights contradict each other",
                ("miyato2018sngan",),
            ),
        ),
    ),
    "gradient-penalty": Entry(
        "Holds the slope of the discriminator near a center on lines between real and fake samples.",
        ("gulrajani2017wgangp",),
        formula="weight E(|grad D(x')| - center)^2,  x' = e x + (1-e) G(z)",
        options={"weight": 10.0, "center": 1.0},
        traits={"slot": "objective", "double_backward": True, "per_sample": True},
        fits=(
            Fit(
                "regularizers",
                ("weight-clipping",),
                False,
                "it replaces clipping, whose limits it was made to cure",
                ("gulrajani2017wgangp",),
            ),
        ),
    ),
    "r1": Entry(
        "A zero-centered penalty on the slope of the discriminator at real samples; provable local convergence.",
        ("mescheder2018converge",),
        formula="gamma/2 E|grad D(x)|^2",
        options={"gamma": 0.1, "every": 1},
        traits={"slot": "objective", "double_backward": True, "per_sample": True},
    ),
    "spectral-norm": Entry(
        "Divides each weight of the discriminator by its largest singular value, found by power iteration.",
        ("miyato2018sngan",),
        formula="W <- W / sigma(W)",
        traits={"slot": "transform", "double_backward": False, "per_sample": False},
    ),
}
