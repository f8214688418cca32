"""
Tests for L{twisted_quotes.errors}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes import errors
from twisted_quotes.errors import (
    BadRequest,
    BodyTooLarge,
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
    DictionaryNotText,
    EntryTooLong,
    HeadersTooLarge,
    IndexNotReady,
    NotAuthenticated,
    QuoteNotFound,
    QuotesError,
    RequestLineTooLong,
    RequestTimedOut,
    SearchTimedOut,
    ServiceNotReady,
    ShuttingDown,
    TooBusy,
    TooManyRequests,
    Unavailable,
    UnknownAction,
    UnknownMethod,
    UnsupportedContentEncoding,
)


def _subclasses_of(kind: type[QuotesError]) -> Iterator[type[QuotesError]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses_of(subclass)


class QuotesErrorTests(SynchronousTestCase):
    """Tests of the codes and the messages."""

    def test_codes_are_those_of_the_contract(self) -> None:
        """The table has every error class."""
        codes = {
            BadRequest: 400,
            EntryTooLong: 400,
            NotAuthenticated: 401,
            DictionaryForbidden: 403,
            DictionaryNotFound: 404,
            DictionaryNotText: 404,
            QuoteNotFound: 404,
            RequestTimedOut: 408,
            BodyTooLarge: 413,
            RequestLineTooLong: 414,
            TooManyRequests: 429,
            UnsupportedContentEncoding: 415,
            HeadersTooLarge: 431,
            UnknownAction: 501,
            UnknownMethod: 501,
            Unavailable: 503,
            TooBusy: 503,
            DictionaryChanging: 503,
            IndexNotReady: 503,
            ServiceNotReady: 503,
            ShuttingDown: 503,
            SearchTimedOut: 504,
        }
        self.assertEqual(
            {kind: kind.code for kind in _subclasses_of(QuotesError)}, codes
        )

    def test_the_tree_in_the_docstring_has_every_error_and_its_code(self) -> None:
        """Each line of the tree ends with a name and a code."""
        tree = re.findall(r"─ (\w+) +(\d+)\n", errors.__doc__ or "")
        self.assertEqual(
            {name: int(code) for name, code in tree},
            {kind.__name__: kind.code for kind in _subclasses_of(QuotesError)},
        )

    def test_messages_say_what_is_wrong_and_what_would_be_right(self) -> None:
        """Limits are named without useless digits."""
        for error, parts in (
            (BadRequest("No. Do this."), ["No. Do this."]),
            (
                NotAuthenticated("The password is wrong."),
                ["password is wrong. ", "Authorization: Basic", "Bearer"],
            ),
            (
                DictionaryForbidden(),
                ["may not be read", "regular file", "hidden", "absolute", "'..'"],
            ),
            (
                DictionaryNotFound("cats", ["birds", "dogs"]),
                ['no dictionary "cats"', 'There are: "birds", "dogs".'],
            ),
            (DictionaryNotFound("cats", []), ["There are: none."]),
            (DictionaryNotFound("cats", [*"abcdefgh"]), ['"g", "h".']),
            (DictionaryNotFound("cats", [*"abcdefghi"]), ['"h" and others.']),
            (QuoteNotFound(), ["No quote has that id."]),
            (RequestTimedOut(1), ["within 1 seconds"]),
            (BodyTooLarge(65536), ["up to 65536 bytes"]),
            (EntryTooLong(99), ["more than 99 bytes"]),
            (TooBusy(), ["again in 1 second or"]),
            (TooManyRequests(), ["again in 1 second or"]),
            (DictionaryChanging(), ["again in 1 second or"]),
            (ServiceNotReady("grep"), ["cannot use grep.", "again in 1 second or"]),
            (ShuttingDown(), ["again in 5 seconds or"]),
            (SearchTimedOut(10.0), ["more than 10 seconds"]),
            (SearchTimedOut(0.5), ["more than 0.5 seconds"]),
        ):
            for part in parts:
                self.assertIn(part, error.message)
            self.assertRegex(error.message, r"\A[A-Z].*\.\Z")
            self.assertEqual(str(error), error.message)
