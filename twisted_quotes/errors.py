"""
Errors that the service reports to the client, each with its own message.

::

    QuotesError
    ├── BadRequest                  400
    ├── EntryTooLong                400
    ├── NotAuthenticated            401
    ├── DictionaryForbidden         403
    ├── DictionaryNotFound          404
    ├── DictionaryNotText           404
    ├── QuoteNotFound               404
    ├── RequestTimedOut             408
    ├── BodyTooLarge                413
    ├── RequestLineTooLong          414
    ├── UnsupportedContentEncoding  415
    ├── HeadersTooLarge             431
    ├── UnknownAction               501
    ├── UnknownMethod               501
    ├── Unavailable                 503
    │   ├── TooBusy                 503
    │   ├── TooManyRequests         429
    │   ├── DictionaryChanging      503
    │   ├── IndexNotReady           503
    │   ├── ServiceNotReady         503
    │   └── ShuttingDown            503
    └── SearchTimedOut              504

Each C{code} is the HTTP status in the contract's section 1. Any other exception is
reported as a 500 without its message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

_MAX_LISTED_NAMES = 8


class QuotesError(Exception):
    """
    Base class of the errors that are reported to the client.

    @cvar code: the HTTP status of the response.
    @ivar message: sentences for the client that say what is wrong and what would be
        right, without a path, a command line or a traceback.
    """

    code: ClassVar[int]
    message: str = ""

    def __init__(self, message: str = "") -> None:
        self.message = message or self.message
        super().__init__(self.message)


class BadRequest(QuotesError):
    """The request is invalid; C{excerpt} is a sentence that is not logged."""

    code = 400
    excerpt = ""


class EntryTooLong(QuotesError):
    """An entry has more than C{limit} bytes."""

    code = 400

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"An entry of the response has more than {limit} bytes. Request fewer "
            "lines of context, or another dictionary."
        )


class NotAuthenticated(QuotesError):
    """
    The credentials are missing or wrong.

    @param reason: a sentence that says what is wrong and repeats no credentials.
    @ivar is_bearer_token: whether the request has a bearer token.
    """

    code = 401

    def __init__(self, reason: str, is_bearer_token: bool = False) -> None:
        super().__init__(
            f"{reason} Send a name and a password: as Authorization: Basic, "
            "or joined by a dot as Authorization: Bearer."
        )
        self.is_bearer_token = is_bearer_token


class DictionaryForbidden(QuotesError):
    """The name points outside the library, or to a file that is not readable."""

    code = 403
    message = (
        "That dictionary may not be read. Name a readable, regular file inside the "
        "library: no hidden name, no absolute path, no '..'."
    )


class DictionaryNotFound(QuotesError):
    """
    No file in the library has that name.

    @param name: the name, without control characters.
    @param known_names: the names of the dictionaries, in order, like C{name}.
    @param suggestion: a sentence after a space, or nothing.
    """

    code = 404

    def __init__(
        self, name: str, known_names: Sequence[str], suggestion: str = ""
    ) -> None:
        names = ", ".join(f'"{each}"' for each in known_names[:_MAX_LISTED_NAMES])
        more = " and others" if len(known_names) > _MAX_LISTED_NAMES else ""
        super().__init__(
            f'There is no dictionary "{name}".{suggestion} '
            f"There are: {names or 'none'}{more}."
        )


class DictionaryNotText(QuotesError):
    """
    The file with that name is not text.

    @param name: the name, without control characters.
    """

    code = 404

    def __init__(self, name: str) -> None:
        super().__init__(
            f'The file "{name}" is not a dictionary: it is not text, or too large for '
            "a text in UTF-16 or UTF-32. Convert it to UTF-8."
        )


class QuoteNotFound(QuotesError):
    code = 404
    message = "No quote has that id. It may have been changed or removed."


class RequestTimedOut(QuotesError):
    """The request was not complete within C{limit} seconds."""

    code = 408

    def __init__(self, limit: float) -> None:
        super().__init__(
            f"The request was not complete within {limit:g} seconds. "
            "Send all of it without a pause."
        )


class BodyTooLarge(QuotesError):
    """The body of the request has more than C{limit} bytes."""

    code = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is too large. It may have up to {limit} bytes.")


class RequestLineTooLong(QuotesError):
    code = 414


class UnsupportedContentEncoding(QuotesError):
    """The body of the request has a content coding, such as gzip."""

    code = 415


class HeadersTooLarge(QuotesError):
    code = 431


class UnknownAction(QuotesError):
    """The C{action} is a string, but not a known one."""

    code = 501


class UnknownMethod(QuotesError):
    code = 501


class Unavailable(QuotesError):
    """
    The service cannot process the request now. The client may try again.

    @cvar retry_after: the number of seconds to wait before the next try.
    """

    code = 503
    retry_after: ClassVar[int] = 1

    def __init__(self, message: str = "") -> None:
        seconds = f"{self.retry_after} second{'s' * (self.retry_after > 1)}"
        super().__init__(f"{message or self.message} Try again in {seconds} or more.")


class TooBusy(Unavailable):
    """All slots are in use, and the queue for them is full."""

    message = "Too many requests are in progress."


class TooManyRequests(Unavailable):
    """The client uses more than its share while other clients send requests."""

    code = 429
    message = "Too many requests of this client are in progress."


class DictionaryChanging(Unavailable):
    """The dictionary changed during every attempt to read it."""

    message = "The dictionary is being written to."


class ServiceNotReady(Unavailable):
    """The service cannot use a C{resource} that it needs."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"The service is not ready: it cannot use {resource}.")


class IndexNotReady(Unavailable):
    """An index is being built. C{progress} says how much of it is there."""

    retry_after = 2

    def __init__(self, progress: str) -> None:
        super().__init__(f"The library is being indexed: {progress}.")


class ShuttingDown(Unavailable):
    retry_after = 5
    message = "The service is shutting down."


class SearchTimedOut(QuotesError):
    """The search took longer than C{limit} seconds, and its grep was killed."""

    code = 504

    def __init__(self, limit: float) -> None:
        advice = "Search for a simpler term, or in a smaller dictionary."
        super().__init__(f"The search took more than {limit:g} seconds. {advice}")
