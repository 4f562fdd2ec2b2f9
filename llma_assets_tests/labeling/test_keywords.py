"""Names from keywords: what they say about real clusters, and what no input may make them say."""

import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.labeling.evidence import build_evidence
from llma_assets.labeling.keywords import label_by_keywords, noise_label
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence, Label
from llma_assets_tests import FIXTURES, ROOT

# Summaries of conversations from tau2-bench (MIT), in the five groups that k-means makes of them.
FIXTURE = FIXTURES / "airline_summaries.json"
TITLE = re.compile(r"(?:[^\W\d_]+(?:['-][^\W\d_]+)*(?:\+\+|#)?)(?: (?:[^\W\d_]+(?:['-][^\W\d_]+)*(?:\+\+|#)?))*")


def real_evidence() -> list[ClusterEvidence]:
    rows = json.loads(FIXTURE.read_text())
    ids = [row.pop("cluster_id") for row in rows]
    items = [ItemEvidence(**row | {"bullets": tuple(row["bullets"]), "notes": tuple(row["notes"])}) for row in rows]
    return build_evidence(items, ids)


def evidence_of(*clusters: list[str], bullets: tuple[str, ...] = ()) -> list[ClusterEvidence]:
    """One cluster for each list of titles."""
    items = [
        ItemEvidence(f"{number}-{place}", title, bullets)
        for number, titles in enumerate(clusters)
        for place, title in enumerate(titles)
    ]
    return build_evidence(items, [int(item.item_id.split("-")[0]) for item in items])


def assert_sound(labels: list[Label], count: int) -> None:
    """What holds for every set of sibling names, whatever the evidence."""
    assert len(labels) == count
    titles = [label.title for label in labels]
    assert len({title.lower() for title in titles}) == count
    for label in labels:
        assert TITLE.fullmatch(label.title), label.title
        assert len(label.title) <= 80
        assert 1 <= len(label.title.split()) <= 10
        lines = label.description.split("\n")
        assert 2 <= len(lines) <= 5
        assert all(line.startswith("- ") and len(line) > 2 for line in lines)
        assert not re.search(r"[<>`|\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", label.description)
        assert label.source == "keywords"


def test_real_clusters_are_named_by_what_sets_them_apart() -> None:
    labels = label_by_keywords(real_evidence())
    assert_sound(labels, 5)
    titles = [label.title for label in labels]
    for number, word in enumerate(["Cancel", "Nonstop", "Changes to Upcoming", "Delayed", "Gift Card"]):
        assert word in titles[number], titles
        assert sum(word in title for title in titles) == 1, titles
    assert all(3 <= len(title.split()) <= 10 for title in titles)


def test_descriptions_of_real_clusters_count_what_they_claim() -> None:
    evidence = real_evidence()
    for one, label in zip(evidence, label_by_keywords(evidence), strict=True):
        read = len(one.near) + len(one.edge)
        assert label.description.startswith(f"- Of {read} members read")
        counts = [int(count) for count in re.findall(r"” in (\d+)", label.description)]
        assert counts
        assert all(2 <= count <= read for count in counts)
        assert re.search(r"^- Typical: “.{10,140}”$", label.description, re.MULTILINE)
    assert "Handed over to a human agent: " in label_by_keywords(evidence)[3].description


def test_no_real_title_or_keyword_holds_a_person_or_a_code() -> None:
    evidence = real_evidence()
    text = " ".join(" ".join(i.bullets) for cluster in evidence for i in cluster.near)
    people = {part for match in re.findall(r"\b([a-z]+)_([a-z]+)_\d{4}\b", text) for part in match}
    assert len(people) > 10
    for label in label_by_keywords(evidence):
        words = re.findall(r"\w+", " ".join([label.title, *label.keywords]).lower())
        assert not people & set(words)
        assert not any(character.isdigit() for word in words for character in word)


def test_ids_names_addresses_and_dates_never_name_a_cluster() -> None:
    said = (
        "My name is Mia Li, user mia_li_3668, mia.li@example.com. Refund EHGLP3 and IFOYYZ on 2024-05-20 or May 21st."
    )
    labels = label_by_keywords(evidence_of([f"Refund a damaged parcel. {said}"] * 6, ["Weather in Rome"] * 6))
    for label in labels:
        shown = " ".join([label.title, *label.keywords]).lower()
        assert not re.search(r"\b(mia|li|ehglp|ifoyyz|example|may|2024|3668)", shown)
    assert "Damaged Parcel" in labels[0].title


