"""The parts of the explorer's data: flows, line references, order, badges, and what fits into a budget."""

import json
import random
import zlib
from collections.abc import Sequence
from datetime import date
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.explorer import packing
from llma_assets.explorer.badges import badges
from llma_assets.explorer.detail import Omitted, detail, excerpt, line_refs, numbered_lines
from llma_assets.explorer.flow import MAX_NODES, parse_flow
from llma_assets.explorer.groups import LineageStart, PastRun, earlier, gone, trend
from llma_assets.explorer.items import by_importance
from llma_assets.summarization.flow import flow_diagram
from llma_assets.tables.cluster_assignments import ClusterItemRow
from llma_assets.tables.cluster_lineage import CLUSTER_LINEAGE
from llma_assets.tables.cluster_metrics import CLUSTER_METRICS, ClusterMetricsRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, NoteRow, TraceSummaryRow
from llma_assets_tests.real_traces import demo_events

# --- flow -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=100), max_size=40))
def test_every_diagram_that_is_written_is_read_back(steps: list[str]) -> None:
    """S11: whatever the steps say, the nodes are those of the diagram and every edge leads to one."""
    diagram = flow_diagram(steps)
    flow = parse_flow(diagram)
    if not diagram:
        assert flow is None
        return
    assert flow is not None
    ids = {node["id"] for node in flow["nodes"]}
    assert len(ids) == diagram.count('["')
    assert len(flow["edges"]) == diagram.count(" --> n")
    assert {end for first, last, _ in flow["edges"] for end in (first, last)} <= ids


@pytest.mark.parametrize(
    "line",
    [
        "%%{init: {'theme': 'dark'}}%%",
        '    click n1 "javascript:alert(1)"',
        '    n2["<img src=x onerror=alert(1)>"',
        '    n2["a"]:::x',
        '    n1["again"]',
        "    n1 --> n9",
        "    n1 -->|label| n1",
        '    n1 --> n1\n    n2["late"]',
        "subgraph x",
        "",
    ],
)
def test_a_diagram_with_a_foreign_line_is_none(line: str) -> None:
    assert parse_flow('flowchart TD\n    n1["a"]') is not None
    assert parse_flow(f'flowchart TD\n    n1["a"]\n{line}') is None


def test_a_diagram_of_another_kind_or_of_too_many_nodes_is_none() -> None:
    nodes = [f'    n{n}["step {n}"]' for n in range(1, MAX_NODES + 2)]
    assert parse_flow("\n".join(["flowchart TD", *nodes[:-1]])) is not None
    assert parse_flow("\n".join(["flowchart TD", *nodes])) is None
    assert parse_flow("graph LR\n" + nodes[0]) is None
    assert parse_flow(None) is parse_flow("") is parse_flow("flowchart TD") is None


def test_nodes_say_what_they_are() -> None:
    flow = parse_flow(flow_diagram(["Cancel my flight", "get_user_details", "Answered", *(f"s{n}" for n in range(20))]))
    assert flow is not None
    kinds = {node["label"]: node["kind"] for node in flow["nodes"]}
    assert (kinds["Cancel my flight"], kinds["get_user_details"], kinds["Answered"]) == ("start", "tool", "step")
    assert [kind for label, kind in kinds.items() if label.startswith("…")] == ["folded"]


# --- references and excerpts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count", "refs"),
    [
        ("L45", 0, [[45, 45]]),
        ("L5-9, L12", 0, [[5, 9], [12, 12]]),
        ("L5-9, L12", 7, [[5, 7]]),
        ("L9-5", 0, []),
        ("L0", 0, []),
        ("", 0, []),
        ("see L5; <b>L6</b>, L7", 0, [[7, 7]]),
        ("L99999999999", 0, []),
    ],
)
def test_references_are_pairs_of_lines_that_there_are(text: str, count: int, refs: list[list[int]]) -> None:
    assert line_refs(text, count) == refs


def summary_of(*refs: str, title: str = "t") -> TraceSummaryRow:
    notes: list[NoteRow] = [{"text": f"bullet {n}", "line_refs": ref} for n, ref in enumerate(refs)]
    return TRACE_SUMMARIES.blank() | {"title": title, "summary_bullets": notes, "interesting_notes": []}


