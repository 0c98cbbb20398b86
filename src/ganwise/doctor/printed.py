"""Names and numbers in a line that a training script has printed."""

from __future__ import annotations

import re

_GROUPS = r"[1-9]\d{0,2}(?:,\d{3})+"  # 1,234
_DECIMAL = r"(?:0,\d+|[1-9]\d*,(?:\d{1,2}|\d{4,}))(?!\d|[.,]\d)"  # 0,791 and 12,5: a comma where no thousands can end
NUMBER = (
    rf"[-+]?(?:{_DECIMAL}|{_GROUPS}(?:\.\d+)?(?!\d|,\d)|"
    + r"\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf(?:inity)?)(?![\w.]*[A-Za-z:])"
)
_PAIR = re.compile(r"""["']?(?P<name>[A-Za-z_][\w.()/ -]*?)["']?\s*[:=]\s*(?P<value>""" + NUMBER + r")%?", re.IGNORECASE)
_ASIDE = re.compile(r"[(<\[](?=[^()<>\[\]]*[:=])([^()<>\[\]]*)[)>\]]")  # (Step: 2000, Using test moments)
_COUNT = rf"({_GROUPS}|\d+)"
_EPOCH = re.compile(r"\bepochs?\b\W{0,3}?\[?\s*" + _COUNT, re.IGNORECASE)
_HEADER = re.compile(r"(?:[\W\d_]|info|start(?:ing)?)*epoch\b\W{0,3}" + _COUNT + r"(?:\s*(?:/|of)\s*\d+)?[\W_]*", re.IGNORECASE)
_INNER = re.compile(r"\b(batch|step|iter|iters|iteration)\b\W{0,3}?\[?\s*(?:(\d+(?:\.\d+)?)k\b|" + _COUNT + ")", re.IGNORECASE)
_TENSOR = re.compile(r"tensor\(\[?([^,()\]]+)[^()]*\)")
_BARE = re.compile(r"\b(?P<name>\w*loss\w*|err[DG]|FID|KID)\s+(?P<value>" + NUMBER + ")", re.IGNORECASE)
_BRACKETS = re.compile(r"\[\s*(\d+)\s*/\s*\d+\s*\]\s*\[\s*(\d+)\s*/\s*\d+\s*\]")
_LONE = re.compile(r"\[\s*(\d+)\s*/\s*\d+\s*\]")
_BAR = re.compile(r"\b(\d+)/\d+\s*\[(?=[\d:]+<)")
_LEADING = re.compile(r"\s*(\d+)\s+(?=\[?\s*[A-Za-z])")
_NAMED = re.compile(r"\b(Gen|Discrim)\.\s*\((" + NUMBER + r")\)", re.IGNORECASE)
_NUMBERED = re.compile(r"\d\.\d")  # a name that holds a value is none
_NOTHING = ("No", "N/A", "None", "-", "|")  # the value of the name before
LOSS_SAID = re.compile(r"""["']?adv_loss["']?\s*[:=]\s*["'](\w[\w-]*)["']""")
_WINDOWS = re.compile(r"1\.#(?:(INF)|IND|QNAN|SNAN)\d*", re.IGNORECASE)

_TOKEN = re.compile(
    rf"(?<![\w.])[-+]?(?:(?<![,\[(]){_DECIMAL}|{_GROUPS}\.\d+|(?P<whole>{_GROUPS}(?!\d|,\d)|\d+(?![\d.]|[eE][-+]?\d))"
    r"|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?|(?:nan|inf(?:inity)?)(?!\w))",
    re.IGNORECASE,
)
_GROUPED = re.compile(rf"[-+]?{_GROUPS}(?:\.\d+)?")
_MARK = 9_000_000  # stands for the first number of a line when its form is learned
_COUNTED = ("epoch", "batch", "step")
_FORMS = 4096  # forms of lines that are remembered


