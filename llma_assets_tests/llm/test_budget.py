"""Caps that hold: over runs, processes, threads, midnights and kills; amounts are whole numbers."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from llma_assets.errors import BudgetExhausted
from llma_assets.llm.budget import LEDGER_FILE, Budget, Reservation, budget_of
from llma_assets.settings import load_settings
from llma_assets.team_day import TeamDay

UNITS = 1_000_000_000
DAY = TeamDay("acme", date(2026, 3, 9))
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


def budget(
    folder: Path,
    partition_usd: float | None = None,
    day_usd: float | None = None,
    *,
    day: TeamDay = DAY,
    at: datetime = AT,
) -> Budget:
    return Budget(folder, day, partition_usd, day_usd, lambda: at)


def spent(folder: Path) -> dict[str, int]:
    """The ledger as it is on the disk."""
    with closing(sqlite3.connect(folder / LEDGER_FILE)) as ledger:
        return dict(ledger.execute("SELECT scope, amount FROM spent").fetchall())


def reserved(one: Budget, usd: float) -> Reservation:
    reservation = one.reserve(usd)
    assert reservation is not None
    return reservation


# --- one after the other ----------------------------------------------------------------------------------------------


def test_a_reservation_is_charged_until_what_was_spent_takes_its_place(tmp_path: Path) -> None:
    one = budget(tmp_path, 1.0)
    first = reserved(one, 0.6)
    assert one.reserve(0.5) is None
    assert one.spent_usd() == (0.6, 0.6)
    one.settle(first, 0.25)
    assert one.spent_usd() == (0.25, 0.25)
    second = reserved(one, 0.75)
    assert one.reserve(1e-9) is None, "the cap is reached to the last unit"
    one.settle(second, 0.0)
    assert one.spent_usd() == (0.25, 0.25)


def test_a_cap_of_zero_lets_nothing_pass_but_what_is_free(tmp_path: Path) -> None:
    one = budget(tmp_path, 0.0)
    assert one.reserve(1e-9) is None
    assert one.reserve(0.0) is not None


def test_without_a_cap_everything_is_charged_and_nothing_refused(tmp_path: Path) -> None:
    one = budget(tmp_path)
    assert not one.has_cap
    reserved(one, 5_000.0)
    assert one.spent_usd() == (5_000.0, 5_000.0)
    assert one.has_room()


def test_more_spent_than_reserved_is_charged_in_full(tmp_path: Path) -> None:
    one = budget(tmp_path, 1.0)
    one.settle(reserved(one, 0.1), 0.95)
    assert one.spent_usd()[0] == 0.95
    assert one.reserve(0.1) is None


def test_amounts_are_whole_and_their_sums_exact(tmp_path: Path) -> None:
    one = budget(tmp_path, 0.1 * 1_000)
    for _ in range(1_000):
        one.settle(reserved(one, 0.1), 0.1)
    assert set(spent(tmp_path).values()) == {100 * UNITS}
    # A part of a unit counts as one: never too little.
    two = budget(tmp_path, 100.000000002)
    two.settle(reserved(two, 1.2e-9), 1.0e-10)
    assert set(spent(tmp_path).values()) == {100 * UNITS + 1}


def test_a_partition_is_capped_over_all_runs(tmp_path: Path) -> None:
    for hour in range(3):
        with closing(budget(tmp_path, 1.0, at=AT + timedelta(days=hour))) as run:
            reserved(run, 0.3)
    last = budget(tmp_path, 1.0, at=AT + timedelta(days=400))
    assert last.reserve(0.11) is None
    assert last.spent_usd() == (pytest.approx(0.9), 0.0)
    reserved(last, 0.1)
    # Another day of the team, and the same day of another team, are partitions of their own.
    reserved(budget(tmp_path, 1.0, day=TeamDay("acme", date(2026, 3, 8))), 1.0)
    reserved(budget(tmp_path, 1.0, day=TeamDay("other", DAY.day)), 1.0)


def test_a_day_is_capped_for_a_team_over_all_its_partitions(tmp_path: Path) -> None:
    reserved(budget(tmp_path, None, 1.0), 0.6)
    other_partition = budget(tmp_path, None, 1.0, day=TeamDay("acme", date(2026, 1, 1)))
    assert other_partition.reserve(0.5) is None
    reserved(other_partition, 0.4)
    assert budget(tmp_path, None, 1.0).reserve(0.01) is None
    reserved(budget(tmp_path, None, 1.0, day=TeamDay("other", DAY.day)), 1.0)
    tomorrow = budget(tmp_path, None, 1.0, at=datetime(2026, 3, 11, tzinfo=UTC))
    assert tomorrow.spent_usd() == (0.6, 0.0)
    reserved(tomorrow, 1.0)


def test_both_caps_hold_and_a_refusal_charges_neither(tmp_path: Path) -> None:
    one = budget(tmp_path, 5.0, 1.0)
    assert one.reserve(2.0) is None
    assert spent(tmp_path) == {}
    reserved(one, 1.0)
    second_day = budget(tmp_path, 1.5, 1.0, at=AT + timedelta(days=1))
    assert second_day.reserve(0.6) is None
    assert second_day.spent_usd() == (1.0, 0.0)


def test_teams_whose_names_look_like_each_other_do_not_share_a_cap(tmp_path: Path) -> None:
    reserved(budget(tmp_path, None, 1.0, day=TeamDay("a", DAY.day)), 1.0)
    reserved(budget(tmp_path, None, 1.0, day=TeamDay("A", DAY.day)), 1.0)
    assert budget(tmp_path, None, 1.0, day=TeamDay("a", DAY.day)).reserve(0.1) is None


def test_what_is_settled_after_midnight_belongs_to_the_day_of_the_call(tmp_path: Path) -> None:
    clock = iter([AT.replace(hour=23, minute=59), *([AT + timedelta(days=1)] * 10)])
    one = Budget(tmp_path, DAY, None, 1.0, lambda: next(clock))
    reservation = reserved(one, 0.9)
    one.settle(reservation, 0.4)
    assert one.spent_usd() == (0.4, 0.0)
    assert spent(tmp_path)["spent on acme 2026-03-10"] == 4 * UNITS // 10
    reserved(one, 1.0)


def test_room_is_judged_by_what_was_refused_last(tmp_path: Path) -> None:
    one = budget(tmp_path, 1.0, 0.5)
    assert one.has_room()
    reserved(one, 0.3)
    assert one.has_room(), "nothing was refused yet"
    assert one.reserve(0.3) is None
    assert not one.has_room(), "0.2 are left of the day, 0.3 are needed"
    assert not budget(tmp_path, 1.0, 0.59).has_room()
    assert budget(tmp_path, 1.0, 0.6).has_room(), "the cap was raised"
    tomorrow = budget(tmp_path, 1.0, 0.5, at=AT + timedelta(days=1))
    assert tomorrow.has_room()
    assert not budget(tmp_path, 0.5, 0.5, at=AT + timedelta(days=1)).has_room(), "the partition's cap stays"
    assert budget(tmp_path).has_room()


def test_the_error_names_settings_and_amounts(tmp_path: Path) -> None:
    one = budget(tmp_path, 1.0, 0.5)
    reserved(one, 0.25)
    error = one.exhausted()
    assert isinstance(error, BudgetExhausted)
    assert "$0.2500 of LLMA_BUDGET_USD=1 for this partition" in str(error)
    assert "$0.2500 of LLMA_BUDGET_USD_PER_DAY=0.5 for this team and UTC day" in str(error)
    assert "PER_DAY" not in str(budget(tmp_path, 1.0).exhausted())


def test_the_settings_make_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not budget_of(load_settings(), DAY, lambda: AT).has_cap
    monkeypatch.setenv("LLMA_BUDGET_USD_PER_DAY", "0.5")
    one = budget_of(load_settings(home=tmp_path / "new" / "home"), DAY, lambda: AT)
    reserved(one, 0.5)
    assert one.reserve(0.1) is None
    assert (tmp_path / "new" / "home" / LEDGER_FILE).exists()


# --- at once ----------------------------------------------------------------------------------------------------------


def spend(one: Budget, calls: int, usd: float) -> int:
    """How many of `calls` went through; half of them settle, in various amounts."""
    passed = 0
    for number in range(calls):
        reservation = one.reserve(usd)
        if reservation is None:
            continue
        passed += 1
        if number % 2:
            one.settle(reservation, usd)
    return passed


def test_64_threads_spend_the_cap_exactly(tmp_path: Path) -> None:
    """F20: as many calls pass as the cap pays for, not one more or less."""
    one = budget(tmp_path, 1.0)
    gate = threading.Barrier(64)

    def work(_: int) -> int:
        gate.wait()
        return spend(one, 5, 0.01)

    with ThreadPoolExecutor(64) as threads:
        passed = sum(threads.map(work, range(64)))
    assert passed == 100
    assert set(spent(tmp_path).values()) == {UNITS}


def test_each_thread_may_have_a_budget_object_of_its_own(tmp_path: Path) -> None:
    """Also when none of them finds a ledger yet."""
    gate = threading.Barrier(16)

    def work(_: int) -> int:
        gate.wait()
        with closing(budget(tmp_path, 0.5)) as one:
            return spend(one, 5, 0.01)

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(work, range(16))) == 50
    assert set(spent(tmp_path).values()) == {UNITS // 2}


PROCESS = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from llma_assets.llm.budget import Budget
from llma_assets.team_day import TeamDay
at = datetime(2026, 3, 10, 12, tzinfo=UTC)

def tell(what):
    sys.stdout.write(f"{what}\\n")
    sys.stdout.flush()

tell("ready")
for line in sys.stdin:
    folder, calls = line.split()
    one = Budget(Path(folder), TeamDay("acme", date(2026, 3, 9)), 1.0, None, lambda: at)
    made = [one.reserve(0.003) for _ in range(int(calls))]
    passed = [reservation for reservation in made if reservation is not None]
    for reservation in passed[::2]:
        one.settle(reservation, 0.003)
    one.close()
    tell(len(passed))
"""


