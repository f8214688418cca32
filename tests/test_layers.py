"""
Tests of the imports between modules, and of their sizes.
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

# Each package or top-level module imports only those in the layers below it. Only the
# modules of the top layer import one another.
LAYERS = [
    ["tap", "options", "option_checks"],
    ["workers"],
    ["service"],
    ["web"],
    ["search"],
    ["grep", "library"],
    ["concurrency", "processes", "query", "quotes", "listening", "monitoring"],
    ["errors", "text"],
]

# The same for the packages in web.
WEB_LAYERS = [
    ["web.api"],
    ["web.pages"],
    ["web.authentication", "web.openapi", "web.server"],
    ["web.ingress"],
    ["web.http"],
]

MAX_MODULES = 10
MAX_LINES = 260
MAX_FUNCTION_LINES = 40


def parse_modules(package: Path = PACKAGE) -> dict[str, ast.Module]:
    """Parse all modules of a package; return them by name."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        modules[name] = ast.parse(path.read_text("utf-8"), str(path))
    return modules


def imported_modules(
    name: str, tree: ast.AST, inside: str = "twisted_quotes"
) -> Iterator[str]:
    """
    Return the absolute names of all that a module imports.

    @param name: the name of the module in the package.
    @param inside: the name of the package.
    """
    package = [inside, *name.split(".")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*above, *(node.module or "").split(".")]).rstrip(".")
            yield from (f"{source}.{each.name}" for each in node.names)


def package_of(name: str, layers: list[list[str]]) -> tuple[int, str] | None:
    """Return the layer and the package of a module, or L{None} if it has none."""
    for number, layer in enumerate(layers):
        for each in layer:
            if f"{name}.".startswith(f"{each}."):
                return number, each
    return None


def imports_upwards(
    modules: dict[str, ast.Module], layers: list[list[str]]
) -> Iterator[str]:
    """Return the imports that do not go to a lower layer, and what has no layer."""
    for name, tree in modules.items():
        own = package_of(name, layers)
        if own is None:
            yield f"{name} is in no layer"
            continue
        for each in imported_modules(name, tree):
            package, _, rest = each.partition(".")
            other = package_of(rest, layers) if package == "twisted_quotes" else None
            if other and not (other[0] > own[0] or other == own or "." not in name):
                yield f"{name} imports {each}"


class LayerTests(SynchronousTestCase):
    """Tests of imports."""

    def test_packages_import_only_lower_layers(self) -> None:
        modules = parse_modules()
        packages = {name for name in modules if name.endswith("__init__")}
        for name in packages:
            self.assertEqual(list(imported_modules(name, modules.pop(name))), [], name)
        self.assertEqual(list(imports_upwards(modules, LAYERS)), [])
        web = {name: each for name, each in modules.items() if name[:4] == "web."}
        self.assertEqual(list(imports_upwards(web, WEB_LAYERS)), [])

    def test_there_are_no_import_cycles(self) -> None:
        """Also inside a package."""
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
        # Raises CycleError, whose message has the modules.
        self.assertEqual(set(TopologicalSorter(graph).static_order()), set(own))

    def test_the_options_import_no_other_module(self) -> None:
        """To show the help, nothing else is loaded."""
        own = {
            each.split(".")[1]
            for each in imported_modules("options", parse_modules()["options"])
            if each.startswith("twisted_quotes.")
        }
        self.assertEqual(own, {"__version__", "option_checks"})

    def test_only_the_web_package_imports_klein(self) -> None:
        """Importing Klein installs a reactor."""
        for name, tree in parse_modules().items():
            for each in imported_modules(name, tree):
                if each.startswith(("klein", "werkzeug", "twisted.web")):
                    self.assertTrue(name.startswith("web."), f"{name} imports {each}")

    def test_the_tap_imports_no_reactor(self) -> None:
        """C{twist} installs one before Klein is imported."""
        code = (
            "import sys, twisted_quotes.tap; "
            "sys.exit(bool({'klein', 'twisted.internet.reactor'} & {*sys.modules}))"
        )
        subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, check=True)

    def test_the_reactor_is_imported_only_in_make_service(self) -> None:
        """Other functions take it as a parameter."""
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
    """Tests of the imports of the benchmark."""

    def test_the_benchmark_does_not_import_the_service(self) -> None:
        """It measures a process, the same as for other servers."""
        modules = parse_modules(BENCHMARK)
        self.assertIn("servers", modules)
        for name, tree in modules.items():
            names = imported_modules(name, tree, "bench")
            packages = {each.split(".")[0] for each in names}
            self.assertNotIn("twisted_quotes", packages, name)


class SizeTests(SynchronousTestCase):
    """Tests of the sizes of packages, modules and functions."""

    def test_no_package_has_many_modules(self) -> None:
        for package in (PACKAGE, *PACKAGE.rglob("*/")):
            modules = {*package.glob("*.py")} - {package / "__init__.py"}
            self.assertLessEqual(len(modules), MAX_MODULES, package.name)

    def test_no_module_is_long(self) -> None:
        for path in [*PACKAGE.rglob("*.py"), *BENCHMARK.rglob("*.py")]:
            lines = len(path.read_text("utf-8").splitlines())
            self.assertLessEqual(lines, MAX_LINES, path.name)

    def test_no_function_is_long(self) -> None:
        for name, tree in [*parse_modules().items(), *parse_modules(BENCHMARK).items()]:
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    assert node.end_lineno is not None
                    lines = node.end_lineno - node.lineno + 1
                    self.assertLessEqual(
                        lines, MAX_FUNCTION_LINES, f"{name}.{node.name}"
                    )
