"""
Tests for L{bench.ours}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.ours import INDEXED, OURS, TWO_WORKERS
from bench.subjects import ServerConfiguration


class VariantTests(SynchronousTestCase):
    def test_all_files_are_in_the_folder_of_the_server(self) -> None:
        """The cache of the user is not used."""
        configuration = ServerConfiguration(Path("/site"), Path("/library"), 1234)
        [command] = TWO_WORKERS.commands(configuration)
        options = [
            "--listen=tcp:1234:interface=127.0.0.1",
            "--dictionaries=/library",
            "--cache-dir=/site/cache",
            "--index-at-start=no",
        ]
        self.assertEqual(command[-5:], [*options, "--workers=2"])
        self.assertEqual([*OURS.commands(configuration)], [command[:-1]])
        # By default it indexes the library at its start.
        self.assertEqual([*INDEXED.commands(configuration)], [command[:-2]])
