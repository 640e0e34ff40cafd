"""Secrets come from the environment alone."""

from pathlib import Path

import pytest

from c2m.errors import InputError
from c2m.settings import settings


def test_a_secret_in_the_file_is_refused_by_its_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / "c2m.yaml"
    file.write_text("timezone: Asia/Dhaka\nmqtt_password: x\nrobot: {urls: ['json://x'], quiet_from: null}\n")
    settings.cache_clear()
    with pytest.raises(InputError) as refused:
        settings()
    (fault,) = refused.value.faults
    assert "C2M_MQTT_PASSWORD, C2M_ROBOT__URLS: secrets come from the environment alone" in fault
    file.write_text("timezone: Asia/Dhaka\n")
    monkeypatch.setenv("C2M_MQTT_PASSWORD", "x")
    settings.cache_clear()
    assert settings().timezone == "Asia/Dhaka"
    assert settings().mqtt_password is not None
    settings.cache_clear()
