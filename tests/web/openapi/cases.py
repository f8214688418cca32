"""
What the tests of the OpenAPI document share.
"""

from __future__ import annotations

from typing import Any

from twisted_quotes.web.api.routes import describe_api

BASE_URL = "http://quotes.test:8080"


def make_document(requires_authentication: bool = False) -> dict[str, Any]:
    """Return the OpenAPI document."""
    return describe_api(requires_authentication).document(BASE_URL)
