"""Attachments: upload with its limits, download with ranges and conditions, delete."""
import io
import os
import re

import pytest

from crm.models import Attachment, AuditLog
from crm.storage import clean_filename

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def customer(make, rep):
    return make.customer(rep)


@pytest.fixture
def upload(customer):
    def send(client, name="plan.pdf", content=CONTENT, **form):
        form["file"] = (io.BytesIO(content), name)
        url = "/customers/%d/attachments/new" % customer.id
        return client.post(url, data=form, content_type="multipart/form-data")
    return send


def stored_files(app):
    directory = app.config["UPLOAD_DIR"]
    return sorted(os.listdir(directory)) if os.path.isdir(directory) else []


@pytest.fixture(autouse=True)
def empty_directory(app):
    for name in stored_files(app):
        os.remove(os.path.join(app.config["UPLOAD_DIR"], name))


def test_upload_stores_under_a_random_name(app, login, rep, customer, upload, in_app):
    client = login(rep)
    assert "At most 10.5 MB." in client.get("/customers/%d/attachments/new" % customer.id).get_data(as_text=True)
    answer = upload(client)
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/customers/%d" % customer.id)
    row = in_app(lambda: Attachment.query.one())
    assert (row.filename, row.content_type, row.size) == ("plan.pdf", "application/pdf", len(CONTENT))
    assert stored_files(app) == [row.stored_name]
    assert re.match(r"^[0-9a-f]{32}$", row.stored_name)
    actions = in_app(lambda: [entry.action for entry in AuditLog.query.filter_by(entity="attachment")])
    assert actions == ["attachment.upload"]


def test_upload_for_a_deal(login, make, rep, customer, upload):
    deal = make.deal(customer)
    client = login(rep)
    page = client.get("/customers/%d/attachments/new?deal_id=%d" % (customer.id, deal.id)).get_data(as_text=True)
    assert '<option selected value="%d">' % deal.id in page
    answer = upload(client, "offer.docx", deal_id=str(deal.id))
    assert answer.headers["Location"].endswith("/deals/%d" % deal.id)
    page = client.get("/deals/%d" % deal.id).get_data(as_text=True)
    assert "offer.docx" in page and "10.2 kB" in page


def test_upload_reports_what_is_wrong(app, login, rep, customer, upload):
    client = login(rep)
    answer = client.post("/customers/%d/attachments/new" % customer.id, data={}, content_type="multipart/form-data")
    assert "Choose a file." in answer.get_data(as_text=True)
    assert "Not a valid choice" in upload(client, deal_id="99").get_data(as_text=True)
    assert stored_files(app) == []


def test_uploads_are_limited(app, login, rep, upload, monkeypatch):
    client = login(rep)
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 5000)
    answer = upload(client)
    assert answer.status_code == 413
    assert "ACME" in answer.get_data(as_text=True)
    assert stored_files(app) == []


def test_download(login, rep, upload):
    client = login(rep)
    upload(client, "Übersicht „2020“.html")
    answer = client.get("/attachments/1")
    assert answer.status_code == 200
    assert answer.data == CONTENT
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert "filename*=UTF-8''%C3%9Cbersicht%20%E2%80%9E2020%E2%80%9C.html" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Expires" not in answer.headers
    head = client.head("/attachments/1")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize("wanted, status, content, content_range", [
    ("bytes=0-99", 206, CONTENT[:100], "bytes 0-99/10240"),
    ("bytes=10000-", 206, CONTENT[10000:], "bytes 10000-10239/10240"),
    ("bytes=-10", 206, CONTENT[-10:], "bytes 10230-10239/10240"),
    ("bytes=99999-", 416, None, None),
])
def test_ranges(login, rep, upload, wanted, status, content, content_range):
    client = login(rep)
    upload(client)
    answer = client.get("/attachments/1", headers={"Range": wanted})
    assert answer.status_code == status
    if content is not None:
        assert answer.data == content
        assert answer.headers["Content-Range"] == content_range
        assert answer.headers["Content-Length"] == str(len(content))


def test_conditional_requests(login, rep, upload):
    client = login(rep)
    upload(client)
    first = client.get("/attachments/1")
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    assert client.get("/attachments/1", headers={"If-None-Match": etag}).status_code == 304
    assert client.get("/attachments/1", headers={"If-Modified-Since": modified}).status_code == 304
    assert client.get("/attachments/1", headers={"If-None-Match": '"other"'}).status_code == 200
    part = {"Range": "bytes=0-9", "If-Range": etag}
    assert client.get("/attachments/1", headers=part).status_code == 206
    assert client.get("/attachments/1", headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200


def test_a_missing_file_is_not_found(login, rep, make, customer):
    attachment = make.attachment(customer)
    assert login(rep).get("/attachments/%d" % attachment.id).status_code == 404


def test_delete_removes_row_and_file(app, login, rep, upload, in_app):
    client = login(rep)
    upload(client)
    assert client.get("/attachments/1/delete").status_code == 405
    assert client.post("/attachments/1/delete").status_code == 302
    assert in_app(lambda: Attachment.query.count()) == 0
    assert stored_files(app) == []
    assert client.get("/attachments/1").status_code == 404


def test_reps_get_files_of_their_own_customers_only(login, make, rep, manager, customer, upload):
    upload(login(rep))
    other = login(make.user("rep"))
    assert other.get("/attachments/1").status_code == 403
    assert other.post("/attachments/1/delete").status_code == 403
    assert upload(other).status_code == 403
    assert login(manager).get("/attachments/1").status_code == 200


@pytest.mark.parametrize("name, expected", [
    ("report.pdf", "report.pdf"),
    ("C:\\Users\\ana\\report.pdf", "report.pdf"),
    ("../../etc/passwd", "passwd"),
    ("отчёт 2020.pdf", "отчёт 2020.pdf"),
    ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
    ("", "file"),
    ("..", "file"),
    ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
])
def test_filenames(name, expected):
    assert clean_filename(name) == expected
