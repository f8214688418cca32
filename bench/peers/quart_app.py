"""
The service with Quart, and grep started by a shell.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE
from shlex import quote
from typing import Any

from quart import Quart, request

LIBRARY = os.environ["LIBRARY"]

app = Quart(__name__)


@app.post("/api/v1/json")
async def run_query() -> dict[str, Any]:
    """Run grep and return the groups of lines in its output."""
    query = await request.get_json()
    path = quote(f"{LIBRARY}/{query['dictionary']}")
    if query["action"] == "all":
        return _response_body(
            (await _shell_output(f"cat {path}")).removesuffix("\n").split("\n")
        )
    ignore_case = "-i" if query.get("ignore_case") else ""
    before, after = int(query.get("n_before", 0)), int(query.get("n_after", 0))
    output = await _shell_output(
        f"grep {ignore_case} -B {before} -A {after} -e {quote(query['term'])} {path}"
    )
    return _response_body(output.removesuffix("\n").split("\n--\n"))


async def _shell_output(command: str) -> str:
    process = await asyncio.create_subprocess_shell(command, stdout=PIPE)
    output, _ = await process.communicate()
    return output.decode()


def _response_body(results: list[str]) -> dict[str, Any]:
    return {"nr of entries": len(results), "results": results}
