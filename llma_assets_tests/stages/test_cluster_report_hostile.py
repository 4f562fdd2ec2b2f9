"""The stage cluster_report: titles and texts are hostile, and stay text."""

import json

import pyarrow as pa
import pytest

from llma_assets.lake import Lake
from llma_assets.team_day import TeamDay
from llma_assets_tests.stages.planted import items, plant
from llma_assets_tests.stages.report_day import DAYS, build, finish, page


def hostile_day(lake: Lake, text: str) -> TeamDay:
    """Ten items whose titles, bullets, models and trace ids are `text`, as are the names of their clusters."""
    day = DAYS[0]
    plant(lake, day, items("flight", 0, 6, 0) | items("seat", 0, 4, 1))
    finish(lake, day)
    for table, names in (("trace_summaries", ["title"]), ("cluster_labels", ["title", "description", "theme_title"])):
        rows = lake.read(table, day).to_pylist()
        for row in rows:
            row |= dict.fromkeys(names, text)
            if table == "trace_summaries":
                row["summary_bullets"] = [{"text": text, "line_refs": "L1"}]
                row["item_models"] = [text]
                row["flow_diagram"] = f'flowchart TD\n    n1["{text}"]'
        lake.write(table, day, pa.Table.from_pylist(rows, lake.read(table, day).schema))
    (run,) = lake.read("cluster_assignments", day).to_pylist()
    run["items"] = [item | {"trace_id": text} for item in run["items"]]
    run["job_name"] = text
    lake.write("cluster_assignments", day, pa.Table.from_pylist([run], lake.read("cluster_assignments", day).schema))
    build(lake, day)
    return day


# fmt: off
HOSTILE = {
    "script": "<script>alert(1)</script>", "end": "</script><script>alert(1)</script>",
    "img": "<img src=x onerror=alert(1)>", "svg": "<svg/onload=alert(1)>",
    "comment": "<!-- <script>", "entity": "&lt;script&gt;&#60;b>", "cdata": "]]><b>",
    "attribute": "\" onmouseover='alert(1)' x=\"", "place": "{{app}} {{chunks}}",
    "link": "[x](javascript:alert(1)) ![](https://evil.example/beacon.png)", "direction": "\u202egnp.exe",
    "separators": "a\u2028b\u2029c", "control": "a\x1b[31mb\x07c\x00d",
    "style": "</style><style>*{background:url(https://evil.example)}",
    "mermaid": "%%{init: {}}%% click n1 call alert()",
}
# fmt: on


@pytest.mark.parametrize("name", HOSTILE)
def test_no_title_becomes_an_element(lake: Lake, name: str) -> None:
    """S10, S11, S12: the parsed page has the same elements whatever a title says."""
    harmless = page(lake, hostile_day(lake, "A quiet title"))
    read = page(lake, hostile_day(lake, HOSTILE[name]))
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in harmless.elements]
    assert [sorted(attributes) for _, attributes in read.elements] == [sorted(a) for _, a in harmless.elements]
    told = read.report["runs"][0]
    assert len(read.details(told)) == 10
    assert told["clusters"][0]["title"].replace("�", "")[:5].strip()
    assert set(told["items"].pop("trace")) == {HOSTILE[name]}, "ids stay what they are"
    assert told["models"] and told["models"] == [model["name"] for model in told["metrics"]["models"]]
    shown = json.dumps([told, read.chunks])
    for unseen in ("\x1b", "\x07", "\x00", "\u202e"):
        assert json.dumps(unseen)[1:-1] not in shown
    inert = read.html.decode().split('id="report"', 1)[1].split("</script>", 1)[0]
    assert not set("<>&\u2028\u2029") & set(inert.partition(">")[2])
