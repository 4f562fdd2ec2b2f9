"""S7: names of clusters are read by one module, which suppresses those from under a lower minimum of users."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import llma_assets

ROOT = Path(llma_assets.__file__).parent
# The reader, and the stage that writes the table and uses its own rows again.
ALLOWED = {
    "cluster_labels": {"readers/cluster_names.py", "stages/cluster_labels.py"},
    "cluster_alerts": {"readers/cluster_names.py", "stages/cluster_alerts.py"},
}
MODULES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}
_READS = {"read", "read_days", "rows_of_run", "open_parquet", "path"}


def readings(source: str, table: str) -> list[int]:
    """Lines of a module that read `table` from the lake, whatever the module calls it."""
    tree = ast.parse(source)
    names = {table.upper(), *_names_of(tree, table)}

    def means(node: ast.AST) -> bool:
        parts = list(ast.walk(node))
        literals = {part.value for part in parts if isinstance(part, ast.Constant)}
        return table in literals or any(isinstance(part, ast.Name) and part.id in names for part in parts)

    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", None)) in _READS
        and any(means(one) for one in [*node.args, *(keyword.value for keyword in node.keywords)])
    ]


def _names_of(tree: ast.AST, table: str) -> Iterator[str]:
    """What else a module may call the table: an alias of an import, a constant, the variable of a loop."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(f".{table}"):
            wanted = ("TABLE", table.upper())
            yield from (one.asname or one.name for one in node.names if one.name in wanted)
        elif isinstance(node, ast.Assign | ast.For | ast.comprehension):
            value = node.value if isinstance(node, ast.Assign) else node.iter
            if any(isinstance(one, ast.Constant) and one.value == table for one in ast.walk(value)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))


@pytest.mark.parametrize("table", ALLOWED)
def test_nothing_else_reads_the_words(table: str) -> None:
    """Another reader would have to remember the minimum of users; use `ClusterNames` or `alerts_of`."""
    found = {module for module, source in MODULES.items() if readings(source, table)}
    assert found == ALLOWED[table]


@pytest.mark.parametrize(
    "source",
    [
        'lake.read("cluster_labels", day)',
        'self.lake.read_days(columns=["title"], table="cluster_labels", team_days=days)',
        "rows_of_run(lake, CLUSTER_LABELS, run)",
        "lake.read(CLUSTER_LABELS.name, day)",
        'TABLE = "cluster_labels"\nlake.read(TABLE, day)',
        'for name in ("cluster_metrics", "cluster_labels"):\n    lake.read(name, day)',
        '[lake.read(name, day) for name in ("cluster_metrics", "cluster_labels")]',
        "from llma_assets.stages.cluster_labels import TABLE as NAMES\nlake.read(NAMES, day)",
        "from llma_assets.tables.cluster_labels import CLUSTER_LABELS as LABELS\nrows_of_run(lake, LABELS, run)",
        'pq.read_table(lake.path("cluster_labels", day))',
    ],
)
def test_another_reader_is_found(source: str) -> None:
    assert readings(source, "cluster_labels")


@pytest.mark.parametrize(
    "source", ['lake.content_hash("cluster_labels", day)', 'lake.read("cluster_metrics", day)', "lake.read(TABLE, day)"]
)
def test_what_reads_no_names_is_not(source: str) -> None:
    assert not readings(source, "cluster_labels")