class Parser:
    """Reads lines, quickly where their form has been seen before: a log has few forms, which differ in their numbers alone."""

    def __init__(self) -> None:
        self.forms: dict[str, list[tuple[str, int, int]]] = {}
        self.decimal = False  # whether a value such as 0,791 was seen: 1,386 is none of thousands then

    def row(self, line: str) -> dict[str, float]:
        """As the function ``row``."""
        tokens: list[str] = []
        line = spelled(line)

        def take(match: re.Match[str]) -> str:
            tokens.append(match[0])
            return "\0" if match["whole"] else "\1"

        form = _TOKEN.sub(take, line)
        places = self.forms.get(form)
        if places is None:
            places = _learned(form, len(tokens))
            if len(self.forms) < _FORMS:
                self.forms[form] = places
        if "," in line and not self.decimal:
            self.decimal = any(tokens[place].lstrip("+-").startswith("0,") for _, place, _ in places)
        return {name: scale * float(plain(tokens[at], self.decimal and name not in _COUNTED)) for name, at, scale in places}


def _learned(form: str, count: int) -> list[tuple[str, int, int]]:
    """Which number of a line goes to which name, and times what: read from the line with numbers that tell their places."""
    places = iter(range(_MARK, _MARK + count))
    marked = re.sub("[\0\1]", lambda m: f"{next(places)}" + ("" if m[0] == "\0" else ".5"), form)
    found = [
        (name, value, 1000 if value >= 1000 * _MARK else 1) for name, value in row(marked).items() if str(_MARK)[:4] not in name
    ]
    return [(name, int(value / scale) - _MARK, scale) for name, value, scale in found if 0 <= value / scale - _MARK < count]


def row(line: str) -> dict[str, float]:
    """The numbers of a line by their names, with ``epoch``, ``batch`` or ``step`` where it counts; empty where it has none.

    An epoch that stands alone is given alone: what follows belongs to it.
    """
    line = _TENSOR.sub(r"\1", spelled(line))
    found = {name: float(plain(value)) for name, value in _NAMED.findall(line)}
    for piece in _pieces(line):
        for match in _PAIR.finditer(piece):
            name = " ".join(word for word in match["name"].split()[-3:] if word not in _NOTHING and not word[0].isdigit())
            if name.lower() not in ("epoch", "step", "batch") and not _NUMBERED.search(name):
                found.setdefault(name, float(plain(match["value"])))
    for match in _BARE.finditer(line):
        found.setdefault(match["name"], float(plain(match["value"])))
    if not found and (header := _HEADER.fullmatch(line)):
        return {"epoch": _whole(header[1])}
    return {**_counters(line), **found} if found else {}


def _pieces(line: str) -> list[str]:
    """Remarks in brackets apart from the rest, so that ``FID (Step: 2000): 30`` reads as FID: 30 and Step: 2000."""
    asides = _ASIDE.findall(line)
    return [*asides, _ASIDE.sub(" ", line)] if asides else [line]


def _counters(line: str) -> dict[str, float]:
    """What the line counts: ``[0/5][50/1583]``, ``Epoch 3, Batch 7``, a progress bar, or the number it begins with."""
    if pair := _BRACKETS.search(line):
        return {"epoch": float(pair[1]), "batch": float(pair[2])}
    found: dict[str, float] = {}
    if epoch := _EPOCH.search(line):
        found["epoch"] = _whole(epoch[1])
    if inner := _INNER.search(line):
        found["batch" if inner[1].lower() == "batch" or "epoch" in found else "step"] = (
            1000 * float(inner[2]) if inner[2] else _whole(inner[3])
        )
    elif bar := _BAR.search(line):
        found["batch" if "epoch" in found else "step"] = float(bar[1])
    elif "epoch" in found and (lone := _LONE.search(line, epoch.end() if epoch else 0)):
        found["batch"] = float(lone[1])
    elif not found and (leading := _LEADING.match(line)):
        found["step"] = float(leading[1])
    return found


def _whole(text: str) -> float:
    return float(text.replace(",", ""))


def plain(text: str, decimal: bool = False) -> str:
    """A number as Python reads it: without commas between thousands, with a point for a decimal comma.

    ``decimal`` says which of them the comma of 1,386 is.
    """
    if "," not in text:
        return text
    whole, _, part = text.rpartition(",")
    if _GROUPED.fullmatch(text) and not (decimal and "," not in whole and "." not in part):
        return text.replace(",", "")
    return f"{whole.replace('.', '') if decimal else whole}.{part}"


def spelled(text: str) -> str:
    """The text with ``nan`` and ``inf`` where Windows has written ``1.#QNAN``, ``-1.#IND`` or ``1.#INF``."""
    return _WINDOWS.sub(lambda match: "inf" if match[1] else "nan", text) if "1.#" in text else text
