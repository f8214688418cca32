"""
Tests of how the modules may know each other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_quotes

PACKAGE = Path(twisted_quotes.__file__).parent
BENCHMARK = PACKAGE.parent / "bench"

# Each module may import those above it.
ORDER = [
    "display",
    "refusals",
    "json_log",
    "activation",
    "proxy",
    "closing",
    "room",
    "permutation",
    "threads",
    "recent",
    "pauses",
    "errors",
    "reaper",
    "signals",
    "lines",
    "fold",
    "letter_case",
    "quotes",
    "dictionary",
    "index",
    "build",
    "fields",
    "query",
    "hints",
    "json_body",
    "regex_dialect",
    "parse",
    "grep",
    "grep_output",
    "process",
    "orphans",
    "restraint",
    "descriptors",
    "outstanding",
    "metrics",
    "sharing",
    "notify",
    "graceful",
    "ports",
    "fair",
    "places",
    "paths",
    "library",
    "readiness",
    "callers",
    "settle",
    "greps",
    "cache",
    "builder",
    "indexes",
    "results",
    "cursor",
    "matches",
    "locate",
    "volume",
    "volumes",
    "turns",
    "spares",
    "together",
    "line_reader",
    "line_finder",
    "quote_finder",
    "draw",
    "finder",
    "startup",
    "workers.inheritance",
    "workers.restarts",
    "workers.totals",
    "workers.scoreboard",
    "workers.control",
    "workers.sockets",
    "workers.part",
    "workers.listeners",
    "workers.process",
    "workers.pool",
    "workers.supervisor",
    "workers.start",
    "web.accept",
    "web.address",
    "web.record",
    "web.peers",
    "web.output",
    "web.answers",
    "web.guard",
    "web.access_log",
    "web.patience",
    "web.request_queue",
    "web.interfaces",
    "web.stream",
    "web.v1",
    "web.bodies",
    "web.caching",
    "web.page",
    "web.v2",
    "web.waits",
    "web.probes",
    "web.heads",
    "web.channel",
    "web.refusal",
    "web.connection",
    "web.request",
    "web.guide",
    "web.pages",
    "web.root",
    "web.connection_limit",
    "web.site",
    "service",
    "workers.service",
    "options",
    "composition",
    "tap",
]

MOST_LINES = 260
MOST_LINES_OF_A_FUNCTION = 40


def modules(package: Path = PACKAGE) -> dict[str, ast.Module]:
    """All modules, by their names inside the package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        found[name] = ast.parse(path.read_text("utf-8"), str(path))
    return found


def imports(name: str, tree: ast.AST, inside: str = "twisted_quotes") -> Iterator[str]:
    """
    All that a module imports, absolute, with what it takes from there.

    @param name: the module's name inside the package.
    @param inside: the package's own name.
    """
    package = [inside, *name.split(".")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*above, *(node.module or "").split(".")]).rstrip(".")
            yield from (f"{source}.{each.name}" for each in node.names)


def own_imports(name: str, tree: ast.AST) -> set[str]:
    """The modules of the package that a module imports."""
    found = set()
    for each in imports(name, tree):
        inside = each.removeprefix("twisted_quotes.")
        if inside != each:
            found |= {m for m in ORDER if f"{inside}.".startswith(f"{m}.")}
    return found


def calls_for(tree: ast.AST, wanted: str, name: str) -> bool:
    """Whether a piece of code imports something."""
    return any(f"{each}.".startswith(f"{wanted}.") for each in imports(name, tree))


class LayerTests(SynchronousTestCase):
    """Tests of who imports whom."""

    def test_every_module_has_its_place(self) -> None:
        """A new module is put in order before anything is built on it."""
        known = {each for each in modules() if not each.endswith("__init__")}
        self.assertEqual(known, set(ORDER))

    def test_imports_only_go_up_the_list(self) -> None:
        """No module knows of one that is built on it."""
        for name, tree in modules().items():
            if name in ORDER:
                above = set(ORDER[: ORDER.index(name)])
                self.assertEqual(own_imports(name, tree) - above, set(), name)

    def test_packages_import_nothing(self) -> None:
        """To import a package loads none of its modules."""
        for name, tree in modules().items():
            if name.endswith("__init__"):
                self.assertEqual(list(imports(name, tree)), [], name)

    def test_the_options_know_only_the_package(self) -> None:
        """To show its help the program loads nothing else of its own."""
        self.assertEqual(own_imports("options", modules()["options"]), {"refusals"})

    def test_only_the_web_knows_of_klein(self) -> None:
        """To import Klein installs a reactor, and HTTP is the web's business."""
        for name, tree in modules().items():
            if not name.startswith("web."):
                for library in ("klein", "werkzeug", "twisted.web"):
                    self.assertFalse(calls_for(tree, library, name), name)

    def test_the_tap_loads_the_web_only_to_make_a_service(self) -> None:
        """By the time Klein is imported, C{twist} has chosen a reactor."""
        below = set(ORDER[: ORDER.index("web.accept")])
        for name in ("tap", "composition"):
            for node in modules()[name].body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    known = own_imports(name, node) - {"options", "composition"}
                    self.assertLessEqual(known, below)

    def test_the_reactor_is_imported_in_one_place(self) -> None:
        """All but C{makeService} is given the reactor."""
        reactor = "twisted.internet.reactor"
        found = []
        for name, tree in modules().items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Import | ast.ImportFrom) and calls_for(
                    node, reactor, name
                ):
                    found.append(name)
        self.assertEqual(found, ["tap"])
        [function] = [
            node
            for node in modules()["tap"].body
            if isinstance(node, ast.FunctionDef) and node.name == "makeService"
        ]
        self.assertTrue(calls_for(function, reactor, "tap"))


class BenchmarkTests(SynchronousTestCase):
    """Tests of what the benchmark knows."""

    def test_it_knows_the_service_from_outside_only(self) -> None:
        """It measures a process, as it does its peers'."""
        measuring = modules(BENCHMARK)
        self.assertIn("servers", measuring)
        for name, tree in measuring.items():
            known = {each.split(".")[0] for each in imports(name, tree, "bench")}
            self.assertNotIn("twisted_quotes", known, name)


class SizeTests(SynchronousTestCase):
    """Tests of how long things may grow."""

    def test_no_module_is_long(self) -> None:
        """A module that grows too long is split."""
        for path in [*PACKAGE.rglob("*.py"), *BENCHMARK.rglob("*.py")]:
            lines = len(path.read_text("utf-8").splitlines())
            self.assertLessEqual(lines, MOST_LINES, path.name)

    def test_no_function_is_long(self) -> None:
        """A function is seen whole."""
        for name, tree in [*modules().items(), *modules(BENCHMARK).items()]:
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    assert node.end_lineno is not None
                    lines = node.end_lineno - node.lineno + 1
                    self.assertLessEqual(
                        lines, MOST_LINES_OF_A_FUNCTION, f"{name}.{node.name}"
                    )
