"""
Tests for L{twisted_quotes.errors}.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes import errors
from twisted_quotes.errors import (
    BadRequest,
    BodyTooLarge,
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
    EntryTooLong,
    HeadersTooLarge,
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
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses_of(each)


class QuotesErrorTests(SynchronousTestCase):
    """What the caller is told."""

    def test_codes_are_those_of_the_table(self) -> None:
        """Each error has the status that the table of errors gives it."""
        codes = {
            BadRequest: 400,
            EntryTooLong: 400,
            NotAuthenticated: 401,
            DictionaryForbidden: 403,
            DictionaryNotFound: 404,
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
            ServiceNotReady: 503,
            ShuttingDown: 503,
            SearchTimedOut: 504,
        }
        self.assertEqual(
            {kind: kind.code for kind in _subclasses_of(QuotesError)}, codes
        )

    def test_the_tree_in_the_docstring_is_whole(self) -> None:
        """The module's tree names every error there is."""
        drawn = (errors.__doc__ or "").split()
        names = {kind.__name__ for kind in _subclasses_of(QuotesError)}
        self.assertEqual(names - set(drawn), set())

    def test_message_is_kept_as_it_was_given(self) -> None:
        """The message is what the error reads as."""
        error = BadRequest("That is wrong. This would be right.")
        self.assertEqual(error.message, "That is wrong. This would be right.")
        self.assertEqual(str(error), error.message)

    def test_not_authenticated_says_how_to_be(self) -> None:
        """One who was not believed learns why, and both ways to be."""
        message = NotAuthenticated("The name or the password is wrong.").message
        for part in ("password is wrong. ", "Authorization: Basic", "Bearer"):
            self.assertIn(part, message)

    def test_forbidden_says_what_may_be_read(self) -> None:
        """One who named a forbidden file learns which names are good."""
        message = DictionaryForbidden().message
        for part in ("may not be read", "regular file", "hidden", "absolute", "'..'"):
            self.assertIn(part, message)

    def test_not_found_names_what_there_is(self) -> None:
        """One who misspelt a name sees it, and the names there are."""
        message = DictionaryNotFound("cats", ["birds", "dogs"]).message
        self.assertIn('no dictionary "cats"', message)
        self.assertIn('There are: "birds", "dogs". ', message)

    def test_not_found_names_eight_in_full(self) -> None:
        """Eight names are all shown, and nothing hints at more."""
        message = DictionaryNotFound("cats", list("abcdefgh")).message
        self.assertIn('"h". ', message)
        self.assertNotIn("...", message)

    def test_not_found_names_eight_of_many(self) -> None:
        """Of a ninth name there is only a hint."""
        message = DictionaryNotFound("cats", list("abcdefghi")).message
        self.assertIn('"h", .... ', message)
        self.assertNotIn('"i"', message)

    def test_not_found_in_an_empty_library(self) -> None:
        """A library without dictionaries says so."""
        self.assertIn("There are: none. ", DictionaryNotFound("cats", []).message)

    def test_body_too_large_says_how_large_it_may_be(self) -> None:
        """The limit is told."""
        self.assertIn("up to 65536 bytes", BodyTooLarge(65536).message)

    def test_timed_out_says_after_what_time(self) -> None:
        """The time limit is told, whole or broken, without useless digits."""
        self.assertIn("more than 10 seconds", SearchTimedOut(10.0).message)
        self.assertIn("more than 0.5 seconds", SearchTimedOut(0.5).message)

    def test_unavailable_says_when_to_come_back(self) -> None:
        """The message and the number for the header agree."""
        for error in (TooBusy(), DictionaryChanging(), ShuttingDown()):
            self.assertIn(f"again in {error.retry_after} second", error.message)

    def test_messages_are_whole_sentences(self) -> None:
        """Each message of our own starts large and ends with a full stop."""
        for error in (
            NotAuthenticated("So it is."),
            DictionaryForbidden(),
            DictionaryNotFound("x", []),
            RequestTimedOut(1),
            BodyTooLarge(1),
            EntryTooLong(1),
            TooBusy(),
            DictionaryChanging(),
            ServiceNotReady("grep"),
            QuoteNotFound(),
            ShuttingDown(),
            SearchTimedOut(1),
        ):
            self.assertRegex(error.message, r"\A[A-Z].*\.\Z")
