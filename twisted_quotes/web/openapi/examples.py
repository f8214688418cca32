"""
The examples of an operation: as shell commands, and in the form of OpenAPI.
"""

from __future__ import annotations

from re import sub
from shlex import quote

import msgspec

from .operation import Example, Operation
from .schemas import Schema


def curl_command(example: Example, base_url: str) -> str:
    """Return the shell command that sends an example."""
    options = []
    if example.accept:
        options += ["-H", quote(f"Accept: {example.accept}")]
    if example.body is not None:
        options += ["-d", quote(msgspec.json.encode(example.body).decode())]
    # A shell and curl must not expand the URL, whatever the host is.
    return " ".join(["curl", *options, f"'{base_url}{example.target}'"])


def code_samples(operation: Operation, base_url: str) -> list[Schema]:
    """Return the examples as commands, in an extension that many tools show."""
    return [
        {
            "lang": "Shell",
            "label": example.caption,
            "source": curl_command(example, base_url),
        }
        for example in operation.examples
    ]


def body_examples(operation: Operation) -> Schema:
    """Return the examples of the body of a request."""
    return {
        slug(example): {"summary": example.caption, "value": example.body}
        for example in operation.examples
    }


def slug(example: Example) -> str:
    """Return the name of an example."""
    return sub(r"\W+", "-", example.caption.lower()).strip("-")
