"""Names for the themes of a clustering run, as they stand on the rows of its clusters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from llma_assets.clustering.result import NOISE
from llma_assets.labeling.evidence import build_theme_evidence
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence, Label, Labeler
from llma_assets.labeling.minimum_users import THEME_TITLE, MinimumUsers, suppressed_label
from llma_assets.labeling.themes import OF_CLUSTER, keeps_theme_name, same_themes
from llma_assets.naming.earlier_names import EarlierNames, label_of, without_clashes
from llma_assets.tables.cluster_assignments import ClusteringRunRow
from llma_assets.tables.cluster_labels import ClusterLabelRow, ThemeColumns, ThemeNamingRow
from llma_assets.vocabulary import Reason

_UNNAMED = cast("ThemeNamingRow", dict.fromkeys(ThemeNamingRow.__annotations__))
_UNTHEMED: ThemeColumns = {"theme_id": None, "theme_title": None, "theme_description": None, "theme_naming": None}
# Below noise, so that no theme has them: ids under which titles of clusters are reserved.
_FIRST_RESERVED = -2


@dataclass(frozen=True, slots=True)
class NamedThemes:
    """The themes of one clustering run.

    Attributes:
        of_cluster: the theme of each cluster.
        asked: themes that the labeler was asked for.
    """

    of_cluster: dict[int, ThemeColumns]
    asked: int = 0

    def on(self, row: ClusterLabelRow) -> ClusterLabelRow:
        """A row of `cluster_labels` with the theme of its cluster."""
        return {**row, **self.of_cluster.get(row["cluster_id"], _UNTHEMED)}

    def namings(self) -> list[ThemeNamingRow]:
        """How each theme was named, each theme once."""
        by_theme = {theme["theme_id"]: theme["theme_naming"] for theme in self.of_cluster.values()}
        return [naming for naming in by_theme.values() if naming is not None]


def theme_columns(row: ThemeColumns) -> ThemeColumns:
    """Of a row of `cluster_labels`, what it says of the theme."""
    return {
        "theme_id": row["theme_id"],
        "theme_title": row["theme_title"],
        "theme_description": row["theme_description"],
        "theme_naming": row["theme_naming"],
    }


def name_themes(
    labeler: Labeler,
    run: ClusteringRunRow,
    items: Sequence[ItemEvidence],
    rows: Sequence[ClusterLabelRow],
    before: Sequence[ClusterLabelRow],
    earlier: EarlierNames,
    minimum: MinimumUsers,
) -> NamedThemes:
    """Name the themes of a run whose clusters are named.

    A theme of one cluster has that cluster's title. Of the others, those that go on from the run before keep their
    names, those that this labeler was asked for on this very evidence get what was found then, and the rest is named
    now. None of them has the title of a cluster that is one of several in its theme. One of too few users has a fixed
    title.

    Args:
        run: a row of `cluster_assignments`.
        items: one for each item of the run.
        rows: of `cluster_labels`, one for each cluster; those of the noise may be among them.
        before: rows of this partition from an earlier or a killed run of it.
        minimum: of distinct users, with the users of the items.
    """
    theme_of = _theme_of(run)
    members: dict[int, list[ClusterLabelRow]] = {}
    for row in rows:
        if row["cluster_id"] in theme_of:
            members.setdefault(theme_of[row["cluster_id"]], []).append(row)
    found = {theme_id: _of_cluster(theme_id, of[0]) for theme_id, of in members.items() if len(of) == 1}
    asked = 0
    if len(found) < len(members):
        ids, ranks = [item["cluster_id"] for item in run["items"]], [item["rank"] for item in run["items"]]
        groups = [theme_of.get(cluster_id, NOISE) for cluster_id in ids]
        below = {group: reason for group, reason in minimum.groups_below(groups).items() if group not in found}
        for number, (theme_id, reason) in enumerate(below.items(), start=1):
            found[theme_id] = _suppressed(run, suppressed_label(theme_id, reason, number, THEME_TITLE))
        evidence = build_theme_evidence(minimum.shared(items, groups), ids, ranks, theme_of)
        evidence = [theme for theme in evidence if theme.cluster_id not in below]
        members = {theme_id: of for theme_id, of in members.items() if theme_id not in below}
        several, asked = _name_several(labeler, run, evidence, members, before, earlier)
        found |= several
    return NamedThemes(
        {cluster_id: found[theme_id] for cluster_id, theme_id in theme_of.items() if theme_id in found}, asked
    )


def _name_several(
    labeler: Labeler,
    run: ClusteringRunRow,
    evidence: Sequence[ClusterEvidence],
    members: Mapping[int, Sequence[ClusterLabelRow]],
    before: Sequence[ClusterLabelRow],
    earlier: EarlierNames,
) -> tuple[dict[int, ThemeColumns], int]:
    """What the labels say of each theme of several clusters, and how many of them were asked for."""
    wanted = {theme.cluster_id: theme for theme in evidence if len(members[theme.cluster_id]) > 1}
    standing = {theme_id: label_of(of[0], theme_id) for theme_id, of in members.items() if len(of) == 1}
    inner = [row for theme_id in wanted for row in members[theme_id]]
    standing |= {_FIRST_RESERVED - n: label_of(row, _FIRST_RESERVED - n) for n, row in enumerate(inner)}
    kept = _kept(labeler, run, wanted, earlier)
    carried = without_clashes(standing, {theme_id: _label(columns) for theme_id, columns in kept.items()})
    answered = _answered(labeler, run, wanted, before)
    again = {theme_id: _label(columns) for theme_id, columns in answered.items() if theme_id not in carried}
    again = without_clashes(standing | carried, again)
    subject = f"{run['clustering_run_id']}, themes"
    found: dict[int, ThemeColumns] = {}
    for theme, label in zip(evidence, labeler.label(evidence, subject, standing | carried | again), strict=True):
        if theme.cluster_id in again:
            found[theme.cluster_id] = answered[theme.cluster_id]
        elif theme.cluster_id in carried:
            found[theme.cluster_id] = _carried(theme, label, kept[theme.cluster_id])
        elif theme.cluster_id in wanted:
            found[theme.cluster_id] = _new(labeler, run, theme, label)
    return found, len(wanted) - len(carried) - len(again)


def _kept(
    labeler: Labeler, run: ClusteringRunRow, wanted: Mapping[int, ClusterEvidence], earlier: EarlierNames
) -> dict[int, ThemeColumns]:
    """What they say of the earlier themes whose names stay."""
    edges, labels = earlier.before(run)
    themed = {cluster_id: row for cluster_id, row in labels.items() if row["theme_naming"] is not None}
    of_theme = {row["theme_id"]: theme_columns(row) for row in themed.values()}
    same = same_themes(
        _theme_of(run),
        {cluster["cluster_id"]: cluster["size"] for cluster in run["clusters"]},
        {cluster_id: theme_id for cluster_id, row in themed.items() if (theme_id := row["theme_id"]) is not None},
        {cluster_id: row["size"] for cluster_id, row in themed.items()},
        edges,
    )
    kept = {theme_id: of_theme[same[theme_id]] for theme_id in wanted if theme_id in same}
    asked = (labeler.model, labeler.prompt_version)
    return {
        theme_id: columns | {"theme_id": theme_id}
        for theme_id, columns in kept.items()
        if columns["theme_naming"] is not None
        and keeps_theme_name(columns["theme_title"] or "", columns["theme_naming"], wanted[theme_id], *asked)
    }


def _answered(
    labeler: Labeler, run: ClusteringRunRow, wanted: Mapping[int, ClusterEvidence], before: Sequence[ClusterLabelRow]
) -> dict[int, ThemeColumns]:
    """Themes as this labeler named them on this very evidence, in an earlier run of this day."""
    found = {}
    for row in before:
        theme_id, naming = row["theme_id"], row["theme_naming"]
        if (
            theme_id is not None
            and naming is not None
            and theme_id in wanted
            and row["content_hash"] == run["content_hash"]
            and (naming["model"], naming["prompt_version"]) == (labeler.model, labeler.prompt_version)
            and naming["named_date"] == run["date"]
            and is_settled(naming)
            and naming["evidence"] == as_json(wanted[theme_id])
        ):
            found[theme_id] = theme_columns(row)
    return found


def is_settled(naming: ClusterLabelRow | ThemeNamingRow) -> bool:
    """Whether a row of `cluster_labels`, or a `theme_naming`, holds all that can be had: no later day gives more."""
    return naming["reason"] not in (Reason.BUDGET_EXHAUSTED, Reason.LLM_ERROR)


def as_json(evidence: ClusterEvidence) -> str:
    """Evidence as it is stored beside the name that was made from it."""
    return json.dumps(asdict(evidence), ensure_ascii=False, sort_keys=True)


def _theme_of(run: ClusteringRunRow) -> dict[int, int]:
    """Theme of each cluster; runs from before there were themes have none."""
    themes = ((cluster["cluster_id"], cluster.get("theme_id")) for cluster in run["clusters"])
    return {cluster_id: theme_id for cluster_id, theme_id in themes if theme_id is not None}


def _label(columns: ThemeColumns) -> Label:
    theme_id, title, naming = columns["theme_id"], columns["theme_title"], columns["theme_naming"]
    # A theme that was named has all of them.
    assert theme_id is not None and title is not None and naming is not None
    return Label(theme_id, title, columns["theme_description"] or "", naming["source"] or "", ())


def _of_cluster(theme_id: int, row: ClusterLabelRow) -> ThemeColumns:
    naming = _UNNAMED | {"source": OF_CLUSTER, "named_date": row["named_date"]}
    return _columns(theme_id, row["title"], row["description"], naming)


def _suppressed(run: ClusteringRunRow, label: Label) -> ThemeColumns:
    naming = _UNNAMED | {"source": label.source, "reason": label.reason, "named_date": run["date"]}
    return _columns(label.cluster_id, label.title, label.description, naming)


def _carried(evidence: ClusterEvidence, label: Label, columns: ThemeColumns) -> ThemeColumns:
    """A kept name with what it was made from. A keyword description counts the members of today, so it is of today.

    Keywords are kept only where keywords are wanted: that a model once failed is no reason any more.
    """
    naming = (columns["theme_naming"] or _UNNAMED) | {"input_tokens": None, "output_tokens": None, "cost_usd": None}
    if label.source == "keywords":
        naming |= {"evidence": as_json(evidence), "reason": None, "model": None, "prompt_version": None}
    return columns | {"theme_description": label.description, "theme_naming": naming}


def _new(labeler: Labeler, run: ClusteringRunRow, evidence: ClusterEvidence, label: Label) -> ThemeColumns:
    naming: ThemeNamingRow = {
        "source": label.source,
        "reason": label.reason,
        "evidence": as_json(evidence),
        "model": labeler.model,
        "prompt_version": labeler.prompt_version,
        "input_tokens": label.input_tokens,
        "output_tokens": label.output_tokens,
        "cost_usd": label.cost_usd,
        "named_date": run["date"],
    }
    return _columns(evidence.cluster_id, label.title, label.description, naming)


def _columns(theme_id: int, title: str, description: str, naming: ThemeNamingRow) -> ThemeColumns:
    return {
        "theme_id": theme_id,
        "theme_title": title,
        "theme_description": description,
        "theme_naming": naming,
    }
