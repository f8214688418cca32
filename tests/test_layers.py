"""
Tests of how the modules may know each other.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_quotes

PACKAGE = Path(twisted_quotes.__file__).parent
BENCHMARK = PACKAGE.parent / "bench"

# Each package, or module at the top, may import those above it.
LAYER_ORDER = [
    "text",
    "errors",
    "query",
    "concurrency",
    "processes",
    "monitoring",
    "library",
    "grep",
    "search",
    "listening",
    "web.limits",
    "web.http",
    "web.authentication",
    "web.server",
    "web.pages",
    "web.api",
    "startup",
    "graceful_shutdown",
    "service",
    "workers",
    "option_checks",
    "options",
    "composition",
    "tap",
]

MAX_MODULES = 10
MAX_LINES = 295
MAX_FUNCTION_LINES = 53


def parse_modules(package: Path = PACKAGE) -> dict[str, ast.Module]:
    """All modules, by their names inside the package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        found[name] = ast.parse(path.read_text("utf-8"), str(path))
    return found


def imported_modules(
    name: str, tree: ast.AST, inside: str = "twisted_quotes"
) -> Iterator[str]:
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


def layer_of(name: str) -> int | None:
    """Where in the order a module stands; L{None} where it is no part of it."""
    places = [
        number
        for number, each in enumerate(LAYER_ORDER)
        if f"{name}.".startswith(f"{each}.")
    ]
    return places[0] if places else None


class LayerTests(SynchronousTestCase):
    """Tests of who imports whom."""

    def test_imports_only_go_up_the_list(self) -> None:
        """No package knows of one that is built on it, and each has its place."""
        for name, tree in parse_modules().items():
            if name.endswith("__init__"):
                self.assertEqual(list(imported_modules(name, tree)), [], name)
                continue
            own = layer_of(name)
            assert own is not None, f"{name} has no place in the order"
            for each in imported_modules(name, tree):
                other = layer_of(each.removeprefix("twisted_quotes."))
                if each.startswith("twisted_quotes.") and other is not None:
                    self.assertLessEqual(other, own, f"{name} imports {each}")

    def test_the_modules_of_a_package_import_each_other_in_one_order(self) -> None:
        """Inside a package, too, no module knows of one that is built on it."""
        own = {
            f"twisted_quotes.{name}": tree
            for name, tree in parse_modules().items()
            if not name.endswith("__init__")
        }
        graph = {
            name: {
                other
                for each in imported_modules(name.removeprefix("twisted_quotes."), tree)
                for other in (each, each.rpartition(".")[0])
                if other in own
            }
            for name, tree in own.items()
        }
        self.assertGreater(sum(map(len, graph.values())), 100)
        # It raises CycleError, which names the modules.
        self.assertEqual(set(TopologicalSorter(graph).static_order()), set(own))

    def test_the_options_know_only_the_package(self) -> None:
        """To show its help the program loads nothing else of its own."""
        own = {
            each.split(".")[1]
            for each in imported_modules("options", parse_modules()["options"])
            if each.startswith("twisted_quotes.")
        }
        self.assertEqual(own, {"__version__", "option_checks"})

    def test_only_the_web_knows_of_klein(self) -> None:
        """To import Klein installs a reactor, and HTTP is the web's business."""
        for name, tree in parse_modules().items():
            for each in imported_modules(name, tree):
                if each.startswith(("klein", "werkzeug", "twisted.web")):
                    self.assertTrue(name.startswith("web."), f"{name} imports {each}")

    def test_the_tap_loads_no_reactor(self) -> None:
        """By the time Klein is imported, C{twist} has chosen one."""
        code = (
            "import sys, twisted_quotes.tap; "
            "sys.exit(bool({'klein', 'twisted.internet.reactor'} & {*sys.modules}))"
        )
        subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, check=True)

    def test_the_reactor_is_imported_in_one_place(self) -> None:
        """All but C{makeService} is given the reactor."""
        self.assertEqual(
            [
                name
                for name, tree in parse_modules().items()
                if "twisted.internet.reactor" in imported_modules(name, tree)
            ],
            ["tap"],
        )
        [function] = [
            node
            for node in parse_modules()["tap"].body
            if isinstance(node, ast.FunctionDef) and node.name == "makeService"
        ]
        self.assertIn("twisted.internet.reactor", imported_modules("tap", function))


class BenchmarkTests(SynchronousTestCase):
    """Tests of what the benchmark knows."""

    def test_it_knows_the_service_from_outside_only(self) -> None:
        """It measures a process, as it does its peers'."""
        measuring = parse_modules(BENCHMARK)
        self.assertIn("servers", measuring)
        for name, tree in measuring.items():
            known = {
                each.split(".")[0] for each in imported_modules(name, tree, "bench")
            }
            self.assertNotIn("twisted_quotes", known, name)


class SizeTests(SynchronousTestCase):
    """Tests of how long things may grow."""

    def test_no_package_has_many_modules(self) -> None:
        """A newcomer reads the names of a package at a glance."""
        for package in (PACKAGE, *PACKAGE.rglob("*/")):
            modules_there = {*package.glob("*.py")} - {package / "__init__.py"}
            self.assertLessEqual(len(modules_there), MAX_MODULES, package.name)

    def test_no_module_is_long(self) -> None:
        """A module that grows too long is split."""
        for path in [*PACKAGE.rglob("*.py"), *BENCHMARK.rglob("*.py")]:
            lines = len(path.read_text("utf-8").splitlines())
            self.assertLessEqual(lines, MAX_LINES, path.name)

    def test_no_function_is_long(self) -> None:
        """A function is seen whole."""
        for name, tree in [*parse_modules().items(), *parse_modules(BENCHMARK).items()]:
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    assert node.end_lineno is not None
                    lines = node.end_lineno - node.lineno + 1
                    self.assertLessEqual(
                        lines, MAX_FUNCTION_LINES, f"{name}.{node.name}"
                    )