def test_an_excerpt_is_what_is_referred_to_and_a_little_around_it() -> None:
    text = "\n".join(f"L{n:03d}: line {n}" for n in range(1, 101))
    lines = numbered_lines(text)
    assert lines[0] == (1, "line 1") and lines[-1] == (100, "line 100")
    shown = [number for number, _ in excerpt(lines, summary_of("L1", "L50-52", "L53", "L100"), 100)]
    assert shown == [1, 2, 3, *range(48, 56), 98, 99, 100]
    assert [number for number, _ in excerpt(lines, summary_of("L10-90"), 100)] == list(range(8, 25)), "its beginning"
    assert excerpt(lines, summary_of(""), 100) == []


def test_numbers_stay_with_their_lines_whatever_a_line_says() -> None:
    assert numbered_lines("L1: a\nL2: \nL3: L9: b\nno number\nL0012: c") == [(1, "a"), (2, ""), (3, "L9: b"), (12, "c")]


def test_a_detail_without_lines_says_why() -> None:
    told = detail(summary_of("L5", "L500"), [(5, "x")], 10)
    assert [note["refs"] for note in told["bullets"]] == [[[5, 5]], []]
    assert (told["lines"], told["line_count"], told["omitted"]) == ([[5, "x"]], 10, None)
    assert detail(summary_of("L5"), omitted=Omitted.SIZE) == {
        "bullets": [{"text": "bullet 0", "refs": [[5, 5]]}], "notes": [], "flow": None, "lines": None,
        "omitted": "The text is left out to keep this file small.",
    }  # fmt: skip


# --- order and budget -------------------------------------------------------------------------------------------------


def test_the_first_of_each_cluster_comes_before_the_second_of_any() -> None:
    items = [cast("ClusterItemRow", {"cluster_id": c}) for c in (4, 4, 4, 1, 1, -1, -1)]
    order = [(items[n]["cluster_id"], n) for n in by_importance(items, [4, 1, -1])]
    assert order == [(4, 0), (1, 3), (-1, 5), (4, 1), (1, 4), (-1, 6), (4, 2)]


def unpacked(chunks: Sequence[bytes]) -> list[dict[str, Any]]:
    return [item for chunk in chunks for item in json.loads(zlib.decompress(chunk, -15))]


@pytest.fixture(scope="module")
def texts() -> list[list[tuple[int, str]]]:
    """120 texts of twenty lines each, cut out of real traffic."""
    traffic = "".join(json.dumps(event["properties"]) for event in demo_events("airline", 60))
    starts = random.Random(1).sample(range(len(traffic) - 400), 120 * 20)
    return [
        [(n, traffic[start : start + 400]) for n, start in enumerate(starts[k * 20 : k * 20 + 20], 1)]
        for k in range(120)
    ]


