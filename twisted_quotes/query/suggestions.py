"""
Suggestions of a known name for an unknown one.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

# The names that other programs have for a field or an action.
_SYNONYMS = {
    "term": "q query text search searchterm keyword keywords pattern phrase string "
    "what",
    "dictionary": "dictionaries dict file filename files book source name tag tags "
    "category library",
    "nresults": "count size perpage pagesize n num max maxresults results limit top",
    "limit": "count size perpage pagesize n num max maxresults results nresults top",
    "offset": "page skip from start startindex",
    "ignore_case": "case caseless caseinsensitive insensitive icase i",
    "whole_word": "word words whole wholewords w",
    "regex": "regexp re extended",
    "n_before": "before beforecontext context b",
    "n_after": "after aftercontext context a",
    "author": "by who writer attribution",
    "seed": "random randomseed",
    "action": "method command cmd operation op type",
    "search": "find query grep lookup get",
    "random": "draw pick sample shuffle quote fortune",
    "all": "everything lines dump cat",
    "list": "dictionaries names ls dir",
}


def suggest_name(name: str, known_names: Collection[str]) -> str:
    """
    Suggest a known name for an unknown one.

    @return: a sentence after a space; empty if no known name is a synonym or similar.
    """
    plain_name = name[:100].lower().replace("_", "").replace("-", "")
    synonyms = [
        f'"{known_name}"'
        for known_name in known_names
        if plain_name in _SYNONYMS.get(known_name, "").split()
    ]
    if synonyms:
        return f" Try {' and '.join(synonyms)}."
    return suggest_similar(name, known_names)


def suggest_similar(name: str, known_names: Collection[str]) -> str:
    """Suggest the most similar name, in the form of L{suggest_name}."""
    name = name[:100].lower()
    close_matches = get_close_matches(name, known_names, n=1, cutoff=0.7)
    return f' The nearest is "{close_matches[0]}".' if close_matches else ""
