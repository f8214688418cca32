"""
What a query selects: patterns for grep, and conditions on quotes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from re import compile
from typing import TypeAlias

from .search_syntax import Condition, SearchConditions, Target

_ESCAPE = compile(r"\\.")
_CASE_CLASS = compile(r"\[:(?:upper|lower):\]")


@dataclass(frozen=True)
class Pattern:
    """
    A pattern for grep.

    @ivar term: a fixed string, or a POSIX extended regular expression.
    """

    term: str
    ignore_case: bool = False
    whole_word: bool = False
    regex: bool = False


@dataclass(frozen=True)
class Criterion:
    """
    A condition with the pattern to search for.

    @ivar target: what is searched; the pattern of a dictionary is its whole name.
    @ivar excluded: whether the pattern must not match.
    """

    target: Target
    pattern: Pattern
    excluded: bool = False


CriterionGroup: TypeAlias = tuple[Criterion, ...]
"""Criteria of which a quote must meet one."""


@dataclass(frozen=True)
class Selection:
    """
    The conditions for a quote or a line.

    @ivar pattern: matches the text; L{None} for any text.
    @ivar groups: further criteria. A quote meets one of each group.
    @ivar lengths: the lengths of a quote without its attribution, in code points;
        L{None} for any length.
    """

    pattern: Pattern | None = None
    groups: tuple[CriterionGroup, ...] = ()
    lengths: range | None = None

    def restrict_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """
        Return the dictionaries to search, in order: some, or only C{"*"}.

        @param names: those that the query names otherwise; C{"*"} for every one.
        """
        restricted = set(names)
        for group in self.groups:
            if all(each.target == "dictionary" and not each.excluded for each in group):
                allowed = {each.pattern.term for each in group}
                if "*" not in allowed:
                    restricted = allowed if "*" in restricted else restricted & allowed
        return ("*",) if "*" in restricted else tuple(sorted(restricted))

    @property
    def depends_on_dictionary(self) -> bool:
        """Whether of two equal quotes in two dictionaries only one may be selected."""
        return any(
            each.target == "dictionary" for group in self.groups for each in group
        )

    @property
    def criterion_count(self) -> int:
        """The number of greps of a dictionary."""
        return sum(map(len, self.groups)) + (self.pattern is not None)

    @property
    def only_text_pattern(self) -> Pattern | None:
        """The pattern for the text, if there is no other condition."""
        if self.lengths is None and self.criterion_count == 1:
            return next(iter(self.text_patterns), None)
        return None

    @property
    def text_patterns(self) -> Sequence[Pattern]:
        """The patterns that may match a text that is found, each once, in order."""
        patterns = [
            each.pattern
            for group in self.groups
            for each in group
            if each.target == "text" and not each.excluded
        ]
        if self.pattern is not None:
            patterns.insert(0, self.pattern)
        return list(dict.fromkeys(patterns))


def has_capital(term: str, regex: bool = False) -> bool:
    """
    Return whether a term has an upper-case letter.

    @param regex: whether it is a regular expression. A letter after a backslash has
        another meaning there, and C{[:upper:]} and C{[:lower:]} depend on the case.
    """
    if regex and _CASE_CLASS.search(term):
        return True
    text = _ESCAPE.sub("", term) if regex else term
    return any(map(str.isupper, text))


def make_pattern(
    term: str, ignore_case: bool | None, whole_word: bool, regex: bool = False
) -> Pattern:
    """
    Return the pattern for a term.

    @param ignore_case: L{None} ignores the case of a term without a capital.
    """
    if ignore_case is None:
        ignore_case = not has_capital(term, regex)
    return Pattern(term, ignore_case, whole_word, regex)


def author_group(author: str) -> CriterionGroup:
    """Return the criterion for a part of an author's name, in either case."""
    return (_author_criterion(author),)


def _author_criterion(author: str, excluded: bool = False) -> Criterion:
    return Criterion("author", Pattern(author.strip(), ignore_case=True), excluded)


def search_groups(
    conditions: SearchConditions, ignore_case: bool | None, whole_word: bool
) -> tuple[CriterionGroup, ...]:
    """
    Return the criteria of a search.

    @param ignore_case: L{None} ignores the case of each term without a capital.
    @param whole_word: whether the terms must be whole words of the text.
    """

    def make_criterion(condition: Condition) -> Criterion:
        term, target, excluded = condition.term, condition.target, condition.excluded
        match target:
            case "author":
                return _author_criterion(term, excluded)
            case "text":
                pattern = make_pattern(term, ignore_case, whole_word)
            case "dictionary":
                pattern = Pattern(term)
        return Criterion(target, pattern, excluded)

    return tuple(tuple(map(make_criterion, group)) for group in conditions)
