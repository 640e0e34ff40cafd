"""PostgreSQL's own hold of the scope: a statement that forgets whose rows it may see still gets no foreign row."""

from collections.abc import Iterator

import pandas as pd
import pytest
from ledger_kit import NOW, job_orders_of, lot_row, new_postgresql_database, order_row, record, release, sku_rows
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.exc import ProgrammingError

from c2m.ledger import store
from c2m.ledger.rooms import room, sights, standing, tickets
from c2m.ledger.store import EVERYONE, Scope, reading, session
from c2m.ledger.tables import JobOrder, JobOrderSku, Lot, LotSku, Order, Webhook
from c2m.settings import settings

OWN = {
    "M1": Scope(merchant_id="M1"),
    "M2": Scope(merchant_id="M2"),
    "F1": Scope(factory_id="F1"),
    "F2": Scope(factory_id="F2"),
}
TABLES = (Order, Lot, LotSku, JobOrder, JobOrderSku)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A ledger whose database belongs to a plain user: merchants M1 and M2, made by F1 and F2."""
    address = new_postgresql_database()
    name = make_url(address).database
    with create_engine(address, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN"))
        connection.execute(text(f"ALTER DATABASE {name} OWNER TO {name}"))
        connection.execute(text(f"ALTER SCHEMA public OWNER TO {name}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(tmp_path_factory.mktemp("tenants")))
        patch.setenv("C2M_LEDGER_URL", make_url(address).set(username=name).render_as_string(hide_password=False))
        settings.cache_clear()
        store.migrate()
        owners = {n: {"merchant_id": f"M{n}"} for n in (1, 2)}
        orders = [order_row(f"O{n}", **owner) for n, owner in owners.items()]
        lots = [lot_row(f"L{n}", order_id=f"O{n}", **owner) for n, owner in owners.items()]
        record(orders, lots, [row for n in owners for row in sku_rows(f"L{n}")])
        release(("L1", "F1", 1000), ("L2", "F2", 1000))
        yield
        store.engine(settings().ledger).dispose()
    settings.cache_clear()


@pytest.mark.parametrize("tenant", OWN)
def test_without_a_where_no_foreign_row_comes(filled: None, tenant: str) -> None:
    number = tenant[1]
    with reading(OWN[tenant]) as s:
        assert s.scalars(select(Order.order_id)).all() == [f"O{number}"]
        assert s.scalars(select(Lot.lot_id)).all() == [f"L{number}"]
        assert set(s.scalars(select(LotSku.lot_id))) == {f"L{number}"}
        own = {job.job_order_id for job in job_orders_of(f"F{number}")}
        assert set(s.scalars(select(JobOrder.job_order_id))) == own == set(s.scalars(select(JobOrderSku.job_order_id)))
        counted = s.execute(text("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM lots)")).scalar()
        assert counted == 2


def test_who_works_for_all_sees_all_and_the_next_transaction_too(filled: None) -> None:
    for open_ in (reading, session):
        with reading(OWN["M1"]):
            pass
        with open_() as s:
            assert [len(s.scalars(select(table)).all()) for table in TABLES] == [2, 2, 8, 2, 8]


@pytest.mark.parametrize("tenant", OWN)
def test_what_is_a_tenants_own_is_shown_as_before(filled: None, tenant: str) -> None:
    """The pages' own questions, with the hold and without it."""
    scope, order_id = OWN[tenant], f"O{tenant[1]}"
    shown = []
    for held in (EVERYONE, scope):
        with reading(held) as s:
            jobs = [standing.job_orders(s, scope), sights.job_orders(s, scope), standing.batches(s, scope)]
            of_order = [tickets.of_orders(s, scope, order_id), room.posts(s, order_id, scope)]
            mine = [standing.orders(s, scope), standing.pieces(s, scope, order_id)] if tenant[0] == "M" else []
            steps = pd.DataFrame({"step": [str(one) for one in room.steps(s, order_id, scope)]})
            shown.append([*jobs, *(pd.DataFrame(one) for one in of_order), *mine, steps, standing.sku_codes(s, scope)])
    for free, held_back in zip(*shown, strict=True):
        assert free.equals(held_back)
    assert len(shown[1][0]) == 1 and not shown[1][-2].empty


def test_a_tenants_session_writes_no_row_for_another(filled: None) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"), reading(OWN["M1"]) as s:
        s.add(Webhook(webhook_id="w", merchant_id="M2", url="https://x", after=0, at=NOW, ended_at=None))
        s.flush()
