"""
The service as most would write it today: FastAPI and asyncio's subprocesses.
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
    """A question, as far as it is asked here."""

    action: Literal["search", "all"]
    dictionary: str
    term: str = ""


@app.post("/api/v1/json")
async def run_query(query: Query) -> JSONResponse:
    """Run grep, and answer with its lines; an empty term is in all of them."""
    process = await asyncio.create_subprocess_exec(
        *("grep", "-a", "-F", "-e", query.term),
        *("--", f"{LIBRARY}/{query.dictionary}"),
        stdout=PIPE,
    )
    output, _ = await process.communicate()
    results = output.decode().removesuffix("\n").split("\n")
    # A response that is made here is quicker than a dictionary for FastAPI to check.
    return JSONResponse({"nr of entries": len(results), "results": results})
