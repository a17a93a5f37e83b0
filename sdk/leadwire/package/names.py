"""Names that people gave, made safe for metadata files: identifiers, one line of text, plain ASCII."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 32
_LONGEST_TEXT = 120
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _.,+-()")


def package_id(name: str) -> str:
    """What a model is called in targets, symbols and file names: lower-case letters, digits and single underscores, at
    most 32 (the longest Csub of a CMSIS pack); accents are dropped; 'model' where nothing is left.

    It is only used behind a prefix (`leadwire_int`), so that no keyword and no leading digit can break a build.
    """
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", folded).strip("_")[:_LONGEST].strip("_")
    return cleaned.lower() or "model"


def one_line(name: str) -> str:
    """A name as UTF-8 text on one line: control, unassigned, surrogate and format characters become '.'."""
    shown = "".join("." if unicodedata.category(letter)[0] == "C" else letter for letter in name)
    shown = re.sub(r"\s+", " ", shown).strip()[:_LONGEST_TEXT].strip()
    return shown or "model"


def plain(name: str) -> str:
    """A name for files that know no quoting: ASCII letters, digits and a few signs that mean nothing anywhere."""
    folded = unicodedata.normalize("NFKD", name)
    letters = (letter for letter in folded if not unicodedata.combining(letter))
    shown = "".join(letter if letter in _PLAIN else "." for letter in letters)
    return re.sub(r" +", " ", shown).strip()[:_LONGEST_TEXT].strip() or "model"
