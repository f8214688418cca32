"""
How each peer is run. Options are chosen to make the peer fast: no access log, the
faster event loop, the plain output of grep instead of JSON.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from string import Template

from ..subjects import (
    Command,
    ServerConfiguration,
    Subject,
    find_program,
    parse_json_lines,
    parse_text_lines,
)

_FOLDER = Path(__file__).parent


def _program_path(name: str) -> str:
    path = find_program(name)
    assert path is not None, name
    return path


def _hook(
    configuration: ServerConfiguration, name: str, *arguments: dict[str, str]
) -> dict[str, object]:
    return {
        "id": name,
        "execute-command": _program_path("grep"),
        "command-working-directory": str(configuration.library),
        "include-command-output-in-response": True,
        "pass-arguments-to-command": [
            {"source": "string", "name": "-a"},
            {"source": "string", "name": "-F"},
            {"source": "string", "name": "-e"},
            *arguments,
            {"source": "string", "name": "--"},
            {"source": "payload", "name": "dictionary"},
        ],
    }


def _webhook(configuration: ServerConfiguration) -> Sequence[Command]:
    hooks = [
        _hook(configuration, "json", {"source": "payload", "name": "term"}),
        _hook(configuration, "all", {"source": "string", "name": ""}),
    ]
    path = configuration.folder / "hooks.json"
    path.write_text(json.dumps(hooks))
    return [
        [
            *(_program_path("webhook"), "-ip=127.0.0.1", f"-port={configuration.port}"),
            *(f"-hooks={path}", "-urlprefix=api/v1"),
        ]
    ]


def _nginx(configuration: ServerConfiguration) -> Sequence[Command]:
    # nginx warns about a user directive if it is not started as root.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    text = Template((_FOLDER / "nginx.conf").read_text("utf-8")).substitute(
        folder=configuration.folder,
        user=user,
        port=configuration.port,
        script=_FOLDER / "quotes.cgi",
        library=configuration.library,
    )
    path = configuration.folder / "nginx.conf"
    path.write_text(text)
    # The same limit as in twisted_quotes.
    max_running = max(8, 4 * (os.cpu_count() or 1))
    return [
        [
            *(_program_path("fcgiwrap"), "-c", str(max_running)),
            *("-s", f"unix:{configuration.folder / 'cgi.sock'}"),
        ],
        [
            *(_program_path("nginx"), "-e", "stderr"),
            *("-p", str(configuration.folder), "-c", str(path)),
        ],
    ]


def _uvicorn(loop: str, configuration: ServerConfiguration) -> Sequence[Command]:
    return [
        [
            *(sys.executable, "-m", "uvicorn", "bench.peers.fastapi_app:app"),
            *("--host=127.0.0.1", f"--port={configuration.port}", f"--loop={loop}"),
            *("--no-access-log", "--log-level=warning"),
        ]
    ]


def _hypercorn(configuration: ServerConfiguration) -> Sequence[Command]:
    # wrk counts a connection that is closed by the server as an error.
    config = configuration.folder / "hypercorn.toml"
    config.write_text("keep_alive_max_requests = 1000000\n")
    return [
        [
            *(sys.executable, "-m", "hypercorn", "bench.peers.quart_app:app"),
            *(f"--bind=127.0.0.1:{configuration.port}", f"--config={config}"),
        ]
    ]


def _klein(configuration: ServerConfiguration) -> Sequence[Command]:
    return [[sys.executable, "-m", "bench.peers.klein_app", str(configuration.port)]]


WEBHOOK = Subject(
    "webhook",
    _webhook,
    parse_text_lines,
    programs={"webhook": "webhook"},
    paths={"all": "/api/v1/all"},
)
FASTAPI = Subject(
    "FastAPI",
    partial(_uvicorn, "asyncio"),
    parse_json_lines,
    modules=("fastapi", "uvicorn", "httptools"),
)
# The default of uvicorn if uvloop is installed; it starts processes more slowly.
FASTAPI_UVLOOP = Subject(
    "FastAPI on uvloop",
    partial(_uvicorn, "uvloop"),
    parse_json_lines,
    modules=(*FASTAPI.modules, "uvloop"),
)
QUART = Subject("Quart", _hypercorn, parse_json_lines, modules=("quart", "hypercorn"))
CGI = Subject(
    "nginx, CGI",
    _nginx,
    parse_text_lines,
    programs={"nginx": "nginx-light", "fcgiwrap": "fcgiwrap"},
)
# Not a peer, but the minimum cost of one grep per request with Twisted and Klein.
KLEIN = Subject("Klein alone", _klein, parse_json_lines)
PEERS = (WEBHOOK, FASTAPI, FASTAPI_UVLOOP, QUART, CGI, KLEIN)
