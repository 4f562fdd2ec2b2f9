"""Themes: whose members speak for one, and which of yesterday's it goes on from."""

from typing import Any

import pytest

from llma_assets.labeling.evidence import NEAR_OF_THEME, build_theme_evidence
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.labeling.themes import keeps_theme_name, same_themes

WORDS = {0: "flight", 1: "seat", 2: "refund", 3: "invoice", -1: "odd"}


def members(sizes: dict[int, int]) -> tuple[list[ItemEvidence], list[int], list[int]]:
    """Items, clusters and ranks; those of a cluster with a larger id lie closer to their centre."""
    rows = [
        (ItemEvidence(f"{cluster}-{n:03}", f"{WORDS[cluster]} question", (), distance=n / 1_000 - cluster), cluster, n)
        for cluster, size in sizes.items()
        for n in range(size)
    ]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def test_each_cluster_of_a_theme_is_shown_and_noise_in_none() -> None:
    items, ids, ranks = members({0: 50, 1: 30, 2: 9, 3: 40, -1: 5})
    first, second = build_theme_evidence(items, ids, ranks, {0: 0, 1: 0, 2: 0, 3: 1})
    assert (first.cluster_id, first.size, second.cluster_id, second.size) == (0, 89, 1, 40)
    shown = [item.item_id for item in first.near]
    assert len(shown) == NEAR_OF_THEME and first.edge == ()
    assert shown[:6] == ["0-000", "1-000", "2-000", "0-001", "1-001", "2-001"], "largest first, then in turn"
    assert {item.item_id[0] for item in second.near} == {"3"}


def test_terms_of_a_theme_are_those_that_other_themes_lack() -> None:
    items, ids, ranks = members({0: 10, 1: 10, 2: 10})
    first, second = build_theme_evidence(items, ids, ranks, {0: 0, 1: 0, 2: 1})
    assert {"flight", "seat"} <= {word for term, _ in first.terms for word in term.split()}
    assert "refund" in second.terms[0][0] and not any("refund" in term for term, _ in first.terms)


def edge(cluster: int | None, earlier: int | None, change: str = "kept") -> dict[str, Any]:
    return {"change": change, "cluster_id": cluster, "earlier_cluster_id": earlier}


SIZES = {0: 40, 1: 30, 2: 20, 3: 10}


@pytest.mark.parametrize(
    ("theme_of", "edges", "found"),
    [
        ({0: 0, 1: 0, 2: 1, 3: 1}, [edge(n, n) for n in range(4)], {0: 0, 1: 1}),
        ({0: 1, 1: 1, 2: 0, 3: 0}, [edge(n, n) for n in range(4)], {0: 1, 1: 0}),
        # 30 of 70 items go on: too few.
        ({0: 0, 1: 0, 2: 1, 3: 1}, [edge(1, 1), edge(2, 2)], {1: 1}),
        # The same clusters, but none of them was kept.
        ({0: 0, 1: 0, 2: 1, 3: 1}, [edge(n, n, "split") for n in range(4)], {}),
        # All in one theme now: it goes on from the one that is most of it.
        ({0: 0, 1: 0, 2: 0, 3: 0}, [edge(n, n) for n in range(4)], {0: 0}),
        # Most of a theme, but less than half of the earlier one.
        ({1: 0, 3: 1}, [edge(1, 1), edge(3, 3)], {}),
        ({0: 0}, [edge(None, 0, "died"), edge(0, None, "born")], {}),
    ],
    ids=["all", "renumbered", "half gone", "split", "joined", "a smaller part", "new"],
)
def test_a_theme_goes_on_where_most_items_of_both_are_in_kept_clusters(
    theme_of: dict[int, int], edges: list[dict[str, Any]], found: dict[int, int]
) -> None:
    assert same_themes(theme_of, SIZES, {0: 0, 1: 0, 2: 1, 3: 1}, SIZES, edges) == found


def test_no_theme_goes_on_from_nothing() -> None:
    assert same_themes({0: 0}, SIZES, {}, {}, [edge(0, 0)]) == {}


@pytest.mark.parametrize(
    ("naming", "labeler", "kept"),
    [
        (("llm", "m", "v1"), ("m", "v1"), True),
        (("llm", "m", "v1"), ("n", "v1"), False),
        (("llm", "m", "v1"), ("m", "v2"), False),
        (("llm", "m", "v1"), (None, None), True),
        (("keywords", None, None), ("m", "v1"), False),
        # Asked, and it had no good answer: a keyword name all the same.
        (("keywords", "m", "v1"), ("m", "v1"), False),
        (("keywords", None, None), (None, None), True),
        (("cluster", None, None), (None, None), False),
    ],
)
def test_a_name_stays_unless_a_better_or_another_labeler_came(
    naming: tuple[str, str | None, str | None], labeler: tuple[str | None, str | None], kept: bool
) -> None:
    told = dict(zip(("source", "model", "prompt_version"), naming, strict=True))
    evidence = ClusterEvidence(0, 9, tuple(ItemEvidence(f"{n}", "Question about flights", ()) for n in range(3)))
    assert keeps_theme_name("Flight Question", told, evidence, *labeler) is kept
    assert not keeps_theme_name("Breakfast at Noon", told, evidence, *labeler), "no member says so"
