"""Which runs a team needs now. Plain code over the lake and the source; the sensor only asks it.

Truth is the lake: a partition says in its footer which version of its input it was made from. A run
is due where that differs from what the source holds now. A partition that was written from today's
input and has no items is settled, not due: idle teams are asked once, not for ever.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from llma_assets.clustering_jobs import ClusteringJob, clustering_jobs, enabled_jobs
from llma_assets.lake import Lake
from llma_assets.llm.batch.state import waits_for_batch
from llma_assets.llm.budget import budget_of
from llma_assets.providers import embedder_of
from llma_assets.settings import Settings
from llma_assets.sources.event_source import DayStats, TraceEventSource
from llma_assets.stages.declaration import count_items
from llma_assets.team_day import TeamDay
from llma_assets.versions import combine, embeddings_version, is_part, summaries_version, whole_version
from llma_assets.vocabulary import ItemStatus, Level, Reason

_IN_BATCH = "its summaries are being made in a batch"


@dataclass(frozen=True, slots=True)
class DueRun:
    """One run that is due.

    Attributes:
        version: names the input that it is due for.
        once: for this version one run that succeeds is enough, whatever it leaves.
    """

    job: str
    team_day: TeamDay
    version: str
    once: bool = False

    @property
    def request_key(self) -> str:
        """Equal for equal work: partition and content version."""
        return f"{self.job}:{self.team_day}:{self.version[:16]}"


@dataclass(frozen=True, slots=True)
class TeamPlan:
    """What a team needs.

    Attributes:
        eligible: whether the team has any item: events of its own software, not only derived ones.
        due: runs to request now, oldest day first.
        waiting: why days that hold items are not due.
        settled: whether nothing can become due before the team's fingerprint changes.
    """

    eligible: bool
    due: list[DueRun] = field(default_factory=list)
    waiting: dict[TeamDay, str] = field(default_factory=dict)
    settled: bool = True


def select_teams(teams: Sequence[str], settings: Settings, after: str | None = None) -> list[str]:
    """Teams to look at: guaranteed ones first, then the sampled share of the allowed ones, beginning
    after the team `after`, so that a tick that is full goes on in the next.

    A skipped team is never looked at, not even a guaranteed one. The sample goes by a hash of the
    team's id, so that a team is in it today if it was yesterday.
    """
    allowed = [team for team in teams if not settings.teams_allow or team in settings.teams_allow]
    guaranteed = sorted(settings.teams_guaranteed - settings.teams_skip)
    sampled = [t for t in sorted(set(allowed)) if _in_sample(t, settings.teams_sample_percent)]
    others = [t for t in sampled if t not in settings.teams_guaranteed and t not in settings.teams_skip]
    start = others.index(after) + 1 if after in others else 0
    return guaranteed + others[start:] + others[:start]


def _in_sample(team: str, percent: float) -> bool:
    return int.from_bytes(hashlib.sha256(team.encode()).digest()[:8], "big") / 2**64 * 100 < percent


def plan_team(team: str, lake: Lake, source: TraceEventSource, settings: Settings, now: datetime) -> TeamPlan:
    """The runs that `team` needs at `now`."""
    quiet_since = now - timedelta(minutes=settings.quiet_minutes)
    jobs = clustering_jobs(team, settings)
    stats = _stats(team, source, settings, jobs, quiet_since)
    closed = {day: day_stats for day, day_stats in stats.items() if day.end <= quiet_since}
    unfinished = any(day_stats.finished < day_stats.traces + day_stats.generations for day_stats in stats.values())

    due: list[DueRun] = []
    waiting: dict[TeamDay, str] = {}
    parts = _Parts(lake, settings, now)
    stale = {day for day, day_stats in closed.items() if _needs_summaries(lake, day, day_stats, settings)}
    stale |= _emptied_days(lake, team, stats, settings)
    for day in sorted(stale):
        if waits_for_batch(lake, day):
            # `openai_batch_sensor` asks for the run once there is something to collect.
            waiting[day] = _IN_BATCH
            continue
        due.append(DueRun("summarize_traces", day, closed[day].source_version if day in closed else "emptied"))
    for day in sorted(closed.keys() - stale):
        # What there is of a part is clustered meanwhile, so it does not count as stale.
        if version := parts.next_version(day, ("trace_summaries", "embeddings")):
            due.append(DueRun("summarize_traces", day, version, once=True))
    windows = _Windows(lake, settings, jobs)
    emitted = {day for day in lake.days("cluster_events", team) if day.day >= settings.start_date}
    for day in sorted(closed.keys() | emitted):
        if any(other in stale for other in day.window(settings.window_days)):
            waiting.setdefault(day, "summaries of the window are due first")
            continue
        version, embedded = windows.version(day), windows.most_items(day)
        if embedded < settings.min_items_of(team):
            too_few = f"{Reason.TOO_FEW_ITEMS} ({embedded} of {settings.min_items_of(team)})"
            waiting[day] = too_few if enabled_jobs(jobs) else str(Reason.JOB_DISABLED)
            if not _emitted(lake, day):
                continue
        if not _clustered_from(lake, day, version, settings):
            due.append(DueRun("cluster_traces", day, version))
        elif part := parts.next_version(day, ("cluster_labels",)):
            due.append(DueRun("cluster_traces", day, part, once=True))
    # A day that is not closed, a trace that is not finished and a batch become due by the passing of time.
    ripening = unfinished or len(closed) < len(stats) or _IN_BATCH in waiting.values()
    return TeamPlan(bool(stats), due, waiting, settled=not due and not ripening)


def days_to_summarize(
    team: str, lake: Lake, source: TraceEventSource, settings: Settings, now: datetime
) -> set[TeamDay]:
    """Days whose summaries were made from other items than the finished ones of now, closed or not."""
    jobs = clustering_jobs(team, settings)
    stats = _stats(team, source, settings, jobs, now - timedelta(minutes=settings.quiet_minutes))
    stale = {day for day, day_stats in stats.items() if _needs_summaries(lake, day, day_stats, settings)}
    parts = _Parts(lake, settings, now)
    stale |= {day for day in stats if parts.next_version(day, ("trace_summaries", "embeddings"))}
    return stale | _emptied_days(lake, team, stats, settings)


def is_clusterable(lake: Lake, day: TeamDay, settings: Settings) -> bool:
    """Whether the window that ends with `day` holds enough embedded items of one level, and a job that wants any."""
    jobs = clustering_jobs(day.team, settings)
    most = _Windows(lake, settings, jobs).most_items(day) if enabled_jobs(jobs) else 0
    return most >= settings.min_items_of(day.team)


def _stats(
    team: str, source: TraceEventSource, settings: Settings, jobs: Sequence[ClusteringJob], quiet_since: datetime
) -> dict[TeamDay, DayStats]:
    """What each day holds; its version is that of the items and of which of them the jobs want."""
    days = source.day_stats(team, quiet_since, list(Level))
    return {
        TeamDay(team, day.day): replace(day, source_version=summaries_version(day.source_version, jobs))
        for day in days
        if day.day >= settings.start_date
    }


def _needs_summaries(lake: Lake, day: TeamDay, stats: DayStats, settings: Settings) -> bool:
    if not stats.finished:
        return False
    summarized = lake.source_version("trace_summaries", day)
    if summarized is None or whole_version(summarized) != stats.source_version:
        return True
    embedded = lake.source_version("embeddings", day) or ""
    if whole_version(embedded) == embeddings_version(summarized, embedder_of(settings).recipe):
        return False
    # Summarized from this very input: due only if there is something to embed.
    return count_items(lake, "trace_summaries", day) > 0


def _emptied_days(lake: Lake, team: str, stats: dict[TeamDay, DayStats], settings: Settings) -> set[TeamDay]:
    """Days whose summaries were made from items that the source no longer has."""
    return {
        day
        for day in lake.days("trace_summaries", team)
        if day.day >= settings.start_date
        and (day not in stats or not stats[day].finished)
        and lake.source_version("trace_summaries", day)
    }


def _emitted(lake: Lake, day: TeamDay) -> bool:
    return lake.exists("cluster_events", day) and count_items(lake, "cluster_events", day) > 0


def _clustered_from(lake: Lake, day: TeamDay, version: str, settings: Settings) -> bool:
    """Whether the day was clustered from this very window, up to its events or to an empty result."""
    if lake.source_version("cluster_assignments", day) != version:
        return False
    # Of a lake from before clusters were measured, the days are run once more.
    is_emitted = whole_version(lake.source_version("cluster_events", day) or "") == version
    if is_emitted and lake.exists("cluster_metrics", day):
        return True
    # Empty for want of items is settled, unless the minimum was lowered since.
    runs = lake.read("cluster_assignments", day, ["items_analyzed", "items_in_window"]).to_pylist()
    minimum = settings.min_items_of(day.team)
    return all(run["items_analyzed"] == 0 and run["items_in_window"] < minimum for run in runs)


class _Parts:
    """Partitions that leave something for another day, because a budget was used up or a server was down."""

    def __init__(self, lake: Lake, settings: Settings, now: datetime):
        self._lake, self._settings, self._now = lake, settings, now

    def next_version(self, day: TeamDay, tables: Sequence[str]) -> str | None:
        """The version to ask for, another one on each UTC day and after a cap was changed.

        None if nothing is left, or if it cannot be paid for yet.
        """
        versions = [self._lake.source_version(table, day) or "" for table in tables]
        if not any(is_part(version) for version in versions):
            return None
        with closing(budget_of(self._settings, day, lambda: self._now)) as budget:
            if not budget.has_room():
                return None
        caps = (self._settings.budget_usd, self._settings.budget_usd_per_day)
        asked_for = f"{self._now.date()} {caps} {versions}"
        return hashlib.sha256(asked_for.encode()).hexdigest()


class _Windows:
    """Figures of windows, each day read once although it lies in several windows."""

    def __init__(self, lake: Lake, settings: Settings, jobs: Sequence[ClusteringJob]):
        self._lake, self._days, self._jobs = lake, settings.window_days, jobs
        self._read: dict[TeamDay, tuple[str, Counter[str]]] = {}

    def version(self, day: TeamDay) -> str:
        """What `stages.window.window_version` would say."""
        return combine({earlier_day: self._of(earlier_day)[0] for earlier_day in day.window(self._days)}, self._jobs)

    def most_items(self, day: TeamDay) -> int:
        """Embedded items of the level that has most: one clusterable level is reason enough to run."""
        counts: Counter[str] = sum((self._of(earlier_day)[1] for earlier_day in day.window(self._days)), Counter())
        return max(counts.values(), default=0)

    def _of(self, day: TeamDay) -> tuple[str, Counter[str]]:
        if day not in self._read:
            levels: Counter[str] = Counter()
            if self._lake.exists("embeddings", day):
                rows = self._lake.read("embeddings", day, ["level", "status"]).to_pylist()
                levels = Counter(row["level"] for row in rows if row["status"] == ItemStatus.EMBEDDED)
            self._read[day] = (self._lake.source_version("embeddings", day) or "", levels)
        return self._read[day]
