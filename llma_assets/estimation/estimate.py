"""What a backfill would take before it is begun: items, tokens and dollars, stage by stage. Writes nothing."""

import json
import logging
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar

from llma_assets.clustering_jobs import ClusteringJob, clustering_jobs
from llma_assets.estimation.backfill_items import BackfillItems, BackfillWork, TextSize
from llma_assets.labeling.evidence import EDGE, NEAR, NEAR_OF_THEME
from llma_assets.labeling.prompt import build_messages as label_messages
from llma_assets.labeling.prompt import label_schema
from llma_assets.lake import Lake
from llma_assets.llm.access import Access
from llma_assets.llm.endpoint import Endpoint
from llma_assets.llm.labeler import MAX_CLUSTERS_PER_CALL
from llma_assets.llm.labeler import PROMPT_VERSION as LABEL_PROMPT
from llma_assets.llm.prices import Price, cost_usd
from llma_assets.llm.prompts import load_prompt
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.llm.tokens import Range, pieces_of, tokens_per_piece
from llma_assets.providers import asking_server, embedder_of, labeler_of, summarizer_of
from llma_assets.providers.provider import Kind
from llma_assets.readers.job_items import count_by_job, jobs_of_day
from llma_assets.settings import Settings
from llma_assets.sources.event_source import TraceEventSource
from llma_assets.summarization.outcome import Summarizer
from llma_assets.summarization.prompt import BULLETS, MAX_NOTES, ChatMessage, build_messages, summary_schema
from llma_assets.team_day import TeamDay
from llma_assets.traces.representation import TextRepresentation
from llma_assets.vocabulary import ItemStatus

T = TypeVar("T")

# Recorded summaries of one model from which its own numbers are taken in place of assumed ones.
MIN_RECORDED = 30
RECORDED_DAYS = 30
# A sentence of 15, 30 or 60 words with its line refs and the JSON around both; and the rest of a summary.
_STATEMENT_TOKENS = Range(45, 65, 110)
_FRAME_TOKENS = Range(60, 110, 200)
# Title, flow and statements are embedded; line refs, keys and braces are not.
_EMBEDDED_SHARE = Range(0.6, 0.75, 0.9)
# Clusters of n items for each root of n, and pieces of evidence for each: least, about the median, and most of the
# demo in benchmarks/tokens.py.
_CLUSTERS_PER_ROOT = Range(0.25, 0.6, 1.15)
_PIECES_PER_CLUSTER = Range(790, 1_100, 1_600)
# Themes of several clusters for each cluster: none where nothing groups them, at most half as many.
_THEMES_PER_CLUSTER = Range(0.0, 0.25, 0.5)
_PIECES_PER_THEME = _PIECES_PER_CLUSTER * (NEAR_OF_THEME / (NEAR + EDGE))
# A title and two to five sentences with their keys.
_NAME_TOKENS = Range(80, 150, 300)
_STANDARD_ERRORS = 2.0
_MEASURED = "tokens of this model's summaries in the lake"
_ASSUMED = "tokens by pieces of text; length of answers assumed"
_LOCAL = "made on this machine"


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """What one stage would take.

    Attributes:
        stage: `summaries`, `embeddings` or `labels`.
        model: as the data names it; empty for keywords.
        items: summaries to make, texts to embed, or clustering runs whose clusters are to be named.
        kept: items that are there already and would not be paid for again.
        cost_usd, batch_cost_usd: by direct calls, or with summaries through the Batch API; None: price unknown.
        price: None where it is unknown, or nobody is paid.
        basis: where the tokens are from.
    """

    stage: str
    model: str
    items: int
    kept: int = 0
    input_tokens: Range = field(default_factory=Range)
    output_tokens: Range = field(default_factory=Range)
    cost_usd: Range | None = field(default_factory=Range)
    batch_cost_usd: Range | None = field(default_factory=Range)
    price: Price | None = None
    basis: str = _LOCAL

    @property
    def is_paid(self) -> bool:
        """Whether a server is asked."""
        return self.basis != _LOCAL


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a backfill of a team's days would take; `texts_read` of `texts` were read to tell their size."""

    team: str
    first: date
    last: date
    stages: tuple[StageEstimate, ...]
    texts_read: int
    texts: int

    def cost_usd(self, is_batch: bool = False) -> Range | None:
        """US dollars of all stages; None if one has an unknown price."""
        total = Range()
        for stage in self.stages:
            cost = stage.batch_cost_usd if is_batch else stage.cost_usd
            if cost is None:
                return None
            total += cost
        return total


