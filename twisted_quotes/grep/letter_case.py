r"""
The letters that match when case is ignored: those with the same simple case folding.

The rule is that of Unicode (CaseFolding.txt, status C and S). C{grep -i} differs from
it for some letters. A term that contains such letters is expanded to all their case
variants instead: C{K} becomes C{[Kk\u212a]}.
"""

from __future__ import annotations

from collections import defaultdict
from re import DOTALL, VERBOSE, Match, compile


def _simple_case_variants() -> dict[str, str]:
    """Return all case variants of each letter that has several, including itself."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    blocks = ("".join(map(chr, range(at, at + 256))) for at in range(0, 0x20000, 256))
    # Most blocks have no cased letters. No letter after these blocks has a case.
    for letter in "".join(block for block in blocks if block != block.casefold()):
        folded = letter.casefold()
        if len(folded) > 1:
            # Full case folding gives several letters; the simple one is the lower case.
            folded = letter.lower()
        if folded != letter and len(folded) == 1:
            groups[folded] |= {letter, folded}
    return {
        letter: "".join(sorted(group)) for group in groups.values() for letter in group
    }


_CASE_VARIANTS = _simple_case_variants()
_BRACKETS = str.maketrans({a: f"[{group}]" for a, group in _CASE_VARIANTS.items()})
_LITERALS = _BRACKETS | {ord(special): f"\\{special}" for special in r"\.[*^$+?{|()"}

# Letters that GNU grep 3.8 takes for a variant of others, or of which it misses one.
_MISMATCHED = (
    *("\u0131Ii", "Kk\u212a", "\u00c5\u00e5\u212b", "\u00df\u1e9e"),
    *("\u0398\u03b8\u03d1\u03f4", "\u03a9\u03c9\u2126"),
    *("\u0412\u0432\u1c80", "\u0414\u0434\u1c81"),
    *("\u041e\u043e\u1c82", "\u0421\u0441\u1c83", "\u0422\u0442\u1c84\u1c85"),
    *("\u042a\u044a\u1c86", "\u0462\u0463\u1c87", "\u1c88\ua64a\ua64b"),
)
# Their case variants include the Kelvin sign and the long s.
_NON_ASCII_VARIANTS = compile("[KkSs]")
_ANY_MISMATCHED = compile(f"[{''.join(_MISMATCHED)}]")

# The parts of a regular expression that can be expanded. A back-reference cannot: only
# with -i it matches in either case.
_REGEX_PART = r"""
    \\[\0-0:-\x7f]
    | \[\^?+\]?+ -? (?:
        [a-z]-[a-z] | [A-Z]-[A-Z] | [0-9]-[0-9]
        | \[:(?!lower:|upper:)[a-z]+:\]
        | \[(?![:.=]) | [^][-]
    )*+ -? \]
    | [^\\[]
"""
_EXPANDABLE_REGEX = compile(f"(?:{_REGEX_PART})*+", DOTALL | VERBOSE)
_REGEX_PARTS = compile(_REGEX_PART, DOTALL | VERBOSE)
_BRACKET_PARTS = compile(r"([A-Za-z])-([A-Za-z])|\[:[a-z]+:\]|.", DOTALL)


def has_ascii_case_variants_only(term: str) -> bool:
    """Return whether all case variants of the letters of a term are ASCII."""
    return term.isascii() and not _NON_ASCII_VARIANTS.search(term)


def expand_case_variants(term: str, regex: bool) -> str | None:
    """
    Return a regular expression that finds a term in any case without C{-i}.

    @param regex: whether the term is a regular expression.
    @return: L{None} if grep has to be called with C{-i}.
    """
    if not regex:
        return term.translate(_LITERALS) if _ANY_MISMATCHED.search(term) else None
    if not _EXPANDABLE_REGEX.fullmatch(term):
        return None
    expanded = _REGEX_PARTS.sub(_expand_regex_part, term)
    return expanded if _ANY_MISMATCHED.search(expanded) else None


def _expand_regex_part(part: Match[str]) -> str:
    text = part[0]
    if text[0] == "[":
        return _BRACKET_PARTS.sub(_expand_bracket_part, text)
    return text if text[0] == "\\" else text.translate(_BRACKETS)


def _expand_bracket_part(part: Match[str]) -> str:
    first, last = part.groups()
    if first is None:
        return _CASE_VARIANTS.get(part[0], part[0])
    letters = map(chr, range(ord(first), ord(last) + 1))
    return part[0] + "".join(_CASE_VARIANTS[letter] for letter in letters)
