"""
The minimum cost of Twisted and Klein: a route that runs grep and returns its lines,
without checks, limits, metrics and logs.
"""

from __future__ import annotations

import json
import os
import sys
from shutil import which
from typing import Any

from klein import Klein
from twisted.internet import process, reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.server import Site

LIBRARY = os.environ["LIBRARY"]
GREP = which("grep") or "grep"
ENVIRONMENT = {"LC_ALL": "C"}

app = Klein()


class GrepProtocol(ProcessProtocol):
    """
    Collects the output of grep.

    @ivar ended: fires with the output.
    """

    def __init__(self) -> None:
        self.ended: Deferred[bytes] = Deferred()
        self._output: list[bytes] = []

    def outReceived(self, data: bytes) -> None:
        """Collect a part of the output."""
        self._output.append(data)

    def processEnded(self, reason: Failure) -> None:
        """Fire C{ended}."""
        self.ended.callback(b"".join(self._output))


@app.route("/api/v1/json", methods=["POST"])
async def run_query(request: IRequest) -> bytes:
    """Run grep and return its lines; an empty term matches all lines."""
    query = json.loads(request.content.read())
    grep = GrepProtocol()
    path = f"{LIBRARY}/{query['dictionary']}"
    arguments = ["grep", "-a", "-F", "-e", query.get("term", ""), "--", path]
    reactor.spawnProcess(
        grep, GREP, arguments, ENVIRONMENT, childFDs={0: 0, 1: "r", 2: 2}
    )
    results = (await grep.ended).decode().removesuffix("\n").split("\n")
    request.setHeader(b"content-type", b"application/json")
    return json.dumps({"nr of entries": len(results), "results": results}).encode()


class QuietSite(Site):
    """A site without an access log."""

    def log(self, request: object) -> None:
        """Log nothing."""


def main(port: str) -> None:
    """Serve on a port of 127.0.0.1."""
    # As in twisted_quotes, starting a process does not list all descriptors.
    detector: Any = process.detector
    detector._listOpenFDs = lambda: [0, 1, 2]
    site: Any = QuietSite(app.resource())
    reactor.listenTCP(int(port), site, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
