"""
Tests of the container that do not need to build it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile

from twisted_quotes import __version__
from twisted_quotes.options import QuotesOptions

from .cases import LibraryTestCase, build_wheel, run_twist
from .server import ROOT

PORT = 8000


def instructions(kind: str) -> list[str]:
    """Return the arguments of all instructions of a kind, in order."""
    text = (ROOT / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    results = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, arguments = line.partition(" ")
        if name == kind:
            results.append(arguments)
    return results


def copied_sources() -> list[str]:
    """Return the files and folders that are copied into the image."""
    copies = [each.split() for each in instructions("COPY")]
    return [each for copy in copies if copy[0] != "--from=build" for each in copy[:-1]]


class BuildTests(LibraryTestCase):
    """Tests of the sources of the image."""

    def test_the_ignore_file_lists_what_is_copied(self) -> None:
        """All other files are ignored."""
        rules = (ROOT / ".containerignore").read_text().splitlines()
        kept = [each.removeprefix("!") for each in rules if each.startswith("!")]
        self.assertEqual(sorted(kept), sorted(copied_sources()))
        self.assertIn("*", rules)
        for name in kept:
            self.assertTrue((ROOT / name).exists(), name)

    def test_docker_and_podman_ignore_the_same_files(self) -> None:
        """Each of them reads its own ignore file."""
        docker = ROOT / ".dockerignore"
        self.assertEqual(docker.read_text(), (ROOT / ".containerignore").read_text())

    def test_the_copied_files_make_a_complete_wheel(self) -> None:
        """No module, template or dictionary is missing."""
        ignore = shutil.ignore_patterns("__pycache__", "dropin.cache")
        source = self.folder / "source"
        source.mkdir()
        for name in copied_sources():
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, source / name, symlinks=True, ignore=ignore
                )
            else:
                shutil.copy(ROOT / name, source)
        with zipfile.ZipFile(build_wheel(source, self.folder)) as archive:
            names = set(archive.namelist())
        for folder in ("twisted", "twisted_quotes", "twisted_quotes/dictionaries"):
            for path in (source / folder).rglob("*"):
                if path.is_file():
                    self.assertIn(str(path.relative_to(source)), names)


class RunTests(LibraryTestCase):
    """Tests of how the image runs."""

    dictionaries = {"book": "love\n"}

    def test_the_command_starts_the_service(self) -> None:
        """The command is a list, so that no shell handles its signals."""
        [entrypoint] = instructions("ENTRYPOINT")
        command = json.loads(entrypoint)
        twist = command.index("/opt/twisted_quotes/bin/twist")
        printed = run_twist(*command[twist + 1 :], "--version")
        self.assertEqual(printed, f"twisted_quotes {__version__}\n")
        self.assertEqual(instructions("STOPSIGNAL"), ["SIGTERM"])

    def test_the_environment_sets_known_options(self) -> None:
        """They match the exposed port and the volume."""
        [variables] = instructions("ENV")
        options = QuotesOptions(dict(re.findall(r"(\w+)=(\S+)", variables)))
        options.parseOptions([])
        self.assertEqual(options["listen"], [f"tcp:{PORT}:interface=0.0.0.0"])
        self.assertEqual([options["cache-dir"]], instructions("VOLUME"))
        self.assertEqual(instructions("EXPOSE"), [str(PORT)])

    def test_the_user_is_not_root(self) -> None:
        """Kubernetes can only check a numeric id."""
        [user] = instructions("USER")
        self.assertRegex(user, r"\A[1-9][0-9]+:[1-9][0-9]+\Z")

    def test_the_health_check_fails_during_a_shutdown(self) -> None:
        """It succeeds before the shutdown."""
        [check] = instructions("HEALTHCHECK")
        _, dash_c, program = json.loads(check.partition("CMD")[2])
        server = self.serve("--drain-delay=20")
        here = program.replace(f":{PORT}/", f":{server.address[1]}/")
        self.assertNotEqual(here, program)

        def is_healthy() -> bool:
            command = [sys.executable, dash_c, here]
            return not subprocess.run(command, stderr=subprocess.PIPE).returncode

        self.assertTrue(is_healthy())
        server.send_signal()
        server.wait_for_log_line("Shutting down")
        self.assertFalse(is_healthy())

    def test_the_access_log_can_be_the_standard_output(self) -> None:
        """Containers usually log to it."""
        server = self.serve("--access-log=/dev/stdout")
        server.get("/livez")
        server.wait_for_log_line(r'127\.0\.0\.1 - - .* "GET /livez HTTP/1\.1" 200')
