"""
A library, and a service in memory with the URLs of Quotable.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred

from ...clients import ClientResponse, WebTestCase

LIBRARY = {
    "famous-quotes": (
        "Any sufficiently advanced technology is equivalent to magic.\n"
        "-- Arthur C. Clarke, Profiles of the Future\n"
        "\n"
        "A house divided against itself cannot stand.\n"
        "-- Abraham Lincoln\n"
        "\n"
        "Life is what happens.\n"
        "-- JOHN LENNON\n"
        "\n"
        "I have a dream.\n"
        "-- Martin Luther King, Jr.\n"
    ),
    "love": (
        "Whatever you are,\nbe a good one.\n"
        "-- Abraham Lincoln, Letters\n"
        "\n"
        "All you need is love.\n"
        "-- John Lennon\n"
        "\n"
        "Nobody said this.\n"
        "\n"
        "Peace of mind.\n"
        "-- John Lennon\n"
        "\n"
        "He wrote theses.\n"
        "-- Martin Luther King\n"
    ),
}
# In seconds since 1970: 2023-04-14 and 2019-08-08.
TIMES = {"famous-quotes": 1681430400, "love": 1565222400}


class QuotableTestCase(WebTestCase):
    """Has two dictionaries with dates, and greps that work."""

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "alpha").unlink()
        (self.folder / "sub" / "beta").unlink()
        for name, text in LIBRARY.items():
            (self.folder / name).write_text(text)
            os.utime(self.folder / name, (TIMES[name], TIMES[name]))
        self.web = self.make_web(quotable=True)

    def request(
        self, path: str, headers: dict[str, str] | None = None, /, **parameters: Any
    ) -> ClientResponse:
        """Return the response to a request, for which greps may run."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        pending = self.web.request("GET", path + query, headers=headers)
        return self.finish(pending)

    def finish(self, pending: Deferred[ClientResponse]) -> ClientResponse:
        """Let each grep find what the real one does, and return the response."""
        while running := self.web.running_processes():
            process = running[0]
            stdin: Any = process.child_fds[0]
            done = subprocess.run(
                ["grep", *process.arguments[1:]],
                stdin=stdin,
                env=process.environment,
                capture_output=True,
            )
            process.print(done.stdout, done.stderr)
            process.end(done.returncode)
            self.web.flush_responses()
        return self.successResultOf(pending)

    def get_json(self, path: str, **parameters: Any) -> Any:
        """Return the body of a response that is no error."""
        response = self.request(path, **parameters)
        self.assertEqual(response.code, 200, response.body)
        self.assertEqual(response.header("content-type"), "application/json")
        return response.json

    def get_contents(self, path: str, **parameters: Any) -> list[str]:
        """Return the contents of the quotes on a page."""
        body = self.get_json(path, **parameters)
        return [each["content"] for each in body["results"]]

    def assert_quotable_error(
        self, response: ClientResponse, code: int, *words: str
    ) -> None:
        """Check that a response is an error as Quotable has them, with some words."""
        self.assertEqual(response.code, code)
        self.assertEqual(list(response.json), ["statusCode", "statusMessage"])
        self.assertEqual(response.json["statusCode"], code)
        for word in words:
            self.assertIn(word, response.json["statusMessage"])
