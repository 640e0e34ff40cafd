"""The applications of Prefect, MLflow and the documents, each behind our door; started by services.py."""

from c2m.doors import App, Door


def prefect() -> App:
    """Prefect's API and pages; they ask for the key themselves (`PREFECT_SERVER_API_AUTH_STRING`)."""
    from prefect.server.api.server import create_app

    return Door(create_app(final=True), keyed=False)


def mlflow() -> App:
    """MLflow's API and pages: `mlflow server --app-name c2m` finds them by the entry point in pyproject.toml."""
    from mlflow.server.fastapi_app import app

    return Door(app, keyed=True)


def documents() -> App:
    """Data Docs, dbt docs, plans and job orders."""
    from flows.documents import app

    return Door(app, keyed=True)
