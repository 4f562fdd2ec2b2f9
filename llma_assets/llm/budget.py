"""Hard caps on what may be spent: for each partition, and for each UTC day and team.

The ledger is a small SQLite file beside the lake, because it must hold for all runs and processes at once. A call is
charged with the most that it can cost before it is sent, and settled when its answer says what it took. What a killed
process had in flight stays charged: the server may have billed it.
"""

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llma_assets.errors import BudgetExhausted
from llma_assets.settings import Settings
from llma_assets.team_day import TeamDay

LEDGER_FILE = "spend.sqlite"
# Amounts are whole numbers of this part of a dollar, so that sums are exact.
_UNITS = 1_000_000_000
_BUSY_TIMEOUT_S = 30.0
_REOPEN_S = 0.01
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spent (scope TEXT PRIMARY KEY, amount INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (scope TEXT PRIMARY KEY, amount INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Reservation:
    """An amount that is charged until it is settled. `day_scope` is the UTC day on which it was made."""

    units: int
    day_scope: str


class Budget:
    """What one (team, day) may still spend. Safe for threads and processes.

    Args:
        folder: where the ledger is.
        partition_usd: cap over everything that is ever spent on this partition; None for no cap.
        day_usd: cap over what is spent for the team, on whatever partition, on one UTC day; None for no cap.
        now: the clock.
    """

    def __init__(
        self,
        folder: Path,
        team_day: TeamDay,
        partition_usd: float | None,
        day_usd: float | None,
        now: Callable[[], datetime],
    ):
        self._path = folder / LEDGER_FILE
        self._team_day = team_day
        self._partition_usd, self._day_usd = partition_usd, day_usd
        self._now = now
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @property
    def has_cap(self) -> bool:
        """Whether anything is capped: then the price of every call must be known."""
        return self._partition_usd is not None or self._day_usd is not None

    def reserve(self, usd: float) -> Reservation | None:
        """Charge `usd` (at least 0), or None if a cap would be passed."""
        units, day_scope = math.ceil(usd * _UNITS), self._day_scope()
        with self._transaction() as ledger:
            for scope, cap in ((self._partition_scope, self._partition_usd), (day_scope, self._day_usd)):
                if cap is not None and _amount(ledger, scope) + units > math.floor(cap * _UNITS):
                    ledger.execute(
                        "INSERT INTO refused VALUES (?, ?) "
                        "ON CONFLICT (scope) DO UPDATE SET amount = min(amount, excluded.amount)",
                        (self._partition_scope, units),
                    )
                    return None
            self._add(ledger, units, day_scope)
        return Reservation(units, day_scope)

    def settle(self, reservation: Reservation, usd: float) -> None:
        """Replace a reservation by what was really spent (at least 0)."""
        with self._transaction() as ledger:
            self._add(ledger, math.ceil(usd * _UNITS) - reservation.units, reservation.day_scope)

    def spent_usd(self) -> tuple[float, float]:
        """What is charged to the partition, and to the team's present UTC day."""
        with self._transaction() as ledger:
            of_partition, of_day = _amount(ledger, self._partition_scope), _amount(ledger, self._day_scope())
        return of_partition / _UNITS, of_day / _UNITS

    def has_room(self) -> bool:
        """Whether the least amount that was ever refused would fit now: then it is worth going on."""
        with self._transaction() as ledger:
            row = ledger.execute("SELECT amount FROM refused WHERE scope = ?", (self._partition_scope,)).fetchone()
            return self._fits(ledger, row[0] if row else 0)

    def fits(self, usd: float) -> bool:
        """Whether `usd` could be reserved now."""
        with self._transaction() as ledger:
            return self._fits(ledger, math.ceil(usd * _UNITS))

    def _fits(self, ledger: sqlite3.Connection, units: int) -> bool:
        return all(
            cap is None or _amount(ledger, scope) + units <= math.floor(cap * _UNITS)
            for scope, cap in ((self._partition_scope, self._partition_usd), (self._day_scope(), self._day_usd))
        )

    def exhausted(self) -> BudgetExhausted:
        """The error that says which caps there are and what is charged to them."""
        of_partition, of_day = self.spent_usd()
        caps = []
        if self._partition_usd is not None:
            caps.append(f"${of_partition:.4f} of LLMA_BUDGET_USD={self._partition_usd:g} for this partition")
        if self._day_usd is not None:
            caps.append(f"${of_day:.4f} of LLMA_BUDGET_USD_PER_DAY={self._day_usd:g} for this team and UTC day")
        return BudgetExhausted(f"the next call could pass the budget; charged are {' and '.join(caps)}")

    def close(self) -> None:
        """Close the ledger."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def _partition_scope(self) -> str:
        return f"partition {self._team_day.team} {self._team_day.day.isoformat()}"

    def _day_scope(self) -> str:
        return f"spent on {self._team_day.team} {self._now().date().isoformat()}"

    def _add(self, ledger: sqlite3.Connection, units: int, day_scope: str) -> None:
        for scope in (self._partition_scope, day_scope):
            ledger.execute(
                "INSERT INTO spent VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET amount = amount + excluded.amount",
                (scope, units),
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                self._connection = _open(self._path)
            ledger = self._connection
            try:
                ledger.execute("BEGIN IMMEDIATE")
                yield ledger
                ledger.execute("COMMIT")
            except BaseException:
                if ledger.in_transaction:
                    ledger.execute("ROLLBACK")
                raise


def budget_of(settings: Settings, team_day: TeamDay, now: Callable[[], datetime]) -> Budget:
    """The caps that the settings put on a partition."""
    return Budget(settings.home, team_day, settings.budget_usd, settings.budget_usd_per_day, now)


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    give_up_at = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        ledger = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            # With WAL a commit costs no fsync; a killed process loses nothing, a power cut at most the last calls.
            ledger.execute("PRAGMA journal_mode = WAL")
            ledger.execute("PRAGMA synchronous = NORMAL")
            ledger.executescript(_SCHEMA)
            return ledger
        except sqlite3.OperationalError as error:
            ledger.close()
            # Where two make the file at the same time, SQLite refuses one at once, whatever the timeout says.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
        time.sleep(_REOPEN_S)


def _amount(ledger: sqlite3.Connection, scope: str) -> int:
    row = ledger.execute("SELECT amount FROM spent WHERE scope = ?", (scope,)).fetchone()
    return int(row[0]) if row else 0
