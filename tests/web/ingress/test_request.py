"""
Tests for L{twisted_quotes.web.ingress.request}, with a whole service in memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted_quotes.web.authentication.credentials import make_portal
from twisted_quotes.web.ingress.cors import CORSPolicy
from twisted_quotes.web.ingress.request import Ingress
from twisted_quotes.web.ingress.trusted_proxies import TrustedProxies

from ..authentication.cases import make_password_file
from ..clients import (
    CLIENT,
    HOST,
    INSTRUCTIONS_URL,
    ClientResponse,
    FakeSocket,
    WebTestCase,
    get_request,
    query_request,
)

PROXY = "10.0.0.1"
TRUSTED = TrustedProxies.parse("10.0.0.0/8")
ORIGIN = "https://app.example"
PREFLIGHT = f"Origin: {ORIGIN}\r\nAccess-Control-Request-Method: POST\r\n"


class IngressTestCase(WebTestCase):
    """Has a service behind proxies at 10.0.0.0/8, and an access log."""

    ingress = Ingress(TRUSTED)

    def setUp(self) -> None:
        super().setUp()
        self.access_log = self.temporary_folder / "access.log"
        self.serve()

    def serve(self, **settings: Any) -> None:
        self.web = self.make_web(
            ingress=self.ingress, access_log=self.access_log, **settings
        )
        self.web.site.startFactory()
        self.addCleanup(self.web.site.stopFactory)

    def send(
        self,
        path: str = "/",
        headers: str = "",
        method: str = "GET",
        peer: str = PROXY,
    ) -> ClientResponse:
        """Send a request on a connection of its own, and return the response."""
        client = self.web.connect(peer)
        client.send(get_request(path, method, headers))
        [response] = client.responses(method)
        return response

    def link(self, headers: str = "", path: str = "/x", peer: str = PROXY) -> str:
        """Return the link in the message of an error."""
        response = self.send(path, headers, peer=peer)
        self.assertEqual(response.code, 404)
        return response.message.rpartition(" ")[2]

    def last_address(self) -> str:
        """Return the address in the last line of the access log."""
        return self.access_log.read_text().splitlines()[-1].split(" ")[0]


class ProxyTests(IngressTestCase):
    """Tests of the headers of proxies."""

    def test_links_are_those_of_the_client(self) -> None:
        for headers, url in (
            ("", f"http://{HOST}"),
            ("X-Forwarded-Proto: https\r\n", f"https://{HOST}"),
            ("X-Forwarded-Host: a.example:8443\r\n", "http://a.example:8443"),
            ("Forwarded: proto=https;host=a.example\r\n", "https://a.example"),
            ("X-Forwarded-Prefix: /below\r\n", f"http://{HOST}/below"),
            (
                "Forwarded: proto=https;host=a.test\r\nX-Forwarded-Prefix: /b/c/\r\n",
                "https://a.test/b/c",
            ),
        ):
            self.assertEqual(self.link(headers), f"{url}/api/v1/web")
            description = self.send("/opensearch.xml", headers).body.decode()
            self.assertIn(f"{url}/?q=", description)
            html = self.send("/dictionaries", headers).body.decode()
            base = "/" + url.partition("://")[2].partition("/")[2]
            self.assertIn(f'href="{base.rstrip("/")}/api/v1/web"', html)

    def test_only_a_trusted_proxy_is_believed(self) -> None:
        headers = (
            "Forwarded: for=192.0.2.99;proto=https;host=evil.example\r\n"
            "X-Forwarded-Prefix: /evil\r\n"
        )
        self.assertEqual(self.link(headers, peer=CLIENT), INSTRUCTIONS_URL)
        self.assertEqual(self.last_address(), CLIENT)
        self.assertEqual(self.link(headers), "https://evil.example/evil/api/v1/web")
        self.assertEqual(self.last_address(), "192.0.2.99")

    def test_the_access_log_has_the_address_of_the_client(self) -> None:
        for headers, address in (
            ("", PROXY),
            (f"X-Forwarded-For: 192.0.2.99, {CLIENT}, 10.0.0.2\r\n", CLIENT),
            ('Forwarded: for="[2001:db8::1]:80"\r\n', "2001:db8::1"),
        ):
            self.send(headers=headers)
            self.assertEqual(self.last_address(), address)

    def test_each_request_of_a_connection_has_its_own_client(self) -> None:
        client = self.web.connect(PROXY)
        for number in (1, 2):
            headers = f"X-Forwarded-For: 192.0.2.{number}\r\n"
            client.send(get_request(headers=headers))
            self.assertEqual(self.last_address(), f"192.0.2.{number}")

    def test_the_client_of_a_disconnected_request_is_logged(self) -> None:
        client = self.web.connect(PROXY)
        client.send(query_request(headers=f"X-Forwarded-For: {CLIENT}\r\n"))
        client.disconnect()
        self.assertEqual(self.last_address(), CLIENT)

    def test_a_host_that_a_proxy_forwards_is_valid_and_allowed(self) -> None:
        self.web.site.allowed_hosts = ["quotes.test"]
        for host, word in (
            ("a..b", "must be a host name"),
            ("<script>", "must be a host name"),
            ("evil.example", "loopback"),
        ):
            for headers in (
                f"X-Forwarded-Host: {host}\r\n",
                f'Forwarded: host="{host}"\r\n',
            ):
                response = self.send(headers=headers)
                self.assertEqual(response.code, 400)
                self.assertIn(word, response.message)
                self.assertIn("that a proxy forwards", response.message)
                self.assertNotIn(host, response.message)
        self.assertEqual(
            self.link("X-Forwarded-Host: localhost\r\n"), "http://localhost/api/v1/web"
        )

    def test_a_forwarded_host_does_not_excuse_the_host_header(self) -> None:
        """A web page could send one through the browser of its visitor."""
        self.web.site.allowed_hosts = []
        response = self.send(headers="X-Forwarded-Host: localhost\r\n")
        self.assertEqual(response.code, 400)
        self.assertIn("Host header", response.message)

    def test_a_request_that_is_refused_early_has_the_right_link(self) -> None:
        client = self.web.connect(PROXY)
        client.send(
            f"POST / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\n"
            f"X-Forwarded-For: {CLIENT}\r\nContent-Length: 99999\r\n\r\n".encode()
        )
        [response] = client.responses()
        self.assertEqual(response.code, 413)
        self.assertIn(f" https://{HOST}/api/v1/web", response.message)
        self.assertEqual(self.last_address(), CLIENT)

    def test_hostile_values_are_no_error(self) -> None:
        for name in ("Forwarded", *(f"X-Forwarded-{x}" for x in ("For", "Proto"))):
            for value in ("\xff", '"', "for=" * 1000, "," * 5000, "for=\x01", "%s{}"):
                response = self.send("/livez", f"{name}: {value}\r\n")
                self.assertEqual(response.code, 200, (name, value))


class FairnessTests(IngressTestCase):
    """Tests of the limits of clients behind a proxy."""

    def send_search(self, client: str, term: str, peer: str = PROXY) -> FakeSocket:
        socket = self.web.connect(peer)
        query = {"action": "search", "term": term}
        socket.send(query_request(query, headers=f"X-Forwarded-For: {client}\r\n"))
        return socket

    def test_searches_run_in_turn_by_client(self) -> None:
        self.serve(running=1, waiting=2)
        for client, term in (
            ("192.0.2.1", "a"),
            ("192.0.2.1", "b"),
            ("192.0.2.2", "c"),
        ):
            self.send_search(client, term)
        order = []
        for _ in range(3):
            [grep] = self.web.running_processes()
            order.append(grep.arguments[-1])
            grep.end(1)
        self.assertEqual(order, ["a", "c", "b"])

    def test_requests_start_in_turn_by_client(self) -> None:
        keys: list[str | None] = []
        self.patch(
            self.web.site.request_queue,
            "submit",
            lambda key, start_request: keys.append(key),
        )
        for client in ("192.0.2.1", "192.0.2.2"):
            self.send_search(client, "a")
            self.send_search(client, "a", peer="192.0.2.3")
        self.assertEqual(keys, ["192.0.2.1", "192.0.2.3", "192.0.2.2", "192.0.2.3"])

    def test_a_proxy_loses_no_connection_to_a_client(self) -> None:
        """It may be about to send a request of any of its clients."""
        self.serve(max_connections=4)
        proxied = [self.web.connect(PROXY) for _ in range(4)]
        refused = self.web.connect(CLIENT)
        refused.deliver()
        self.assertEqual(refused.codes, [503])
        another = self.web.connect(PROXY)
        another.deliver()
        self.assertEqual(another.codes, [503])
        for client in proxied:
            client.send(get_request())
            self.assertEqual(client.codes, [200])

    def test_a_client_with_most_connections_loses_one_to_a_proxy(self) -> None:
        self.serve(max_connections=4)
        clients = [self.web.connect(CLIENT) for _ in range(4)]
        for client in clients:
            client.send(get_request())
        for _ in range(2):
            proxied = self.web.connect(PROXY)
            proxied.send(get_request())
            self.assertEqual(proxied.codes, [200])
        for client in clients:
            client.deliver()
        self.assertEqual(sum(bool(each.disconnected) for each in clients), 2)

    def test_unread_responses_are_those_of_the_client_behind_the_proxy(self) -> None:
        (self.folder / "long").write_text("love\n" * 40_000)
        path = "/api/v2/quotes?dictionary=long"
        size = len(self.send(path).body)
        # There is room for two responses, but not if both are for one client.
        self.serve(max_unsent=size * 5 // 2)
        slow, other, same = (self.web.connect(PROXY) for _ in range(3))
        slow.stalled = True
        for client, address in ((slow, 1), (other, 2), (same, 1)):
            headers = f"X-Forwarded-For: 192.0.2.{address}\r\n"
            client.send(get_request(path, headers=headers))
        unsent = self.web.site.output_limiter.unsent_bytes
        self.assertGreater(unsent.total, size // 2)
        self.assertEqual(other.codes, [200])
        self.assertEqual(same.codes, [429])
        slow.disconnect()
        self.assertEqual(unsent.total, 0)


class BasePathTests(IngressTestCase):
    """Tests of a service that stands below a path."""

    ingress = Ingress(TRUSTED, "/below/it")

    def test_all_urls_are_below_the_path(self) -> None:
        self.assertEqual(self.send("/below/it/").code, 200)
        description = self.send("/below/it/opensearch.xml").body.decode()
        self.assertIn(f"http://{HOST}/below/it/?q=", description)
        html = self.send("/below/it/dictionaries").body.decode()
        self.assertIn('href="/below/it/api/v1/web"', html)
        self.assertNotIn('href="/api/v1/web"', html)
        query = json.dumps({"action": "list"}).encode()
        client = self.web.connect()
        client.send(query_request(query).replace(b"POST /", b"POST /below/it/"))
        client.deliver()
        self.assertEqual(client.codes, [200])

    def test_other_urls_are_a_404_with_the_right_link(self) -> None:
        for path in (
            *("/", "/api/v1/web", "/below", "/below/", "/below/itx"),
            *("/below/it/below/it/", "/BELOW/it/", "//below/it/", "/below/it//"),
        ):
            link = f"http://{HOST}/below/it/api/v1/web"
            self.assertEqual(self.link(path=path), link)

    def test_messages_name_urls_below_the_path(self) -> None:
        response = self.send("/below/it/api/v2/quotes?dictionary=none")
        self.assertIn(" GET /below/it/api/v2/dictionaries lists", response.message)
        response = self.send(f"/below/it/api/v2/quotes/{'0' * 24}")
        self.assertIn(" with /below/it/api/v2/quotes?term=WORDS.", response.message)

    def test_the_path_without_its_slash_redirects(self) -> None:
        for method in ("GET", "HEAD", "POST", "DELETE"):
            for query in ("", "?", "?a=b&c"):
                response = self.send(f"/below/it{query}", method=method)
                self.assertEqual(response.code, 308)
                self.assertEqual(response.header("location"), f"/below/it/{query}")
                self.assertEqual(response.body, b"")
                self.assertIsNotNone(response.header("date"))

    def test_probes_are_at_the_root_too(self) -> None:
        """A load balancer requests them from the process itself."""
        for path in ("/livez", "/readyz", "/metrics"):
            self.assertEqual(self.send(path).code, 200)
            self.assertEqual(self.send(f"/below/it{path}").code, 200)

    def test_options_of_the_server_need_no_path(self) -> None:
        self.assertLess(self.send("*", method="OPTIONS").code, 300)

    def test_a_proxy_may_have_removed_a_path(self) -> None:
        for prefix in ("/below/it", "/other"):
            headers = f"X-Forwarded-Prefix: {prefix}\r\n"
            self.assertEqual(self.send("/", headers).code, 200)
            self.assertEqual(self.link(headers), f"http://{HOST}{prefix}/api/v1/web")
            self.assertEqual(
                self.link(headers, "/below/it/"), f"http://{HOST}{prefix}/api/v1/web"
            )

    def test_a_prefix_that_is_no_path_is_ignored(self) -> None:
        for prefix in ("//evil.example", "/a, /b", "nonsense", '/"><script>'):
            headers = f"X-Forwarded-Prefix: {prefix}\r\n"
            self.assertEqual(self.send("/", headers).code, 404)
            html = self.send("/below/it/", headers).body.decode()
            self.assertIn('href="/below/it/api/v1/web"', html)

    def test_all_but_probes_and_the_redirect_require_authentication(self) -> None:
        passwords = Path(self.temporary_folder / "passwords")
        passwords.write_text("alice:x\n")
        self.serve(portal=make_portal([make_password_file(passwords)]))
        for path, code in (
            ("/below/it/", 401),
            ("/below/it/x", 401),
            ("/", 401),
            ("/x", 401),
            ("/livez", 200),
            ("/livez/", 200),
            ("/below/it/livez", 200),
            ("/below/it", 308),
        ):
            self.assertEqual(self.send(path).code, code, path)


class CORSTests(IngressTestCase):
    """Tests of scripts of other origins."""

    ingress = Ingress(TRUSTED, "/below", CORSPolicy(frozenset([ORIGIN])))

    def assert_allowed(self, response: ClientResponse, code: int) -> None:
        self.assertEqual(response.code, code)
        self.assertEqual(response.header("access-control-allow-origin"), ORIGIN)
        self.assertIn("origin", str(response.header("vary")))
        self.assertIn("X-Request-ID", response.header("access-control-expose-headers"))

    def test_each_response_may_be_read(self) -> None:
        """Errors, too: a script could not tell the user what is wrong otherwise."""
        headers = f"Origin: {ORIGIN}\r\n"
        for path, method, code in (
            ("/below/livez", "GET", 200),
            ("/below/livez", "HEAD", 200),
            ("/below/dictionaries", "GET", 200),
            ("/below", "GET", 308),
            ("/below/nothing", "GET", 404),
            ("/nothing", "GET", 404),
            ("/below/livez", "POST", 405),
            ("/below/%ff", "GET", 400),
            ("/below/livez", "BREW", 501),
        ):
            self.assert_allowed(self.send(path, headers, method), code)

    def test_requests_that_are_refused_early_may_be_read(self) -> None:
        for head, code in (
            ("Content-Length: 99999", 413),
            ("no colon", 400),
            ("Content-Length: x", 400),
            (f"X: {'x' * 20_000}", 431),
        ):
            client = self.web.connect()
            client.send(
                f"POST /below/api/v1/json HTTP/1.1\r\nHost: {HOST}\r\n"
                f"Origin: {ORIGIN}\r\nA: b\r\n{head}\r\n\r\n".encode()
            )
            self.assert_allowed(client.responses()[0], code)

    def test_a_503_at_shutdown_may_be_read(self) -> None:
        client = self.web.connect()
        client.send(get_request("/below/livez"))
        self.web.site.close()
        client.send(get_request("/below/livez", headers=f"Origin: {ORIGIN}\r\n"))
        self.assert_allowed(client.responses()[-1], 503)

    def test_other_origins_may_not_read(self) -> None:
        for origin in ("https://evil.example", "null"):
            response = self.send("/below/livez", f"Origin: {origin}\r\n")
            self.assertEqual(response.code, 200)
            self.assertIsNone(response.header("access-control-allow-origin"))
            self.assertEqual(response.header("vary"), "origin")

    def test_a_preflight_is_answered_for_any_path_without_authentication(self) -> None:
        passwords = Path(self.temporary_folder / "passwords")
        passwords.write_text("alice:x\n")
        self.serve(portal=make_portal([make_password_file(passwords)]))
        for path in ("/below/api/v1/json", "/below/nothing", "/nothing", "/below"):
            response = self.send(path, PREFLIGHT, "OPTIONS")
            self.assertEqual((response.code, response.body), (204, b""))
            self.assertEqual(response.header("access-control-allow-origin"), ORIGIN)
            self.assertIn("POST", response.header("access-control-allow-methods"))
            self.assertIsNone(response.header("content-length"))
            self.assertIsNotNone(response.header("date"))
        without_credentials = self.send("/below/", f"Origin: {ORIGIN}\r\n")
        self.assert_allowed(without_credentials, 401)

    def test_a_preflight_of_another_origin_allows_nothing(self) -> None:
        headers = PREFLIGHT.replace("app", "evil")
        response = self.send("/below/api/v1/json", headers, "OPTIONS")
        self.assertEqual(response.code, 204)
        names = [name for name, _ in response.headers.getAllRawHeaders()]
        self.assertFalse([each for each in names if b"access-control" in each.lower()])

    def test_the_connection_stays_open_after_a_preflight(self) -> None:
        client = self.web.connect()
        client.send(get_request("/below/api/v1/json", "OPTIONS", PREFLIGHT))
        client.send(get_request("/below/livez"))
        self.assertEqual(client.codes, [204, 200])

    def test_without_an_origin_that_may_ask_there_is_no_preflight(self) -> None:
        self.ingress = Ingress()
        self.serve()
        response = self.send("/api/v1/json", PREFLIGHT, "OPTIONS")
        self.assertIsNone(response.header("access-control-allow-methods"))
        self.assertNotIn("origin", str(response.header("vary")))
