"""
Which known name is meant by one that is not known.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

# The words that other programs have for a field or an action.
_OTHER_WORDS = {
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


def hint(name: str, known: Collection[str]) -> str:
    """
    Say which known name is meant.

    @param name: one that is not known.
    @param known: those that are.
    @return: a sentence after a blank, or nothing where no name is another word
        for it, nor near.
    """
    name = name[:100].lower()
    word = name.replace("_", "").replace("-", "")
    meant = [f'"{each}"' for each in known if word in _words(each)]
    if meant:
        return f" Try {' and '.join(meant)}."
    near = get_close_matches(name, known, n=1, cutoff=0.7)
    return f' The nearest is "{near[0]}".' if near else ""


def _words(name: str) -> list[str]:
    return _OTHER_WORDS.get(name, "").split()
