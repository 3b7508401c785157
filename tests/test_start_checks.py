"""An invalid setting stops the console when it starts, with an error that names the setting."""

import os
import subprocess
import sys

import pytest


def check(**settings: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py check` in another process, with these settings and none of the test run's own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TEST_"))}
    env |= {"DATABASE_URL": "sqlite://:memory:", **settings}
    return subprocess.run([sys.executable, "manage.py", "check"], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("BILLING_TIME_ZONE", "Mars/Olympus", "BILLING_TIME_ZONE is not a time zone. Write one such as Asia/Shanghai."),
        ("EMAIL_URL", "mail.example.com:25", "EMAIL_URL has no known scheme. Write smtp://, smtps:// or file:///."),
        ("EMAIL_URL", "smpt://mail.example.com", "EMAIL_URL"),
    ],
)
def test_an_invalid_setting_is_refused_and_named(name, value, message):
    checked = check(**{name: value})
    assert checked.returncode != 0
    assert message in checked.stderr


def test_valid_settings_are_accepted():
    valid = {"BILLING_TIME_ZONE": "Europe/Lisbon", "EMAIL_URL": "smtps://user:secret@mail.example.com:465"}
    assert check(**valid).returncode == 0
