"""
Asks every route with a client that openapi-python-client has generated.

Its arguments are the folder of the client and the URL of the service. It prints the
status and the type of each response as JSON, by the name of the operation.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

QUOTE_ID = "5aa7d42ad2d439ca93a17ed1"


def main(folder: str, url: str) -> None:
    """Print the responses."""
    sys.path.insert(0, folder)
    [package] = Path(folder).iterdir()
    client = import_module(package.name).Client(base_url=url)
    models = import_module(f"{package.name}.models")
    api = import_module(f"{package.name}.api")
    arguments: dict[str, dict[str, Any]] = {
        "find_entries": {
            "body": models.Search.from_dict({"action": "search", "term": "love"})
        },
        "get_quote": {"identity": QUOTE_ID},
        "get_quote_page": {"identity": QUOTE_ID},
        "get_static_file": {"name": "docs.css"},
        "suggest_words": {"q": "hapiness"},
        "wait": {"seconds": 0},
    }
    responses = {}
    for module in walk_packages(api.__path__, f"{api.__name__}."):
        name = module.name.rpartition(".")[2]
        if not module.ispkg:
            operation = import_module(module.name)
            response = operation.sync_detailed(client=client, **arguments.get(name, {}))
            kind = type(response.parsed).__name__
            responses[name] = [response.status_code.value, kind]
    print(json.dumps(responses))


if __name__ == "__main__":
    main(*sys.argv[1:])
