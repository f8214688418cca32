"""
What the tests of both APIs share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail

from twisted_quotes.errors import ServiceNotReady
from twisted_quotes.library.packs import plan as plan_module
from twisted_quotes.library.packs.building.builds import BuiltPack, PackBuilds
from twisted_quotes.library.packs.plan import PackPlan

from ..clients import ClientResponse, WebTestCase


class SearchTestCase(WebTestCase):
    """Ends the processes of searches one at a time."""

    def end_grep(
        self,
        output: bytes = b"",
        status: int = 0,
        errors: bytes = b"",
        signal: int | None = None,
    ) -> None:
        """Let the only process that runs print something and end."""
        [process] = self.web.running_processes()
        process.print(output, errors)
        process.end(status, signal)
        self.web.flush_responses()

    def finish(
        self, pending: Deferred[ClientResponse], *output: bytes, **ending: Any
    ) -> ClientResponse:
        """Let processes print their output and end, and return the response."""
        for part in output or [b""]:
            [process] = self.web.running_processes()
            process.print(part)
            self.web.flush_responses()
            self.assertNoResult(pending)
            self.end_grep(**ending)
        return self.successResultOf(pending)


@contextmanager
def index_missing(path: Path) -> Iterator[None]:
    """Let a dictionary have no index in time. Each one has a pack of its own."""
    get = PackBuilds.get

    def get_others(
        builds: PackBuilds, plan: PackPlan, *arguments: Any, **keywords: Any
    ) -> Deferred[BuiltPack]:
        if path.name in dict(plan.dictionaries):
            return fail(ServiceNotReady("an index"))
        return get(builds, plan, *arguments, **keywords)

    with (
        patch.object(plan_module, "LARGE_SIZE", 0),
        patch.object(PackBuilds, "get", get_others),
    ):
        yield
