"""CSV import and export of customers."""
import csv
import io

from crm.models import AuditLog, Customer


def upload(client, text, filename="customers.csv"):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    answer = client.post("/customers/import", data={"file": (io.BytesIO(data), filename)})
    return answer, answer.get_data(as_text=True)


def exported(client, query=""):
    answer = client.get("/customers/export.csv" + query)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline="")))


def test_import_of_good_rows(login, rep, in_app):
    text = '\ufeffname,status,annual_revenue,notes\r\n"Müller, ""Söhne""",active,12.5,"a\nb"\r\nPlain,,,\r\n'
    answer, _ = upload(login(rep), text)
    assert answer.status_code == 302
    rows = in_app(lambda: [(c.name, c.status, str(c.annual_revenue), c.notes) for c in Customer.query.order_by("id")])
    assert rows == [('Müller, "Söhne"', "active", "12.50", "a\nb"), ("Plain", "lead", "None", None)]
    assert in_app(lambda: AuditLog.query.filter_by(action="customer.import").count()) == 1


def test_bad_rows_are_reported_by_line_and_the_others_taken(login, rep, in_app):
    answer, page = upload(login(rep), "name,phone,owner\nGood,,\n,1,\nBad phone,x,\nToo,1,,many\nOther,,nobody@example.com\n")
    assert answer.status_code == 200
    assert in_app(lambda: [c.name for c in Customer.query]) == ["Good"]
    assert "1 customer is imported" in page
    for line, message in (
        (3, "Name: Enter a name."), (4, "Phone: Use digits"), (5, "Too many cells."), (6, "Owner: no such person"),
    ):
        assert '<td class="num">%d</td><td>%s' % (line, message) in page


def test_managers_may_import_for_others(login, rep, manager, in_app):
    upload(login(manager), "name,owner\nA,%s\n" % rep.email)
    assert in_app(lambda: Customer.query.one().owner_id) == rep.id
    _, page = upload(login(rep), "name,owner\nB,%s\n" % manager.email)
    assert "not yours to choose" in page


def test_files_that_cannot_be_read(login, rep):
    client = login(rep)
    for text, message in (
        (b"name\n\xff\xfe\n", "The file is not UTF-8 text."),
        ("name,shoe size\nA,4\n", "Unknown column: shoe size."),
        ("city\nBern\n", "must be one of them"),
        ("", "must be one of them"),
    ):
        answer, page = upload(client, text)
        assert answer.status_code == 200
        assert message in page
    assert "Only .csv files." in upload(client, "name\nA\n", "customers.exe")[1]
    assert "Choose a file." in client.post("/customers/import", data={}).get_data(as_text=True)


def test_too_large_files_are_refused(app, login, rep, monkeypatch):
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 1000)
    answer, page = upload(login(rep), "name\n" + "x" * 2000)
    assert answer.status_code == 413
    assert "Too large" in page


def test_export_is_streamed_and_filtered(login, make, rep, manager):
    for number in range(230):
        make.customer(rep, name="Firm %03d" % number)
    make.customer(manager, name="Theirs")
    client = login(rep)
    answer = client.get("/customers/export.csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=customers.csv"
    assert answer.mimetype == "text/csv"
    assert answer.is_streamed
    assert len(exported(client)) == 230
    assert [row["name"] for row in exported(client, "?q=firm+01&sort=name&dir=desc")][:2] == ["Firm 019", "Firm 018"]


def test_an_export_can_be_imported_again(login, make, rep, in_app):
    make.customer(rep, name="=cmd()", phone="+41 44 1", notes="-x", annual_revenue="5")
    client = login(rep)
    text = client.get("/customers/export.csv").get_data(as_text=True)
    assert "'=cmd()" in text and "'+41 44 1" in text
    assert upload(client, text)[0].status_code == 302
    first, second = in_app(lambda: Customer.query.order_by(Customer.id).all())
    for column in ("name", "phone", "notes", "annual_revenue", "owner_id", "status"):
        assert getattr(first, column) == getattr(second, column)
