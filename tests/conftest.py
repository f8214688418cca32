"""
What trial sees for itself and pytest does not: a test that leaves something behind.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _assert_clean_reactor() -> Iterator[None]:
    """Fail a test that leaves timers or processes to the ones after it."""
    yield
    from twisted.internet import reactor
    from twisted.internet.process import reapProcessHandlers

    assert reactor.getDelayedCalls() == []
    assert not reapProcessHandlers
