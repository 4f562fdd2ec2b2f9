"""Evidence: who is shown, and which terms set a cluster apart."""

import random

import pytest

from llma_assets.errors import InputRejected
from llma_assets.labeling.evidence import build_evidence
from llma_assets.labeling.label import ItemEvidence
from llma_assets.labeling.phrases import phrases_of, without_lead_in
from llma_assets.labeling.wording import read_lexicon, segments, stem


def items_of(count: int, title: str = "Reset my password", prefix: str = "i") -> list[ItemEvidence]:
    return [ItemEvidence(f"{prefix}{n:03}", title, (), distance=n / 100) for n in range(count)]


def test_near_and_edge_members_do_not_overlap() -> None:
    (one,) = build_evidence(items_of(40), [3] * 40)
    assert (one.cluster_id, one.size) == (3, 40)
    assert [item.item_id for item in one.near] == [f"i{n:03}" for n in range(12)]
    assert [item.item_id for item in one.edge] == ["i039", "i038", "i037", "i036"]


@pytest.mark.parametrize(("size", "near", "edge"), [(1, 1, 0), (12, 12, 0), (13, 12, 1), (15, 12, 3)])
def test_small_clusters_show_each_member_once(size: int, near: int, edge: int) -> None:
    (one,) = build_evidence(items_of(size), [0] * size)
    assert (len(one.near), len(one.edge)) == (near, edge)
    assert len({item.item_id for item in (*one.near, *one.edge)}) == size


def test_noise_is_no_cluster_and_ids_ascend() -> None:
    items = items_of(9)
    assert [item.cluster_id for item in build_evidence(items, [-1, 2, 0, 2, 0, -1, 5, 5, 5])] == [0, 2, 5]
    assert build_evidence(items, [-1] * 9) == []
    assert build_evidence([], []) == []


def test_row_order_does_not_matter() -> None:
    items = items_of(20, "Reset my password") + items_of(20, "Track a parcel", "j")
    ids = [0] * 20 + [1] * 20
    pairs = list(zip(items, ids, strict=True))
    random.Random(0).shuffle(pairs)
    assert build_evidence(items, ids) == build_evidence([item for item, _ in pairs], [i for _, i in pairs])


def test_terms_are_those_of_the_cluster_and_not_of_its_siblings() -> None:
    items = items_of(5, "Reset the password of my account") + items_of(5, "Delete my account for good", "j")
    first, second = (dict(item.terms) for item in build_evidence(items, [0] * 5 + [1] * 5))
    assert any("password" in term for term in first)
    assert not any("password" in term for term in second)
    assert next(iter(second)).startswith("delete")
    assert list(first.values()) == sorted(first.values(), reverse=True)


def test_one_long_member_does_not_supply_the_terms() -> None:
    items = [*items_of(9, "Track a parcel"), ItemEvidence("z", " ".join(["walrus"] * 500), ())]
    (one,) = build_evidence(items, [0] * 10)
    assert not any("walrus" in term for term, _ in one.terms)


def test_lengths_must_agree() -> None:
    with pytest.raises(InputRejected, match="2 items but 1 cluster ids"):
        build_evidence(items_of(2), [0])


@pytest.mark.parametrize(
    "forms",
    [
        ["cancel", "cancels", "cancelled", "canceled", "cancelling", "Cancel"],
        ["flight", "flights"],
        ["query", "queries"],
        ["change", "changes", "changed", "changing"],
        ["breed", "breeds"],
        ["class", "classes"],
    ],
)
def test_forms_of_one_word_share_a_stem(forms: list[str]) -> None:
    assert len({stem(form) for form in forms}) == 1


def test_runs_end_where_a_phrase_ends() -> None:
    text = "Move order 4711, get_order_details(7) and camelCaseThing; O'Hare's gate <b>now</b> C++ https://x.io/a then"
    assert segments(text) == [
        ["Move", "order"],
        ["get", "order", "details"],
        ["and"],
        ["O'Hare", "gate"],
        ["now"],
        ["C++"],
        ["then"],
    ]


def test_phrases_skip_determiners_and_keep_connectors() -> None:
    found = phrases_of(ItemEvidence("i", "Convert all of my text files to speech", ()), frozenset())
    assert found[("file", "speech")].words == ("files", "to", "speech")
    assert ("convert",) in found
    assert not any("all" in key or "my" in key for key in found)
    assert all(uses.leading for uses in found.values())


def test_later_bullets_weigh_less() -> None:
    bullets = ("User asked: refund", "Then asked: upgrade", "Ended with: voucher")
    found = phrases_of(ItemEvidence("i", "Parcel", bullets, ("Angry customer",)), frozenset())
    weights = {word: found[(stem(word),)].weight for word in ("parcel", "refund", "upgrade", "voucher", "angry")}
    assert weights == {"parcel": 1.0, "refund": 1.0, "upgrade": 1.0, "voucher": 0.5, "angry": 0.5}


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("User asked: cancel it", "cancel it"),
        ("A sentence that only later has one: here", "A sentence that only later has one: here"),
        ("No colon", "No colon"),
        ("Nothing after:", "Nothing after:"),
    ],
)
def test_lead_ins(text: str, rest: str) -> None:
    assert without_lead_in(text) == rest


def test_names_are_found_by_how_they_are_used() -> None:
    lexicon = read_lexicon(
        [
            "I'm Omar Rossi, my id is omar_rossi_1241",
            "write to dora.keller@example.com about the brown shoes",
            "Dear Ms. Zupan, Sofia Brown cannot use PyTorch with New York data",
            "HQXWZK and PLEASE and please",
        ]
    )
    assert {"omar", "rossi", "dora", "keller", "zupan", "sofia", "hqxwzk"} <= lexicon.names
    # "brown" is also a colour here, and these are topics.
    assert not {"brown", "pytorch", "new", "york", "please", "data"} & lexicon.names


def test_words_are_written_as_people_write_them() -> None:
    lexicon = read_lexicon(["sql PyTorch pytorch PyTorch SHOUT shout shout", "NVIDIA nvidia NVIDIA"])
    assert [lexicon.written(word) for word in ("sql", "pytorch", "SHOUT", "nvidia", "Las", "refund")] == [
        "SQL",
        "PyTorch",
        "Shout",
        "NVIDIA",
        "Las",
        "Refund",
    ]