@pytest.mark.parametrize("spare", [0, 2_000, 30_000, 90_000, 10_000_000])
def test_what_fits_is_packed_and_no_byte_more(texts: list[list[tuple[int, str]]], spare: int) -> None:
    summaries = [summary_of("L3", title=str(n)) for n in range(len(texts))]
    briefs = packing.brief_chunks([detail(summary, omitted=Omitted.SIZE) for summary in summaries])

    def variants(number: int) -> packing.Variants:
        lines = texts[number]
        part = excerpt(lines, summaries[number], len(lines))
        return (
            detail(summaries[number], lines, len(lines)),
            detail(summaries[number], part, len(lines), Omitted.EXCERPT),
        )

    packed = packing.pack(briefs, variants, len(texts), len(texts), spare)
    taken = sum(map(packing.page_bytes, packed.chunks)) - sum(map(packing.page_bytes, briefs))
    assert taken <= spare
    told = unpacked(packed.chunks)
    assert len(told) == len(texts)
    for number, one in enumerate(told):
        assert packing.place_of(number) == [number // 24, number % 24]
        assert one["bullets"] == detail(summaries[number])["bullets"], "a summary whatever fits"
    shown = ["whole" if one["omitted"] is None else "part" if one["lines"] else "none" for one in told]
    assert shown == sorted(shown, key=["whole", "part", "none"].index), "the most important ones first"
    assert (shown.count("whole"), shown.count("part")) == (packed.whole, packed.excerpts)
    if spare == 90_000:
        assert packed.whole and packed.excerpts and "none" in shown
    if spare == 10_000_000:
        assert packed.whole == len(texts)


def test_items_beyond_those_that_are_read_keep_their_summaries(texts: list[list[tuple[int, str]]]) -> None:
    briefs = packing.brief_chunks([detail(summary_of("L3"), omitted=Omitted.SIZE) for _ in range(30)])
    whole = detail(summary_of("L3"), texts[0], 20)
    brief = detail(summary_of("L3"), omitted=Omitted.SIZE)
    packed = packing.pack(briefs, lambda n: (whole, whole) if n < 5 else (brief, brief), 30, 5, 10**6)
    assert [one["lines"] is not None for one in unpacked(packed.chunks)] == [True] * 5 + [False] * 25
    assert packed.whole == 5


def test_as_many_texts_are_read_as_may_fit() -> None:
    assert packing.worth_reading([1_000] * 50, 10**9) == 50
    assert packing.worth_reading([10**7] * 5, 0) == 1
    few, more = (packing.worth_reading([5_000] * 5_000, spare) for spare in (100_000, 1_000_000))
    assert 0 < few < more < 5_000


def test_chunks_that_do_not_fit_are_left_out_from_the_end() -> None:
    chunks = [bytes(300), bytes(300), bytes(10)]
    assert packing.that_fit(chunks, 3_000) == chunks
    assert packing.that_fit(chunks, 1_000) == chunks[:2]
    assert packing.that_fit(chunks, -1) == []


# --- clusters over time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "size", "share", "before", "metrics", "expected"),
    [
        ("born", 10, 0.1, None, {}, ["new"]),
        ("born", 9, 0.1, None, {}, []),
        (None, 50, 0.1, None, {}, []),
        ("kept", 30, 0.31, {"size": 20, "share": 0.2}, {}, ["grown"]),
        ("kept", 30, 0.2, {"size": 20, "share": 0.2}, {}, []),
        ("kept", 10, 0.1, {"size": 20, "share": 0.2}, {}, ["shrunk"]),
        ("kept", 6, 0.1, {"size": 2, "share": 0.01}, {}, []),
        ("kept", 20, 0.2, {"size": 20, "share": 0.2}, {"error_count": 4, "error_rate": 0.2}, ["errors"]),
        ("kept", 20, 0.2, {"size": 20, "share": 0.2}, {"error_count": 3, "error_rate": 0.15}, []),
        ("kept", 4, 0.2, {"size": 4, "share": 0.2}, {"error_count": 2, "error_rate": 0.5}, []),
        ("born", 20, 0.2, None, {"error_count": 9, "error_rate": 0.5}, ["new", "errors"]),
    ],
)
def test_badges(
    change: str | None, size: int, share: float, before: Any, metrics: ClusterMetricsRow, expected: list[str]
) -> None:
    assert badges(change, size, share, before, metrics) == expected


HISTORY = [
    PastRun("r3", date(2026, 1, 3), 100, {0: 40, 1: 50, -1: 10}, {0: "A", 1: "B"},
             {0: LineageStart("a", date(2026, 1, 1)), 1: LineageStart("b", date(2026, 1, 3))}),
    PastRun("r2", date(2026, 1, 2), 80, {5: 60, 6: 20}, {5: "A", 6: "C"},
             {5: LineageStart("a", date(2026, 1, 1)), 6: LineageStart("c", date(2026, 1, 2))},
             {5: CLUSTER_METRICS.blank() | {"avg_cost": 0.5}}),
    PastRun("r1", date(2026, 1, 1), 10, {0: 10}, {}, {0: LineageStart("a", date(2026, 1, 1))}),
]  # fmt: skip


def test_a_trend_follows_the_lineage_through_other_numbers() -> None:
    assert trend(HISTORY, "a") == [
        {"date": "2026-01-01", "size": 10, "share": 1.0},
        {"date": "2026-01-02", "size": 60, "share": 0.75},
        {"date": "2026-01-03", "size": 40, "share": 0.4},
    ]
    assert trend(HISTORY, "b") == [{"date": "2026-01-03", "size": 50, "share": 0.5}]
    assert trend(HISTORY, None) == []


def test_what_is_gone_is_of_the_run_before() -> None:
    edges = [
        CLUSTER_LINEAGE.blank() | {"change": "died", "earlier_cluster_id": 6},
        CLUSTER_LINEAGE.blank() | {"change": "kept", "earlier_cluster_id": 5},
    ]
    assert gone(edges, HISTORY) == [{"title": "C", "size": 20, "last_date": "2026-01-02", "lineage_id": "c"}]
    assert gone(edges, HISTORY[:1]) == []


def test_earlier_runs_are_told_newest_first_with_their_figures() -> None:
    told = earlier(HISTORY)
    assert [one["run_id"] for one in told] == ["r2", "r1"]
    first = told[0]["clusters"][0]
    assert (first["title"], first["lineage_id"], first["share"]) == ("A", "a", 0.75)
    assert (first["metrics"]["avg_cost"], first["metrics"]["error_rate"]) == (0.5, None)
    assert told[1]["clusters"][0]["title"] == "cluster 0"
