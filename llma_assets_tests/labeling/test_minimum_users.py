"""The minimum of distinct users: passages, not items, are what several people share."""

import random
import re

import pytest

from llma_assets.labeling.evidence import build_evidence
from llma_assets.labeling.keywords import label_by_keywords
from llma_assets.labeling.label import ItemEvidence
from llma_assets.labeling.minimum_users import GAP, MAX_ITEMS_OF_USER, MinimumUsers, is_suppressed, suppressed_label


def said(*titles: str) -> list[ItemEvidence]:
    return [ItemEvidence(f"i{n}", title, (), distance=n / 10) for n, title in enumerate(titles)]


def titles(min_users: int, users: list[str | None], *texts: str, groups: list[int] | None = None) -> list[str]:
    minimum = MinimumUsers(min_users, tuple(users))
    return [item.title for item in minimum.shared(said(*texts), groups or [0] * len(texts))]


def test_without_a_minimum_nothing_changes() -> None:
    items = said("my secret", "another one")
    assert MinimumUsers(0, ("a", None)).shared(items, [0, 0]) == items
    assert MinimumUsers(0, ("a", None)).groups_below([0, 0]) == {}


@pytest.mark.parametrize(
    ("users", "reason"),
    [
        (["a", "b", "c"], None),
        (["a", "a", "b"], "too_few_users (2 of 3)"),
        (["a"] * 1_000, "too_few_users (1 of 3)"),
        ([None, None, None, "a", "b"], "too_few_users (2 of 3)"),
        ([None] * 9, "too_few_users (0 of 3)"),
    ],
    ids=range(5),
)
def test_users_are_counted_not_items(users: list[str | None], reason: str | None) -> None:
    groups = [4] * len(users)
    assert MinimumUsers(3, tuple(users)).groups_below(groups) == ({} if reason is None else {4: reason})
    assert MinimumUsers(3, tuple(users)).groups_below([-1] * len(users)) == {}, "noise has no name to lose"


def test_only_what_enough_users_said_is_left() -> None:
    found = titles(
        2, ["a", "b", "c"],
        "Cancel my flight to Oslo, code QX7", "Please cancel my flight to Oslo tomorrow", "Nothing of the kind",
    )  # fmt: skip
    assert found == [f"cancel my flight to Oslo {GAP}", f"{GAP} cancel my flight to Oslo {GAP}", ""]


def test_what_one_user_says_a_thousand_times_is_said_by_one() -> None:
    users: list[str | None] = [*["a"] * 50, "b", "c"]
    texts = ["the canary word xylophone"] * 50 + ["a refund of my order", "a refund of my order"]
    found = titles(2, users, *texts)
    assert set(found) == {"", "a refund of my order"}


def test_what_is_common_in_another_group_is_not_common_in_this_one() -> None:
    users: list[str | None] = ["a", "b", "a", "b"]
    texts = ["refund order", "refund order", "refund order", "parking place"]
    assert titles(2, users, *texts, groups=[0, 0, 1, 1]) == ["refund order", "refund order", "", ""]


def test_common_words_in_an_uncommon_order_are_no_passage() -> None:
    """Each word is everybody's, the sentence is one person's."""
    found = titles(2, ["a", "b", "c"], "flight refund hotel", "refund flight", "hotel refund")
    assert found[0] == f"flight {GAP} refund {GAP} hotel"


def test_how_a_word_is_written_is_common_as_well() -> None:
    assert titles(2, ["a", "b"], "ReFuNd my order", "refund my order") == ["refund my order"] * 2
    assert titles(2, ["a", "b"], "Refund from JFK", "Refund from JFK") == ["Refund from JFK"] * 2


def test_of_one_user_so_many_items_are_read_and_no_more() -> None:
    """The nearest thousand are of one account; the others are heard all the same."""
    users: list[str | None] = [*["a"] * 1_000, "b", "c"]
    texts = ["refund my order"] * 1_002
    found = titles(3, users, *texts)
    assert found.count("refund my order") == MAX_ITEMS_OF_USER + 2
    assert found[-1] == "refund my order"


def test_every_word_left_was_said_by_enough_users_in_that_order() -> None:
    """A law, on sentences of few words: any two neighbours that are left are in texts of so many users."""
    random_ = random.Random(7)
    words = ["refund", "flight", "hotel", "parking", "order", "invoice", "luggage", "ticket"]
    texts = [" ".join(random_.choices(words, k=6)) for _ in range(200)]
    users = [f"u{random_.randrange(12)}" for _ in texts]
    min_users = 4
    lost = 0
    for text in titles(min_users, list(users), *texts):
        lost += GAP in text
        for passage in filter(None, (part.strip() for part in text.split(GAP))):
            speakers = {user for user, said in zip(users, texts, strict=True) if f" {passage} " in f" {said} "}
            assert len(speakers) >= min_users, passage
    assert lost > 50, "or nothing was tested"


def test_names_and_descriptions_quote_nobody() -> None:
    users = [f"u{n}" for n in range(8)]
    items = [
        ItemEvidence(f"i{n}", f"Refund of a cancelled order number {n}", (f"I am canary{n} and want a refund of it",))
        for n in range(8)
    ]
    minimum = MinimumUsers(3, tuple(users))
    (evidence,) = build_evidence(minimum.shared(items, [0] * 8), [0] * 8)
    (label,) = label_by_keywords([evidence])
    assert "Refund" in label.title
    assert "Typical" not in label.description
    assert not re.search(r"canary\d", f"{evidence} {label}")
    assert evidence.near[0].item_id == ""


def test_a_sentence_that_many_said_is_quoted() -> None:
    items = [ItemEvidence(f"i{n}", "Where is my refund", ("Where is my refund today",)) for n in range(5)]
    minimum = MinimumUsers(3, tuple(f"u{n}" for n in range(5)))
    (evidence,) = build_evidence(minimum.shared(items, [0] * 5), [0] * 5)
    (label,) = label_by_keywords([evidence])
    assert "Typical: “Where is my refund today”" in label.description


def test_suppressed_names_are_distinct_and_say_nothing() -> None:
    labels = [suppressed_label(n, "too_few_users (1 of 5)", n) for n in (1, 2, 3)]
    assert len({label.title for label in labels}) == 3
    assert {label.keywords for label in labels} == {()}
    assert {label.source for label in labels} == {"fixed"}
    assert is_suppressed({"is_suppressed": True})
    assert not is_suppressed({"is_suppressed": None})
