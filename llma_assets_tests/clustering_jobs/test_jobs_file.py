"""The jobs file: what is wrong in it is refused by name, and changing it keeps what others wrote."""

import multiprocessing
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from llma_assets.clustering_jobs import ClusteringJob, clustering_jobs, enabled_jobs
from llma_assets.clustering_jobs.edit import edit_jobs, find_job
from llma_assets.clustering_jobs.file import MAX_FILE_BYTES
from llma_assets.clustering_jobs.filters import PropertyFilter, parse_filter
from llma_assets.clustering_jobs.job import DEFAULT_JOBS, TeamJobs, id_of_name, items_tag, runs_tag
from llma_assets.errors import InputRejected
from llma_assets.settings import Settings, load_settings
from llma_assets.vocabulary import Level
from llma_assets_tests.clustering_jobs.test_filters import filters

SIX_JOBS = ", ".join(f"{{id: j{n}, name: J{n}, level: trace}}" for n in range(6))
JOB = "{id: a, name: A, level: trace}"
CHECKOUT = ClusteringJob("checkout", "Checkout", Level.TRACE, (parse_filter("$ai_model exact gpt-4o"),))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "home").mkdir(exist_ok=True)
    return load_settings()


def write(settings: Settings, text: str | bytes) -> None:
    settings.jobs_path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_without_a_file_both_defaults_are_enabled(settings: Settings) -> None:
    assert clustering_jobs("acme", settings) == DEFAULT_JOBS
    assert items_tag(DEFAULT_JOBS) == runs_tag(DEFAULT_JOBS) == ""


