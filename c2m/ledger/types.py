"""Column types that mean the same on SQLite and PostgreSQL: money as decimals, moments as aware UTC."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import DateTime, Dialect, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine

CENT_OF_A_CENT = Decimal("0.0001")


class Money(TypeDecorator[Decimal]):
    """NUMERIC(18, 4); text on SQLite, which would keep it as a binary float. Never summed in SQL."""

    impl = Numeric
    cache_ok = True

    @property
    def python_type(self) -> type[Decimal]:
        """What `ledger.store.rows` converts to; SQLAlchemy 2.0 does not ask `impl`."""
        return Decimal

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite."""
        return dialect.type_descriptor(String(24) if dialect.name == "sqlite" else Numeric(18, 4))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Rounds to four places, half to even; takes decimals, floats and whole numbers."""
        if value is None:
            return None
        money = Decimal(str(value)).quantize(CENT_OF_A_CENT, ROUND_HALF_EVEN)
        return str(money) if dialect.name == "sqlite" else money

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """A decimal on both."""
        return None if value is None else Decimal(value)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime; a naive one is refused, because nobody knows what it means."""

    impl = DateTime
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """As above."""
        return datetime

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """TIMESTAMP WITH TIME ZONE on PostgreSQL; SQLite has no zone."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, without its zone on SQLite."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value}, expected one with a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
