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
    """Run grep or cat and return the lines of the output."""
    query = await request.get_json()
    path = quote(f"{LIBRARY}/{query['dictionary']}")
    command = f"grep -e {quote(query['term'])}" if "term" in query else "cat"
    process = await asyncio.create_subprocess_shell(f"{command} {path}", stdout=PIPE)
    output, _ = await process.communicate()
    results = output.decode().removesuffix("\n").split("\n")
    return {"nr of entries": len(results), "results": results}
