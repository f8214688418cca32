"""
Tests of the real process behind real proxies with TLS.

The configurations of the proxies are those in C{docs/deployment.md}.
"""

from __future__ import annotations

import re
import shlex
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cases import LOVE_QUERY, LibraryTestCase, find_program
from .certificate import HOST_NAME, write_certificate
from .http_connection import TIMEOUT, HTTPConnection, Response
from .server import ROOT, Server, wait_until

DOCUMENT = (ROOT / "docs" / "deployment.md").read_text("utf-8")
DOCUMENTED_ADDRESS = "127.0.0.1:8000"
DOCUMENTED_FOLDER = "/etc/ssl/quotes"

CLIENT = "127.0.0.77"
FORGED_HEADERS = (
    "Forwarded: for=203.0.113.9;proto=http;host=evil.example",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Prefix: /evil",
)

NGINX_FRAME = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
{text}
}}
"""
CADDY_FRAME = """\
{{
    admin off
    auto_https off
    servers {{
        protocols h1 h2
    }}
}}
{text}
"""


@dataclass(frozen=True)
class Proxy:
    """
    A proxy, and how its documented configuration becomes that of a test.

    @ivar listen: what has the documented port, and its form with another one.
    @ivar replaced: the pattern of the part that is different if the path is removed.
    @ivar unix_address: the form of the path of a UNIX socket.
    @ivar frame: the whole configuration, with C{text} and C{folder}.
    @ivar command: the command line without the file of the configuration.
    """

    program: str
    package: str
    language: str
    listen: tuple[str, str]
    replaced: str
    unix_address: str
    frame: str
    command: tuple[str, ...]

    def configuration(
        self, folder: Path, port: int, upstream: str, removes_path: bool
    ) -> str:
        """Return the documented configuration for another port, folder and service."""
        text, variant = re.findall(
            rf"```{self.language}\n(.*?)```", DOCUMENT, re.DOTALL
        )
        if removes_path:
            # The variant has backslashes.
            text, count = re.subn(
                self.replaced, lambda _: variant, text, flags=re.DOTALL
            )
            assert count == 1, text
        for documented, tested in (
            (self.listen[0], self.listen[1].format(port)),
            (DOCUMENTED_ADDRESS, upstream),
            (DOCUMENTED_FOLDER, str(folder)),
        ):
            assert documented in text, (documented, text)
            text = text.replace(documented, tested)
        return self.frame.format(text=text, folder=folder)


NGINX = Proxy(
    *("nginx", "nginx-light", "nginx"),
    listen=("listen 443 ssl", "listen 127.0.0.1:{} ssl"),
    replaced=r"    location .*?\n    }\n",
    unix_address="unix:{}",
    frame=NGINX_FRAME,
    command=("-e", "stderr", "-c"),
)
HAPROXY = Proxy(
    *("haproxy", "haproxy", "haproxy"),
    listen=("bind :443 ssl", "bind 127.0.0.1:{} ssl"),
    replaced=r"backend quotes\n.*",
    unix_address="{}",
    frame="{text}",
    command=("-db", "-f"),
)
CADDY = Proxy(
    *("caddy", "caddy", "caddyfile"),
    listen=(f"{HOST_NAME} {{", f"https://{HOST_NAME}:{{}} {{{{\n    bind 127.0.0.1"),
    replaced=r"    @quotes.*?\n    }\n",
    unix_address="unix/{}",
    frame=CADDY_FRAME,
    command=("run", "--adapter", "caddyfile", "--config"),
)


class TLSConnection(HTTPConnection):
    """A connection to a proxy; it verifies the certificate."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", port), source_address=CLIENT)
        self._host = f"{HOST_NAME}:{port}"
        self.socket = context.wrap_socket(self.socket, server_hostname=HOST_NAME)

    def request(self, target: str, *headers: str, body: bytes = b"") -> Response:
        """Send a request, and return its response."""
        method = "POST" if body else "GET"
        lines = (
            f"{method} {target} HTTP/1.1",
            f"Host: {self._host}",
            *([f"Content-Length: {len(body)}"] if body else []),
            *headers,
        )
        head = "".join(f"{line}\r\n" for line in lines)
        return self.send(f"{head}\r\n".encode() + body).read_response()


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert isinstance(port, int)
        return port


