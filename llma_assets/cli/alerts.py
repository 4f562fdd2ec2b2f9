"""`llma alerts`: what was found, what became of telling it, and whether the webhook works."""

import uuid
from datetime import UTC, date
from typing import Annotated

import typer

from llma_assets.cli.output import console, print_json, print_rows
from llma_assets.cli.project import Project
from llma_assets.errors import InputRejected, RetryLater

app = typer.Typer(help="Findings and their deliveries; `llma alerts test` sends a test message.")

Team = Annotated[str | None, typer.Option(help="Only this team.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def alerts(context: typer.Context, team: Team = None, as_json: Json = False) -> None:
    """What was found, newest first, and what became of telling it."""
    if context.invoked_subcommand is not None:
        return
    project = Project()
    parameters = {"team": team and project.check_has_events(team)}
    columns = "team_id, date, kind, level, text, since" + (", alert_id, lineage_id, figures" if as_json else "")
    found = project.rows(
        f"SELECT {columns}, delivery FROM alerts WHERE $team IS NULL OR team_id = $team "
        "ORDER BY date DESC, team_id, kind, level DESC, subject",
        parameters,
    )
    deliveries = project.rows(
        "SELECT team_id, found_date, kind, alert_id, status, attempts, status_code, attempted_at, next_attempt_at, "
        "delivered_at, error FROM alert_deliveries WHERE $team IS NULL OR team_id = $team "
        "ORDER BY recorded_at DESC, alert_id",
        parameters,
    )
    if as_json:
        print_json({"findings": found, "deliveries": deliveries})
        return
    print_rows(found, False, title="findings", empty="nothing was found")
    print_rows(deliveries, False, title="deliveries", empty="nothing was sent")


@app.command("test")
def test(as_json: Json = False) -> None:
    """Send a test message to the webhook. Exit code 1 if it does not arrive."""
    from llma_assets.alerts.message import request
    from llma_assets.alerts.webhook import URL_VARIABLE, webhook_from_environment
    from llma_assets.resources.clock import Clock

    settings = Project().settings
    webhook = webhook_from_environment(settings.alert_allow_private)
    if webhook is None:
        raise InputRejected(f"{URL_VARIABLE} is not set; type: export {URL_VARIABLE}=https://…")
    today = Clock().now().astimezone(UTC).date()
    answer = webhook.send(*request(test_message(today, str(uuid.uuid4())), settings.alert_webhook_format))
    if as_json:
        print_json({"host": webhook.host, "status_code": answer.status_code, "error": answer.error})
    if answer.error is not None:
        raise RetryLater(f"the test message did not arrive: {answer.error}")
    if not as_json:
        console.print(f"{webhook.host} took the test message (HTTP {answer.status_code})", markup=False)


def test_message(day: date, alert_id: str) -> dict[str, object]:
    """A message in the shape of a finding that says that it is none."""
    unknown = dict.fromkeys(["level", "clustering_run_id", "cluster_id", "lineage_id", "title"])
    text = "A test message of llma alerts test: nothing was found"
    known = {"version": 1, "alert_id": alert_id, "kind": "test", "team": "test", "text": text, "figures": {}}
    return {**unknown, **known, "date": day.isoformat(), "since": day.isoformat()}
