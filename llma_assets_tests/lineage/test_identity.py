"""Which earlier run counts: the newest of the same job, model and method."""

from dataclasses import replace
from datetime import date

import pytest

from llma_assets.lineage.edge import Unmatched
from llma_assets.lineage.identity import ComparedRun, RunKind, earlier_run, lineage_id

KIND = RunKind("trace", "", "minilm", "hdbscan")


def key(day: int, **kind: str) -> ComparedRun:
    return ComparedRun(date(2026, 1, day), f"run{day}{''.join(kind.values())}", "h", replace(KIND, **kind))


TODAY = key(9)


def test_the_newest_of_the_same_kind_is_the_run_before() -> None:
    candidates = [key(5), key(7), key(8, method="kmeans"), key(9), key(10)]
    assert earlier_run(TODAY, candidates) == key(7) == earlier_run(TODAY, candidates[::-1])


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        ([], Unmatched.NO_EARLIER_RUN),
        ([key(9), key(10)], Unmatched.NO_EARLIER_RUN),
        ([key(8, level="generation")], Unmatched.NO_EARLIER_RUN),
        ([key(8, job_id="other")], Unmatched.NO_EARLIER_RUN),
        ([key(8, embedding_model="other")], Unmatched.MODEL_CHANGED),
        ([key(8, embedding_model="other", method="kmeans")], Unmatched.MODEL_CHANGED),
        ([key(8, method="kmeans")], Unmatched.METHOD_CHANGED),
    ],
)
def test_where_there_is_none_the_reason_is_told(candidates: list[ComparedRun], reason: Unmatched) -> None:
    """F18: vectors of another model are never compared."""
    assert earlier_run(TODAY, candidates) == reason


def test_a_lineage_is_named_after_its_first_run_and_cluster() -> None:
    assert lineage_id("acme_trace_20260103_000000", 4) == "acme_trace_20260103_000000/4"
