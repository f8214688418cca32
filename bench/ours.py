"""
twisted_quotes with its default options, and with options worth comparing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .subjects import Command, ServerConfiguration, Subject, parse_json_lines


def _make_variant(name: str, *options: str) -> Subject:
    def commands(configuration: ServerConfiguration) -> Sequence[Command]:
        return [
            [
                *(sys.executable, "-m", "twisted", "--log-format=text", "quotes"),
                f"--listen=tcp:{configuration.port}:interface=127.0.0.1",
                f"--dictionaries={configuration.library}",
                f"--cache-dir={configuration.folder / 'cache'}",
                *options,
            ]
        ]

    return Subject(name, commands, parse_json_lines)


# To index the large dictionaries would disturb the first loads.
_NOT_INDEXED = "--index-at-start=no"

OURS = _make_variant("ours", _NOT_INDEXED)
UNBATCHED = _make_variant(
    "ours, one process, each search alone",
    *(_NOT_INDEXED, "--workers=1", "--search-together=no", "--cache-bytes=0"),
)
TWO_WORKERS = _make_variant("ours, 2 workers", _NOT_INDEXED, "--workers=2")
VARIANTS = (OURS, UNBATCHED, TWO_WORKERS)

INDEXED = _make_variant("ours, indexed")
UNCACHED = _make_variant("ours, indexed, no cache", "--cache-bytes=0")
