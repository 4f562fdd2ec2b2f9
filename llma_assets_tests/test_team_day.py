"""Team keys are checked once, where a team enters; days and windows are UTC."""

from datetime import UTC, date, datetime

import pytest

from llma_assets.errors import InputRejected
from llma_assets.team_day import TeamDay, check_team

HOSTILE = [
    "",
    " ",
    "a|b",
    "a\n",
    "a/b",
    "..",
    ".",
    "a b",
    "ä",
    "０",
    "1; DROP TABLE x",
    "x" * 65,
    "a\x00",
    "'",
    "CON",
    "nul",
    "lpt1",
]


@pytest.mark.parametrize("team", HOSTILE)
def test_a_hostile_team_is_refused_by_name(team: str) -> None:
    with pytest.raises(InputRejected, match="team"):
        check_team(team)


@pytest.mark.parametrize("team", [True, 1, None])
def test_only_text_is_a_team(team: object) -> None:
    with pytest.raises(InputRejected):
        check_team(team)  # type: ignore[arg-type]


@pytest.mark.parametrize("team", ["1", "42", "acme", "A_b-9", "x" * 64, "1e3", "-1"])
def test_a_plain_team_is_taken_as_it_is(team: str) -> None:
    assert check_team(team) == team


def test_window_holds_the_day_itself_and_those_before_oldest_first() -> None:
    window = TeamDay("a", date(2026, 3, 2)).window(7)
    assert [day.day for day in window] == [date(2026, 2, 24 + n) for n in range(5)] + [
        date(2026, 3, 1),
        date(2026, 3, 2),
    ]


def test_a_day_ends_where_the_next_begins() -> None:
    day = TeamDay("a", date(2024, 2, 28))
    assert day.end == TeamDay("a", date(2024, 2, 29)).start == datetime(2024, 2, 29, tzinfo=UTC)
