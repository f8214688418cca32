"""
Tests with a client that is generated from the OpenAPI document.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_quotes.web.api.routes import OPERATIONS

from ..integration.server import ROOT, running_server

SCRIPT = Path(__file__).with_name("every_route.py")
TIME_LIMIT = 90

# The generator knows only types that are common in APIs.
SETTINGS = """\
post_hooks: []
content_type_overrides:
  application/opensearchdescription+xml: text/plain
  application/openmetrics-text: text/plain
  image/svg+xml: text/plain
  text/css: text/plain
  text/javascript: text/plain
  font/woff2: text/plain
  application/x-ndjson: text/plain
"""

# The types of the responses in JSON.
TYPES = {
    "find_quotes": "PageBody",
    "random_quotes": "PageBody",
    "quote_of_the_day": "QuoteBody",
    "get_quote": "QuoteBody",
    "list_authors": "AuthorsBody",
    "list_dictionaries": "DictionariesBody",
    "suggest_words": "SuggestionsBody",
    "find_entries": "EntriesBody",
    "get_liveness": "StatusBody",
    "get_readiness": "StatusBody",
    "wait": "WaitBody",
}


def run(*command: str) -> str:
    """Run a command, which must succeed, and return its output."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIME_LIMIT, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class ClientTests(SynchronousTestCase):
    """Tests of the client."""

    def setUp(self) -> None:
        if find_spec("openapi_python_client") is None:
            reason = "openapi-python-client is not installed ('make .venv/.client')"
            if os.environ.get("CI"):
                raise AssertionError(reason)
            raise SkipTest(reason)

    def test_a_generated_client_asks_every_route(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        document, configuration = folder / "openapi.json", folder / "settings.yaml"
        configuration.write_text(SETTINGS)
        with running_server() as server:
            document.write_bytes(server.get("/openapi.json").body)
            run(
                *(sys.executable, "-m", "openapi_python_client", "generate"),
                *("--meta=none", f"--path={document}", f"--config={configuration}"),
                *("--fail-on-warning", f"--output-path={folder}/client/quotes_client"),
            )
            output = run(
                sys.executable, str(SCRIPT), str(folder / "client"), server.url
            )
        responses = json.loads(output)
        self.assertEqual(
            {name: code for name, (code, _) in responses.items()},
            {each.name: each.status for each in OPERATIONS},
        )
        types = {name: kind for name, (_, kind) in responses.items() if name in TYPES}
        self.assertEqual(types, TYPES)
