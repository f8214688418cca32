"""
Whether the service is ready for requests.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from twisted_quotes.errors import QuotesError, ServiceNotReady, ShuttingDown

from .library import Library


@dataclass
class Readiness:
    """
    Whether the service is ready.

    @ivar library: the dictionaries, of which the default one must be readable.
    @ivar executable: the absolute path of grep.
    @ivar draining: whether the shutdown has begun.
    """

    library: Library
    executable: str
    draining: bool = False

    def check(self) -> None:
        """
        Check that the service can respond to requests.

        @raise ShuttingDown: the shutdown has begun.
        @raise ServiceNotReady: grep or the default dictionary is missing.
        """
        if self.draining:
            raise ShuttingDown()
        if not os.access(self.executable, os.X_OK):
            raise ServiceNotReady("grep")
        try:
            self.library.check_default()
        except (OSError, QuotesError):
            raise ServiceNotReady("the default dictionary") from None
