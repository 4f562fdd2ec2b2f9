"""cluster_report: the explorer of a (team, day) as one HTML file, with a row that says what is in it."""

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from llma_assets.explorer import packing
from llma_assets.explorer.content import Content
from llma_assets.explorer.detail import Json, Omitted, detail, excerpt
from llma_assets.explorer.groups import cluster_order
from llma_assets.explorer.items import by_importance, in_order
from llma_assets.explorer.page import render_page
from llma_assets.explorer.report import RunData, report, run_document, skipped_run
from llma_assets.explorer.shortening import shortened
from llma_assets.findings.structure import structure_findings
from llma_assets.lake import Lake
from llma_assets.readers.report_rows import TREND_DAYS, ReportRows
from llma_assets.readers.report_texts import ItemTexts, ShownText, WantedText
from llma_assets.redaction.redactor import Redactor
from llma_assets.reporting.stage_report import StageReport
from llma_assets.settings import Settings
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.stages.declaration import Days, Job, Stage
from llma_assets.tables.cluster_assignments import CLUSTER_ASSIGNMENTS, ClusteringRunRow
from llma_assets.tables.cluster_report import CLUSTER_REPORT, REPORT_PAGE, ClusterReportRow
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES, TraceSummaryRow
from llma_assets.team_day import TeamDay
from llma_assets.version import __version__
from llma_assets.versions import run_days

TABLE = "cluster_report"
# Part of the version of every page: raised whenever the same rows give another one.
REPORT_VERSION = "3"
STAGE = Stage(CLUSTER_REPORT, Job.CLUSTER, reads={"cluster_events": Days.SAME}, versions=(REPORT_VERSION,))
# Of the file, what the items' figures and titles may take; the least important items are left out beyond that.
_ITEMS_SHARE = 0.6
_NO_SUMMARY = TRACE_SUMMARIES.blank()

ItemPosition = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Page:
    """A finished page, and what is in it."""

    html: bytes
    items: int
    items_shown: int
    details: int
    texts: int
    excerpts: int


