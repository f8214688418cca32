"""
The author and the work in an attribution (contract, section 4).
"""

from __future__ import annotations

from re import compile

_COMMA = r"[,\uff0c\u060c]"
# What follows a comma within a name.
_DEGREE = (
    r"[JS]r|I{2,3}|IV|VI{1,3}|Esq(?:uire)?|Ph\.? ?D|D\.? ?Phil|LL\.? ?D|M\.? ?B\.? ?A"
    r"|[MDJ]\.? ?D|[BM]\.? ?A|M\.? ?P|R\.? ?N|S\.? ?J|[CDKMO]BE|[KQ]C|FRS"
)
_TITLE = (
    r"(?:\d+(?:st|nd|rd|th)"
    r"|(?i:duke|earl|viscount|marqu(?:is|ess)|duc|comte) (?:of|de)) [^,\uff0c\u060c]*"
)
_END_OF_AUTHOR = compile(
    rf"{_COMMA}(?!\s*(?:{_DEGREE}|{_TITLE})(?:\.\s|\.?\s*(?:{_COMMA}|[(\[]|\Z)))"
)


def split_attribution(attribution: str) -> tuple[str, str | None]:
    """
    Split an attribution at its first comma that does not belong to a name.

    A comma before a suffix such as "Jr." or "PhD", or before a title, belongs to it.

    @param attribution: the attribution in one line, without its mark.
    @return: the author, and the work, which is L{None} if there is none.
    """
    match = _END_OF_AUTHOR.search(attribution)
    author = attribution[: match.start()].strip() if match else ""
    if match is None or not author:
        return attribution, None
    return author, attribution[match.end() :].strip() or None
