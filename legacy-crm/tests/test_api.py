"""The API: tokens, customers, the other lists, search, and the shapes of errors."""
import pytest

from crm.models import Activity, ApiToken, AuditLog, Contact, Customer


@pytest.fixture
def api(app, make):
    """api(user) is a function (method, path, json) -> (status, body)."""
    def for_user(user):
        client = app.test_client()
        headers = {"Authorization": "Bearer " + make.token(user)}

        def call(method, path, json=None):
            answer = client.open("/api/v1" + path, method=method.upper(), json=json, headers=headers)
            return answer.status_code, answer.get_json()
        return call
    return for_user


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer  "])
def test_a_token_is_required(client, authorization):
    answer = client.get("/api/v1/customers", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.get_json() == {"message": "A valid bearer token is required."}
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_is_not_a_token(login, rep):
    assert login(rep).get("/api/v1/customers").status_code == 401


def test_tokens_of_inactive_people_do_not_work(api, make):
    assert api(make.user(active=False))("get", "/customers")[0] == 401


def test_tokens_are_kept_as_hashes(make, rep, in_app):
    token = make.token(rep)
    assert in_app(lambda: ApiToken.query.one().token_hash) == ApiToken.hash(token)
    assert token not in in_app(lambda: ApiToken.query.one().token_hash)


def test_list_of_customers(api, make, rep, manager):
    for number in range(3):
        make.customer(rep, name="Mine %d" % number, annual_revenue="12.5")
    make.customer(manager, name="Theirs")
    status, body = api(rep)("get", "/customers?per_page=2&page=2")
    assert status == 200
    assert [body[key] for key in ("page", "per_page", "pages", "total")] == [2, 2, 2, 3]
    item = body["items"][0]
    assert (item["id"], item["name"], item["annual_revenue"]) == (3, "Mine 2", "12.50")
    assert item["owner"] == {"id": rep.id, "name": rep.name}
    assert item["archived_at"] is None and "T" in item["created_at"]
    assert api(manager)("get", "/customers?q=their")[1]["total"] == 1
    assert api(rep)("get", "/customers?page=9")[1]["items"] == []


@pytest.mark.parametrize("query, message", [
    ("page=0", {"page": "must be 1 or more"}),
    ("page=x", {"page": "invalid literal for int() with base 10: 'x'"}),
    ("per_page=101", {"per_page": "must be between 1 and 100"}),
    ("status=odd", {"status": "must be one of lead, active, inactive, archived"}),
])
def test_bad_arguments(api, rep, query, message):
    assert api(rep)("get", "/customers?" + query) == (400, {"message": message})


def test_customer_item(api, make, rep, manager):
    customer = make.customer(rep, name="A & B")
    make.contact(customer, name="Zoë", email="zoe@example.com")
    status, body = api(rep)("get", "/customers/%d" % customer.id)
    assert (status, body["name"], body["annual_revenue"]) == (200, "A & B", None)
    assert [contact["email"] for contact in body["contacts"]] == ["zoe@example.com"]
    assert api(rep)("get", "/customers/99") == (404, {"message": "Customer 99 does not exist."})
    theirs = make.customer(manager)
    assert api(rep)("get", "/customers/%d" % theirs.id) == (
        403, {"message": "Customer %d is not yours." % theirs.id}
    )


def test_create_customer(api, rep, in_app):
    body = {"name": " Neu ", "annual_revenue": 12.5, "website": "https://neu.example", "city": None}
    status, made = api(rep)("post", "/customers", body)
    assert (status, made["name"], made["status"], made["annual_revenue"]) == (201, "Neu", "lead", "12.50")
    entry = in_app(lambda: AuditLog.query.one())
    assert (entry.action, entry.user_id) == ("customer.create", rep.id)


@pytest.mark.parametrize("body, field, message", [
    ({}, "name", "Missing required parameter in the JSON body"),
    ({"name": ""}, "name", "must not be empty"),
    ({"name": "x" * 121}, "name", "must have at most 120 characters"),
    ({"name": 5}, "name", "must be text"),
    ({"name": "A", "annual_revenue": "many"}, "annual_revenue", "must be a number"),
    ({"name": "A", "annual_revenue": True}, "annual_revenue", "must be a number"),
    ({"name": "A", "annual_revenue": -1}, "annual_revenue", "must be between 0 and 999999999999"),
    ({"name": "A", "website": "ftp://x"}, "website", "must start with http:// or https://"),
    ({"name": "A", "status": "archived"}, "status", "must be one of lead, active, inactive"),
    ({"name": "A", "owner_id": "1"}, "owner_id", "must be a whole number"),
])
def test_bad_customers(api, rep, in_app, body, field, message):
    status, answer = api(rep)("post", "/customers", body)
    assert status == 400
    assert answer["message"][field].startswith(message)
    assert in_app(lambda: Customer.query.count()) == 0


def test_bad_json(app, make, rep):
    headers = {"Authorization": "Bearer " + make.token(rep)}
    client = app.test_client()
    answer = client.post("/api/v1/customers", data="{", content_type="application/json", headers=headers)
    assert answer.status_code == 400
    assert "message" in answer.get_json()
    # 1.1 reads it as an empty body (400), 2.3 refuses the type (415)
    answer = client.post("/api/v1/customers", data="name=A", content_type="text/plain", headers=headers)
    assert answer.status_code in (400, 415)
    assert "message" in answer.get_json()


def test_owners_in_the_api(api, rep, manager, make):
    assert api(rep)("post", "/customers", {"name": "A", "owner_id": manager.id})[0] == 403
    assert api(manager)("post", "/customers", {"name": "A", "owner_id": rep.id})[1]["owner"]["id"] == rep.id
    gone = make.user(active=False)
    assert api(manager)("post", "/customers", {"name": "A", "owner_id": gone.id}) == (
        400, {"message": {"owner_id": "no active person has this id"}}
    )


def test_put_replaces_and_patch_changes(api, make, rep):
    customer = make.customer(rep, city="Bern", country="Schweiz", notes="x")
    call = api(rep)
    status, body = call("patch", "/customers/%d" % customer.id, {"city": "Basel", "notes": None, "name": None})
    assert (status, body["city"], body["country"], body["notes"], body["name"]) == (
        200, "Basel", "Schweiz", None, customer.name
    )
    status, body = call("put", "/customers/%d" % customer.id, {"name": "New", "status": "inactive"})
    assert (status, body["name"], body["city"], body["status"]) == (200, "New", None, "inactive")
    assert body["owner"]["id"] == rep.id
    assert call("put", "/customers/%d" % customer.id, {})[0] == 400


def test_delete_archives(api, make, rep, in_app):
    customer = make.customer(rep)
    call = api(rep)
    for _ in range(2):
        assert call("delete", "/customers/%d" % customer.id) == (204, None)
    assert in_app(lambda: Customer.query.one().status) == "archived"
    assert in_app(lambda: AuditLog.query.count()) == 1


def test_contacts(api, make, rep, manager, in_app):
    customer = make.customer(rep)
    call = api(rep)
    body = {"customer_id": customer.id, "name": "Zoë", "email": "zoe@example.com"}
    status, made = call("post", "/contacts", body)
    assert (status, made["email"], made["phone"]) == (201, "zoe@example.com", None)
    assert call("get", "/contacts/%d" % made["id"])[1] == made
    assert call("get", "/contacts?customer_id=%d&q=zo" % customer.id)[1]["items"] == [made]
    theirs = make.contact(make.customer(manager))
    assert call("get", "/contacts/%d" % theirs.id)[0] == 403
    assert call("get", "/contacts")[1]["total"] == 1
    assert call("post", "/contacts", {"customer_id": theirs.customer_id, "name": "A"})[0] == 403
    assert in_app(lambda: Contact.query.count()) == 2


def test_deals(api, make, rep, manager):
    customer = make.customer(rep)
    deal = make.deal(customer, amount="99.90")
    make.deal(customer, stage_id=5)
    make.deal(make.customer(manager))
    call = api(rep)
    assert call("get", "/deals")[1]["total"] == 2
    items = call("get", "/deals?status=open&customer_id=%d&owner_id=%d" % (customer.id, rep.id))[1]["items"]
    assert [(item["id"], item["amount"], item["stage"], item["status"]) for item in items] == [
        (deal.id, "99.90", "Qualified", "open")
    ]
    assert items[0]["expected_close"] == "2030-06-30"
    assert call("get", "/deals/%d" % deal.id) == (200, items[0])
    assert call("get", "/deals/99") == (404, {"message": "Deal 99 does not exist."})


def test_activities(api, make, rep, in_app):
    customer = make.customer(rep)
    call = api(rep)
    body = {"customer_id": customer.id, "kind": "task", "subject": "Call", "due_at": "2030-01-02T09:30"}
    status, made = call("post", "/activities", body)
    assert (status, made["due_at"], made["done_at"], made["user"]["id"]) == (201, "2030-01-02T09:30:00", None, rep.id)
    assert call("get", "/activities?done=false&kind=task")[1]["total"] == 1
    assert call("patch", "/activities/%d" % made["id"], {"done": True})[1]["done_at"] is not None
    assert call("get", "/activities?done=false")[1]["total"] == 0
    assert call("get", "/activities/%d" % made["id"])[1]["done_at"] is not None
    call("patch", "/activities/%d" % made["id"], {"done": False})
    assert in_app(lambda: Activity.query.one().done_at) is None
    status, answer = call("post", "/activities", dict(body, due_at="soon"))
    assert answer == {"message": {"due_at": "must be a time such as 2024-03-05T14:30:00"}}


def test_search(api, make, rep, manager):
    customer = make.customer(rep, name="Nordwind")
    make.contact(customer, name="Nora")
    make.deal(customer, title="North wing")
    make.customer(manager, name="Nordlicht")
    status, body = api(rep)("get", "/search?q=nor")
    assert status == 200
    assert {kind: [row["name"] for row in rows] for kind, rows in body.items()} == {
        "customers": ["Nordwind"], "contacts": ["Nora"], "deals": ["North wing"],
    }
    assert api(rep)("get", "/search")[0] == 400


def test_unknown_urls_and_methods_answer_json(client):
    answer = client.get("/api/v1/nothing")
    assert (answer.status_code, answer.get_json()) == (404, {"message": "The requested URL was not found on the server."})
    answer = client.delete("/api/v1/customers")
    assert answer.status_code == 405
    assert answer.get_json() == {"message": "The method is not allowed for the requested URL."}


def test_the_api_needs_no_csrf_token(csrf, api, rep):
    assert api(rep)("post", "/customers", {"name": "A"})[0] == 201
