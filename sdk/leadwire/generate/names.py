"""Text from a model file made safe for C: identifiers, string literals, comments."""

from __future__ import annotations

import re

_LONGEST_IDENTIFIER = 40
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _-+./:;,()[]<>=!#&*|~^@'")


def c_identifier(text: str) -> str:
    """The tail of an identifier: letters, digits and single underscores, at most 40 characters; 'model' where nothing
    is left."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:_LONGEST_IDENTIFIER].strip("_")
    return cleaned.lower() or "model"


def c_string(text: str) -> str:
    """The inside of a string literal: UTF-8, everything but plain ASCII as octal escapes of three digits, so that no
    quote, backslash, line end or trigraph survives."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in text.encode("utf-8", errors="replace"))


def c_comment(text: str) -> str:
    """One line of a comment: printable ASCII, no comment end or start, no trigraph or line splice."""
    plain = "".join(letter if " " <= letter <= "~" and letter not in "\\?" else "." for letter in text)
    return plain.replace("*/", "*.").replace("/*", ".*")[:200]
