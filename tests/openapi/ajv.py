"""
AJV, a validator of JSON Schema in JavaScript.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twisted.trial.unittest import SkipTest

from ..integration.cases import find_program
from ..integration.http_connection import TIMEOUT

SCRIPT = Path(__file__).with_name("validate.cjs")


class TypedValue(NamedTuple):
    """
    A value, and the JSON pointer of its schema in the document.
    """

    schema: str
    value: object


def find_errors(
    document: dict[str, Any], values: Sequence[TypedValue]
) -> list[list[str]]:
    """Return the errors that AJV finds in each value. Skip the test without AJV."""
    node = find_program("node", "nodejs")
    if not SCRIPT.with_name("node_modules").joinpath("ajv").exists():
        reason = "AJV is not installed ('make tests/openapi/node_modules' does it)"
        if os.environ.get("CI"):
            raise AssertionError(reason)
        raise SkipTest(reason)
    input = {"document": document, "values": [each._asdict() for each in values]}
    done = subprocess.run(
        [node, str(SCRIPT)],
        input=json.dumps(input),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    errors: list[list[str]] = json.loads(done.stdout)
    return errors


def pointer(*keys: str | int) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(k).replace('~', '~0').replace('/', '~1')}" for k in keys)