def accepts_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
    except ConnectionRefusedError:
        return False
    return True


class ProxyTestCase(LibraryTestCase):
    """Serves a library with an access log."""

    def setUp(self) -> None:
        super().setUp()
        (self.library / "book").write_text("All is love.\n\nLove is all.\n")
        self.access_log = self.folder / "access.log"

    def serve_logged(self, *options: str, **kwargs: Any) -> Server:
        return self.serve(f"--access-log={self.access_log}", *options, **kwargs)

    def take_addresses(self, count: int) -> list[str]:
        """Wait until the access log has a number of lines; return their addresses."""

        def read_lines() -> list[str] | None:
            lines = self.access_log.read_text().splitlines()
            return lines if len(lines) >= count else None

        lines = wait_until(read_lines, f"{count} lines in the access log")
        self.access_log.write_text("")
        return [line.split(" ")[0] for line in lines]


class RealProxyTests(ProxyTestCase):
    """Tests with a service below a path, on a TCP port and on a UNIX socket."""

    def setUp(self) -> None:
        super().setUp()
        write_certificate(self.folder)
        pem = b"".join(
            (self.folder / f"{name}.pem").read_bytes()
            for name in ("certificate", "key")
        )
        (self.folder / "quotes.pem").write_bytes(pem)
        self.context = ssl.create_default_context(
            cafile=str(self.folder / "certificate.pem")
        )

    def serve_as_documented(self, *options: str, **kwargs: Any) -> Server:
        [command] = re.findall(
            r"^\$ twist quotes (--trusted.*)", DOCUMENT, re.MULTILINE
        )
        return self.serve_logged(*shlex.split(command), *options, **kwargs)

    @contextmanager
    def running_proxy(
        self, proxy: Proxy, upstream: str, removes_path: bool
    ) -> Iterator[int]:
        """Run a proxy; return its port."""
        port, file = free_port(), self.folder / "proxy.conf"
        file.write_text(proxy.configuration(self.folder, port, upstream, removes_path))
        log = self.folder / "proxy.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [find_program(proxy.program, proxy.package), *proxy.command, file],
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env={"HOME": str(self.folder), "PATH": ""},
            ) as process,
        ):
            try:
                wait_until(
                    lambda: process.poll() is not None or accepts_connections(port),
                    proxy.program,
                )
                self.assertIsNone(process.poll(), log.read_text())
                yield port
            finally:
                process.kill()

    def assert_proxied(self, proxy: Proxy) -> None:
        """Check a proxy with each kind of upstream, and with or without the path."""
        find_program(proxy.program, proxy.package)
        path = self.folder / "quotes.sock"
        server = self.serve_as_documented()
        self.serve_as_documented("--trusted-proxies=unix", listen=f"unix:{path}")
        for upstream in (
            f"127.0.0.1:{server.address[1]}",
            proxy.unix_address.format(path),
        ):
            for removes_path in (False, True):
                with self.running_proxy(proxy, upstream, removes_path) as port:
                    self.assert_urls_and_addresses(port)

    def assert_urls_and_addresses(self, port: int) -> None:
        url = f"https://{HOST_NAME}:{port}/quotes"
        with TLSConnection(port, self.context) as client:
            page = client.request("/quotes/api/v1/web", *FORGED_HEADERS)
            self.assertEqual(page.status, 200)
            html = page.body.decode()
            self.assertIn(f"{url}/api/v1/json", html)
            self.assertNotIn("evil", html)
            style, *others = re.findall(r'rel="stylesheet" href="([^"]+)"', html)
            for each in (style, *others):
                self.assertTrue(each.startswith("/quotes/"), each)
            content_type = client.request(style).headers["content-type"]
            self.assertEqual(content_type[:8], "text/css")

            missing = client.request("/quotes/nothing", *FORGED_HEADERS)
            self.assertEqual(missing.status, 404)
            message = missing.json()["message"]
            self.assertTrue(message.endswith(f" {url}/api/v1/web"), message)

            query = b'{"action": "search", "term": "love"}'
            found = client.request("/quotes/api/v1/json", body=query).json()
            self.assertEqual(found["results"], ["All is love."])

            page = client.request("/quotes/api/v2/quotes?limit=1", *FORGED_HEADERS)
            [quote] = page.json()["quotes"]
            self.assertEqual(quote["url"], f"{url}/quotes/{quote['id']}")
            next_page = f'<{url}/api/v2/quotes?limit=1&offset=1>; rel="next"'
            self.assertEqual(page.headers["link"], next_page)
        self.assertEqual(self.take_addresses(5), [CLIENT] * 5)

        with TLSConnection(port, self.context) as client:
            redirect = client.request("/quotes")
            if redirect.status != 200:
                self.assertIn(redirect.status, (301, 308))
                location = redirect.headers["location"]
                self.assertIn(location, (f"{url}/", "/quotes/"))
            self.assertEqual(client.request("/quotes/").status, 200)
        self.take_addresses(1)

    def test_nginx(self) -> None:
        self.assert_proxied(NGINX)

    def test_haproxy(self) -> None:
        self.assert_proxied(HAPROXY)

    def test_caddy(self) -> None:
        self.assert_proxied(CADDY)


