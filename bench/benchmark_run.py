"""
A run of the benchmark: find the servers, start them, measure each load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from logging import getLogger
from pathlib import Path

from . import corpus
from .big_loads import BIG_LOADS, BIG_SERVERS, BigLoads
from .errors import BenchmarkError
from .ours import VARIANTS
from .peers.catalogue import PEERS
from .queries import all_query
from .rounds import Load, Outcomes, measure_load
from .scale import Scale
from .servers import running_servers
from .small_loads import SmallLoads, small_load_names
from .subjects import Subject, find_program

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
        if unknown := set(self.wanted_loads).difference(small, BIG_LOADS):
            raise BenchmarkError(f"There is no load {', '.join(sorted(unknown))}.")
        needs_big = any(map(self._is_wanted, BIG_LOADS))
        sentences = corpus.make_sentences()
        corpus.write_library(self._library, sentences, needs_big)
        if any(map(self._is_wanted, small)):
            self._run_small(sentences)
        if needs_big:
            self._run_big()

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

    def _measure(self, loads: Iterable[Load]) -> None:
        for load in loads:
            if self._is_wanted(load.name):
                self.loads.append(load)
                self.results[load.name] = measure_load(load, self.scale.rounds)


def _log_start(subjects: Sequence[Subject]) -> None:
    _log.info("starting %s", "; ".join(each.name for each in subjects))