def test_a_job_of_its_own_disables_the_default_of_its_level_and_no_other(settings: Settings) -> None:
    write(settings, "teams: {acme: {jobs: [{id: checkout, name: Checkout, level: trace, "
                    "filters: ['$ai_model exact gpt-4o']}]}}")  # fmt: skip
    found = clustering_jobs("acme", settings)
    assert enabled_jobs(found) == (DEFAULT_JOBS[1], CHECKOUT)
    assert clustering_jobs("other", settings) == DEFAULT_JOBS
    # Also a disabled one: a job that is switched off must not become a clustering of everything.
    write(settings, f"teams: {{acme: {{jobs: [{JOB[:-1]}, enabled: false}}]}}}}")
    assert enabled_jobs(clustering_jobs("acme", settings)) == (DEFAULT_JOBS[1],)
    # Unless somebody says otherwise.
    write(settings, f"teams: {{acme: {{jobs: [{JOB}], defaults: {{trace: true, generation: false}}}}}}")
    assert [job.reference for job in enabled_jobs(clustering_jobs("acme", settings))] == ["default-trace", "a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a table with teams"),
        ("teams:", "teams: None is not a table of teams"),
        ("team: {}", "unknown key 'team'; allowed are teams"),
        ("teams: {}\nteams: {}", "'teams' is there twice"),
        ("teams: [acme", "is not YAML"),
        ("teams: {acme: !!python/object/apply:os.system ['true']}", "is not YAML"),
        ("teams: {True: {}}", "team: True is not text; put it into quotes: 'True'"),
        ("teams: {42: {}}", "team: 42 is not text; put it into quotes: '42'"),
        ("teams: {1e3: {}}", None),
        ("teams: {'a/b': {}}", "team: 'a/b' is not 1 to 64"),
        ("teams: {'1; DROP': {}}", "team: '1; DROP' is not 1 to 64"),
        ("teams: {con: {}}", "reserve"),
        ("teams: {acme: }", "team 'acme': section: None is not a table"),
        ("teams: {acme: {job: []}}", "unknown key 'job'; allowed are jobs, defaults"),
        ("teams: {acme: {jobs: {}}}", "jobs: {} is not a list"),
        ("teams: {acme: {jobs: [x]}}", "job 1: 'x' is not a table"),
        ("teams: {acme: {jobs: [{id: a, name: A}]}}", "job 1: 'level' is missing"),
        ("teams: {acme: {jobs: [{id: 5, name: A, level: trace}]}}", "job 1, id: 5 is not text"),
        ("teams: {acme: {jobs: [{id: a, name: yes, level: trace}]}}", "job 1, name: True is not text"),
        ("teams: {acme: {jobs: [{id: ../a, name: A, level: trace}]}}", "job '../a', id: must be 1 to 32 of a-z 0-9 -"),
        ("teams: {acme: {jobs: [{id: Abc, name: A, level: trace}]}}", "id: must be"),
        ("teams: {acme: {jobs: [{id: default-trace, name: A, level: trace}]}}", "id: is there already"),
        ("teams: {acme: {jobs: [{id: a, name: default - Trace, level: trace}]}}", "name: 'default - Trace' is there"),
        ("teams: {acme: {jobs: [{id: a, name: '', level: trace}]}}", "name: '' must be 1 to 100"),
        (f"teams: {{acme: {{jobs: [{{id: a, name: {'x' * 101}, level: trace}}]}}}}", "must be 1 to 100"),
        ('teams: {acme: {jobs: [{id: a, name: "a\\u001bb", level: trace}]}}', "cannot be printed"),
        ("teams: {acme: {jobs: [{id: a, name: A, level: traces}]}}", "level: 'traces' is not one of trace, generation"),
        ("teams: {acme: {jobs: [{id: a, name: A, level: trace, on: 1}]}}", "unknown key True; allowed are id, name"),
        ("teams: {acme: {jobs: [{id: a, name: A, level: trace, enabled: 1}]}}", "enabled: 1 is not true or false"),
        ("teams: {acme: {jobs: [{id: a, name: A, level: trace, filters: x}]}}", "filters: 'x' is not a list"),
        ("teams: {acme: {jobs: [{id: a, name: A, level: trace, filters: [{a: 1}]}]}}", "filter: {'a': 1} is not text"),
        ("teams: {acme: {jobs: [{id: a, name: A, level: trace, filters: [x regex (]}]}}", "'a', value: '(' is no RE2"),
        (f"teams: {{acme: {{jobs: [{JOB[:-1]}, filters: [{', '.join(['x is_set'] * 21)}]}}]}}}}", "at most 20"),
        ("teams: {acme: {defaults: {traces: true}}}", "unknown key 'traces'"),
        ("teams: {acme: {defaults: {trace: off-ish}}}", "defaults: trace: 'off-ish' is not true or false"),
        (f"teams: {{acme: {{jobs: [{JOB}, {JOB}]}}}}", "job 'a', id: is there already"),
        (f"teams: {{acme: {{jobs: [{JOB}, {{id: b, name: a, level: trace}}]}}}}", "name: 'a' is there already"),
        (f"teams: {{acme: {{jobs: [{SIX_JOBS}]}}}}", "jobs: 6 of them, at most 5"),
        ("teams: {acme: {jobs: [&a {id: a, name: A, level: trace}, *a]}}", "a reference (*name) is not allowed"),
        ("teams: " + "[" * 5_000 + "]" * 5_000, "depth over 10"),
        (b"teams: \xff\xfe", "is not YAML"),
        (b"#" * (MAX_FILE_BYTES + 1), "has more than 1,000,000 bytes"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)  # fmt: skip
def test_a_wrong_file_is_refused_and_says_what_is_wrong(
    settings: Settings, text: str | bytes, words: str | None
) -> None:
    """B20: never a clustering of everything in its place."""
    write(settings, text)
    if words is None:
        # YAML 1.1 takes 1e3 for text, and so it is a team of that name.
        assert clustering_jobs("acme", settings) == DEFAULT_JOBS
        return
    with pytest.raises(InputRejected) as error:
        clustering_jobs("acme", settings)
    assert words in str(error.value)
    assert str(error.value).startswith(str(settings.jobs_path))
    assert len(str(error.value)) < 600


def test_what_is_wrong_with_one_team_is_its_own_matter(settings: Settings) -> None:
    write(settings, "teams: {broken: {jobs: 5}, acme: {}}")
    assert clustering_jobs("acme", settings) == DEFAULT_JOBS
    with pytest.raises(InputRejected, match="team 'broken'"):
        clustering_jobs("broken", settings)


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMA_JOBS_FILE", str(tmp_path / "elsewhere.yaml"))
    with pytest.raises(InputRejected, match="LLMA_JOBS_FILE"):
        clustering_jobs("acme", load_settings())
    edit_jobs("acme", load_settings(), lambda jobs: replace(jobs, own=(CHECKOUT,)))
    assert CHECKOUT in clustering_jobs("acme", load_settings())


