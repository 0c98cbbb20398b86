"""From the names that people give their columns to the doctor's signals: ``errD``, ``Loss/D/loss``, ``dis_loss`` are loss_d."""

from __future__ import annotations

import re

SIGNALS = (
    "loss_d", "loss_g", "grad_d", "grad_g", "score_real", "score_fake", "score_held", "prob_real", "prob_fake",
    "accuracy", "accuracy_real", "accuracy_fake", "accuracy_held", "sign_real", "spread", "spread_features", "coverage",
    "saturated", "update_d", "update_g", "sigma_d", "sigma_g", "near", "novel", "class_share", "dead_d", "dead_g",
    "k", "m_global", "fid", "kid", "sliced_wasserstein",
)  # fmt: skip
"""What a column can be mapped to, besides ``step`` and ``epoch``."""
PARTS = ("loss_d_real", "loss_d_fake")
"""Two columns that make up D's loss where its sum is not logged."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_D = _words("d dis disc discrim discriminator critic netd dnet")
_G = _words("g gen generator netg gnet")
_LOSS = _words("loss losses err error cost objective l")
_NEUTRAL = _words(
    "train training epoch step mean avg average total gan adv adversarial the a b per batch iter current model"
) | _words("module score 0 1 no na n")
_OTHER = _words(
    "val valid validation test eval gp penalty r1 r2 pl path l1 l2 pix pixel fea feature percep perceptual vgg cycle"
) | _words(
    "cyc idt identity cls class aux info kl lr rate rates time best min max std num reg regularization recon rec scale ema"
)
_SPELLED = {
    "dloss": ("d", "loss"),
    "gloss": ("g", "loss"),
    "lossd": ("loss", "d"),
    "lossg": ("loss", "g"),
    "errd": ("err", "d"),
    "errg": ("err", "g"),
    "dreal": ("d", "real"),
    "dfake": ("d", "fake"),
}
_STEPS = _words(
    "global_step step steps iter iters iteration iterations it n_iter niter total_steps g_step train_step curr_iter"
) | _words("trainer/global_step update updates")
_INNER = ("batch", "batches", "i", "batch_idx", "minibatch")
_EPOCHS = ("epoch", "epochs", "current_epoch", "epoch_num")
_KIMG = ("progress/kimg", "kimg")


def tokens(name: str) -> list[str]:
    """The words of a name, in lower case: split at signs, and where a capital follows a small letter."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.findall(r"[a-z][a-z0-9]*|[0-9]+", spaced.lower())
    joined = [part for word in words for part in _SPELLED.get(word, (word,))]
    return [part for part in joined if not part.isdigit() or len(joined) == 1]


def counter(name: str) -> str:
    """``step``, ``batch``, ``epoch`` or ``kimg`` for a column that counts; empty for any other."""
    plain = name.strip().lower().replace(" ", "_")
    for kind, names in (("step", _STEPS), ("batch", _INNER), ("epoch", _EPOCHS), ("kimg", _KIMG)):
        if plain in names:
            return kind
    return ""


def guess(name: str) -> tuple[str, int] | None:
    """The signal that a column most likely holds, 0 for surest; None for what means nothing to the doctor."""
    plain = name.strip().lower()
    if plain in SIGNALS or plain in PARTS:
        return plain, 0
    words = tokens(name)
    found = set(words)
    if not words or "best" in found:
        return None
    for rule in (_metric, _began, _score, _right, _gradient, _loss):
        if made := rule(words, found):
            return made
    return None


def _metric(words: list[str], found: set[str]) -> tuple[str, int] | None:
    for metric in ("fid", "kid"):
        if any(word.startswith(metric) for word in words) and not found & {"std", "time"}:
            return metric, len(words)
    return None


def _began(words: list[str], found: set[str]) -> tuple[str, int] | None:
    if words in (["k"], ["kt"], ["k", "t"]):
        return "k", 1
    if words in (["m", "global"], ["measure"], ["convergence", "measure"], ["convergence"], ["m"]):
        return "m_global", 1
    return None


def _score(words: list[str], found: set[str]) -> tuple[str, int] | None:
    """D(x), D(G(z)), scores/real, real_logits, D_real, signs/real."""
    if words == ["d", "x"]:
        return "score_real", 1
    if words[:2] == ["d", "g"] and words[2:] and words[2].startswith("z"):
        return "score_fake", 1
    if "signs" in found or "sign" in found:
        return ("sign_real", 1) if "real" in found else None
    kind = next((w for w in ("real", "fake") if w in found), "")
    if kind and found & {"score", "scores", "logit", "logits", "output", "pred", "out", "prob"} and not found & {"val", "test"}:
        return f"score_{kind}", 1
    if kind and found <= _D | {kind} and found & _D:
        return f"score_{kind}", 2
    return None


def _right(words: list[str], found: set[str]) -> tuple[str, int] | None:
    if not found & {"acc", "accuracy", "accu"} or found & (_G | {"val", "test", "cls", "class", "aux", "op"}):
        return None
    kind = next((w for w in ("real", "fake") if w in found), "")
    return (f"accuracy_{kind}" if kind else "accuracy"), 1


def _gradient(words: list[str], found: set[str]) -> tuple[str, int] | None:
    if not found & {"grad", "gradient", "grads", "gradnorm", "gnorm"} or found & {"gp", "penalty"}:
        return None
    player = "d" if found & _D else "g" if found & _G else ""
    return (f"grad_{player}", 1) if player else None


def _loss(words: list[str], found: set[str]) -> tuple[str, int] | None:
    """A loss of one player and of nothing else; ``D`` and ``G`` alone are taken for losses too."""
    if found & _OTHER:
        return None
    player = "d" if found & _D else "g" if found & _G else ""
    if not player or (found & _D and found & _G):
        return None
    kind = next((w for w in ("real", "fake") if w in found), "")
    strange = found - _D - _G - _LOSS - _NEUTRAL - {"real", "fake"}
    if strange and not (found & _LOSS and len(strange) <= 1):
        return None
    sure = 1 + len(strange) + (0 if found & _LOSS else 2) + len(found & {"a", "b"})
    if kind:
        return (f"loss_{player}_{kind}", sure) if player == "d" and found & _LOSS else None
    return f"loss_{player}", sure
