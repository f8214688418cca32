"""
Tests of several workers in real processes.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from threading import Event
from typing import Any

from .cases import LOVE_QUERY, LibraryTestCase
from .certificate import write_certificate
from .http_connection import TIMEOUT, HTTPConnection
from .repeating_client import RepeatingClient
from .server import (
    ROOT,
    Server,
    child_pids_of,
    count_connections,
    has_exited,
    open_terminal,
    wait_until,
)


class WorkersTestCase(LibraryTestCase):
    """A library, and servers with two workers."""

    dictionaries = {"book": "love\n" * 3}

    def serve(self, *options: str, **kwargs: Any) -> Server:
        """Serve the library with two workers until the test ends."""
        # Each worker has enough slots for all searches of a test.
        unbatched = "--cache-bytes=0", "--search-together=no", "--max-running=20"
        return super().serve(*unbatched, *options, workers=2, **kwargs)

    def send_searches(self, server: Server, count: int) -> list[HTTPConnection]:
        """Send searches, each on a new connection."""
        return [server.connect().send_query(LOVE_QUERY) for _ in range(count)]

    def check_results(self, searches: Iterable[HTTPConnection]) -> None:
        """Check the results of searches."""
        for each in searches:
            self.assertEqual(each.read_response().json()["results"], ["love"] * 3)

    def terminate_workers(self, server: Server) -> list[int]:
        """
        Send SIGTERM to all workers, and wait for new workers.

        The old ones must have open connections, so that they do not exit immediately.
        """
        pids = server.worker_pids()
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: len(server.worker_pids()) == 4, "two more workers")
        wait_until(lambda: server.read_metrics()["quotes_workers"] == 2, "new workers")
        return pids

    def start_broken_workers(self, action: str, count: int) -> subprocess.Popen[str]:
        """
        Start a server whose workers do something else instead of serving.

        @param action: a Python statement.
        """
        (self.folder / "sitecustomize.py").write_text(
            f"import os, time\nif '_TWISTED_QUOTES_WORKER' in os.environ: {action}\n"
        )
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "twisted", "quotes", f"--workers={count}"),
                "--listen=tcp:0:interface=127.0.0.1",
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def count_by_worker(self, server: Server) -> list[int]:
        """Return the number of connections of each worker."""
        port = server.address[1]
        return [count_connections(pid, port) for pid in server.worker_pids()]

    def wait_until_replaced(self, server: Server, old: list[int]) -> None:
        """Wait until two new workers serve, and no old one runs."""

        def are_new() -> bool:
            now = server.worker_pids()
            return len(now) == 2 and not set(now) & set(old)

        wait_until(are_new, "new workers")
        wait_until(lambda: server.read_metrics()["quotes_workers"] == 2, "two workers")


class ServingTests(WorkersTestCase):
    """Tests of requests."""

    def test_two_workers_serve_requests(self) -> None:
        """They are children of the started process, and use its log."""
        server = self.serve()
        self.check_results(self.send_searches(server, 1))
        self.assertEqual(len(server.worker_pids()), 2)
        self.assertEqual(server.post_query(b"{}").status, 400)
        server.wait_for_log_line("POST /api/v1/json 400")
        starts = [each for each in server.lines if "Listening on http" in each]
        self.assertEqual(len(starts), 1)

    def test_connections_are_distributed(self) -> None:
        """Each worker gets at least a third of 64 connections."""
        server = self.serve()
        clients = [server.connect() for _ in range(64)]
        wait_until(lambda: sum(self.count_by_worker(server)) == 64, "64 connections")
        self.assertGreaterEqual(min(self.count_by_worker(server)), 64 // 3)
        for client in clients:
            self.assertEqual(client.send_get("/livez").read_response().status, 200)

    def test_a_stopped_worker_does_not_delay_others(self) -> None:
        """The other worker accepts all connections."""
        server = self.serve()
        stopped, other = server.worker_pids()
        os.kill(stopped, signal.SIGSTOP)
        self.addCleanup(os.kill, stopped, signal.SIGCONT)
        clients = [server.connect() for _ in range(20)]
        for client in clients:
            client.send_get("/livez")
        wait_until(
            lambda: count_connections(other, server.address[1]) == 20, "all connections"
        )
        for client in clients:
            self.assertEqual(client.read_response().status, 200)

    def test_the_limit_of_connections_is_that_of_all_workers(self) -> None:
        server = self.serve("--max-connections=20")
        clients = [server.connect().send_get("/wait?seconds=0") for _ in range(20)]
        for client in clients:
            self.assertEqual(client.read_response().status, 200)
        self.assertEqual(server.get("/livez").status, 503)
        clients[0].close()
        wait_until(lambda: server.get("/livez").status == 200, "a free connection")

    def test_a_thousand_requests_can_wait(self) -> None:
        """Their distribution among the workers does not matter."""
        server = self.serve("--max-connections=1100")
        waits = [server.connect().send_get("/wait?seconds=20") for _ in range(1000)]
        server.wait_for_search_pids(1000)
        self.assertEqual(server.get("/wait").status, 503)
        for wait in waits:
            self.assertEqual(wait.read_response().json(), {"waited": 20})

    def test_workers_can_use_a_unix_socket(self) -> None:
        """The socket remains when workers are replaced."""
        path = self.folder / "socket"
        server = self.serve(f"--listen=unix:{path}:mode=600")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        for number in (signal.SIGTERM, signal.SIGKILL):
            old = server.worker_pids()
            for pid in old:
                os.kill(pid, number)
            self.wait_until_replaced(server, old)
            with HTTPConnection(str(path)) as client:
                self.assertEqual(client.send_get("/livez").read_response().status, 200)
        server.stop()
        self.assertFalse(path.exists())
        self.assertEqual([each for each in server.lines if "Traceback" in each], [])

    def test_workers_can_use_tls_and_the_proxy_protocol(self) -> None:
        write_certificate(self.folder)
        files = (
            f"privateKey={self.folder}/key.pem:certKey={self.folder}/certificate.pem"
        )
        server = self.serve(
            "--listen=haproxy:tcp:0:interface=127.0.0.1",
            listen=f"ssl:0:interface=127.0.0.1:{files}",
        )
        context = ssl.create_default_context(cafile=self.folder / "certificate.pem")
        for _ in range(4):
            with (
                socket.create_connection(server.address, TIMEOUT) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
            ):
                client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"))
        proxied = server.wait_for_log_line(r"Listening on http://127\.0\.0\.1:(\d+)/")
        with HTTPConnection(("127.0.0.1", int(proxied[1]))) as client:
            client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 80\r\n").send_get("/livez")
            self.assertEqual(client.read_response().status, 200)


class ReplacingTests(WorkersTestCase):
    """Tests of workers that end before the service."""

    def test_a_killed_worker_is_replaced(self) -> None:
        """Its metrics are kept, and its greps end."""
        gated, server = self.serve_gated()
        self.send_searches(server, 2)
        greps = server.wait_for_search_pids(2)
        name = 'quotes_requests_total{code="404",route="none"}'
        for _ in range(10):
            server.get("/nothing")
        counted = server.read_metrics()[name]
        self.assertEqual(counted, 10)
        for lost, pid in enumerate(server.worker_pids(), 1):
            os.kill(pid, signal.SIGKILL)

            def is_counted(lost: int = lost) -> bool:
                now = server.read_metrics()
                self.assertGreaterEqual(now[name], counted)
                return now["quotes_workers_lost_total"] == lost

            wait_until(is_counted, "a lost worker")
            wait_until(
                lambda: server.read_metrics()["quotes_workers"] == 2, "a new worker"
            )
        server.wait_for_log_line("A worker is lost: .*signal 9")
        wait_until(lambda: all(map(has_exited, greps)), "the end of all greps")
        gated.open_gate()
        self.check_results(self.send_searches(server, 1))

    def test_a_terminated_worker_completes_its_requests(self) -> None:
        """It is replaced immediately."""
        gated, server = self.serve_gated()
        searches = self.send_searches(server, 6)
        server.wait_for_search_pids(6)
        old = self.terminate_workers(server)
        self.assertEqual(server.get("/readyz").status, 200)
        gated.open_gate()
        self.check_results(searches)
        self.wait_until_replaced(server, old)
        self.assertEqual(server.read_metrics()["quotes_workers_lost_total"], 0)

    def test_connections_of_a_terminated_worker_are_served(self) -> None:
        """They may not have sent a request yet."""
        server = self.serve()
        clients = [server.connect() for _ in range(8)]
        wait_until(lambda: sum(self.count_by_worker(server)) == 8, "8 connections")
        old = self.terminate_workers(server)
        self.check_results(client.send_query(LOVE_QUERY) for client in clients)
        self.wait_until_replaced(server, old)

    def test_metrics_of_a_terminated_worker_are_kept(self) -> None:
        """The last ones are included."""
        server = self.serve()
        for _ in range(50):
            server.get("/nothing")
        old = server.worker_pids()
        for pid in old:
            os.kill(pid, signal.SIGTERM)
        self.wait_until_replaced(server, old)
        name = 'quotes_requests_total{code="404",route="none"}'
        self.assertEqual(server.read_metrics()[name], 50)

    def test_metrics_are_the_sum_of_all_workers(self) -> None:
        """The sum is complete even if a worker does not respond."""
        server = self.serve()
        with server.connect() as one, server.connect() as other:
            for each in (one, other):
                each.send_get("/livez").read_response()
            name = 'quotes_requests_total{code="200",route="/livez"}'
            for each in (one, other):
                each.send_get("/metrics")
                self.assertIn(f"{name} 2.0", each.read_response().body.decode())
        pid, _ = server.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        self.assertEqual(server.read_metrics()[name], 2)
        server.wait_for_log_line(f"Worker {pid} does not report its metrics")

    def test_the_program_stops_if_no_worker_can_start(self) -> None:
        """It prints one error, and its exit status is 1."""
        process = self.start_broken_workers("os._exit(3)", 2)
        _, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(len(errors.splitlines()), 1, errors)
        self.assertIn("no worker can serve", errors)


class ShutdownTests(WorkersTestCase):
    """Tests of shutdowns."""

    def check_shutdown(self, server: Server, pids: list[int]) -> None:
        """Check that no process is left, and none listens."""
        wait_until(lambda: all(map(has_exited, pids)), "the end of all processes")
        with self.assertRaises(ConnectionRefusedError):
            server.connect()

    def test_a_shutdown_under_load_loses_no_request(self) -> None:
        """All responses are logged."""
        log = self.folder / "access.log"
        server = self.serve(f"--access-log={log}")
        stop_event = Event()
        clients = [
            RepeatingClient(server, keep_alive, stop_event)
            for keep_alive in (False, True) * 8
        ]
        wait_until(
            lambda: sum(client.counts["200"] for client in clients) > 50,
            "responses under load",
        )
        server.stop()
        stop_event.set()
        for client in clients:
            client.thread.join(TIMEOUT)
        counts = sum((client.counts for client in clients), Counter[str]())
        statuses = {"200", "503"}
        self.assertEqual(set(counts) - statuses - {"refused"}, set(), counts)
        lines = log.read_text().splitlines()
        self.assertEqual(len(lines), sum(counts[each] for each in statuses))

    def test_a_signal_ends_the_start(self) -> None:
        """The workers have not served yet. No process is left."""
        process = self.start_broken_workers("time.sleep(3600)", 24)
        wait_until(lambda: child_pids_of(process.pid), "a first worker")
        process.terminate()
        output, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual((process.returncode, errors), (-signal.SIGTERM, ""))
        self.assertRegex(output, r"Shutting down \d+ workers")
        self.assertNotRegex(output, "Traceback|lost|does not end")
        self.assertRaises(ProcessLookupError, os.killpg, process.pid, 0)

    def test_connections_that_were_not_accepted_yet_are_served(self) -> None:
        server = self.serve()
        workers = server.worker_pids()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        searches = self.send_searches(server, 200)
        server.send_signal()
        server.wait_for_log_line("Shutting down 2 workers")
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        self.check_results(searches)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_ctrl_c_loses_no_request(self) -> None:
        """The workers ignore the signal from the terminal."""
        terminal, at_terminal = self.enterContext(open_terminal())
        gated, server = self.serve_gated("--drain-delay=20", **at_terminal)
        searches = self.send_searches(server, 8)
        server.wait_for_search_pids(8)
        os.write(terminal, b"\x03")
        server.wait_for_log_line("Shutting down 2 workers")
        wait_until(lambda: server.get("/readyz").status == 503, "not ready")
        gated.open_gate()
        self.check_results(searches)
        os.write(terminal, b"\x03")
        self.assertEqual(server.wait_for_exit(), -signal.SIGINT)

    def test_a_signal_to_the_process_group_counts_once(self) -> None:
        """Requests are completed, and no worker is started."""
        gated, server = self.serve_gated()
        searches = self.send_searches(server, 8)
        server.wait_for_search_pids(8)
        os.killpg(server.process.pid, signal.SIGTERM)
        server.wait_until_ports_closed()
        gated.open_gate()
        self.check_results(searches)
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_a_second_signal_forces_the_shutdown(self) -> None:
        """Waiting requests get a 503."""
        server = self.serve()
        waits = [server.connect().send_get("/wait?seconds=60") for _ in range(10)]
        pids = server.wait_for_search_pids(10) + server.all_child_pids()
        server.send_signal()
        server.wait_for_log_line("Shutting down")
        server.send_signal()
        for wait in waits:
            response = wait.read_response()
            self.assertEqual((response.status, response.json()["Code"]), (503, 503))
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)
        self.check_shutdown(server, pids)

    def test_a_worker_that_does_not_exit_is_killed(self) -> None:
        """It is killed some time after the drain timeout."""
        server = self.serve("--drain-timeout=0.5")
        pid, _ = server.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        server.send_signal()
        server.wait_for_log_line(f"Worker {pid} does not end")
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_a_killed_supervisor_leaves_no_processes(self) -> None:
        _, server = self.serve_gated()
        server.connect().send_query(LOVE_QUERY)
        server.connect().send_get("/wait?seconds=60")
        server.wait_for_search_pids(2)
        pids = server.all_child_pids()
        stopped = server.worker_pids()[0]
        os.kill(stopped, signal.SIGSTOP)
        server.send_signal(signal.SIGKILL)
        self.check_shutdown(server, pids)