@dataclass(frozen=True, slots=True)
class _CallTokens:
    """Tokens of one call."""

    input_tokens: Range
    output_tokens: Range

    def cost_usd(self, price: Price | None, is_batch: bool = False) -> Range | None:
        """US dollars; long calls may have other rates, so it must be one call's tokens."""
        ends = [
            (read, written) for read, written in zip(_ends(self.input_tokens), _ends(self.output_tokens), strict=True)
        ]
        costs = [cost_usd(price, math.ceil(read), 0, math.ceil(written), is_batch) for read, written in ends]
        return None if None in costs else Range(*[cost for cost in costs if cost is not None])


@dataclass(frozen=True, slots=True)
class _Usage:
    """How many tokens a summary takes. `per_char` is None where it was not measured: then pieces tell it."""

    per_char: Range | None
    output_tokens: Range


@dataclass(frozen=True, slots=True)
class EstimateBackfill:
    """Everything that an estimate needs; `settings` say which providers would be asked."""

    lake: Lake
    source: TraceEventSource
    settings: Settings
    now: datetime
    log: logging.Logger

    def run(self, team: str, first: date, last: date) -> Estimate:
        """Estimate the days from `first` to `last`, both included. No server is asked and no key is needed."""
        access = Access(Endpoint(self.settings.openai_base_url), price_overrides=self.settings.prices)
        summarizer = summarizer_of(self.settings).service(access)
        embedder = embedder_of(self.settings).model if self._embeds else None
        items = BackfillItems(self.lake, self.source, summarizer, embedder, self.settings, self.now, self.log)
        found = items.find(team, first, last)
        sizes = items.read(team, found) if self._embeds or self._summarizes else {}
        usage = self._usage(team, summarizer)
        stages = (
            self._summaries(found, sizes, summarizer, usage, access),
            self._embeddings(found, sizes, embedder, usage, access),
            self._labels(team, first, last, found, access),
        )
        return Estimate(team, first, last, stages, sum(map(len, sizes.values())), sum(found.todo.values()))

    @property
    def _summarizes(self) -> bool:
        return Kind.SUMMARIZER in self._models

    @property
    def _embeds(self) -> bool:
        return Kind.EMBEDDER in self._models

    @property
    def _models(self) -> dict[Kind, str]:
        """The models that servers would be asked for."""
        return asking_server(self.settings)

    # --- summaries --------------------------------------------------------------------------

    def _summaries(
        self,
        found: BackfillWork,
        sizes: dict[str, list[TextSize]],
        summarizer: Summarizer,
        usage: _Usage,
        access: Access,
    ) -> StageEstimate:
        todo = sum(found.todo.values())
        if not self._summarizes:
            return StageEstimate("summaries", summarizer.model, todo, found.kept)
        name = self._models[Kind.SUMMARIZER]
        price, overhead = access.price(name), self._overhead()

        def call(size: TextSize) -> _CallTokens:
            if not size.pieces:
                return _CallTokens(Range(), Range())
            measured = None if usage.per_char is None else usage.per_char * size.chars
            text = measured or tokens_per_piece(name) * size.pieces
            return _CallTokens(tokens_per_piece(name) * overhead + text, usage.output_tokens)

        calls = {level: [call(size) for size in of_level] for level, of_level in sizes.items()}
        return StageEstimate(
            "summaries",
            summarizer.model,
            todo,
            found.kept,
            _all(calls, found.todo, lambda size: size.input_tokens) or Range(),
            _all(calls, found.todo, lambda size: size.output_tokens) or Range(),
            _all(calls, found.todo, lambda size: size.cost_usd(price)),
            _all(calls, found.todo, lambda size: size.cost_usd(price, is_batch=True)),
            price,
            _ASSUMED if usage.per_char is None else _MEASURED,
        )

    def _overhead(self) -> int:
        """Pieces of a request around the text: the instructions and the schema of the answer."""
        prompt = load_prompt(OpenAISummarizer.prompt_version)
        empty = TextRepresentation("", 0, 0, False, False, "", ())
        messages = build_messages(prompt, empty, self.settings.summary_mode, "0" * 32)
        return _pieces(messages) + pieces_of(json.dumps(summary_schema()))

    def _usage(self, team: str, summarizer: Summarizer) -> _Usage:
        """From what this model took for summaries that are in the lake; with too few of them, assumed."""
        least, most = BULLETS[self.settings.summary_mode]
        statements = Range(least, (least + most + MAX_NOTES) / 2, most + MAX_NOTES)
        assumed = _Usage(None, _FRAME_TOKENS + statements * _STATEMENT_TOKENS)
        if not self._summarizes:
            return assumed
        made_by = (summarizer.model, summarizer.mode, summarizer.prompt_version)
        rows = list(self._recorded(team, made_by))
        chars = [float(row[0]) for row in rows]
        if len(rows) < MIN_RECORDED or not sum(chars):
            return assumed
        overhead = tokens_per_piece(self._models[Kind.SUMMARIZER]).point * self._overhead()
        read = [row[1] - overhead for row in rows]
        slope = max(sum(read) / sum(chars), 0.0)
        off = statistics.pstdev(tokens - slope * size for tokens, size in zip(read, chars, strict=True))
        error = _STANDARD_ERRORS * off / math.sqrt(len(rows)) / statistics.mean(chars)
        written = [float(row[2]) for row in rows]
        return _Usage(Range(max(slope - error, 0.0), slope, slope + error), _mean(written))

    def _recorded(self, team: str, made_by: tuple[str, str, str]) -> Iterator[tuple[int, int, int]]:
        """Characters, input and output tokens of the latest summaries that a summarizer made for the team."""
        columns = ["model", "mode", "prompt_version", "status", "text_repr_length", "input_tokens", "output_tokens"]
        for team_day in self.lake.days("trace_summaries", team)[-RECORDED_DAYS:]:
            for row in self.lake.read("trace_summaries", team_day, columns).to_pylist():
                counts = (row["text_repr_length"], row["input_tokens"], row["output_tokens"])
                if (row["model"], row["mode"], row["prompt_version"]) == made_by and None not in counts:
                    yield counts

    # --- embeddings and labels --------------------------------------------------------------

    def _embeddings(
        self,
        found: BackfillWork,
        sizes: dict[str, list[TextSize]],
        model: str | None,
        usage: _Usage,
        access: Access,
    ) -> StageEstimate:
        items = sum(found.todo.values()) + len(found.unembedded_pieces)
        if model is None:
            return StageEstimate("embeddings", self.settings.embedder, sum(found.todo.values()))
        name = self._models[Kind.EMBEDDER]
        price, per_piece = access.price(name), tokens_per_piece(name)

        def tokens(size: TextSize) -> Range:
            if size.embedded_pieces or not size.pieces:
                return per_piece * size.embedded_pieces
            return usage.output_tokens * _EMBEDDED_SHARE

        new = _all(sizes, found.todo, tokens) or Range()
        total = new + per_piece * sum(found.unembedded_pieces)
        cost = _CallTokens(total, Range()).cost_usd(price) if items else Range()
        return StageEstimate("embeddings", model, items, found.embedded, total, Range(), cost, cost, price, _ASSUMED)

    def _labels(self, team: str, first: date, last: date, found: BackfillWork, access: Access) -> StageEstimate:
        runs = list(self._clustering_runs(team, first, last, found))
        if Kind.LABELER not in self._models:
            return StageEstimate("labels", self.settings.labeler, len(runs))
        name = self._models[Kind.LABELER]
        price, per_piece = access.price(name), tokens_per_piece(name)
        overhead = _pieces(label_messages(load_prompt(LABEL_PROMPT), [], "0" * 32)) + pieces_of(
            json.dumps(label_schema())
        )
        read, written = Range(), Range()
        cost: Range | None = Range()
        for items in runs:
            clusters = _CLUSTERS_PER_ROOT * math.sqrt(items)
            themes = clusters * _THEMES_PER_CLUSTER
            requests = _label_requests(clusters) + _label_requests(themes)
            evidence = clusters * _PIECES_PER_CLUSTER + themes * _PIECES_PER_THEME + requests * overhead
            call = _CallTokens(per_piece * evidence, (clusters + themes) * _NAME_TOKENS)
            read, written = read + call.input_tokens, written + call.output_tokens
            one = call.cost_usd(price)
            cost = None if cost is None or one is None else cost + one
        model = labeler_of(self.settings).service(access).model or ""
        return StageEstimate("labels", model, len(runs), 0, read, written, cost, cost, price, _ASSUMED)

    def _clustering_runs(self, team: str, first: date, last: date, found: BackfillWork) -> Iterator[int]:
        """Items of each clustering run of the days that will have enough of them."""
        days = [TeamDay(team, first + timedelta(days=n)) for n in range((last - first).days + 1)]
        jobs = clustering_jobs(team, self.settings)
        counts = dict(found.items_by_day)
        for day in days[0].window(self.settings.window_days)[:-1]:
            if self.lake.exists("trace_summaries", day):
                rows = self.lake.read("trace_summaries", day, ["level", "item_id", "status"]).to_pylist()
                keys = [(row["level"], row["item_id"]) for row in rows if row["status"] == ItemStatus.SUMMARIZED]
                counts[day.day] = count_by_job(jobs_of_day(self.source, day, jobs), keys)
        for day in days:
            window = day.window(self.settings.window_days)
            of_window: Counter[ClusteringJob] = sum((counts.get(past.day, Counter()) for past in window), Counter())
            for items in of_window.values():
                if items >= self.settings.min_items_of(team):
                    yield min(items, self.settings.max_samples)


