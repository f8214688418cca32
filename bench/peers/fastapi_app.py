"""
The service with FastAPI and the subprocesses of asyncio.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE
from typing import Literal

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

LIBRARY = os.environ["LIBRARY"]

app = FastAPI()


class Query(BaseModel):
    """The fields of a query that the benchmark uses."""

    action: Literal["search", "all"]
    dictionary: str
    term: str = ""


@app.post("/api/v1/json")
async def run_query(query: Query) -> JSONResponse:
    """Run grep and return its lines; an empty term matches all lines."""
    process = await asyncio.create_subprocess_exec(
        *("grep", "-a", "-F", "-e", query.term),
        *("--", f"{LIBRARY}/{query.dictionary}"),
        stdout=PIPE,
    )
    output, _ = await process.communicate()
    results = output.decode().removesuffix("\n").split("\n")
    # Faster than a dictionary, which FastAPI would validate.
    return JSONResponse({"nr of entries": len(results), "results": results})
