"""
How each peer is run. Where there is a choice, it is the one that helps the peer:
no access log, the quicker event loop, the plain output of grep where it has no JSON.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from ..subjects import Command, Site, Subject, json_lines, program, text_lines

_HERE = Path(__file__).parent


def _installed(name: str) -> str:
    path = program(name)
    assert path is not None, f"{name} was there before"
    return path


def _hook(site: Site, name: str, *arguments: dict[str, str]) -> dict[str, object]:
    return {
        "id": name,
        "execute-command": _installed("grep"),
        "command-working-directory": str(site.library),
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


def _webhook(site: Site) -> Sequence[Command]:
    hooks = [
        _hook(site, "json", {"source": "payload", "name": "term"}),
        _hook(site, "all", {"source": "string", "name": ""}),
    ]
    path = site.folder / "hooks.json"
    path.write_text(json.dumps(hooks))
    return [
        [
            *(_installed("webhook"), "-ip=127.0.0.1", f"-port={site.port}"),
            *(f"-hooks={path}", "-urlprefix=api/v1"),
        ]
    ]


def _nginx(site: Site) -> Sequence[Command]:
    # Without root's rights nginx is whom it was started as, and may not say so.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    text = Template((_HERE / "nginx.conf").read_text("utf-8")).substitute(
        folder=site.folder,
        user=user,
        port=site.port,
        script=_HERE / "quotes.cgi",
        library=site.library,
    )
    path = site.folder / "nginx.conf"
    path.write_text(text)
    # As many at one time as twisted_quotes runs.
    running = max(8, 4 * (os.cpu_count() or 1))
    return [
        [
            *(_installed("fcgiwrap"), "-c", str(running)),
            *("-s", f"unix:{site.folder / 'cgi.sock'}"),
        ],
        [
            *(_installed("nginx"), "-e", "stderr"),
            *("-p", str(site.folder), "-c", str(path)),
        ],
    ]


def _uvicorn(site: Site, loop: str) -> Sequence[Command]:
    return [
        [
            *(sys.executable, "-m", "uvicorn", "bench.peers.fastapi_app:app"),
            *("--host=127.0.0.1", f"--port={site.port}", f"--loop={loop}"),
            *("--no-access-log", "--log-level=warning"),
        ]
    ]


def _asyncio(site: Site) -> Sequence[Command]:
    return _uvicorn(site, "asyncio")


def _uvloop(site: Site) -> Sequence[Command]:
    return _uvicorn(site, "uvloop")


def _hypercorn(site: Site) -> Sequence[Command]:
    # No connection is closed under way: that looks like an error to wrk.
    config = site.folder / "hypercorn.toml"
    config.write_text("keep_alive_max_requests = 1000000\n")
    return [
        [
            *(sys.executable, "-m", "hypercorn", "bench.peers.quart_app:app"),
            *(f"--bind=127.0.0.1:{site.port}", f"--config={config}"),
        ]
    ]


def _klein(site: Site) -> Sequence[Command]:
    return [[sys.executable, "-m", "bench.peers.klein_app", str(site.port)]]


WEBHOOK = Subject(
    "webhook",
    _webhook,
    text_lines,
    programs={"webhook": "webhook"},
    paths={"all": "/api/v1/all"},
)
FASTAPI = Subject(
    "FastAPI", _asyncio, json_lines, modules=("fastapi", "uvicorn", "httptools")
)
# uvicorn's own choice where it is installed; it is slower at starting processes.
FASTAPI_UVLOOP = Subject(
    "FastAPI on uvloop", _uvloop, json_lines, modules=(*FASTAPI.modules, "uvloop")
)
QUART = Subject("Quart", _hypercorn, json_lines, modules=("quart", "hypercorn"))
CGI = Subject(
    "nginx, CGI",
    _nginx,
    text_lines,
    programs={"nginx": "nginx-light", "fcgiwrap": "fcgiwrap"},
)
# No peer, but what a grep for each question costs at least on Twisted and Klein.
KLEIN = Subject("Klein alone", _klein, json_lines)
PEERS = (WEBHOOK, FASTAPI, FASTAPI_UVLOOP, QUART, CGI, KLEIN)
