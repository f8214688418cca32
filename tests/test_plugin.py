"""
Tests of the plugin of C{twist}.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

import twisted_quotes
from twisted_quotes import tap

_SHOW_MODULES = """
import sys
import twisted.plugins.twisted_quotes_plugin
print(*sys.modules, sep="\\n")
"""


class PluginTests(SynchronousTestCase):
    """Tests of the plugin."""

    def test_twist_finds_the_service(self) -> None:
        """Once, with a description."""
        [maker] = [
            each for each in getPlugins(IServiceMaker) if each.tapname == "quotes"
        ]
        self.assertIs(maker.options, tap.Options)
        self.assertIs(maker.makeService, tap.makeService)
        self.assertTrue(maker.description)

    def test_it_loads_neither_the_service_nor_a_reactor(self) -> None:
        """Every C{twist} on the machine loads it, and chooses a reactor later."""
        root = str(Path(twisted_quotes.__file__).parent.parent)
        shown = subprocess.run(
            [sys.executable, "-c", _SHOW_MODULES],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])},
            capture_output=True,
            check=True,
            text=True,
        )
        loaded = set(shown.stdout.split())
        self.assertIn("twisted.plugins.twisted_quotes_plugin", loaded)
        self.assertEqual(
            loaded
            & {
                "klein",
                "msgspec",
                "werkzeug",
                "twisted.internet.reactor",
                "twisted_quotes.tap",
                "twisted_quotes.service.quotes_service",
            },
            set(),
        )
