"""The words that appear as values in the data: levels, statuses, reasons.

Every item (a trace or a generation) of a (team, day) ends in exactly one `ItemStatus`; where
there is nothing to see, a `Reason` says why. Both are columns, never only log lines.
"""

from enum import StrEnum
from typing import Literal, get_args

# How items may be grouped; the setting, a run's config, `llma run` and the clustering itself take their list from here.
ClusteringMethod = Literal["hdbscan", "kmeans", "umap"]
CLUSTERING_METHODS: tuple[ClusteringMethod, ...] = get_args(ClusteringMethod)


class Level(StrEnum):
    """What an item is: a whole trace, or one generation of it."""

    TRACE = "trace"
    GENERATION = "generation"


class ItemStatus(StrEnum):
    """Outcome of summarizing or embedding one item."""

    SUMMARIZED = "summarized"
    EMBEDDED = "embedded"
    SKIPPED = "skipped"
    FAILED = "failed"


class RunStatus(StrEnum):
    """Outcome of one clustering run."""

    CLUSTERED = "clustered"
    SKIPPED = "skipped"
    FAILED = "failed"


class MetricsKind(StrEnum):
    """What a row of `cluster_metrics` is about."""

    CLUSTER = "cluster"
    THEME = "theme"
    RUN = "run"


class Reason(StrEnum):
    """Why an item was skipped or failed, or why a (team, day) shows nothing."""

    NOT_SAMPLED = "not_sampled"
    NO_TEXT = "no_text"
    TOO_LARGE = "too_large"
    NOT_FINISHED = "not_finished"
    CONTENT_EXPIRED = "content_expired"
    REFUSED = "refused"
    CONTEXT_TOO_LONG = "context_too_long"
    INVALID_RESPONSE = "invalid_response"
    LLM_ERROR = "llm_error"
    BUDGET_EXHAUSTED = "budget_exhausted"
    REDACTION_FAILED = "redaction_failed"
    INVALID_EMBEDDING = "invalid_embedding"
    TOO_FEW_ITEMS = "too_few_items"
    TOO_FEW_USERS = "too_few_users"
    # The name is from when fewer users were enough.
    LOWER_MINIMUM = "lower_floor"
    NO_ITEMS = "no_items"
    # No clustering job of the item's level is enabled, or none that is has filters that the item satisfies.
    JOB_DISABLED = "job_disabled"
    NOT_IN_ANY_JOB = "not_in_any_job"


# Events that the customer's own software sends. Only these make a team eligible: counting what we
# emit ourselves kept idle teams running for ever in the reference (PostHog #60259).
CUSTOMER_EVENTS = (
    "$ai_generation",
    "$ai_embedding",
    "$ai_span",
    "$ai_trace",
    "$ai_metric",
    "$ai_feedback",
    "$ai_evaluation",
)

# Whoever records this pipeline's own LLM calls as events sets it on them, so that they are known again
# when they come back with the customer's events (PostHog #47641).
OWN_TRAFFIC_PROPERTY = "$llma_assets"