class DirectTests(ProxyTestCase):
    """Tests with clients that connect to the service itself."""

    def test_the_headers_of_an_untrusted_client_are_ignored(self) -> None:
        server = self.serve_logged("--trusted-proxies=127.0.0.1")
        for address, expected in (("127.0.0.78", "127.0.0.78"), (None, "203.0.113.9")):
            with server.connect(source_address=address) as client:
                headers = FORGED_HEADERS[1:2] if address is None else FORGED_HEADERS
                response = client.send_get("/nothing", *headers).read_response()
            self.assertNotIn("evil", response.json()["message"])
            self.assertEqual(self.take_addresses(1), [expected])

    def test_the_proxy_header_names_the_proxy(self) -> None:
        """For example a load balancer for TCP in front of a proxy for HTTP."""
        server = self.serve_logged(
            "--trusted-proxies=10.0.0.0/8", listen="haproxy:tcp:0:interface=127.0.0.1"
        )
        for peer, expected in (("10.0.0.9", "203.0.113.9"), ("192.0.2.1", "192.0.2.1")):
            with server.connect() as client:
                client.send(f"PROXY TCP4 {peer} 192.0.2.2 1 2\r\n".encode())
                client.send_get("/livez", FORGED_HEADERS[1]).read_response()
            self.assertEqual(self.take_addresses(1), [expected])

    def test_probes_need_no_base_path(self) -> None:
        server = self.serve_logged("--base-path=/quotes")
        for path, status in (("/livez", 200), ("/quotes/livez", 200), ("/", 404)):
            self.assertEqual(server.get(path).status, status)
        redirect = server.get("/quotes?a")
        self.assertEqual(redirect.status, 308)
        self.assertEqual(redirect.headers["location"], "/quotes/?a")

    def test_scripts_of_an_origin_may_read_responses(self) -> None:
        origin = "https://www.example.org"
        server = self.serve_logged(
            environment={"TWISTED_QUOTES_CORS_ORIGIN": f"https://a.example {origin}"}
        )
        with server.connect() as client:
            headers = f"Origin: {origin}", "Access-Control-Request-Method: POST"
            client.send_get("/api/v1/json", *headers, method="OPTIONS")
            preflight = client.read_response(head_only=True)
            client.send_query(LOVE_QUERY, headers[0])
            response = client.read_response()
        self.assertEqual((preflight.status, response.status), (204, 200))
        self.assertIn("POST", preflight.headers["access-control-allow-methods"])
        for each in (preflight, response):
            self.assertEqual(each.headers["access-control-allow-origin"], origin)
