"""The Arrow schema of every table in the lake, in one place. `Lake.write` enforces them.

One Parquet file holds one (team, UTC day) of one table. A table whose schema changes in a way
that an old reader would misread gets a higher `SCHEMA_VERSION`.
"""

import pyarrow as pa

SCHEMA_VERSION = 1

_TIMESTAMP = pa.timestamp("us", tz="UTC")


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_PARTITION = [_required("team_id", pa.string()), _required("date", pa.date32())]

# What names an item: at trace level item_id is the trace id, at generation level the event uuid.
_ITEM = [
    _required("level", pa.string()),
    _required("item_id", pa.string()),
    _required("trace_id", pa.string()),
    pa.field("generation_id", pa.string()),
    _required("trace_timestamp", _TIMESTAMP),
]

NOTE = pa.struct([_required("text", pa.string()), _required("line_refs", pa.string())])

TRACE_EVENTS = pa.schema(
    [
        *_PARTITION,
        _required("uuid", pa.string()),
        _required("event", pa.string()),
        _required("distinct_id", pa.string()),
        _required("timestamp", _TIMESTAMP),
        _required("trace_id", pa.string()),
        pa.field("span_id", pa.string()),
        pa.field("parent_id", pa.string()),
        pa.field("session_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("model", pa.string()),
        pa.field("provider", pa.string()),
        # Input tokens include cached ones, whichever way the SDK reported them.
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("latency_s", pa.float64()),
        _required("is_error", pa.bool_()),
        # True where `vocabulary.OWN_TRAFFIC_PROPERTY` is among the properties: a call that this
        # pipeline made itself, which must never enter a team's clusters.
        _required("is_own", pa.bool_()),
        # Canonical JSON (sorted keys, valid UTF-8) of the event's properties.
        _required("properties", pa.string()),
        # First 8 bytes of a SHA-256 over everything above that the sender decides.
        _required("content_hash", pa.int64()),
        _required("ingest_id", pa.string()),
        _required("ingested_at", _TIMESTAMP),
    ]
)

QUARANTINE = pa.schema(
    [
        _required("team_id", pa.string()),
        _required("ingest_id", pa.string()),
        _required("source_file", pa.string()),
        _required("line_number", pa.int64()),
        _required("reason", pa.string()),
        _required("detail", pa.string()),
        # The rejected row itself, so that nothing is lost; bytes beyond the cap are counted in detail.
        _required("raw", pa.string()),
    ]
)

INGESTS = pa.schema(
    [
        _required("team_id", pa.string()),
        _required("ingest_id", pa.string()),
        _required("source_file", pa.string()),
        _required("sha256", pa.string()),
        _required("bytes", pa.int64()),
        _required("rows_read", pa.int64()),
        _required("rows_kept", pa.int64()),
        _required("rows_quarantined", pa.int64()),
        _required("values_nulled", pa.int64()),
        _required("dates", pa.list_(pa.date32())),
        _required("ingested_at", _TIMESTAMP),
    ]
)

TRACE_SUMMARIES = pa.schema(
    [
        *_PARTITION,
        *_ITEM,
        _required("status", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("title", pa.string()),
        pa.field("flow_diagram", pa.string()),
        _required("summary_bullets", pa.list_(NOTE)),
        _required("interesting_notes", pa.list_(NOTE)),
        pa.field("mode", pa.string()),
        pa.field("model", pa.string()),
        pa.field("prompt_version", pa.string()),
        _required("content_hash", pa.string()),
        pa.field("text_repr_length", pa.int64()),
        _required("event_count", pa.int64()),
        _required("batch_run_id", pa.string()),
        _required("event_uuid", pa.string()),
        # What the summary itself took; null where no paid call was made.
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("latency_s", pa.float64()),
        # What the item cost its owner, measured from its own events.
        pa.field("item_cost_usd", pa.float64()),
        pa.field("item_latency_s", pa.float64()),
        pa.field("item_sum_generation_latency_s", pa.float64()),
        pa.field("item_input_tokens", pa.int64()),
        pa.field("item_output_tokens", pa.int64()),
        _required("item_error_count", pa.int64()),
        _required("item_generation_count", pa.int64()),
        _required("item_models", pa.list_(pa.string())),
        # Null where the sender put the trace id in place of a person.
        pa.field("item_user", pa.string()),
        # Tools that the item's own generations called, first called first; null where its text was not read.
        pa.field("item_tools", pa.list_(pa.string())),
    ]
)

EMBEDDINGS = pa.schema(
    [
        *_PARTITION,
        *_ITEM,
        _required("status", pa.string()),
        pa.field("reason", pa.string()),
        _required("model", pa.string()),
        _required("dim", pa.int32()),
        _required("content_hash", pa.string()),
        pa.field("embedding", pa.list_(pa.float32())),
    ]
)

CLUSTER = pa.struct(
    [
        _required("cluster_id", pa.int32()),
        _required("size", pa.int64()),
        _required("centroid", pa.list_(pa.float32())),
        _required("centroid_x", pa.float64()),
        _required("centroid_y", pa.float64()),
        _required("exemplars", pa.list_(pa.string())),
        pa.field("persistence", pa.float64()),
        pa.field("silhouette", pa.float64()),
        pa.field("theme_id", pa.int32()),
    ]
)

CLUSTER_ITEM = pa.struct(
    [
        _required("item_id", pa.string()),
        _required("trace_id", pa.string()),
        pa.field("generation_id", pa.string()),
        _required("trace_timestamp", _TIMESTAMP),
        _required("cluster_id", pa.int32()),
        _required("probability", pa.float64()),
        _required("outlier_score", pa.float64()),
        _required("distance_to_centroid", pa.float64()),
        _required("rank", pa.int64()),
        _required("x", pa.float64()),
        _required("y", pa.float64()),
        # False for an item that was assigned to the clusters of the sample.
        pa.field("is_learned", pa.bool_()),
        # What the method left out; in a cluster all the same, it is a borderline item.
        pa.field("raw_noise", pa.bool_()),
    ]
)

LADDER_STEP = pa.struct(
    [
        _required("name", pa.string()),
        _required("clusters", pa.int64()),
        _required("largest_share", pa.float64()),
        pa.field("silhouette", pa.float64()),
    ]
)

# One row a clustering run, its clusters and items nested: one file, so a reader can never see the
# clusters of one run beside the items of another.
CLUSTER_ASSIGNMENTS = pa.schema(
    [
        *_PARTITION,
        _required("clustering_run_id", pa.string()),
        _required("level", pa.string()),
        _required("job_id", pa.string()),
        _required("job_name", pa.string()),
        _required("window_start", _TIMESTAMP),
        _required("window_end", _TIMESTAMP),
        _required("status", pa.string()),
        pa.field("reason", pa.string()),
        _required("min_items", pa.int64()),
        _required("items_in_window", pa.int64()),
        # Items left out because another model made their vectors.
        _required("items_other_model", pa.int64()),
        # All of the window that have a cluster or are noise: the sample that was learned from, and the rest.
        _required("items_analyzed", pa.int64()),
        pa.field("items_learned", pa.int64()),
        _required("items_clustered", pa.int64()),
        _required("items_noise", pa.int64()),
        # Left out by the method, and given to the cluster that their neighbours lead to.
        pa.field("items_borderline", pa.int64()),
        pa.field("noise_share", pa.float64()),
        pa.field("raw_noise_share", pa.float64()),
        pa.field("largest_share", pa.float64()),
        # Mean cosine distance between any two items.
        pa.field("diversity", pa.float64()),
        _required("method", pa.string()),
        # JSON of every effective parameter.
        _required("params", pa.string()),
        _required("seed", pa.int64()),
        _required("algorithm_version", pa.string()),
        pa.field("embedding_model", pa.string()),
        pa.field("silhouette", pa.float64()),
        # On the layout that the clusters were found in: how far apart they look.
        pa.field("layout_silhouette", pa.float64()),
        pa.field("relative_validity", pa.float64()),
        pa.field("mean_persistence", pa.float64()),
        # Adjusted Rand index with the clusters of seeded half-samples.
        pa.field("stability", pa.float64()),
        pa.field("themes", pa.int64()),
        pa.field("theme_stability", pa.float64()),
        pa.field("optimal_k", pa.int64()),
        pa.field("inertia", pa.float64()),
        _required("guard_path", pa.list_(pa.string())),
        # What each rung of the ladder against collapse found, as far as it was climbed.
        pa.field("ladder", pa.list_(LADDER_STEP)),
        # JSON list of the clustering job's filters, each as it is written.
        pa.field("job_filters", pa.string()),
        # Of which items are in which cluster; labels carry the hash of the clusters that they name.
        _required("content_hash", pa.string()),
        _required("clusters", pa.list_(CLUSTER)),
        _required("items", pa.list_(CLUSTER_ITEM)),
    ]
)

# One row an edge between a cluster of a clustering run and one of the earlier run that it is compared with.
CLUSTER_LINEAGE = pa.schema(
    [
        *_PARTITION,
        _required("clustering_run_id", pa.string()),
        _required("level", pa.string()),
        _required("job_id", pa.string()),
        # Of the runs as they were compared: an edge between other clusters than the present ones is not followed.
        _required("content_hash", pa.string()),
        _required("change", pa.string()),
        # Null for a cluster that died.
        pa.field("cluster_id", pa.int32()),
        pa.field("size", pa.int64()),
        # Null where there is no run to compare with; `reason` says why.
        pa.field("earlier_clustering_run_id", pa.string()),
        pa.field("earlier_date", pa.date32()),
        pa.field("earlier_content_hash", pa.string()),
        # Null for a cluster that was born.
        pa.field("earlier_cluster_id", pa.int32()),
        pa.field("earlier_size", pa.int64()),
        # members, or centroids where the members say nothing.
        pa.field("basis", pa.string()),
        # These count only items that both runs looked at.
        pa.field("shared_items", pa.int64()),
        pa.field("jaccard", pa.float64()),
        pa.field("share", pa.float64()),
        pa.field("earlier_share", pa.float64()),
        pa.field("centroid_cosine", pa.float64()),
        pa.field("reason", pa.string()),
    ]
)

# How the name of a theme was made; the same on the row of each of its clusters.
THEME_NAMING = pa.struct(
    [
        # All nullable: pyarrow does not read a null struct whose fields may not be null.
        # keywords, llm, or cluster: a theme of one cluster has that cluster's title.
        pa.field("source", pa.string()),
        pa.field("reason", pa.string()),
        # JSON of what the name was made from, as for clusters.
        pa.field("evidence", pa.string()),
        # Of the labeler that was asked, whether or not its answer was of use.
        pa.field("model", pa.string()),
        pa.field("prompt_version", pa.string()),
        # The theme's share of what the calls took; not part of what the rows say of their clusters.
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        # Of the day that the name was made on; earlier than the row's where it was kept.
        pa.field("named_date", pa.date32()),
    ]
)

CLUSTER_LABELS = pa.schema(
    [
        *_PARTITION,
        _required("clustering_run_id", pa.string()),
        _required("level", pa.string()),
        _required("cluster_id", pa.int32()),
        _required("size", pa.int64()),
        _required("content_hash", pa.string()),
        _required("title", pa.string()),
        _required("description", pa.string()),
        # keywords, llm, or fixed (the name of the noise group).
        _required("source", pa.string()),
        pa.field("reason", pa.string()),
        _required("keywords", pa.list_(pa.string())),
        # JSON of what the name was made from, kept so that a person can audit it.
        _required("evidence", pa.string()),
        pa.field("model", pa.string()),
        pa.field("prompt_version", pa.string()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        # Why the cluster has this name: kept from the earlier run, or made now for the reason given.
        pa.field("name_reason", pa.string()),
        # The title that it had in the earlier run, or the cluster that it was split from.
        pa.field("previous_title", pa.string()),
        # The run and cluster that a kept name was made for, null where it was made for this one; the evidence is
        # that of its making, too.
        pa.field("carried_from", pa.string()),
        pa.field("carried_cluster_id", pa.int32()),
        pa.field("named_date", pa.date32()),
        # The theme of the cluster, repeated on each of its clusters; null for noise.
        pa.field("theme_id", pa.int32()),
        pa.field("theme_title", pa.string()),
        pa.field("theme_description", pa.string()),
        pa.field("theme_naming", THEME_NAMING),
        # The floor on distinct users that every word of the row keeps to; null or 0 where there was none.
        pa.field("min_users", pa.int64()),
        # Has a fixed title, because its items come from fewer users than the floor.
        pa.field("is_suppressed", pa.bool_()),
    ]
)

CLUSTER_EVENTS = pa.schema(
    [
        *_PARTITION,
        _required("clustering_run_id", pa.string()),
        _required("part", pa.int32()),
        _required("parts", pa.int32()),
        _required("uuid", pa.string()),
        _required("event", pa.string()),
        _required("distinct_id", pa.string()),
        _required("timestamp", _TIMESTAMP),
        _required("properties", pa.string()),
    ]
)

# A model or tool among the items of a group, with its share of the items.
USED = pa.struct(
    [
        pa.field("name", pa.string()),
        pa.field("items", pa.int64()),
        pa.field("share", pa.float64()),
        # This share over the share in the rest of the run; null where the rest has none.
        pa.field("lift", pa.float64()),
    ]
)

# A group's figure over that of the rest of its run; null where either is not known, or the rest's is 0.
LIFT = pa.struct(
    [
        pa.field(name, pa.float64())
        for name in (
            "avg_cost",
            "avg_latency",
            "p95_latency",
            "avg_tokens",
            "avg_generations",
            "cost_per_million_tokens",
            "error_rate",
        )
    ]
)

# What the items of a group took. One row a clustering run × (each cluster, noise included | each theme | the run).
CLUSTER_METRICS = pa.schema(
    [
        *_PARTITION,
        _required("clustering_run_id", pa.string()),
        _required("level", pa.string()),
        # Of the run as it was measured.
        _required("content_hash", pa.string()),
        # cluster, theme or run
        _required("kind", pa.string()),
        pa.field("cluster_id", pa.int32()),
        # Of a cluster's row: the theme that it is in.
        pa.field("theme_id", pa.int32()),
        _required("item_count", pa.int64()),
        # Dollars.
        pa.field("avg_cost", pa.float64()),
        pa.field("total_cost", pa.float64()),
        # Seconds.
        pa.field("avg_latency", pa.float64()),
        pa.field("p50_latency", pa.float64()),
        pa.field("p95_latency", pa.float64()),
        pa.field("avg_tokens", pa.float64()),
        pa.field("total_tokens", pa.int64()),
        pa.field("avg_generations", pa.float64()),
        # Dollars, over the items of which both are known: with these, avg_cost is tokens times price.
        pa.field("cost_per_million_tokens", pa.float64()),
        _required("error_count", pa.int64()),
        pa.field("error_rate", pa.float64()),
        # Users known; where the sender named none, 0.
        _required("distinct_users", pa.int64()),
        _required("models", pa.list_(USED)),
        _required("tools", pa.list_(USED)),
        _required("lift", LIFT),
    ]
)

# The explorer's page of a (team, day), beside which it lies; one row, or none where there is nothing to show.
REPORT_PAGE = "report.html"
CLUSTER_REPORT = pa.schema(
    [
        *_PARTITION,
        # Path under the lake's root.
        _required("file", pa.string()),
        _required("sha256", pa.string()),
        _required("bytes", pa.int64()),
        # text, summaries or none: how much of the traces the page tells.
        _required("content", pa.string()),
        # Of all clustering runs of the day.
        _required("items", pa.int64()),
        # In the file; the rest only counts in its figures.
        _required("items_shown", pa.int64()),
        # Items with a summary in the file; of these, with the whole text and with a part of it.
        _required("details", pa.int64()),
        _required("texts", pa.int64()),
        _required("excerpts", pa.int64()),
    ]
)

# The pipeline's own LLM calls. `event` is `$ai_generation` or `$ai_embedding` for a call and `$ai_trace` for one
# asset's work on the partition: there tokens, cost and attempts are the sums of its calls.
LLM_CALLS = pa.schema(
    [
        *_PARTITION,
        _required("event", pa.string()),
        # Also the span id: UUIDv5 of the trace id, the call's number and its time.
        _required("uuid", pa.string()),
        # One for each asset, partition and Dagster run.
        _required("trace_id", pa.string()),
        _required("asset", pa.string()),
        pa.field("clustering_job", pa.string()),
        pa.field("dagster_run_id", pa.string()),
        _required("called_at", _TIMESTAMP),
        pa.field("model", pa.string()),
        pa.field("provider", pa.string()),
        pa.field("subject", pa.string()),
        pa.field("attempts", pa.int64()),
        # Cached tokens are among the input tokens.
        pa.field("input_tokens", pa.int64()),
        pa.field("cached_input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        # Null where the price is not known, never 0 for that.
        pa.field("cost_usd", pa.float64()),
        pa.field("latency_s", pa.float64()),
        pa.field("stop_reason", pa.string()),
        _required("is_error", pa.bool_()),
        pa.field("error", pa.string()),
        pa.field("is_batch", pa.bool_()),
        pa.field("prompt_version", pa.string()),
        # The rest of the figures are of `$ai_trace` rows only.
        pa.field("outcome", pa.string()),
        pa.field("items", pa.int64()),
        pa.field("cache_hits", pa.int64()),
        pa.field("calls", pa.int64()),
        pa.field("calls_failed", pa.int64()),
        pa.field("calls_unpriced", pa.int64()),
        # JSON object of every figure that the asset gave.
        pa.field("figures", pa.string()),
        # What was sent and received; only where LLMA_RECORD_CONTENT asks for it.
        pa.field("input", pa.string()),
        pa.field("output", pa.string()),
    ]
)

# Items that a server summarizes within a day, with what is needed to read its answers.
LLM_BATCHES = pa.schema(
    [
        *_PARTITION,
        # Null until the server has told it: what a process that was killed then left is found by batch_key.
        pa.field("batch_id", pa.string()),
        _required("batch_key", pa.string()),
        _required("custom_id", pa.string()),
        _required("level", pa.string()),
        _required("item_id", pa.string()),
        _required("content_hash", pa.string()),
        _required("model", pa.string()),
        _required("mode", pa.string()),
        _required("prompt_version", pa.string()),
        _required("fence", pa.string()),
        # submitted, or collected once its answer is known.
        _required("status", pa.string()),
        # How often the item was handed over, this time included.
        _required("submission", pa.int32()),
        # The size that batches are held to where the server had no room for more.
        pa.field("max_requests", pa.int64()),
        # What the budget is charged with until the answer is known, and the entry of the ledger for the day.
        pa.field("reserved_units", pa.int64()),
        pa.field("reserved_scope", pa.string()),
        _required("submitted_at", _TIMESTAMP),
    ]
)

# What somebody should be told of a day's clusters. A finding that lasts is on every day, under the same alert_id.
CLUSTER_ALERTS = pa.schema(
    [
        *_PARTITION,
        _required("alert_id", pa.string()),
        _required("kind", pa.string()),
        # What it was found of: a lineage id, a level (and clustering job), or the first day of a gap.
        _required("subject", pa.string()),
        _required("since", pa.date32()),
        pa.field("level", pa.string()),
        pa.field("clustering_run_id", pa.string()),
        pa.field("cluster_id", pa.int32()),
        pa.field("lineage_id", pa.string()),
        pa.field("title", pa.string()),
        _required("text", pa.string()),
        # JSON object of the numbers by name, the limit among them.
        _required("figures", pa.string()),
        # The floor on distinct users that its title keeps to; null or 0 where there was none.
        pa.field("min_users", pa.int64()),
    ]
)

# What became of telling it. The partition is that of the finding's `since`, so that an alert_id has one place.
ALERT_DELIVERIES = pa.schema(
    [
        *_PARTITION,
        _required("alert_id", pa.string()),
        _required("kind", pa.string()),
        _required("found_date", pa.date32()),
        # pending, sending (written before each attempt), retrying, delivered, or dead: given up for the reason `error`.
        _required("status", pa.string()),
        _required("attempts", pa.int32()),
        # Of the receiver's last answer; null where there was none.
        pa.field("status_code", pa.int32()),
        pa.field("error", pa.string()),
        # JSON of what is sent, without what the format makes of it.
        _required("message", pa.string()),
        _required("recorded_at", _TIMESTAMP),
        pa.field("attempted_at", _TIMESTAMP),
        pa.field("next_attempt_at", _TIMESTAMP),
        pa.field("delivered_at", _TIMESTAMP),
        # Of the finding.
        pa.field("min_users", pa.int64()),
    ]
)

# Tables with one file a (team, day).
PARTITION_TABLES = {
    "trace_summaries": TRACE_SUMMARIES,
    "embeddings": EMBEDDINGS,
    "cluster_assignments": CLUSTER_ASSIGNMENTS,
    "cluster_lineage": CLUSTER_LINEAGE,
    "cluster_labels": CLUSTER_LABELS,
    "cluster_metrics": CLUSTER_METRICS,
    "cluster_events": CLUSTER_EVENTS,
    "cluster_report": CLUSTER_REPORT,
    "llm_batches": LLM_BATCHES,
    "cluster_alerts": CLUSTER_ALERTS,
    "alert_deliveries": ALERT_DELIVERIES,
}

# Tables with one file an ingested source file: a second file for the same day adds, never replaces.
INGEST_TABLES = {"trace_events": TRACE_EVENTS, "quarantine": QUARANTINE, "ingests": INGESTS}

# Tables that grow by one file a flush within a (team, day): what was recorded is never replaced.
RECORD_TABLES = {"llm_calls": LLM_CALLS}

TABLES = PARTITION_TABLES | INGEST_TABLES | RECORD_TABLES
