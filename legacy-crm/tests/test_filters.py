"""Template filters, column encryption, text search."""
from datetime import date, datetime
from decimal import Decimal

import pytest
from cryptography.fernet import Fernet

from crm.encryption import decrypt, encrypt
from crm.filters import format_date, format_datetime, format_filesize, format_money


@pytest.mark.parametrize("function, value, expected", [
    (format_date, date(2024, 3, 5), "5 Mar 2024"),
    (format_date, datetime(2024, 12, 31, 23, 59), "31 Dec 2024"),
    (format_date, None, "–"),
    (format_datetime, datetime(2024, 3, 5, 9, 7, 59), "5 Mar 2024, 09:07"),
    (format_datetime, None, "–"),
    (format_money, Decimal("1234567.5"), "€1,234,567.50"),
    (format_money, Decimal("-0.5"), "-€0.50"),
    (format_money, 0, "€0.00"),
    (format_money, None, "–"),
    (format_filesize, 999, "999 bytes"),
    (format_filesize, 1000, "1.0 kB"),
    (format_filesize, 12345678, "12.3 MB"),
    (format_filesize, 5 * 10**12, "5000.0 GB"),
])
def test_filters(function, value, expected):
    assert function(value) == expected


def test_encryption_rotates_keys(app, in_app, monkeypatch):
    token = in_app(lambda: encrypt("zoë@example.com"))
    monkeypatch.setitem(app.config, "FERNET_KEYS", [Fernet.generate_key().decode("ascii")] + app.config["FERNET_KEYS"])
    assert in_app(lambda: decrypt(token)) == "zoë@example.com"
    assert in_app(lambda: (encrypt(""), encrypt(None), decrypt(None))) == (None, None, None)
