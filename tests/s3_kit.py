"""An S3 server in this process, for tests alone: moto's. It keeps objects in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

import pytest

from c2m.settings import settings


@contextmanager
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Sets an empty bucket as the store; the test skips, saying why, where the server is missing."""
    server_of = pytest.importorskip("moto.server", reason="moto is not installed: no S3 server to test with")
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        bucket = f"c2m-{token_hex(4)}"  # moto keeps objects as long as the process lives
        address = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=address, region_name="us-east-1").create_bucket(Bucket=bucket)
        monkeypatch.setenv("C2M_STORE", f"s3://{bucket}/team")
        monkeypatch.setenv("C2M_STORE_ENDPOINT", address)
        settings.cache_clear()
        yield address
    finally:
        server.stop()
        settings.cache_clear()
