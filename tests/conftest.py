"""
A check that trial makes and pytest does not: a test must leave nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _assert_clean_reactor() -> Iterator[None]:
    """Fail a test that leaves delayed calls or processes behind."""
    yield
    from twisted.internet import reactor
    from twisted.internet.process import reapProcessHandlers

    assert reactor.getDelayedCalls() == []
    assert not reapProcessHandlers
