"""Mermaid is written from safe labels only, and read back from our own lines only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llma_assets.summarization.flow import MAX_LABEL_CHARS, flow_diagram, flow_labels


def test_a_chain_with_a_loop() -> None:
    assert flow_diagram(["ask", "search", "search", "read", "search", "answer"]) == "\n".join(
        [
            "flowchart TD",
            '    n1["ask"]',
            '    n2["search"]',
            '    n3["read"]',
            '    n4["answer"]',
            "    n1 --> n2",
            "    n2 --> n3",
            "    n3 --> n2",
            "    n2 --> n4",
        ]
    )


def test_many_steps_are_folded_in_the_middle() -> None:
    labels = flow_labels(flow_diagram([f"step {i}" for i in range(40)], max_nodes=5))
    assert labels == ["step 0", "step 1", "step 2", "… 36 more steps", "step 39"]


def test_no_step_gives_no_diagram() -> None:
    assert flow_diagram([]) == "" and flow_diagram(["", " \x00"]) == ""
    assert flow_labels("") == []


HOSTILE = [
    'x"]\n    click n1 "javascript:alert(1)"\n    n9["y',
    '%%{init: {"theme": "base", "themeCSS": "url(x)"}}%%',
    "<img src=x onerror=alert(1)>",
    "`**bold** <b>`",
    "a; click n1 call alert()",
    "n1@{ img: 'https://x.test/a.png' }",
    "#lt;script#gt;",
    "$$\\href{javascript:alert(1)}{x}$$",
    "end\nsubgraph x",
    "A --> B|label|",
    "\u202ereversed\u2028line",
]


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_are_inert(label: str) -> None:
    diagram = flow_diagram([label, "ok"])
    lines = diagram.splitlines()
    assert [lines[0], *lines[2:]] == ["flowchart TD", '    n2["ok"]', "    n1 --> n2"]
    inside = lines[1].removeprefix('    n1["').removesuffix('"]')
    assert not set(inside) & set('"`<>&{}[]|\\;#%$@^~')
    assert "javascript:" not in inside
    assert flow_labels(diagram) == [inside, "ok"]


def test_foreign_lines_are_not_read() -> None:
    assert flow_labels('flowchart TD\n    n1["mine"]\n    A[theirs]\n  click n1 "x"\n    n2["two"]; x') == ["mine"]


@given(st.lists(st.text(st.characters(codec=None), max_size=80), max_size=30), st.integers(-3, 15))
def test_any_steps(steps: list[str], max_nodes: int) -> None:
    diagram = flow_diagram(steps, max_nodes)
    diagram.encode("utf-8")
    labels = flow_labels(diagram)
    assert len(labels) <= max(3, max_nodes)
    assert all(0 < len(label) <= MAX_LABEL_CHARS for label in labels)
    assert diagram.count('["') == len(labels)
