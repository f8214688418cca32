"""
Tests of what makes C{twist quotes} known.
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
        """There is one service of the name, and it says what it is."""
        [maker] = [
            each for each in getPlugins(IServiceMaker) if each.tapname == "quotes"
        ]
        self.assertIs(maker.options, tap.Options)
        self.assertIs(maker.makeService, tap.makeService)
        self.assertTrue(maker.description)

    def test_to_be_known_costs_little(self) -> None:
        """
        Each run of C{twist} loads the plugin, so it loads next to nothing, and
        leaves the choice of a reactor to C{twist}.
        """
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
                "twisted_quotes.service",
            },
            set(),
        )
