"""
Letters with case variants that GNU grep does not match with C{-i}.
"""

from __future__ import annotations

from re import compile

# All case variants of each letter (Unicode, CaseFolding.txt, C and S) that has
# one unknown to GNU grep 3.8.
_CASE_VARIANTS = (
    *("Kk\u212a", "\u00c5\u00e5\u212b", "\u00df\u1e9e", "\u0398\u03b8\u03d1\u03f4"),
    *("\u03a9\u03c9\u2126", "\u0412\u0432\u1c80", "\u0414\u0434\u1c81"),
    *("\u041e\u043e\u1c82", "\u0421\u0441\u1c83", "\u0422\u0442\u1c84\u1c85"),
    *("\u042a\u044a\u1c86", "\u0462\u0463\u1c87", "\u1c88\ua64a\ua64b"),
)
_ANY_CASE_VARIANT = compile(f"[{''.join(_CASE_VARIANTS)}]")
_EXPRESSIONS = str.maketrans(
    {letter: f"[{variants}]" for variants in _CASE_VARIANTS for letter in variants}
    | {special: f"\\{special}" for special in r"\.[*^$+?{|()"}
)


def has_unsupported_case_variants(term: str) -> bool:
    """Return whether a fixed string has a letter whose case variants grep misses."""
    return _ANY_CASE_VARIANT.search(term) is not None


def expand_case_variants(term: str) -> str:
    """Convert a fixed string to a POSIX extended regular expression for C{grep -i}."""
    return term.translate(_EXPRESSIONS)