class Spender:
    """A process that makes calls of $0.003 on a partition capped at $1, with a new `Budget` each time it is told."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", PROCESS]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.hear() == "ready"

    def tell(self, folder: Path, calls: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{folder} {calls}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def spenders() -> Iterator[list[Spender]]:
    found = [Spender() for _ in range(4)]
    yield found
    for one in found:
        one.process.kill()
        one.process.communicate()


def test_four_processes_spend_the_cap_exactly(tmp_path: Path, spenders: list[Spender]) -> None:
    for spender in spenders:
        spender.tell(tmp_path, 200)
    assert sum(int(spender.hear()) for spender in spenders) == 333
    assert set(spent(tmp_path).values()) == {999 * UNITS // 1_000}


def test_processes_that_make_the_ledger_at_once_all_get_it(tmp_path: Path, spenders: list[Spender]) -> None:
    """SQLite refuses one of two that switch a new file to WAL, and does not wait: one of some 200."""
    for number in range(200):
        for spender in spenders:
            spender.tell(tmp_path / str(number), 1)
        assert [spender.hear() for spender in spenders] == ["1"] * 4


def test_what_a_killed_process_had_in_flight_stays_charged(tmp_path: Path) -> None:
    killed = PROCESS.replace("    for reservation in", "    import os; os.kill(os.getpid(), 9)\n    for reservation in")
    command = [sys.executable, "-c", killed]
    assert subprocess.run(command, input=f"{tmp_path} 5", text=True, capture_output=True, check=False).returncode == -9
    assert set(spent(tmp_path).values()) == {15 * UNITS // 1_000}
    after = budget(tmp_path, 0.02)
    assert after.reserve(0.006) is None
    reserved(after, 0.005)


# --- for any interleaving ---------------------------------------------------------------------------------------------

USD = st.integers(0, 400).map(lambda cents: cents / 100)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 2), USD),
        # Of what was reserved, some part was spent.
        st.tuples(st.just("settle"), st.integers(0, 10), st.floats(0, 1)),
        st.tuples(st.just("tomorrow"), st.just(0), st.just(0.0)),
        st.tuples(st.just("new run"), st.integers(0, 2), st.just(0.0)),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("ledgers")
    return (root / str(number) for number in count())


@hypothesis_settings(max_examples=60, deadline=None)
@given(steps=STEPS, partition_usd=st.none() | USD, day_usd=st.none() | USD)
def test_no_interleaving_passes_a_cap(
    folders: Iterator[Path], steps: list[tuple[str, int, float]], partition_usd: float | None, day_usd: float | None
) -> None:
    """spec/faults.md, properties: reserve and settle in any order, over partitions, days and runs."""
    folder, now = next(folders), [AT]
    days = [TeamDay("acme", date(2026, 3, n)) for n in (7, 8)] + [TeamDay("other", DAY.day)]
    budgets = [Budget(folder, day, partition_usd, day_usd, lambda: now[0]) for day in days]
    open_: list[tuple[Budget, Reservation]] = []
    for step, number, amount in steps:
        if step == "reserve":
            reservation = budgets[number].reserve(amount)
            open_ += [(budgets[number], reservation)] if reservation else []
        elif step == "settle" and open_:
            owner, reservation = open_.pop(number % len(open_))
            owner.settle(reservation, reservation.units / UNITS * amount)
        elif step == "tomorrow":
            now[0] += timedelta(days=1)
        elif step == "new run":
            budgets[number].close()
        for scope, units in spent(folder).items() if (folder / LEDGER_FILE).exists() else ():
            cap = partition_usd if scope.startswith("partition") else day_usd
            assert units >= 0
            assert cap is None or units <= cap * UNITS, scope
    for owner, reservation in open_:
        owner.settle(reservation, 0.0)
    for one in budgets:
        one.close()