def test_siblings_with_the_same_theme_are_told_apart() -> None:
    first = ["Cancel my flight to Oslo", "Cancel flight and get a refund", "I want a refund for the flight I cancel"]
    second = ["Cancel my hotel room", "Cancel hotel booking with breakfast", "The hotel room I cancel has no breakfast"]
    titles = [label.title for label in label_by_keywords(evidence_of(first, second))]
    assert "Flight" in titles[0]
    assert "Hotel" not in titles[0]
    assert "Hotel" in titles[1]
    assert "Flight" not in titles[1]


@pytest.mark.parametrize("count", [2, 30])
def test_identical_siblings_still_get_distinct_titles(count: int) -> None:
    assert_sound(label_by_keywords(evidence_of(*[["Reset my password"] * 5] * count)), count)


@pytest.mark.parametrize(
    "titles", [[""], ["", "", ""], ["1234 5678", "99"], ["the of and", "please help me"], ["😀😀"]]
)
def test_evidence_without_a_topic_still_gets_a_name(titles: list[str]) -> None:
    assert_sound(label_by_keywords(evidence_of(titles)), 1)
    assert_sound(label_by_keywords(evidence_of(titles, titles, ["Sort a list in Python"] * 3)), 3)


def test_no_evidence_at_all() -> None:
    assert label_by_keywords([]) == []
    assert_sound(label_by_keywords([ClusterEvidence(0, 7, ()), ClusterEvidence(1, 6, ())]), 2)


def test_one_cluster_without_siblings() -> None:
    labels = label_by_keywords(evidence_of(["Translate a letter into French", "Translate this letter to French"]))
    assert_sound(labels, 1)
    assert "Translate" in labels[0].title


def test_titles_without_spaces_between_words() -> None:
    assert_sound(
        label_by_keywords(evidence_of(["取消我的航班", "取消我的航班，退款"], ["إلغاء رحلتي", "إلغاء رحلتي الآن"])), 2
    )


HOSTILE = [
    "<script>alert(1)</script> reset password",
    "<img src=x onerror=alert(1)> reset password",
    "javascript:alert(document.cookie) reset password",
    "reset password &lt;script&gt; &#60;b&#62; </script><svg onload=alert(1)>",
    "reset password \u202eevil\u202c \u200b\u0000\u001b[31m red",
    "reset password `rm -rf /` | cat | https://evil.example/steal?x=1 www.evil.example",
    "reset password ${jndi:ldap://x} {{7*7}} =cmd|' /C calc'!A0",
    "reset password \ud800 lone surrogate",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_plain_words(text: str) -> None:
    labels = label_by_keywords(
        evidence_of([text] * 6, ["Sort a list in Python"] * 6, bullets=(f"User asked: {text}", text))
    )
    assert_sound(labels, 2)
    shown = " ".join([labels[0].title, labels[0].description, *labels[0].keywords]).lower()
    assert "reset password" in shown
    for trick in ("<", "&lt", "&#", "http", "www.", "javascript:", "onerror=", "\u202e", "\x1b", "\ud800"):
        assert trick not in shown
    shown.encode()


def test_a_very_long_text_is_bounded() -> None:
    labels = label_by_keywords(
        evidence_of(["refund " * 20_000, "x" * 200_000, "refund order " * 9], ["Sort a list"] * 3)
    )
    assert_sound(labels, 2)
    assert all(len(label.description) < 1200 for label in labels)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(max_size=60), min_size=1, max_size=4), min_size=1, max_size=4))
def test_any_text_gives_sound_and_repeatable_names(clusters: list[list[str]]) -> None:
    evidence = evidence_of(*clusters, bullets=(clusters[0][0], clusters[-1][-1]))
    labels = label_by_keywords(evidence)
    assert_sound(labels, len(clusters))
    assert labels == label_by_keywords(evidence)


def test_hash_seeds_do_not_change_a_name() -> None:
    code = (
        f"import sys; sys.path.append({str(ROOT)!r})\n"
        "from llma_assets_tests.labeling.test_keywords import real_evidence, label_by_keywords\n"
        "evidence = real_evidence(); print(evidence, label_by_keywords(evidence))"
    )
    outcomes = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outcomes) == 1
    assert b"Gift Card" in outcomes.pop()


def test_noise_has_a_fixed_name() -> None:
    label = noise_label(12)
    assert (label.cluster_id, label.title, label.source, label.keywords) == (-1, "Outliers", "fixed", ())
    assert label.description.startswith("- 12 items")
    assert noise_label(1).description.startswith("- 1 item that resembles")
