"""
Tests of the routes for monitoring, and of the headers of all responses.
"""

from __future__ import annotations

import os

from twisted_quotes.errors import ShuttingDown
from twisted_quotes.monitoring.metrics import MetricFamily, render_families
from twisted_quotes.web.api import health
from twisted_quotes.web.api.health import METRICS_LIFETIME

from ...metrics import parse_metrics
from ..clients import WebTestCase, get_request, query_request


class ProbeTests(WebTestCase):
    """Tests of C{/livez} and C{/readyz}."""

    def test_a_healthy_service_is_alive_and_ready(self) -> None:
        for path in ("/livez", "/readyz"):
            response = self.get(path)
            self.assertEqual((response.code, response.json), (200, {"status": "ok"}))
            self.assertEqual(response.header("cache-control"), "no-store")

    def test_a_service_that_shuts_down_is_alive_but_not_ready(self) -> None:
        self.web.readiness.draining = True
        self.assertEqual(self.get("/livez").code, 200)
        response = self.get("/readyz")
        self.assert_error(response, 503, "shutting down")
        self.assertEqual(response.header("retry-after"), str(ShuttingDown.retry_after))

    def test_a_service_without_grep_or_library_is_not_ready(self) -> None:
        """The message names what is missing, without its path."""
        self.web.readiness.executable = str(self.temporary_folder / "no grep")
        response = self.get("/readyz")
        self.assert_error(response, 503, "grep")
        self.assertNotIn(str(self.temporary_folder), response.message)
        self.web.readiness.executable = "/bin/grep"
        os.rename(self.folder, self.temporary_folder / "elsewhere")
        response = self.get("/readyz")
        self.assert_error(response, 503, "default dictionary")
        self.assertNotIn(str(self.temporary_folder), response.message)
        os.rename(self.temporary_folder / "elsewhere", self.folder)
        self.assertEqual(self.get("/readyz").code, 200)


class MetricsTests(WebTestCase):
    """Tests of C{/metrics}."""

    def read_metrics(self) -> dict[str, float]:
        """Return all metrics, by name and labels."""
        self.web.reactor.advance(METRICS_LIFETIME)
        return parse_metrics(self.get("/metrics").body)

    def test_requests_are_counted_by_route_and_code(self) -> None:
        """Requests without a route and those of disconnected clients count, too."""
        for sent in (
            get_request("/livez"),
            get_request("/x"),
            b"nonsense\r\n",
            get_request("/%ff"),
            query_request(),
        ):
            client = self.web.connect()
            client.send(sent)
        self.assertEqual(self.read_metrics()["quotes_requests_in_flight"], 1)
        client.disconnect()
        metrics = self.read_metrics()
        for route, code, count in (
            ("/livez", 200, 1),
            ("none", 404, 1),
            ("none", 400, 2),
            ("/api/v1/json", 499, 1),
        ):
            name = f'quotes_requests_total{{code="{code}",route="{route}"}}'
            self.assertEqual(metrics[name], count, name)
        self.assertEqual(metrics["quotes_requests_in_flight"], 0)
        # The connection with the invalid request is closed.
        self.assertEqual(metrics["quotes_connections"], 3)

    def test_the_duration_and_size_of_responses_are_measured(self) -> None:
        """The duration starts at the request line. The size is that of the body."""
        client = self.web.connect()
        client.send(query_request())
        self.web.reactor.advance(2)
        [process] = self.web.running_processes()
        process.print(b"love\n")
        process.end()
        client.deliver()
        [response] = client.responses()
        metrics = self.read_metrics()
        name = 'quotes_request_duration_seconds_{}{{route="/api/v1/json"}}'
        self.assertEqual(metrics[name.format("count")], 1)
        self.assertEqual(metrics[name.format("sum")], 2)
        self.assertEqual(metrics["quotes_bytes_returned_total"], len(response.body))

    def test_an_unknown_format_is_not_an_error(self) -> None:
        for accept in (
            "\xff",
            "application/openmetrics-text; version=abc",
            "application/openmetrics-text; version=1.x",
        ):
            client = self.web.connect()
            request = get_request("/metrics", headers=f"Accept: {accept}\r\n")
            client.send(request.decode().encode("latin-1"))
            [response] = client.responses()
            self.assertEqual(response.code, 200, accept)

    def test_metrics_are_rendered_once_a_second_in_each_format(self) -> None:
        rendered = []

        def watched(families: list[MetricFamily], accept: str) -> tuple[str, bytes]:
            rendered.append(accept)
            return render_families(families, accept)

        self.patch(health, "render_families", watched)
        formats = ["text/plain", "application/openmetrics-text"]
        for _ in range(2):
            for number in range(5):
                for kind in formats:
                    accept = {"accept": f"{kind}; version=1.0.{number}"}
                    pending = self.web.request("GET", "/metrics", headers=accept)
                    response = self.successResultOf(pending)
                    self.assertIn(f"{kind}; ", response.header("content-type") or "")
            self.web.reactor.advance(METRICS_LIFETIME)
        self.assertEqual(rendered, formats * 2)

    def test_metrics_are_text_and_not_cached(self) -> None:
        response = self.get("/metrics")
        self.assertEqual(response.header("cache-control"), "no-store")
        self.assertIn("text/plain", response.header("content-type") or "")


class HeaderTests(WebTestCase):
    """Tests of the headers of every response."""

    def test_every_response_has_a_request_id(self) -> None:
        ids = {
            self.exchange(sent).header("x-request-id")
            for sent in (
                get_request(),
                get_request("/x"),
                get_request("/%ff"),
                b"nonsense\r\n",
                get_request("/livez"),
            )
        }
        self.assertEqual(len(ids), 5)
        self.assertNotIn(None, ids)

    def test_a_valid_request_id_of_the_client_is_used(self) -> None:
        for request_id, is_valid in (
            ("abc-123", True),
            ("A" * 128, True),
            ("6f9619ff-8b86-d011-b42d-00cf4fc964ff", True),
            ("A" * 129, False),
            ("a b", False),
            ("<script>", False),
            ("\x1b[31m", False),
            ("", False),
        ):
            request = get_request(headers=f"X-Request-ID: {request_id}\r\n")
            used = self.exchange(request).header("x-request-id")
            self.assertEqual(used == request_id, is_valid, request_id)

    def test_no_response_has_the_version_of_the_server(self) -> None:
        for sent in (get_request(), get_request("/x"), b"nonsense\r\n"):
            self.assertIsNone(self.exchange(sent).header("server"))

    def test_every_response_has_security_headers(self) -> None:
        self.render_instructions()
        for sent in (
            get_request("/"),
            get_request("/api/v1/web"),
            get_request("/x"),
            get_request("/api/v2/quotes"),
        ):
            response = self.exchange(sent)
            policy = response.header("content-security-policy") or ""
            self.assertIn("default-src 'none'", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(response.header("x-content-type-options"), "nosniff")
