"""
What can go wrong, in the words of the one who asked.

::

    QuotesError                     code
    ├── BadRequest                  400   the question is not well put
    ├── EntryTooLong                400   an entry of its answer would be too long
    ├── NotAuthenticated            401   who asks is not known
    ├── DictionaryForbidden         403   the dictionary may not be read
    ├── DictionaryNotFound          404   there is no such dictionary
    ├── QuoteNotFound               404   no quote has that id
    ├── RequestTimedOut             408   the question did not come to its end
    ├── BodyTooLarge                413   the question is too long
    ├── RequestLineTooLong          414   its URL is too long
    ├── UnsupportedContentEncoding                 415   the question is compressed
    ├── HeadersTooLarge             431   its headers are too long
    ├── UnknownAction               501   the service does not do that
    ├── UnknownMethod               501   the server does not know that HTTP method
    ├── Unavailable                 503   not now; try again later
    │   ├── TooBusy
    │   ├── DictionaryChanging
    │   ├── ServiceNotReady
    │   ├── TooManyRequests         429   this client asks too much at one time
    │   └── ShuttingDown
    └── SearchTimedOut              504   the search took too long

Each carries the ``code`` of the contract's error table and a message of whole
sentences that says what was wrong and what would be right. Anything that is
not a L{QuotesError} is unforeseen, and is answered as a 500.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from twisted_quotes.text.display import printable


class QuotesError(Exception):
    """
    Base of the errors that are answered with their own message.

    @param message: whole sentences for the caller: what was wrong, and what
        would be right. It must name no path, no command and no traceback.
    """

    code: ClassVar[int]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(QuotesError):
    """The request is not JSON, or a field is missing, unknown or wrong."""

    code = 400


class EntryTooLong(QuotesError):
    """
    An entry is longer than the service sends.

    @param limit: the most bytes that an entry may have.
    """

    code = 400

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"An entry of the answer has more than {limit} bytes. Ask for fewer "
            "lines around each match, or for another dictionary."
        )


class NotAuthenticated(QuotesError):
    """
    The caller has not said who it is, or not so that it is believed.

    @param reason: a whole sentence that says what was wrong, and nothing of
        what came.
    @ivar is_bearer_token: whether what came was meant as a bearer token.
    """

    code = 401

    def __init__(self, reason: str, is_bearer_token: bool = False) -> None:
        super().__init__(
            f"{reason} Send a name and a password: as Authorization: Basic, "
            "or joined by a dot as Authorization: Bearer."
        )
        self.is_bearer_token = is_bearer_token


class DictionaryForbidden(QuotesError):
    """The name points outside the library, or at what may not be read."""

    code = 403

    def __init__(self) -> None:
        super().__init__(
            "That dictionary may not be read. Name a readable, regular file inside "
            "the library: no hidden name, no absolute path, no '..'."
        )


class DictionaryNotFound(QuotesError):
    """
    No file of that name is in the library.

    @param known_names: names that there are, in order.
    """

    code = 404

    def __init__(self, name: str, known_names: Sequence[str]) -> None:
        listed_names = ", ".join(f'"{printable(each)}"' for each in known_names[:8])
        super().__init__(
            f'There is no dictionary "{printable(name)}". There are: '
            f"{listed_names or 'none'}"
            f"{', ...' if len(known_names) > 8 else ''}. "
            'Ask {"action": "list"} for all of them.'
        )


class QuoteNotFound(QuotesError):
    """No quote in the library has that id."""

    code = 404

    def __init__(self) -> None:
        super().__init__(
            "No quote has that id. It may have been changed or removed: "
            "look for its words with /api/v2/quotes?term=WORDS."
        )


class RequestTimedOut(QuotesError):
    """
    The request was not complete within its time.

    @param limit: the time that a request may take to arrive, in seconds.
    """

    code = 408

    def __init__(self, limit: float) -> None:
        super().__init__(
            f"The request was not complete within {limit:g} seconds. "
            "Send it at once, and all of it."
        )


class BodyTooLarge(QuotesError):
    """The body of the request has more bytes than C{limit}."""

    code = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is too large. It may have up to {limit} bytes.")


class RequestLineTooLong(QuotesError):
    """The request line is longer than the service reads."""

    code = 414


class UnsupportedContentEncoding(QuotesError):
    """The body of the request has a content coding, such as gzip."""

    code = 415


class HeadersTooLarge(QuotesError):
    """The headers are more than the service reads."""

    code = 431


class UnknownAction(QuotesError):
    """The C{action} is a string, but not one that the service knows."""

    code = 501


class UnknownMethod(QuotesError):
    """The HTTP method is not one that the server knows."""

    code = 501


class Unavailable(QuotesError):
    """
    The service could answer that, but not now.

    @param reason: a whole sentence that says why not.
    @cvar retry_after: when to try again, in seconds from now.
    """

    code = 503
    retry_after: ClassVar[int] = 1

    def __init__(self, reason: str) -> None:
        seconds = f"{self.retry_after} second{'s' * (self.retry_after > 1)}"
        super().__init__(f"{reason} Try again in {seconds} or more.")


class TooBusy(Unavailable):
    """All places are taken, and as many wait as may."""

    def __init__(self) -> None:
        super().__init__("Too many requests are under way.")


class TooManyRequests(Unavailable):
    """The client has more than its share under way, while others ask as well."""

    code = 429

    def __init__(self) -> None:
        super().__init__("Too many requests of this client are under way.")


class DictionaryChanging(Unavailable):
    """The dictionary is being written to, again and again."""

    def __init__(self) -> None:
        super().__init__("The dictionary is being written to.")


class ServiceNotReady(Unavailable):
    """The service lacks what it needs: C{what}."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"The service is not ready: it cannot use {resource}.")


class ShuttingDown(Unavailable):
    """The service is ending."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__("The service is shutting down.")


class SearchTimedOut(QuotesError):
    """The search took longer than C{limit} seconds, and was ended."""

    code = 504

    def __init__(self, limit: float) -> None:
        super().__init__(
            f"The search took more than {limit:g} seconds and was ended. "
            "Look for a simpler term, or in a smaller dictionary."
        )
