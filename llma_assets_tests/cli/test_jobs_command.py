"""`llma jobs`: what is added is there as it was said; what is wrong is one clear error. And docs/jobs.md is true."""

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from llma_assets.cli.app import app
from llma_assets.clustering_jobs import clustering_jobs, enabled_jobs
from llma_assets.clustering_jobs.filters import Operator
from llma_assets.errors import InputRejected
from llma_assets.settings import load_settings
from llma_assets_tests import ROOT
from llma_assets_tests.real_traces import demo_events

DOC = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")


def llma(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["jobs", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def told(*arguments: str) -> Any:
    return json.loads(llma(*arguments, "--json"))


def enabled(team: str = "acme") -> list[str]:
    return [job.reference for job in enabled_jobs(clustering_jobs(team, load_settings()))]


def test_a_job_from_its_beginning_to_its_end() -> None:
    filters = ("--filter", "$ai_latency gt 5", "--filter", '"my key" contains " a"')
    added = told("add", "--team", "acme", "--name", "Slow calls", "--level", "generation", *filters)
    assert added == {
        "team": "acme", "id": "slow-calls", "name": "Slow calls", "level": "generation", "enabled": True,
        "filters": ["$ai_latency gt 5", "\"my key\" contains \" a\""],
    }  # fmt: skip
    assert told("get", "slow-calls", "--team", "acme") == told("get", "Slow calls", "--team", "acme") == added
    assert enabled() == ["default-trace", "slow-calls"]
    changed = told("set", "slow-calls", "--team", "acme", "--name", "Slow", "--filter", "$ai_latency gt 9")
    assert changed == added | {"name": "Slow", "filters": ["$ai_latency gt 9"]}
    assert told("set", "Slow", "--team", "acme", "--no-filters")["filters"] == []
    assert told("disable", "slow-calls", "--team", "acme")["enabled"] is False
    assert enabled() == ["default-trace"]
    assert told("disable", "default-trace", "--team", "acme")["enabled"] is False
    assert "runs nothing: every job is disabled" in llma("disable", "slow-calls", "--team", "acme")
    assert told("enable", "default-generation", "--team", "acme")["enabled"] is True
    assert enabled() == ["default-generation"]
    assert "team acme runs: default-generation, slow-calls" in llma("enable", "slow-calls", "--team", "acme")
    rows = told("list")
    assert [(row["id"], row["enabled"]) for row in rows] == [
        ("default-trace", False), ("default-generation", True), ("slow-calls", True),
    ]  # fmt: skip
    assert "runs: default-generation" in llma("rm", "slow-calls", "--team", "acme")
    assert "Default - trace" in llma("list", "--team", "acme")
    assert "has no events yet" in llma("add", "--team", "42", "--name", "A", "--level", "trace", "--disabled")
    assert enabled("42") == ["default-generation"]
    assert yaml.safe_load(load_settings().jobs_path.read_text())["teams"].keys() == {"acme", "42"}


def test_a_new_name_that_is_the_id_of_another_job_is_told_of_the_right_one() -> None:
    for name in ("Mine", "Yours"):
        llma("add", "--team", "acme", "--name", name, "--level", "trace")
    changed = told("set", "yours", "--team", "acme", "--name", "mine2")
    assert (changed["id"], changed["name"]) == ("yours", "mine2")
    told("set", "mine", "--team", "acme", "--name", "yours")
    assert told("get", "yours", "--team", "acme")["id"] == "yours"
    assert told("set", "yours", "--team", "acme", "--name", "mine")["id"] == "yours"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "--team", "a/b", "--name", "A", "--level", "trace"], "team: 'a/b'"),
        (["add", "--team", "acme", "--name", "A", "--level", "span"], "'span' is not one of trace, generation"),
        (["add", "--team", "acme", "--name", " ", "--level", "trace"], "name: ' ' must be 1 to 100"),
        (["add", "--team", "acme", "--name", "Mine", "--level", "trace"], "name: 'Mine' is there already"),
        (["add", "--team", "acme", "--name", "B", "--id", "../b", "--level", "trace"], "id: must be 1 to 32"),
        (["add", "--team", "acme", "--name", "B", "--id", "mine", "--level", "trace"], "id: is there already"),
        (["add", "--team", "acme", "--name", "B", "--level", "trace", "--filter", "x like y"], "operator 'like'"),
        (["get", "nope", "--team", "acme"], "no clustering job 'nope' (jobs: default-trace, default-generation, mine)"),
        (["set", "mine", "--team", "acme"], "give --name, --filter or --no-filters"),
        (["set", "mine", "--team", "acme", "--filter", "x is_set", "--no-filters"], "not together"),
        (["set", "mine", "--team", "acme", "--name", ""], "name: '' must be 1 to 100"),
        (["set", "default-trace", "--team", "acme", "--name", "X"], "is a default job"),
        (["rm", "default-trace", "--team", "acme"], "is a default job"),
        (["enable", "nope", "--team", "acme"], "no clustering job 'nope'"),
    ],
    ids=lambda value: None,
)  # fmt: skip
def test_wrong_input_is_one_clear_error_and_changes_nothing(arguments: list[str], words: str) -> None:
    llma("add", "--team", "acme", "--name", "Mine", "--level", "trace")
    before = load_settings().jobs_path.read_bytes()
    with pytest.raises(InputRejected) as error:
        llma(*arguments)
    assert words in str(error.value)
    assert load_settings().jobs_path.read_bytes() == before


def test_what_filters_match_is_told_so_that_a_misspelt_property_is_seen(ingest: Callable[..., Any]) -> None:
    ingest(demo_events("assistant", 60, "2025-06-02"))
    added = ("add", "--team", "acme", "--level", "trace", "--name")
    assert "matches 23 of 60 traces of 2025-06-02" in llma(*added, "Old", "--filter", "$ai_model exact gpt-4-0314")
    assert "matches 0 of 60 traces" in llma("set", "old", "--team", "acme", "--filter", "$ai_modle exact gpt-4-0314")
    assert "matches 60 of 60 traces" in llma(*added, "All")


def test_an_empty_lake_has_no_jobs_to_list() -> None:
    assert "type: llma ingest" in llma("list")


# --- the page ---------------------------------------------------------------------------------


def test_the_commands_of_the_page_work_in_their_order_and_give_its_file() -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", DOC, flags=re.S)
    lines = [line.split("  #")[0].strip() for line in block.splitlines()]
    (written,) = re.findall(r"```yaml\n(.*?)```", DOC, flags=re.S)
    for line in lines:
        program, command, *arguments = shlex.split(line)
        assert (program, command) == ("llma", "jobs")
        assert llma(*arguments).strip(), line
        if arguments[0] == "add":
            assert yaml.safe_load(load_settings().jobs_path.read_text()) == yaml.safe_load(written)
    assert {shlex.split(line)[2] for line in lines} == {"add", "list", "get", "set", "enable", "disable", "rm"}
    load_settings().jobs_path.write_text(written)
    assert enabled() == ["default-generation", "failures-of-checkout"]


def test_the_page_names_every_operator() -> None:
    for operator in Operator:
        assert f"`{operator}`" in DOC
