"""
Tests for L{bench.ours}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.ours import OURS, Variant, find_known_options, parse_known_options
from bench.subjects import ServerConfiguration

CONFIGURATION = ServerConfiguration(Path("/site"), Path("/library"), 1234)
HELP = """\
Usage: twist [options] plugin [plugin_options] quotes [options]
Options:
      --cache-dir=           Folder for indexes; not the same as --cache
      --verbose              Say more.
"""


class KnownOptionsTests(SynchronousTestCase):
    """Tests of which options there are."""

    def test_they_are_read_from_the_help(self) -> None:
        """What its text only mentions is none."""
        self.assertEqual(parse_known_options(HELP), {"--cache-dir", "--verbose"})

    def test_the_service_knows_those_that_are_always_given(self) -> None:
        """Its help is as it is read here."""
        needed = {"--listen", "--dictionaries", "--cache-dir"}
        self.assertLessEqual(needed, find_known_options())


class VariantTests(SynchronousTestCase):
    """Tests of L{Variant}."""

    def test_a_variant_says_what_it_lacks(self) -> None:
        """It needs each of its options; the value makes no difference."""
        variant = Variant("two", ("--workers=2", "--verbose"))
        self.assertEqual(variant.unknown_options({"--verbose"}), ["--workers=2"])
        self.assertEqual(variant.unknown_options({"--verbose", "--workers"}), [])

    def test_options_that_switch_something_off_are_given_where_it_is(self) -> None:
        """A service that does not know a thing is without it anyway."""
        variant = Variant("alone", optional_options=("--workers=1", "--together=no"))
        self.assertEqual(variant.unknown_options(set()), [])
        [command] = variant.make_subject({"--together"}).commands(CONFIGURATION)
        self.assertIn("--together=no", command)
        self.assertNotIn("--workers=1", command)

    def test_everything_it_writes_is_in_its_folder(self) -> None:
        """The user's own cache is left alone."""
        [command] = OURS.make_subject(set()).commands(CONFIGURATION)
        self.assertIn("--cache-dir=/site/cache", command)
        self.assertIn("--dictionaries=/library", command)
        self.assertIn("--listen=tcp:1234:interface=127.0.0.1", command)
