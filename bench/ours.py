"""
twisted_quotes, as it comes and with the options that are worth comparing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from .children import ROOT, last_line
from .errors import BenchmarkError
from .subjects import Command, Site, Subject, json_lines


@dataclass(frozen=True)
class Variant:
    """
    One way to run it.

    @ivar name: what it is called in the tables.
    @ivar options: the options that make it so; without one of them there is no
        such variant.
    @ivar where_known: options that are only given where they are known: a
        service that does not know them is so without.
    """

    name: str
    options: Sequence[str] = ()
    where_known: Sequence[str] = ()

    def unknown(self, known: set[str]) -> list[str]:
        """Which of its options C{twist quotes} does not know."""
        return [each for each in self.options if _name(each) not in known]

    def subject(self, known: set[str]) -> Subject:
        """It as a server to be measured."""
        more = [each for each in self.where_known if _name(each) in known]
        options = [*self.options, *more]

        def commands(site: Site) -> Sequence[Command]:
            return [_command(site, options)]

        return Subject(self.name, commands, json_lines)


OURS = Variant("ours")
ALONE = Variant(
    "ours, one process, each search alone",
    where_known=("--workers=1", "--search-together=no", "--cache-bytes=0"),
)
TWO_WORKERS = Variant("ours, 2 workers", ("--workers=2",))
VARIANTS = (OURS, ALONE, TWO_WORKERS)


def _name(option: str) -> str:
    return option.partition("=")[0]


def _command(site: Site, options: Sequence[str]) -> Command:
    return [
        *(sys.executable, "-m", "twisted", "--log-format=text", "quotes"),
        f"--listen=tcp:{site.port}:interface=127.0.0.1",
        f"--dictionaries={site.library}",
        f"--cache-dir={site.folder / 'cache'}",
        *options,
    ]


def read_known_options(help_: str) -> set[str]:
    """The options that a help text tells of."""
    return set(re.findall(r"^ *(--[\w-]+)", help_, re.MULTILINE))


def known_options() -> set[str]:
    """
    The options that C{twist quotes} knows.

    @raise BenchmarkError: it does not tell.
    """
    told = subprocess.run(
        [sys.executable, "-m", "twisted", "quotes", "--help"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if told.returncode:
        raise BenchmarkError(f"twist quotes tells no options: {last_line(told.stdout)}")
    return read_known_options(told.stdout)
