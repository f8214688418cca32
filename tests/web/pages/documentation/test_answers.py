"""
Tests for L{twisted_quotes.web.pages.documentation.answers}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.api.operations import quotes
from twisted_quotes.web.pages.documentation.answers import (
    MAX_LENGTH,
    Answer,
    Answers,
)

OPERATION = quotes.OPERATIONS[0]
EXAMPLE = OPERATION.examples[0]


class AnswersTests(SynchronousTestCase):
    """Tests of responses that are streamed."""

    def answer(self, route: Any) -> Answer:
        """Return the response of a route."""
        answers = Answers({OPERATION: route})
        return self.successResultOf(
            Deferred.fromCoroutine(answers.answer(OPERATION, EXAMPLE))
        )

    def test_an_endless_response_is_cut_off(self) -> None:
        """The route does not take that for an error."""
        written = []

        async def route(request: Any) -> bytes:
            while True:
                try:
                    written.append("x" * 1000)
                    request.write(b"x" * 1000)
                except Exception:
                    return b"an error"

        answer = self.answer(route)
        self.assertEqual(answer.code, 200)
        self.assertGreaterEqual(len(answer.text), MAX_LENGTH)
        self.assertEqual(len(answer.text), len(written) * 1000)

    def test_a_stream_that_fails_is_an_error(self) -> None:
        async def route(request: Any) -> bytes:
            request.write(b"x")
            request.abort_response(Failure(ValueError("failed")))
            return b""

        answer = self.answer(route)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual((answer.code, answer.is_temporary), (500, True))
