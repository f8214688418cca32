"""
Which known name is meant by one that is not known.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

# The words that other programs have for a field or an action.
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
    Say which known name is meant.

    @param name: one that is not known.
    @param known_names: those that are.
    @return: a sentence after a blank, or nothing where no name is another word
        for it, nor near.
    """
    name = name[:100].lower()
    normalized_name = name.replace("_", "").replace("-", "")
    synonym_matches = [
        f'"{each}"' for each in known_names if normalized_name in _synonyms_of(each)
    ]
    if synonym_matches:
        return f" Try {' and '.join(synonym_matches)}."
    close_matches = get_close_matches(name, known_names, n=1, cutoff=0.7)
    return f' The nearest is "{close_matches[0]}".' if close_matches else ""


def _synonyms_of(name: str) -> list[str]:
    return _SYNONYMS.get(name, "").split()
