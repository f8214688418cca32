"""
Tests of what a worker inherits.
"""

from __future__ import annotations

import os

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.workers.inherited_fds import (
    CONFIGURATION_VARIABLE,
    CONTROL_FD,
    FIRST_LISTENER_FD,
    SHARED_COUNTERS_FD,
    WorkerConfiguration,
    take_worker_configuration,
)


def make_configuration(
    share: int = 0, shares: int = 2, listeners: int = 0
) -> WorkerConfiguration:
    """Make the configuration of a worker."""
    return WorkerConfiguration(1, share, shares, listeners, ("a", ""))


class WorkerConfigurationTests(SynchronousTestCase):
    """Tests of L{WorkerConfiguration}."""

    def test_a_limit_is_divided_evenly(self) -> None:
        """Each share is at least 1, unless the limit is 0."""
        for total, shares in (
            (8, [3, 3, 2]),
            (3, [1, 1, 1]),
            (1, [1, 1, 1]),
            (0, [0, 0, 0]),
        ):
            workers = [make_configuration(each, 3) for each in range(3)]
            self.assertEqual([each.share_of(total) for each in workers], shares)

    def test_a_process_that_is_not_a_worker_has_none(self) -> None:
        """The environment does not change."""
        environment = {"HOME": "/"}
        self.assertIsNone(take_worker_configuration(environment))
        self.assertEqual(environment, {"HOME": "/"})

    def test_it_is_passed_in_the_environment(self) -> None:
        """Children of the worker inherit neither it nor the descriptors."""
        calls: list[tuple[int, bool]] = []
        self.patch(os, "set_inheritable", lambda *each: calls.append(each))
        configuration = make_configuration(listeners=1)
        encoded = msgspec.json.encode(configuration).decode()
        environment = {CONFIGURATION_VARIABLE: encoded, "HOME": "/"}
        self.assertEqual(take_worker_configuration(environment), configuration)
        self.assertEqual(environment, {"HOME": "/"})
        descriptors = CONTROL_FD, SHARED_COUNTERS_FD, FIRST_LISTENER_FD
        self.assertEqual(calls, [(each, False) for each in descriptors])