def test_the_limit_is_a_setting(settings: Settings) -> None:
    six = tuple(ClusteringJob(f"j{n}", f"J{n}", Level.TRACE) for n in range(6))
    with pytest.raises(InputRejected, match="6 of them, at most 5 "):
        edit_jobs("acme", settings, lambda jobs: replace(jobs, own=six))
    assert not settings.jobs_path.exists()
    edit_jobs("acme", load_settings(max_jobs_per_team=6), lambda jobs: replace(jobs, own=six))


# --- changing it ------------------------------------------------------------------------------

WRITTEN = """\
# Ours. Ask Ana before you change it.
teams:

  # The shop.
  acme:
    jobs:
      - id: checkout
        name: Checkout
        level: trace
        filters:
          - $ai_model exact gpt-4o   # the old one

  # Paused until May.
  zoo:
    defaults: {trace: false}

# The end.
"""


def test_other_sections_stay_as_they_are_with_their_comments(settings: Settings) -> None:
    write(settings, WRITTEN)
    renamed = replace(CHECKOUT, name="Till: “yes”")
    edit_jobs("acme", settings, lambda jobs: replace(jobs, own=(renamed,)))
    text = settings.jobs_path.read_text()
    assert renamed in clustering_jobs("acme", settings)
    assert text.startswith("# Ours. Ask Ana before you change it.\nteams:\n\n  # The shop.\n  acme:\n")
    assert text.endswith("\n  # Paused until May.\n  zoo:\n    defaults: {trace: false}\n\n# The end.\n")
    edit_jobs("new", settings, lambda jobs: replace(jobs, own=(CHECKOUT,)))
    assert "# Paused until May." in settings.jobs_path.read_text()
    edit_jobs("acme", settings, lambda jobs: TeamJobs())
    text = settings.jobs_path.read_text()
    assert "acme" not in text
    assert "# The end." in text
    assert CHECKOUT in clustering_jobs("new", settings)
    assert clustering_jobs("zoo", settings)[0].enabled is False


@pytest.mark.parametrize(
    "text",
    [
        f"# Head.\nteams: {{acme: {{jobs: [{JOB}]}}, zoo: {{}}}}\n",
        f"# Head.\nteams:\n  acme: {{jobs: [{JOB}]}}\n  zoo: {{}}",
        f"# Head.\n{{teams: {{acme: {{jobs: [{JOB}]}}, zoo: {{}}}}}}",
        f"# Head.\r\nteams:\r\n  acme: {{jobs: [{JOB}]}}\r\n  zoo: {{}}\r\n",
        f"\ufeff# Head.\nteams:\n  ? acme\n  : {{jobs: [{JOB}]}}\n  ? zoo\n  : {{}}\n",
    ],
)
@pytest.mark.parametrize("team", ["acme", "zoo", "new"])
def test_any_layout_can_be_changed(settings: Settings, text: str, team: str) -> None:
    write(settings, text)
    before = {name: clustering_jobs(name, settings) for name in ("acme", "zoo", "new")}
    edit_jobs(team, settings, lambda jobs: replace(jobs, own=(*jobs.own, CHECKOUT)))
    after = {name: clustering_jobs(name, settings) for name in before}
    assert after[team][-1] == CHECKOUT
    assert {name: jobs for name, jobs in after.items() if name != team} == {
        name: jobs for name, jobs in before.items() if name != team
    }
    assert "# Head." in settings.jobs_path.read_text()


@settings_of_hypothesis(max_examples=30, deadline=None)
@given(st.lists(filters(), min_size=1, max_size=5))
def test_every_filter_comes_back_from_the_file(some: list[PropertyFilter]) -> None:
    """A line may begin, hold or end with whatever means something in YAML."""
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home=home)
        written = replace(CHECKOUT, filters=tuple(some))
        edit_jobs("acme", settings, lambda jobs: replace(jobs, own=(written,)))
        assert clustering_jobs("acme", settings)[-1] == written


def _with(job: ClusteringJob, jobs: TeamJobs) -> TeamJobs:
    return replace(jobs, own=(*jobs.own, job))


