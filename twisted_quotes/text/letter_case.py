"""
Letters whose other cases GNU grep does not know, and what finds all of them.
"""

from __future__ import annotations

from re import compile

# One letter each, in all of its cases (Unicode, CaseFolding.txt, C and S). GNU grep
# 3.8 does not know all of these with C{-i}; of every other letter it does.
_CASE_VARIANTS = (
    *("Kk\u212a", "\u00c5\u00e5\u212b", "\u00df\u1e9e", "\u0398\u03b8\u03d1\u03f4"),
    *("\u03a9\u03c9\u2126", "\u0412\u0432\u1c80", "\u0414\u0434\u1c81"),
    *("\u041e\u043e\u1c82", "\u0421\u0441\u1c83", "\u0422\u0442\u1c84\u1c85"),
    *("\u042a\u044a\u1c86", "\u0462\u0463\u1c87", "\u1c88\ua64a\ua64b"),
)
_ANY_CASE_VARIANT = compile(f"[{''.join(_CASE_VARIANTS)}]")
_CASE_VARIANT_EXPRESSIONS = str.maketrans(
    {each: f"[{letter}]" for letter in _CASE_VARIANTS for each in letter}
    | {special: f"\\{special}" for special in r"\.[*^$+?{|()"}
)


def has_unsupported_case_variants(term: str) -> bool:
    """Whether a fixed string has a letter whose cases grep does not know."""
    return _ANY_CASE_VARIANT.search(term) is not None


def expand_case_variants(term: str) -> str:
    """
    Turn a fixed string into an expression for it, with such letters in any case.

    @return: a POSIX extended regular expression. It leaves the case of all other
        letters to grep.
    """
    return term.translate(_CASE_VARIANT_EXPRESSIONS)
