"""
Tests of what a worker inherits.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.workers.inherited_fds import (
    CONFIGURATION_VARIABLE,
    FIRST_LISTENER_FD,
    WorkerConfiguration,
    encode_worker_configuration,
    take_worker_configuration,
)


def make_inherited_fds(
    index: int = 0, worker_count: int = 2, listeners: int = 0
) -> WorkerConfiguration:
    """What a worker inherits of a service without endpoints."""
    return WorkerConfiguration(1, 8, index, worker_count, 100, listeners, ("a", ""))


class InheritedFDsTests(SynchronousTestCase):
    """Tests of shares, and of what is written down of them."""

    def test_what_is_shared_out_is_shared_out_wholly(self) -> None:
        """No part is much larger than another."""
        for total, parts in ((8, [3, 3, 2]), (3, [1, 1, 1]), (0, [0, 0, 0])):
            found = [make_inherited_fds(each, 3).share_of(total) for each in range(3)]
            self.assertEqual(found, parts)

    def test_each_has_something_where_there_is_anything(self) -> None:
        """A worker without a place could never answer."""
        self.assertEqual(
            [make_inherited_fds(each).share_of(1) for each in (0, 1)], [1, 1]
        )

    def test_a_process_of_its_own_inherits_nothing(self) -> None:
        """Its environment stays as it is."""
        environment = {"HOME": "/"}
        self.assertIsNone(take_worker_configuration(environment))
        self.assertEqual(environment, {"HOME": "/"})

    def test_it_comes_back_as_it_was(self) -> None:
        """Through the environment, and no descriptor goes to children of its own."""
        read: list[tuple[int, bool]] = []
        environment = {
            CONFIGURATION_VARIABLE: encode_worker_configuration(
                make_inherited_fds(listeners=1)
            ),
            "HOME": "/",
        }
        self.patch(__import__("os"), "set_inheritable", lambda *each: read.append(each))
        self.assertEqual(
            take_worker_configuration(environment), make_inherited_fds(listeners=1)
        )
        self.assertEqual(environment, {"HOME": "/"})
        self.assertEqual(read, [(3, False), (4, False), (FIRST_LISTENER_FD, False)])