@dataclass(frozen=True, slots=True)
class BuildReport:
    """Everything that building one day's page needs."""

    lake: Lake
    source: TraceEventSource
    settings: Settings
    log: logging.Logger

    def run(self, team_day: TeamDay) -> StageReport:
        """Write the page and its row, and report. A day without items has no page; one of before is removed.

        Raises:
            PartitionMissing: the day's clusters, lineage or labels were never written, or do not fit each other.
        """
        started = time.monotonic()
        with self.lake.lock(TABLE, team_day):
            version = self.version(team_day)
            runs = CLUSTER_ASSIGNMENTS.rows(self.lake.read("cluster_assignments", team_day))
            path = self.lake.path(TABLE, team_day, REPORT_PAGE)
            page = None
            if any(run["items_analyzed"] for run in runs):
                page = self.page(team_day, runs)
                self.lake.write_bytes(path, page.html)
            else:
                self.lake.remove(path)
            table = CLUSTER_REPORT.arrow([] if page is None else [self._row(team_day, page)])
            written = self.lake.write(TABLE, team_day, table, version)
        figures = {} if page is None else {"page": path, "page_bytes": len(page.html), "items_shown": page.items_shown}
        counts = {} if page is None else {"texts": page.texts, "excerpts": page.excerpts, "summaries": page.details}
        return StageReport(
            team_day=team_day,
            written=written,
            rows_in=sum(run["items_analyzed"] for run in runs),
            items=written.rows,
            counts=counts,
            empty_reason=None if page else "no clustering run of this day has items",
            figures=figures | {"duration_s": round(time.monotonic() - started, 3)},
            preview=table.select([name for name in CLUSTER_REPORT.names if name not in ("team_id", "date")]),
        )

    def version(self, team_day: TeamDay) -> str:
        """Changes exactly when the page would; empty if the day was never clustered."""
        if not self.lake.exists("cluster_assignments", team_day):
            return ""
        settings = self.settings
        lines = [__version__, REPORT_VERSION, _page_version(), self._content, str(settings.report_max_bytes)]
        lines.append(str(settings.min_users_per_cluster))
        # What a run is warned of, see `findings.structure`.
        limits = (settings.min_clusters, settings.max_cluster_share, settings.max_noise_share, settings.min_stability)
        lines.append(repr(limits))
        lines += [settings.redaction, repr(sorted(settings.redaction_patterns.items())), str(settings.max_text_chars)]
        for day in team_day.window(TREND_DAYS):
            for table in ("cluster_assignments", "cluster_labels", "cluster_lineage", "cluster_metrics"):
                lines.append(f"{table} {day} {self.lake.content_hash(table, day)}")
        runs = self.lake.read("cluster_assignments", team_day, ["window_start", "window_end"]).to_pylist()
        for day in run_days(team_day, runs):
            lines.append(f"trace_summaries {day} {self.lake.content_hash('trace_summaries', day)}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def page(self, team_day: TeamDay, runs: Sequence[ClusteringRunRow]) -> Page:
        """The page of these rows of `cluster_assignments`, of which at least one holds items."""
        redactor = Redactor(self.settings.redaction_patterns) if self.settings.redaction == "always" else None
        rows = ReportRows(
            lake=self.lake,
            redact=redactor.text if redactor else None,
            findings=lambda run: list(structure_findings(run, self.settings)),
            min_users=self.settings.min_users_per_cluster,
        )
        data = [rows.run_data(team_day, run) for run in runs if run["items_analyzed"]]
        skipped = [skipped_run(run) for run in runs if not run["items_analyzed"]]
        texts = ItemTexts(self.source, self.settings.max_text_chars, redactor, self.log)
        return _PageBuilder(team_day, data, skipped, self._content, self.settings.report_max_bytes, texts).build()

    @property
    def _content(self) -> Content:
        # Under a minimum of users nothing of a single item is told, as a text of it is what one user said.
        return Content.NONE if self.settings.min_users_per_cluster else Content(self.settings.report_content)

    def _row(self, team_day: TeamDay, page: Page) -> ClusterReportRow:
        return {
            "team_id": team_day.team,
            "date": team_day.day,
            "file": self.lake.path(TABLE, team_day, REPORT_PAGE).removeprefix(f"{self.lake.root}/"),
            "sha256": hashlib.sha256(page.html).hexdigest(),
            "bytes": len(page.html),
            "content": str(self._content),
            "items": page.items,
            "items_shown": page.items_shown,
            "details": page.details,
            "texts": page.texts,
            "excerpts": page.excerpts,
        }


class _PageBuilder:
    """Fits the runs of a day into one file: figures of all items, then summaries, then texts."""

    def __init__(
        self,
        team_day: TeamDay,
        data: Sequence[RunData],
        skipped: Sequence[Json],
        content: Content,
        max_bytes: int,
        texts: ItemTexts,
    ):
        self._team_day, self._skipped = team_day, skipped
        self._content, self._max_bytes, self._texts = content, max_bytes, texts
        self._items_of_day = sum(run_data.run["items_analyzed"] for run_data in data)
        self._data = data = shortened(data, self._size_without_items, max_bytes)
        orders = [cluster_order(run_data.run) for run_data in data]
        self._items = [in_order(run_data.run, order) for run_data, order in zip(data, orders, strict=True)]
        # Run and place of each item, the most important first; each run has its part of every stretch.
        ranked: list[tuple[float, int, int]] = []
        for n, (items, order) in enumerate(zip(self._items, orders, strict=True)):
            ranked += [(k / len(items), n, place) for k, place in enumerate(by_importance(items, order))]
        self._order: list[ItemPosition] = [(n, place) for _, n, place in sorted(ranked)]

    def build(self) -> Page:
        """The page."""
        shown = self._shown()
        told = [place for place in shown if self._summary(place) is not None and self._content != Content.NONE]
        briefs = packing.brief_chunks([self._brief(place) for place in told])
        base = len(render_page(self._document(shown, told), []))
        briefs = packing.that_fit(briefs, self._max_bytes - base)
        told = told[: len(briefs) * packing.CHUNK_ITEMS]
        spare = self._max_bytes - base - sum(map(packing.page_bytes, briefs))
        packed = packing.Packed(briefs, 0, 0)
        if self._content == Content.TEXT:
            packed = self._with_texts(told, briefs, spare)
        html = render_page(self._document(shown, told), packed.chunks)
        return Page(html, self._items_of_day, len(shown), len(told), packed.whole, packed.excerpts)

    def _shown(self) -> list[ItemPosition]:
        """The items that are in the file: all, or as many as its share for them has room for."""
        shown = self._order
        empty = self._size_without_items(self._data)
        room = int(_ITEMS_SHARE * max(self._max_bytes - empty, 0))
        while shown and (taken := len(render_page(self._document(shown, shown), [])) - empty) > room:
            shown = shown[: len(shown) * room // taken]
        return shown

    def _size_without_items(self, data: Sequence[RunData]) -> int:
        runs = [run_document(run_data, [], [], self._content) for run_data in data]
        return len(render_page(self._report(runs), []))

    def _document(self, shown: Sequence[ItemPosition], told: Sequence[ItemPosition]) -> Json:
        detail_at = {place: packing.place_of(number) for number, place in enumerate(told)}
        in_run: list[list[int]] = [[] for _ in self._data]
        for n, place in shown:
            in_run[n].append(place)
        runs = []
        for n, run_data in enumerate(self._data):
            places = sorted(in_run[n])
            items = [self._items[n][place] for place in places]
            runs.append(run_document(run_data, items, [detail_at.get((n, place)) for place in places], self._content))
        return self._report(runs)

    def _report(self, runs: Sequence[Json]) -> Json:
        day = self._team_day.day.isoformat()
        return report(self._team_day.team, day, __version__, self._content, [*runs, *self._skipped])

    def _with_texts(self, told: Sequence[ItemPosition], briefs: Sequence[bytes], spare: int) -> packing.Packed:
        lengths = [(self._summary(place) or _NO_SUMMARY)["text_repr_length"] or 0 for place in told]
        count = packing.worth_reading(lengths, spare)
        wanted = [self._wanted(place) for place in told[:count]]
        days = max((run_days(self._team_day, [run_data.run]) for run_data in self._data), key=len)
        texts = self._texts.read(days[0], days[-1], wanted)

        def variants(number: int) -> packing.Variants:
            brief = self._brief(told[number])
            if number >= count:
                return brief, brief
            return _with_text(wanted[number].summary, texts[wanted[number].key])

        return packing.pack(briefs, variants, len(told), count, spare)

    def _wanted(self, place: ItemPosition) -> WantedText:
        item = self._items[place[0]][place[1]]
        level, summary = self._data[place[0]].run["level"], self._summary(place)
        return WantedText(level, item["item_id"], item["trace_id"], summary or _NO_SUMMARY)

    def _summary(self, place: ItemPosition) -> TraceSummaryRow | None:
        return self._data[place[0]].summaries.get(self._items[place[0]][place[1]]["item_id"])

    def _brief(self, place: ItemPosition) -> Json:
        omitted = Omitted.SIZE if self._content == Content.TEXT else Omitted.CONTENT
        return detail(self._summary(place) or _NO_SUMMARY, omitted=omitted)


def _with_text(summary: TraceSummaryRow, text: ShownText | Omitted) -> packing.Variants:
    """The detail of an item with all that is shown of its text, and with what its summary refers to."""
    if isinstance(text, Omitted):
        without = detail(summary, omitted=text)
        return without, without
    referred = excerpt(text.lines, summary, text.line_count) or None
    omitted = Omitted.EXCERPT if referred else Omitted.SIZE
    part = detail(summary, referred, text.line_count, omitted)
    return (detail(summary, text.lines, text.line_count) if text.is_whole else part), part


def _page_version() -> str:
    """Of the page's own files."""
    return hashlib.sha256(render_page(report("", "", "", Content.NONE, []), [])).hexdigest()