def _label_requests(names: Range) -> Range:
    return Range(*[math.ceil(end / MAX_CLUSTERS_PER_CALL) for end in _ends(names)])


def _ends(value: Range) -> tuple[float, float, float]:
    return value.low, value.point, value.high


def _pieces(messages: Sequence[ChatMessage]) -> int:
    return sum(pieces_of(message["content"]) for message in messages)


def _mean(values: Sequence[float]) -> Range:
    """The mean, two standard errors to each side."""
    mean = statistics.mean(values)
    error = _STANDARD_ERRORS * statistics.pstdev(values) / math.sqrt(len(values))
    return Range(max(mean - error, 0.0), mean, mean + error)


def _all(
    sample: Mapping[str, Sequence[T]], population: Mapping[str, int], measure: Callable[[T], Range | None]
) -> Range | None:
    """From samples by level to all items of each level; None if one value is unknown.

    Where not all were read, the ends move two standard errors of the sample further apart.
    """
    total = Range()
    for level, items in population.items():
        values = [measure(size) for size in sample.get(level, ())]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        if known:
            share = items / len(known)
            spread = statistics.pstdev([value.point for value in known])
            error = _STANDARD_ERRORS * spread * items * math.sqrt((1 - 1 / share) / len(known))
            of_level = sum(known, Range()) * share
            total += Range(max(of_level.low - error, 0.0), of_level.point, of_level.high + error)
    return total
