"""
A run of the benchmark: find the servers, start them, measure each load.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from logging import getLogger
from pathlib import Path
from tempfile import mkdtemp

from . import corpus
from .big_loads import BIG_LOADS, BIG_SERVERS, BigLoads
from .errors import BenchmarkError
from .fortune_loads import FORTUNE_LOADS, FortuneLoads
from .indexed import running_indexed_server
from .library_corpus import write_libraries
from .library_loads import LIBRARY_LOADS, RIPGREP, LibraryLoads
from .ours import INDEXED, OURS, UNCACHED, VARIANTS
from .peers.catalogue import PEERS
from .queries import all_query
from .rounds import Load, Outcomes, measure_load
from .scale import Scale
from .servers import Server, running_servers
from .small_loads import SmallLoads, small_load_names
from .subjects import Subject, find_program

_LIBRARY_LOADS = (*LIBRARY_LOADS, *FORTUNE_LOADS)
_log = getLogger(__name__)


def find_subjects(wanted: Sequence[str]) -> tuple[list[Subject], dict[str, str]]:
    """
    Find the servers that can be measured on this machine.

    @param wanted: the names of the servers to measure; empty for all.
    @return: the servers, and the reasons why others are absent, by name.
    @raise BenchmarkError: wrk is missing, or a name is unknown.
    """
    known = {each.name: each for each in (*VARIANTS, *PEERS)}
    if unknown := set(wanted) - known.keys():
        raise BenchmarkError(f"There is no server {', '.join(sorted(unknown))}.")
    if not find_program("wrk"):
        raise BenchmarkError("wrk is not installed: apt-get install wrk")
    absent = {
        name: f"missing: {reason}"
        for name, subject in known.items()
        if (not wanted or name in wanted) and (reason := subject.missing_reason())
    }
    if not wanted and not find_program("rg"):
        absent[RIPGREP] = "missing: apt-get install ripgrep"
    for name, reason in absent.items():
        _log.info("%s: %s", name, reason)
    names = [name for name in known if not wanted or name in wanted]
    return [known[name] for name in names if name not in absent], absent


@dataclass
class BenchmarkRun:
    """
    A run of the benchmark.

    @ivar folder: an empty folder for all files.
    @ivar wanted_loads: the names of the loads to measure; empty for all.
    @ivar subjects: the servers to measure.
    @ivar loads: the loads that were measured.
    @ivar results: their results, by the name of the load.
    """

    folder: Path
    scale: Scale
    wanted_loads: Sequence[str]
    subjects: Sequence[Subject]
    loads: list[Load] = field(default_factory=list)
    results: dict[str, Outcomes] = field(default_factory=dict)

    def run(self) -> None:
        """
        Measure all loads that are wanted.

        @raise BenchmarkError: a server does not start, servers give different
            results, or the name of a load is unknown.
        """
        small = small_load_names(self.scale)
        if unknown := set(self.wanted_loads).difference(
            small, BIG_LOADS, _LIBRARY_LOADS
        ):
            raise BenchmarkError(f"There is no load {', '.join(sorted(unknown))}.")
        needs_big = any(map(self._is_wanted, BIG_LOADS))
        sentences = corpus.make_sentences()
        corpus.write_library(self._library, sentences, needs_big)
        if any(map(self._is_wanted, small)):
            self._run_small(sentences)
        if needs_big:
            self._run_big()
        if OURS in self.subjects and any(map(self._is_wanted, _LIBRARY_LOADS)):
            self._run_libraries()

    @property
    def _library(self) -> Path:
        return self.folder / "library"

    def _is_wanted(self, load_name: str) -> bool:
        return not self.wanted_loads or load_name in self.wanted_loads

    def _run_small(self, sentences: Sequence[str]) -> None:
        query = all_query(corpus.SMALL)
        _log_start(self.subjects)
        with running_servers(
            self.subjects, self.folder, self._library, query
        ) as servers:
            small = SmallLoads(
                servers,
                corpus.distinct_terms(sentences),
                self.folder,
                self._library,
                self.scale,
            )
            small.check_responses(corpus.small_lines(sentences))
            _log.info("all servers give the same results")
            small.warm_up()
            self._measure(small.loads())

    def _run_big(self) -> None:
        # New servers, so that memory used by the small loads does not count.
        subjects = [each for each in self.subjects if each.name in BIG_SERVERS]
        query = all_query(corpus.SMALL)
        _log_start(subjects)
        with running_servers(subjects, self.folder, self._library, query) as servers:
            big = BigLoads(servers, self._library)
            big.check_responses()
            _log.info("all servers give the same results")
            self._measure(big.loads())

    def _run_libraries(self) -> None:
        libraries = write_libraries(self.folder / "libraries", self.scale.files)
        if any(map(self._is_wanted, LIBRARY_LOADS)):
            with self._indexed(UNCACHED, libraries.many, libraries.few) as servers:
                loads = LibraryLoads(self.folder, libraries, self.scale, *servers)
                loads.check_responses()
                _log.info("the service and grep give the same results")
                self._measure(loads.loads())
        if any(map(self._is_wanted, FORTUNE_LOADS)):
            folders = libraries.fortunes, libraries.joined_fortunes
            with self._indexed(INDEXED, *folders) as servers:
                self._measure(FortuneLoads(self.folder, self.scale, *servers).loads())

    @contextmanager
    def _indexed(self, subject: Subject, *libraries: Path) -> Iterator[list[Server]]:
        """Run a server for each library, after it has indexed that."""
        _log.info("indexing %d libraries", len(libraries))
        with ExitStack() as stack:
            yield [
                stack.enter_context(
                    running_indexed_server(
                        subject, Path(mkdtemp(dir=self.folder)), library
                    )
                )
                for library in libraries
            ]

    def _measure(self, loads: Iterable[Load]) -> None:
        for load in loads:
            if self._is_wanted(load.name):
                self.loads.append(load)
                self.results[load.name] = measure_load(load, self.scale.rounds)


def _log_start(subjects: Sequence[Subject]) -> None:
    _log.info("starting %s", "; ".join(each.name for each in subjects))
