"""The tree holds every event once, whatever the parents say."""

import random
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from llma_assets.traces.tree import Node, TraceTree, build_tree
from llma_assets_tests.traces.trace_events import TRACE, event


def shape(nodes: Iterable[Node]) -> list[object]:
    return [(node.event.uuid, shape(node.children)) if node.children else node.event.uuid for node in nodes]


def all_uuids(tree: TraceTree) -> list[str]:
    found, stack = [], list(tree.children)
    while stack:
        node = stack.pop()
        found.append(node.event.uuid)
        stack += node.children
    return found


def test_nests_by_parent_and_orders_by_time() -> None:
    tree = build_tree(
        [
            event("span", span="late", parent="g1", at=3),
            event("span", span="early", parent="g1", at=2),
            event("generation", span="g1", parent=TRACE, at=1),
            event("trace", uuid="root", at=0),
        ]
    )
    assert tree.root is not None and tree.root.uuid == "root"
    assert shape(tree.children) == [("g1", ["early", "late"])]


def test_no_trace_event_gives_a_pseudo_root() -> None:
    tree = build_tree([event("span", span="a"), event("span", span="b", parent="a", at=1)])
    assert tree.root is None
    assert shape(tree.children) == [("a", ["b"])]


def test_orphans_and_self_parents_hang_under_the_root() -> None:
    tree = build_tree([event("span", span="a", parent="nowhere"), event("span", span="b", parent="b", at=1)])
    assert shape(tree.children) == ["a", "b"]


def test_cycle_is_cut_at_its_earliest_event() -> None:
    tree = build_tree(
        [
            event("span", span="a", parent="c", at=1),
            event("span", span="b", parent="a", at=2),
            event("span", span="c", parent="b", at=3),
            event("span", span="tail", parent="c", at=0),
        ]
    )
    assert shape(tree.children) == [("a", [("b", [("c", ["tail"])])])]


def test_second_trace_event_is_an_ordinary_node() -> None:
    tree = build_tree([event("trace", uuid="one", at=0), event("trace", uuid="two", at=1)])
    assert tree.root is not None and tree.root.uuid == "one"
    assert shape(tree.children) == ["two"]


def test_equal_times_are_ordered_by_the_history_they_carry() -> None:
    long = event("generation", {"$ai_input": [{"role": "user", "content": "x"}] * 3}, uuid="a")
    short = event("generation", {"$ai_input": [{"role": "user", "content": "x"}]}, uuid="b")
    assert shape(build_tree([long, short]).children) == ["b", "a"]


def test_duplicate_uuid_counts_once_whichever_row_comes_first() -> None:
    one = event("span", {"$ai_span_name": "one"}, uuid="same")
    two = event("span", {"$ai_span_name": "two"}, uuid="same")
    assert build_tree([one, two]).children[0].event is build_tree([two, one]).children[0].event
    assert build_tree([one, two]).event_count == 1


def test_fifty_thousand_nested_spans() -> None:
    chain = [event("span", span=f"s{i}", parent=f"s{i - 1}", at=i / 1000) for i in range(50_000)]
    tree = build_tree(chain)
    assert len(all_uuids(tree)) == 50_000


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 14), st.integers(0, 3)), max_size=13), st.randoms())
def test_every_event_once_for_any_parents(rows: list[tuple[int, int, int]], shuffler: random.Random) -> None:
    events = [
        event("span", uuid=f"u{place}", span=f"s{span}", parent=f"s{parent}", at=at)
        for place, (span, parent, at) in enumerate(rows)
    ]
    tree = build_tree(events)
    assert sorted(all_uuids(tree)) == sorted(e.uuid for e in events)
    shuffled = list(events)
    shuffler.shuffle(shuffled)
    assert shape(build_tree(shuffled).children) == shape(tree.children)
