"""
Suggestions of a known name for an unknown one.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from re import compile

# The names that other APIs and programs have for a field or an action, without case
# and punctuation.
_WORDS_TO_FIND = (
    "query text search searchterm searchtext searchquery srsearch keyword keywords "
    "string what find contains content fulltext s"
)
_NUMBER_OF_RESULTS = (
    "count size perpage pagesize hitsperpage resultsperpage itemsperpage n num number "
    "max maxresults results top take first rows srlimit amount quantity"
)
_PAGE = "page pagenumber pagenum pageno pageindex p"
_SYNONYMS = {
    "q": _WORDS_TO_FIND,
    "term": f"q {_WORDS_TO_FIND} pattern phrase",
    "dictionary": "dictionaries dict file filename files book source sources name tag "
    "tags category categories topic topics genre collection corpus index library",
    "nresults": f"{_NUMBER_OF_RESULTS} limit",
    "limit": f"{_NUMBER_OF_RESULTS} nresults",
    "offset": f"{_PAGE} skip from start startindex startat sroffset",
    "ignore_case": "case caseless caseinsensitive casesensitive insensitive icase "
    "matchcase nocase i",
    "whole_word": "word words whole wholewords w",
    "regex": "regexp re extended isregex",
    "n_before": "before beforecontext context b",
    "n_after": "after aftercontext context a",
    "author": "by who writer attribution speaker person creator authorname authorid",
    "min_length": "minlen minchars minsize",
    "max_length": "maxlen maxchars maxsize",
    "seed": "random rand randomseed",
    "action": "method command cmd operation op type",
    "search": "find query grep lookup get",
    "random": "draw pick sample shuffle quote fortune",
    "all": "everything lines dump cat",
    "list": "dictionaries names ls dir",
}

_PUNCTUATION = compile(r"[^a-z0-9]")


def suggest_name(name: str, known_names: Collection[str]) -> str:
    """
    Suggest a known name for an unknown one.

    @return: a sentence after a space; empty if no known name is a synonym or similar.
    """
    plain_name = _PUNCTUATION.sub("", name[:100].lower())
    synonyms = [
        f'"{known_name}"'
        for known_name in known_names
        if plain_name in _SYNONYMS.get(known_name, "").split()
    ]
    if not synonyms:
        return suggest_similar(name, known_names)
    value = ""
    if plain_name in _PAGE.split():
        limit = "limit" if "limit" in known_names else "nresults"
        value = f", which is (page - 1) * {limit}"
    return f" Try {' or '.join(synonyms)}{value}."


def suggest_similar(name: str, known_names: Collection[str]) -> str:
    """Suggest the most similar name, in the form of L{suggest_name}."""
    name = name[:100].lower()
    close_matches = get_close_matches(name, known_names, n=1, cutoff=0.7)
    return f' The nearest is "{close_matches[0]}".' if close_matches else ""
