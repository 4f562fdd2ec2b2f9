"""A lake, opened: its tables and views as Arrow and pandas, its clustering runs and clusters, search, new events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from llma_assets.clock import utc_now
from llma_assets.errors import InputRejected
from llma_assets.ingest.report import IngestReport
from llma_assets.lake import Lake
from llma_assets.settings import Settings, load_settings
from llma_assets.sql import sql as sql_file
from llma_assets.tables import TABLES
from llma_assets.team_day import check_team
from llma_assets.vocabulary import Level

if TYPE_CHECKING:
    import pandas as pd

# What an item says is one user's; where names need several users, it is not told.
_OF_ONE_USER = (
    "CAST(NULL AS VARCHAR) AS title, CAST(NULL AS VARCHAR) AS item_user, CAST([] AS VARCHAR[]) AS item_models"
)
# A view has at most one of them.
_DAY_COLUMNS = ("date", "run_date")


def open_lake(url: str | Path | None = None, *, create: bool = False) -> "OpenLake":
    """Open a lake. Settings come from `LLMA_*` variables, as for `llma`.

    Args:
        url: a folder such as `.llma`, or an fsspec URL; None: where LLMA_LAKE_URL or LLMA_HOME say.
        create: whether a lake that is not there yet may be opened, to ingest the first events into it.

    Raises:
        InputRejected: there is no lake, or a setting has a value that it may not have.
    """
    chosen: dict[str, Any] = {} if url is None else {"lake_url": str(url)}
    if url is not None and "://" not in str(url):
        # The folder holds the file of clustering jobs, too.
        chosen = {"home": Path(url), "lake_url": None}
    opened = OpenLake(load_settings(**chosen))
    if not create:
        opened.check_is_there()
    return opened


class OpenLake:
    """One lake. What a question gives is read when it is asked; nothing is kept open between two.

    Questions are answered by the views (docs/views.md), so names that were made for fewer users than
    LLMA_MIN_USERS_PER_CLUSTER are kept back here, too.

    Attributes:
        settings: what it was opened with.
        lake: its partitions, for code that wants files.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.lake = Lake(settings.lake)

    def __repr__(self) -> str:
        return f"<lake {self.lake.scheme}{self.lake.root}>"

    def check_is_there(self) -> None:
        """Refuse to ask a place that holds no lake: a question makes none.

        Raises:
            InputRejected: it holds no table.
        """
        if not any(self.lake.fs.exists(f"{self.lake.root}/{table}") for table in TABLES):
            raise InputRejected(
                f"url: {self.lake.scheme}{self.lake.root} holds no lake. Name the folder of one (LLMA_HOME), or make "
                "it: llma ingest PATH --team TEAM, or open_lake(url, create=True).ingest(path, team=team)"
            )

    # --- any table or view ------------------------------------------------------------------

    def arrow(self, text: str, /, **values: Any) -> pa.Table:
        """The rows of one reading statement over the views, as Arrow.

        Args:
            text: SQL; `$team` stands for the value that is given as `team=`.

        Raises:
            InputRejected: it is not one statement that only reads, or DuckDB refuses it.
        """
        from llma_assets.queries.views import query

        with self._views() as connection:
            return query(connection, text, values)

    def sql(self, text: str, /, **values: Any) -> "pd.DataFrame":
        """The same as a pandas frame."""
        return self.arrow(text, **values).to_pandas(maps_as_pydicts="lossy")

    def names(self) -> list[str]:
        """The tables and views that can be asked, sorted."""
        with self._views() as connection:
            return _names(connection)

    def table(
        self,
        name: str,
        *,
        team: str | None = None,
        first: date | str | None = None,
        last: date | str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rows of a table or view as Arrow, in no order of their own.

        Args:
            name: one of `names()`.
            team: only rows of this team.
            first, last: only rows of these UTC days, both included; a date or text such as 2026-03-09.
            columns: only these; None: all.

        Raises:
            InputRejected: there is no such table, column or team, or it has no team or day to choose by.
        """
        from llma_assets.queries.views import query

        asked = {
            "team": None if team is None else self._known_team(team),
            "first": as_day("first", first),
            "last": as_day("last", last),
        }
        asked = {field: value for field, value in asked.items() if value is not None}
        with self._views() as connection:
            known = _names(connection)
            if name not in known:
                raise InputRejected(f"table: {name!r} is not one of {', '.join(known)}")
            there: list[str] = query(connection, f'DESCRIBE "{name}"')["column_name"].to_pylist()
            if unknown := [column for column in columns or () if column not in there]:
                raise InputRejected(f"columns: {name} has no {', '.join(map(repr, unknown))}, only {', '.join(there)}")
            day = next((column for column in _DAY_COLUMNS if column in there), "date")
            for field in asked:
                if (column := "team_id" if field == "team" else day) not in there:
                    raise InputRejected(f"{field}: {name} has no column {column} to choose by; ask it with sql()")
            conditions = {"team": "team_id = $team", "first": f"{day} >= $first", "last": f"{day} <= $last"}
            selected = ", ".join(f'"{column}"' for column in columns) if columns else "*"
            where = " AND ".join(conditions[field] for field in asked) or "true"
            return query(connection, f'SELECT {selected} FROM "{name}" WHERE {where}', asked)

    def frame(
        self,
        name: str,
        *,
        team: str | None = None,
        first: date | str | None = None,
        last: date | str | None = None,
        columns: Sequence[str] | None = None,
    ) -> "pd.DataFrame":
        """The same as a pandas frame."""
        found = self.table(name, team=team, first=first, last=last, columns=columns)
        return found.to_pandas(maps_as_pydicts="lossy")

    # --- the usual questions ----------------------------------------------------------------

    def teams(self) -> "pd.DataFrame":
        """One row a team: first and last day, events, items, newest clustering run."""
        return self.sql(sql_file("teams"))

    def days(self, team: str) -> "pd.DataFrame":
        """One row a UTC day of a team: how far it got, and where nothing is shown, why. The view `team_day_status`."""
        asked = "SELECT * FROM team_day_status WHERE team_id = $team ORDER BY date"
        return self.sql(asked, team=self._known_team(team))

    def runs(self, team: str | None = None) -> "pd.DataFrame":
        """One row a clustering run, newest first; skipped ones have their reason. The view `runs`."""
        known = team if team is None else self._known_team(team)
        asked = "SELECT * FROM runs WHERE $team IS NULL OR team_id = $team"
        return self.sql(f"{asked} ORDER BY date DESC, team_id, level DESC, clustering_run_id", team=known)

    def clusters(self, run_id: str) -> "pd.DataFrame":
        """One row a cluster of a clustering run, the largest first, noise (−1) last: name, size, theme, and the cost in
        dollars, latency in seconds, tokens and errors of its items.

        Raises:
            InputRejected: there is no such run.
        """
        return self._of_run(sql_file("run_clusters"), run_id)

    def items(self, run_id: str) -> "pd.DataFrame":
        """One row an item of a clustering run, by cluster and rank, noise last: the view `cluster_items`, with the
        title of its cluster. Where names need several users, titles, users and models of single items are left out.

        Raises:
            InputRejected: there is no such run.
        """
        told = f"* REPLACE ({_OF_ONE_USER})" if self.settings.min_users_per_cluster else "*"
        asked = f"SELECT {told} FROM cluster_items WHERE clustering_run_id = $run"
        named = "SELECT cluster_id, title AS cluster_title FROM clusters WHERE clustering_run_id = $run"
        joined = f"FROM ({asked}) LEFT JOIN ({named}) USING (cluster_id)"
        return self._of_run(f"SELECT * {joined} ORDER BY cluster_id = -1, cluster_id, rank, item_id", run_id)

    def search(
        self,
        question: str,
        *,
        team: str | None = None,
        level: str = Level.TRACE,
        first: date | str | None = None,
        last: date | str | None = None,
        limit: int = 10,
    ) -> "pd.DataFrame":
        """The items whose summaries come nearest in meaning to a question, each with its cluster.

        Args:
            level: trace or generation.
            first, last: UTC days to search, both included; None: all.
            limit: rows, 1 to 1,000.

        Returns:
            Most similar first: rank, similarity (cosine, −1 to 1), title, cluster, team, day, item.

        Raises:
            InputRejected: something is out of range, nothing is there to search, or LLMA_EMBEDDER is not what made the
                vectors.
        """
        import pandas as pd

        from llma_assets.queries.search import Scope, ask

        self.check_is_there()
        if level not in set(Level):
            raise InputRejected(f"level: {level!r} is not one of {', '.join(Level)}")
        known = team if team is None else self._known_team(team)
        scope = Scope(known, level, as_day("first", first) or date.min, as_day("last", last) or date.max)
        _, rows = ask(self.lake, self.settings, scope, question, limit, utc_now)
        return pd.DataFrame(rows)

    # --- new events and clusters ------------------------------------------------------------

    def ingest(self, *paths: str | Path, team: str) -> list[IngestReport]:
        """Add events of files, folders or patterns, as `llma ingest` does; the same file twice changes nothing.

        Returns:
            Counts of each file: rows read, kept and quarantined, and days.

        Raises:
            InputRejected: a path matches no file, or a file or the team is wrong; nothing of that file is kept.
        """
        from llma_assets.ingest import find_inputs, ingest_file
        from llma_assets.queries.views import write_views_file

        check_team(team)
        found = find_inputs([str(path) for path in paths])
        reports = [ingest_file(self.lake, path, team, utc_now()) for path in found]
        write_views_file(self.lake, self.settings)
        return reports

    def run(self, team: str, first: date | str, last: date | str | None = None) -> "pd.DataFrame":
        """Summarize, embed, cluster and name a day, as `llma run` does, but without Dagster: no record of it is in the
        UI. The window before each day is brought up to date first. Nothing is done twice, or paid twice.

        Args:
            first, last: UTC days; every day from first to last, without `last` the first alone.

        Returns:
            The clustering runs of these days, as `runs` gives them.

        Raises:
            InputRejected: the team has no events, or a day is out of range.
            WaitingForBatch: summaries are being made in a batch; run again to collect them.
        """
        from llma_assets.api.pipeline import run_days
        from llma_assets.queries.views import write_views_file

        begin = as_day("first", first) or date.min
        end = as_day("last", last) or begin
        run_days(self.lake, self.settings, self._known_team(team), begin, end)
        write_views_file(self.lake, self.settings)
        runs = self.runs(team)
        return runs[(runs["date"] >= begin) & (runs["date"] <= end)].reset_index(drop=True)

    def _known_team(self, team: str) -> str:
        known = sorted({*self.lake.teams(), *self.lake.teams("trace_summaries")})
        if check_team(team) not in known:
            raise InputRejected(f"team: {team!r} is not in {self.lake.root} (teams: {', '.join(known) or 'none yet'})")
        return team

    def _of_run(self, text: str, run_id: str) -> "pd.DataFrame":
        found = self.sql(text, run=run_id)
        if found.empty and self.sql("SELECT 1 FROM runs WHERE clustering_run_id = $run", run=run_id).empty:
            raise InputRejected(f"run_id: there is no clustering run {run_id!r}; runs() lists them")
        return found

    @contextmanager
    def _views(self) -> Iterator[Any]:
        """A locked-down connection that sees the views, for one question."""
        from llma_assets.queries.views import open_views

        self.check_is_there()
        with open_views(self.lake, self.settings) as connection:
            yield connection


def _names(connection: Any) -> list[str]:
    from llma_assets.queries.views import query

    known = query(connection, "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL")
    return [name for name in known["view_name"].to_pylist() if not name.startswith("lake_")]


def as_day(field: str, value: date | str | None) -> date | None:
    """A UTC day given as a date or as text.

    Raises:
        InputRejected: the text is not YYYY-MM-DD.
    """
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise InputRejected(f"{field}: {value!r} is not a date like 2026-01-31") from None
    return value
