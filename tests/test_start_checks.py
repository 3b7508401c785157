"""What is set wrongly is told when the console starts, by the name of the setting, and not when it first matters."""

import os
import subprocess
import sys

import pytest


def check(**settings: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` in a process of its own, with these settings and otherwise none."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TEST_"))}
    env |= {"DATABASE_URL": "sqlite://:memory:", **settings}
    return subprocess.run([sys.executable, "manage.py", "check"], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BILLING_TIME_ZONE", "Mars/Olympus", "BILLING_TIME_ZONE is not a time zone. Write one such as Asia/Shanghai."),
        ("EMAIL_URL", "mail.example.com:25", "EMAIL_URL has no known scheme. Write smtp://, smtps:// or file:///."),
        ("EMAIL_URL", "smpt://mail.example.com", "EMAIL_URL"),
    ],
)
def test_a_setting_that_cannot_be_meant_stops_the_start_and_is_named(name, value, said):
    checked = check(**{name: value})
    assert checked.returncode != 0
    assert said in checked.stderr


def test_settings_that_can_be_meant_start():
    good = {"BILLING_TIME_ZONE": "Europe/Lisbon", "EMAIL_URL": "smtps://user:secret@mail.example.com:465"}
    assert check(**good).returncode == 0