def test_a_change_that_is_wrong_leaves_the_file_as_it_was(settings: Settings) -> None:
    write(settings, WRITTEN)
    for wrong in (replace(CHECKOUT, name=""), replace(CHECKOUT, job_id="../x"), replace(CHECKOUT, job_id="CON")):
        with pytest.raises(InputRejected, match="team 'acme'"):
            edit_jobs("acme", settings, partial(_with, wrong))
    assert settings.jobs_path.read_text() == WRITTEN
    names = {path.name for path in settings.jobs_path.parent.iterdir()}
    assert names == {"jobs.yaml", ".locks"}, "S16: nothing else is written"


def _add(team: str, number: int) -> None:
    job = ClusteringJob(f"j{number}", f"J{number}", Level.TRACE)
    edit_jobs(team, load_settings(max_jobs_per_team=20), lambda jobs: replace(jobs, own=(*jobs.own, job)))


def test_two_who_change_it_at_once_lose_nothing(settings: Settings) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=_add, args=("acme", n)) for n in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = clustering_jobs("acme", load_settings(max_jobs_per_team=20))
    assert sorted(job.job_id for job in found if job.job_id) == [f"j{n}" for n in range(6)]


def test_a_link_to_a_file_kept_elsewhere_stays_a_link(settings: Settings, tmp_path: Path) -> None:
    kept = tmp_path / "versioned.yaml"
    kept.write_text("teams: {}\n")
    settings.jobs_path.symlink_to(kept)
    edit_jobs("acme", settings, lambda jobs: replace(jobs, own=(CHECKOUT,)))
    assert settings.jobs_path.is_symlink()
    assert "checkout" in kept.read_text()


# --- names and versions -----------------------------------------------------------------------


def test_jobs_are_found_by_id_name_and_default() -> None:
    jobs = TeamJobs((CHECKOUT,))
    assert find_job(jobs, "checkout") == find_job(jobs, "Checkout") == CHECKOUT
    assert find_job(jobs, "default-generation") == DEFAULT_JOBS[1]
    with pytest.raises(InputRejected, match="default-trace, default-generation, checkout"):
        find_job(jobs, "nope")


def test_an_id_goes_before_the_name_of_another_job() -> None:
    """Else `rm checkout` would remove the other one."""
    other = replace(CHECKOUT, job_id="payments", name="checkout")
    named = replace(CHECKOUT, name="Till")
    assert find_job(TeamJobs((other, named)), "checkout") == named


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("Failures of checkout", [], "failures-of-checkout"),
        ("Süße Äpfel!", [], "sue-apfel"),
        ("支払い", [], "job"),
        ("A", ["a", "a-2"], "a-3"),
        ("Default trace", [], "default-trace-2"),
        ("x" * 100, [], "x" * 28),
    ],
)  # fmt: skip
def test_an_id_is_made_of_a_name(name: str, taken: list[str], expected: str) -> None:
    assert id_of_name(name, taken) == expected


def test_summaries_depend_on_which_items_are_wanted_and_on_nothing_else() -> None:
    everything = ClusteringJob("all", "All", Level.TRACE)
    off, generations = replace(DEFAULT_JOBS[0], enabled=False), DEFAULT_JOBS[1]
    assert items_tag((off, generations, everything)) == ""
    assert items_tag((*DEFAULT_JOBS, CHECKOUT)) == "", "the default takes all that the other would"
    filtered = items_tag((off, generations, CHECKOUT))
    assert filtered not in ("", items_tag((off, generations)))
    assert items_tag((off, generations, replace(CHECKOUT, job_id="b", name="B"))) == filtered
    two = replace(CHECKOUT, filters=(*CHECKOUT.filters, parse_filter("a is_set")))
    turned = replace(two, filters=two.filters[::-1])
    assert items_tag((off, generations, two)) == items_tag((off, generations, turned)) != filtered


def test_clustering_runs_depend_on_every_enabled_job() -> None:
    off, generations = replace(DEFAULT_JOBS[0], enabled=False), DEFAULT_JOBS[1]
    tags = {
        runs_tag(jobs)
        for jobs in (
            (off, generations),
            (off, generations, CHECKOUT),
            (off, generations, replace(CHECKOUT, name="B")),
            (off, generations, replace(CHECKOUT, filters=())),
            (*DEFAULT_JOBS, CHECKOUT),
        )
    }
    assert len(tags) == 5
    assert runs_tag((*DEFAULT_JOBS, replace(CHECKOUT, enabled=False))) == ""
