"""The commands: seeding is repeatable and careful, tokens work."""
from datetime import date

from crm.extensions import db
from crm.models import ApiToken, Contact, Customer, User
from crm.seed.generate import COLUMNS, SIZES, Generator


def run(app, *args):
    return app.test_cli_runner().invoke(args=args)


def dump(table):
    columns = COLUMNS[table] if table != "contacts" else "id customer_id name title created_at"
    statement = "SELECT %s FROM %s ORDER BY id" % (", ".join(columns.split()), table)
    return [tuple(row) for row in db.session.execute(db.text(statement))]


def test_seed_makes_the_promised_rows(app, in_app):
    result = run(app, "seed")
    assert result.exit_code == 0, result.output
    for table, count in SIZES["small"].items():
        assert in_app(lambda: len(dump(table))) == count
    people = in_app(lambda: {user.email: user.role for user in User.query})
    assert people["ana@example.com"] == "admin"
    assert people["marco@example.com"] == "manager"
    assert people["rita@example.com"] == people["raj@example.com"] == "rep"
    assert in_app(lambda: User.query.filter_by(email="raj@example.com").one().check_password("demo"))
    assert in_app(lambda: Contact.query.filter_by(id=1).one().email) in (None, "contact1@customer1.example.com")


def test_seed_is_the_same_every_time(app, in_app):
    run(app, "seed")
    first = in_app(lambda: {table: dump(table) for table in COLUMNS})
    result = run(app, "seed", "--reset")
    assert result.exit_code == 0, result.output
    assert in_app(lambda: {table: dump(table) for table in COLUMNS}) == first


def test_names_exercise_escaping(app, in_app):
    run(app, "seed")
    names = "".join(in_app(lambda: [customer.name for customer in Customer.query]))
    for character in "&/'\"<>":
        assert character in names
    assert any(ord(character) > 127 for character in names)


def test_new_rows_get_free_ids(app, make, in_app):
    run(app, "seed")
    owner = make.user(email="new@example.com")
    assert owner.id == 11
    assert make.customer(owner).id == 61


def test_seed_spares_a_database_with_data(app, rep, in_app):
    result = run(app, "seed")
    assert result.exit_code == 1
    assert "the database is not empty; --reset deletes what is in it" in result.output
    assert in_app(lambda: User.query.count()) == 1


def test_the_large_size_is_as_large_as_promised():
    rows = {table: len(rows) for table, rows in Generator("large", date(2026, 6, 30)).rows()}
    assert (rows["customers"], rows["deals"], rows["activities"]) == (2000, 20000, 100000)


def test_seed_refuses_a_bad_day(app):
    result = run(app, "seed", "--today", "tomorrow")
    assert result.exit_code == 2
    assert "`tomorrow` is not a day" in result.output


def test_api_token(app, client, rep, in_app):
    result = run(app, "api-token", rep.email)
    token = result.output.strip()
    answer = client.get("/api/v1/customers", headers={"Authorization": "Bearer " + token})
    assert answer.status_code == 200
    assert run(app, "api-token", "nobody@example.com").exit_code == 1
    assert in_app(lambda: ApiToken.query.count()) == 1
