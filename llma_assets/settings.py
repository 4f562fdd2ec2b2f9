"""Every setting of the project, read from `LLMA_*` environment variables.

One object holds them all, with unit, default and allowed range; a wrong value is refused by name.
Secrets are not settings: the resource that needs a key reads it from the environment itself.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from llma_assets.errors import InputRejected
from llma_assets.team_day import check_team
from llma_assets.vocabulary import ClusteringMethod, Level

TeamSet = Annotated[frozenset[str], NoDecode]


class PriceOverride(BaseModel):
    """One entry of the setting `prices`: US dollars per million tokens, each from 0 to 1,000,000."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, value: object) -> object:
        unknown = sorted(set(value) - set(cls.model_fields)) if isinstance(value, dict) else []
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not one of {', '.join(cls.model_fields)}")
        return value

    input_usd: float = Field(ge=0, le=1_000_000, allow_inf_nan=False)
    cached_input_usd: float | None = Field(None, ge=0, le=1_000_000, allow_inf_nan=False)
    output_usd: float = Field(0.0, ge=0, le=1_000_000, allow_inf_nan=False)


class Settings(BaseSettings):
    """All settings; the field `max_samples` is the variable `LLMA_MAX_SAMPLES`."""

    model_config = SettingsConfigDict(env_prefix="LLMA_", frozen=True, extra="ignore")

    home: Path = Field(Path(".llma"), description="Folder of the lake and of Dagster's storage.")
    lake_url: str | None = Field(None, description="Where the lake is, if not in LLMA_HOME: a folder or an fsspec URL.")
    start_date: date = Field(date(2025, 1, 1), description="First day that has a partition.")

    summarizer: Literal["extractive", "openai"] = Field("extractive", description="Who writes summaries.")
    embedder: Literal["minilm", "lsa", "openai"] = Field(
        "minilm", description="Who makes vectors; lsa is for smoke tests."
    )
    labeler: Literal["keywords", "openai"] = Field("keywords", description="Who names clusters.")
    model_dir: Path | None = Field(None, description="Folder with the MiniLM files, if not the installed package.")
    summary_mode: Literal["minimal", "detailed"] = Field("detailed", description="3 to 5 or 5 to 10 bullets.")

    openai_base_url: str | None = Field(None, description="Base URL of an OpenAI-compatible server.")
    openai_organization: str | None = Field(None, description="OpenAI organisation, if a key belongs to several.")
    openai_summary_model: str = Field("gpt-4.1-mini", description="Model for summaries.")
    openai_label_model: str = Field("gpt-4.1-mini", description="Model for names.")
    openai_embedding_model: str = Field("text-embedding-3-large", description="Model for vectors.")
    openai_embedding_dimensions: int | None = Field(
        None, ge=8, le=8_192, description="Length of the vectors, for models that can shorten them."
    )
    openai_context_tokens: int | None = Field(
        None, ge=4_000, le=100_000_000, description="Tokens that the model for summaries takes, where it is not listed."
    )
    openai_delivery: Literal["direct", "batch"] = Field(
        "direct", description="batch: summaries through the Batch API, at half the price, within a day."
    )
    openai_concurrency: int = Field(10, ge=1, le=200, description="Calls in flight at once.")
    openai_timeout_s: float = Field(60.0, gt=0, le=600, description="Seconds that one attempt of a call may take.")
    openai_max_attempts: int = Field(4, ge=1, le=20, description="Attempts of one call, the first one included.")
    # With the time for vectors below the two hours after which Dagster ends a summarize run.
    openai_deadline_s: float = Field(
        5_400.0, gt=0, le=86_400, description="Seconds for all summaries of one partition."
    )
    budget_usd: float | None = Field(None, ge=0, description="Cap on what one partition (team, day) may cost, ever.")
    budget_usd_per_day: float | None = Field(None, ge=0, description="Cap on what a team may cost on one UTC day.")
    prices: dict[str, PriceOverride] = Field(
        {},
        description="Dollars per million tokens of models without a list price, or in place of it, as JSON: "
        '{"my-model": {"input_usd": 0.1, "cached_input_usd": 0.05, "output_usd": 0.4}}.',
    )
    redaction: Literal["remote", "always", "never"] = Field(
        "remote", description="Which servers get texts without addresses, numbers and keys."
    )
    redaction_patterns: dict[str, str] = Field({}, description='More to redact, as JSON: {"name": "RE2 pattern"}.')
    record_content: bool = Field(False, description="Whether llm_calls holds prompts and answers.")

    max_traces_per_hour: int = Field(100, ge=1, le=100_000, description="Traces summarized for each UTC hour.")
    # A trace holds ten or more generations that repeat each other's history; a week of these fills max_samples.
    max_generations_per_hour: int = Field(15, ge=1, le=100_000, description="Generations summarized for each UTC hour.")
    quiet_minutes: int = Field(30, ge=0, le=1_440, description="Silence after which a trace counts as finished.")
    content_retention_days: int = Field(
        30, ge=1, le=3_650, description="Age from which an item without text counts as expired."
    )
    max_text_chars: int = Field(2_000_000, ge=2_000, le=20_000_000, description="Cap of a text representation.")

    window_days: int = Field(7, ge=1, le=90, description="Days that a clustering looks back, its own day included.")
    max_samples: int = Field(2_000, ge=20, le=10_000, description="Items that one clustering run learns from.")
    min_items: int = Field(20, ge=2, le=10_000, description="Items below which a window is not clustered.")
    min_items_by_team: dict[str, int] = Field({}, description='Overrides of min_items, as JSON: {"team": 10}.')
    cluster_method: ClusteringMethod = Field(
        "hdbscan", description="Clustering method; umap is the reference's recipe and needs the extra of that name."
    )
    hold_clusters: bool = Field(
        True, description="Whether clusters of the run before stay where items are grouped as well by them (hdbscan)."
    )
    min_clusters: int = Field(3, ge=0, le=100, description="Clusters below which a clustering run is warned of.")
    max_cluster_share: float = Field(
        0.7, gt=0, le=1, description="Share of the items in one cluster from which a run is warned of."
    )
    max_noise_share: float = Field(0.3, ge=0, le=1, description="Share of noise above which a run is warned of.")
    min_stability: float = Field(
        0.1, ge=-1, le=1, description="Agreement with clusters of half of the items below which a run is warned of."
    )

    jobs_file: Path | None = Field(None, description="File of the clustering jobs, if not jobs.yaml in LLMA_HOME.")
    max_jobs_per_team: int = Field(5, ge=1, le=100, description="Clustering jobs of its own that a team may have.")
    report_content: Literal["text", "summaries", "none"] = Field(
        "text", description="What the explorer's page holds of traces; none: figures and cluster names only."
    )
    report_max_bytes: int = Field(
        6_000_000,
        ge=2_000_000,
        le=100_000_000,
        description="Size of the explorer's page; less important texts give way.",
    )
    report_url: str = Field(
        "http://127.0.0.1:3001",
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="Where links to the explorer's pages lead; `llma dev` serves them there if that is this machine.",
    )
    min_coverage: float = Field(
        0.95, ge=0, le=1, description="Share of a window's items that must be accounted for, or a run is warned of."
    )
    max_drift: float = Field(
        0.6, ge=0, le=1, description="Jensen-Shannon distance from the run before above which a run is warned of."
    )
    alert_new_items: int = Field(20, ge=1, le=1_000_000, description="Items from which a new cluster is a finding.")
    alert_growth: float = Field(
        3.0, gt=1, le=1_000, description="Factor from which a cluster's growth over the days before is a finding."
    )
    alert_error_rate: float = Field(
        0.25, gt=0, le=1, description="Share of items with errors from which a cluster is a finding."
    )
    alert_min_items: int = Field(
        20, ge=1, le=1_000_000, description="Items below which neither growth nor errors of a cluster are a finding."
    )
    alert_gap_hours: int = Field(
        24, ge=1, le=168, description="Hours after the end of a day with nothing to show from which that is a finding."
    )
    alert_webhook_format: Literal["generic", "slack"] = Field("generic", description="What alerts are sent as.")
    alert_allow_private: bool = Field(
        False, description="Whether alerts may go to http, any port and addresses of one's own network."
    )
    alert_max_age_days: int = Field(3, ge=1, le=90, description="Age of a day whose findings are still sent.")
    alert_max_attempts: int = Field(6, ge=1, le=20, description="Attempts to send an alert, the first one included.")
    alert_max_per_tick: int = Field(20, ge=1, le=200, description="Alerts that one sensor tick may send.")
    min_users_per_cluster: int = Field(
        0, ge=0, le=10_000, description="Distinct users below which nothing is named or quoted; 0: no minimum."
    )

    teams_allow: TeamSet = Field(frozenset(), description="Teams to consider; empty means all. Comma-separated.")
    teams_skip: TeamSet = Field(frozenset(), description="Teams never run by themselves. Wins over all else.")
    teams_guaranteed: TeamSet = Field(frozenset(), description="Teams that no sampling leaves out; they go first.")
    teams_sample_percent: float = Field(100.0, ge=0, le=100, description="Share of the other teams, by hash of the id.")
    max_requests_per_tick: int = Field(50, ge=1, le=1_000, description="Runs that one sensor tick may request.")
    interval_days: int = Field(1, ge=1, le=30, description="The daily cluster schedule runs every N days.")

    duckdb_memory_limit: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s?(MB|GB|MiB|GiB)$", description="DuckDB's limit.")
    duckdb_threads: int = Field(2, ge=1, le=256, description="Threads of one DuckDB connection.")

    @field_validator("teams_allow", "teams_skip", "teams_guaranteed", mode="before")
    @classmethod
    def _teams(cls, value: object) -> object:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, list | set | frozenset | tuple):
            try:
                return frozenset(check_team(team) for team in value)
            except InputRejected as error:
                raise ValueError(str(error)) from error
        return value

    @property
    def lake(self) -> str:
        """URL of the lake."""
        return self.lake_url or str(self.home)

    @property
    def jobs_path(self) -> Path:
        """The file of the clustering jobs, whether or not there is one."""
        return self.jobs_file or self.home / "jobs.yaml"

    @property
    def lineage_days(self) -> int:
        """Days that the lineage of clusters looks back for an earlier run: windows further apart share no item."""
        return max(self.window_days, self.interval_days)

    def max_items_per_hour(self, level: str) -> int:
        """Items of `level` that are summarized for each UTC hour."""
        return self.max_traces_per_hour if level == Level.TRACE else self.max_generations_per_hour

    def min_items_of(self, team: str) -> int:
        """Items that a window of `team` must hold to be clustered."""
        return self.min_items_by_team.get(team, self.min_items)


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, some of them overridden by name.

    Raises:
        InputRejected: a variable has a value outside its range; every such variable is named.
    """
    try:
        return Settings(**overrides)
    except SettingsError as error:
        raise InputRejected(f"{error}; a setting that holds a list or a table is JSON") from None
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"])
            allowed = allowed_values(name) if name in Settings.model_fields else ""
            allowed = f" (allowed: {allowed})" if allowed else ""
            problems.append(f"LLMA_{name.upper()}={problem['input']!r}: {problem['msg']}{allowed}")
        raise InputRejected("; ".join(problems)) from None


def allowed_values(name: str) -> str:
    """The range or the choices of a setting in words; empty where it has none."""
    field = Settings.model_fields[name]
    words = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
    bounds = [
        f"{word} {getattr(bound, kind):.10g}"
        for bound in field.metadata
        for kind, word in words
        if getattr(bound, kind, None) is not None
    ]
    choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
    return ", ".join(bounds + (["one of " + ", ".join(f"`{choice}`" for choice in choices)] if choices else []))
