"""Transform: the ledger's changes land, dbt builds and tests the warehouse, the marts are published."""

from prefect import flow

from c2m.steps import step
from c2m.warehouse.published import read
from flows import reports, trend_page, voice_page, warehouse
from flows.parameters import Day


@flow(name="transform", flow_run_name="transform {parameters.day}")
def transform(parameters: Day) -> None:
    """Warehouse and published marts as of the start of the business date."""
    with warehouse.held():
        with step("transform"):
            manifest = warehouse.build(parameters.day)
        reports.marts(manifest, warehouse.nodes())
        voice_page.publish(read("voices"), read("batches"))
        trend_page.publish(parameters.day)
        with step("dbt docs"):
            warehouse.write_docs(parameters.day)
