"""Mistakes in a port: what the real Rust handlers answered, as a port with one mistake would have answered it. And what a
port may do in its own way.

The mistakes are what porting gets wrong, chosen without a look at what the comparison can do; several are rare on purpose:
one role, one page, one row in sixty.
"""

import re

FAULTS = {}
HARMLESS = {}
LIST, DETAIL, CREATE = "customers.list", "customers.detail", "customers.create"
CUSTOMERS, CUSTOMER = "api.customers", "api.customer"


def fault(*routes):
    def register(function):
        FAULTS[function.__name__] = (routes, function)
        return function
    return register


def harmless(*routes):
    def register(function):
        HARMLESS[function.__name__] = (routes, function)
        return function
    return register


def page(pattern: str, new, count: int = 0):
    """Replaces in HTML."""
    compiled = re.compile(pattern, re.S)

    def spoil(answer):
        if answer.is_page:
            answer.text = compiled.sub(new, answer.text, count)
    return spoil


def user_of(answer) -> str:
    found = re.search(r'title="Your profile">([^<]*)<', answer.text)
    return found.group(1) if found else ""


def each_customer(answer, change):
    """`change(dict)` on every customer of an answer of the API."""
    if answer.is_json and answer.body:
        told = answer.json
        for customer in told.get("items", [told]) if isinstance(told, dict) else []:
            if "name" in customer:
                change(customer)
        answer.json = told


# --- numbers, dates, texts ------------------------------------------------------------------------------------------------

@fault(LIST, DETAIL)
def thousands_without_a_comma(answer):
    page(r"€[\d,]+", lambda found: found.group().replace(",", ""))(answer)


@fault(LIST, DETAIL)
def commas_and_points_of_another_country(answer):
    page(r"€[\d,.]+", lambda found: found.group().translate({44: ".", 46: ","}))(answer)


@fault(LIST)
def a_cent_in_one_row(answer):
    page(r'(/customers/17">.*?€[\d,]+\.)(\d)', lambda m: m.group(1) + str((int(m.group(2)) + 1) % 10), 1)(answer)


@fault(LIST, DETAIL)
def days_with_a_zero(answer):
    page(r"(<td class=\"nowrap\">|<dd>)(\d [A-Z][a-z]{2} 20)", r"\g<1>0\2")(answer)


@fault(DETAIL)
def dates_of_another_country(answer):
    page(r"(\d{1,2}) ([A-Z][a-z]{2}) (20\d\d)", r"\2 \1, \3")(answer)


@fault(LIST)
def names_are_escaped_twice(answer):
    page(r'(<td><a href="/customers/\d+">[^<]*)&amp;', r"\1&amp;amp;")(answer)


@fault(LIST)
def long_names_are_cut(answer):
    page(r'(<td><a href="/customers/\d+">[^<]{28})[^<]+', r"\1…")(answer)


@fault(LIST)
def the_search_box_stops_at_a_quote(answer):
    page(r'(name="q" value="[^"]*?)(&#34;|&quot;)[^"]*"', r'\1"')(answer)


@fault(DETAIL)
def letters_are_mangled(answer):
    page(r"[éüöäøçñ]", lambda found: found.group().encode().decode("latin-1"))(answer)


@fault(DETAIL)
def lines_of_notes_run_together(answer):
    page(r'<p class="notes">.*?</p>', lambda found: found.group().replace("\n", " "))(answer)


# --- rows and order -------------------------------------------------------------------------------------------------------

@fault(LIST)
def the_second_page_begins_one_late(answer):
    if "page=2" in answer.target:
        page(r"(<tbody>\s*)<tr>.*?</tr>", r"\1", 1)(answer)


@fault(LIST)
def a_row_comes_twice(answer):
    page(r"(<tr>(?:(?!</tr>).)*</tr>)(\s*</tbody>)", r"\1\1\2", 1)(answer)


@fault(LIST)
def the_last_page_is_missing(answer):
    page(r'<a href="[^"]*page=3[^"]*">3</a>', "", 1)(answer)


@fault(LIST)
def one_customer_too_few_is_counted(answer):
    page(r'(<p class="total">)(\d+)', lambda m: m.group(1) + str(int(m.group(2)) - 1))(answer)


@fault(LIST)
def two_columns_change_places(answer):
    page(r'(<td class="num">€[^<]*</td>)(\s*)(<td class="num">[^<]*</td>)', r"\3\2\1")(answer)


@fault(DETAIL)
def the_third_contact_has_the_phone_of_the_second(answer):
    cells = list(re.finditer(r'<td class="nowrap">([^<]*)</td>\s*<td class="num"><a href="/contacts/', answer.text))
    if answer.is_page and len(cells) > 2:
        second, third = cells[1].group(1), cells[2]
        answer.text = answer.text[:third.start(1)] + second + answer.text[third.end(1):]


@fault(DETAIL)
def the_last_two_deals_change_places(answer):
    rows = list(re.finditer(r'<tr>\s*<td><a href="/deals/\d+">(?:(?!</tr>).)*</tr>', answer.text, re.S))
    if answer.is_page and len(rows) > 1:
        one, other = rows[-2:]
        between = answer.text[one.end():other.start()]
        answer.text = answer.text[:one.start()] + other.group() + between + one.group() + answer.text[other.end():]


@fault(DETAIL)
def a_contact_is_forgotten_if_it_has_no_phone(answer):
    page(r'<tr>(?:(?!</tr>).)*<td class="nowrap"></td>\s*<td class="num"><a href="/contacts/(?:(?!</tr>).)*</tr>', "")(answer)


# --- forms, links, roles --------------------------------------------------------------------------------------------------

@fault(LIST)
def the_managers_choice_of_owners_is_gone(answer):
    if answer.is_page and user_of(answer) == "Marco Rossi":
        page(r'<select name="owner".*?</select>', "", 1)(answer)


@fault(LIST)
def the_chosen_filter_is_not_selected(answer):
    page(r'(<select name="(?:status|industry|owner)".*?) selected', r"\1", 1)(answer)


@fault(LIST)
def the_pager_does_not_say_where_one_is(answer):
    page(r' aria-current="page"(?=>\d)', "")(answer)


@fault(LIST)
def the_export_link_drops_the_filters(answer):
    page(r'(/customers/export\.csv)\?[^"]*', r"\1")(answer)


@fault(CREATE)
def a_new_customer_is_active(answer):
    page(r'(<select[^>]*name="status".*?)<option selected value="lead">(.*?)<option value="active">',
         r'\1<option value="lead">\2<option selected value="active">', 1)(answer)


@fault(CREATE)
def the_last_industry_is_missing(answer):
    page(r'<option value="Travel">Travel</option>', "", 1)(answer)


@fault(CREATE)
def a_form_without_its_token(answer):
    page(r'<input[^>]*name="csrf_token"[^>]*>(?=(?:(?!csrf_token).)*$)', "", 1)(answer)


@fault(CREATE)
def a_form_that_gets(answer):
    page(r'<form method="post"(?! action="/auth)', '<form method="get"')(answer)


@fault(CREATE)
def a_label_belongs_to_another_field(answer):
    page(r'<label for="city">', '<label for="country">')(answer)


@fault(CREATE)
def a_field_is_not_required(answer):
    page(r'(<input[^>]*name="name"[^>]*) required', r"\1", 1)(answer)


@fault(LIST, DETAIL, CREATE)
def tokens_of_another_secret(answer):
    page(r"(I[\w-]{55}\.[\w-]{5,8}\.)[\w-]{27}", r"\g<1>" + "A" * 27)(answer)


@fault(LIST, DETAIL)
def a_message_is_lost(answer):
    page(r'<div class="flash.*?</div>', "")(answer)


@fault(LIST, DETAIL)
def a_message_is_shown_for_ever(answer):
    answer.drop("set-cookie")


# --- heads ----------------------------------------------------------------------------------------------------------------

@fault(LIST, DETAIL)
def the_way_back_after_login_loses_the_query(answer):
    if answer.status == 302:
        answer.set("location", re.sub(r"(%3F|\?(?!next)).*", "", answer.header("location")))


@fault(LIST)
def login_is_somewhere_else(answer):
    if answer.status == 302:
        answer.set("location", answer.header("location").replace("/auth/login", "/login"))


@fault(LIST)
def a_redirect_for_good(answer):
    if answer.status == 302:
        answer.status = 301


@fault(LIST, DETAIL)
def pages_may_be_shared(answer):
    answer.drop("vary")


@fault(DETAIL)
def no_charset(answer):
    if answer.is_page:
        answer.set("content-type", "text/html")


@fault(LIST)
def no_such_page_is_fine(answer):
    if answer.status == 404:
        answer.status = 200


@fault(DETAIL)
def an_error_page_without_the_frame(answer):
    if answer.status == 404 and answer.is_page:
        answer.text = "<!doctype html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>There is nothing here.</p>\n"


@fault(LIST, DETAIL, CUSTOMERS, CUSTOMER)
def heads_are_not_allowed(answer):
    if answer.method == "HEAD":
        answer.status = 405


@fault(LIST)
def cookies_go_along_from_everywhere(answer):
    answer.set("set-cookie", re.sub(r"; *SameSite=\w+", "", answer.header("set-cookie"), flags=re.I))


# --- the API --------------------------------------------------------------------------------------------------------------

@fault(CUSTOMERS, CUSTOMER)
def nothing_is_an_empty_text(answer):
    each_customer(answer, lambda customer: customer.update({k: "" for k, v in customer.items() if v is None}))


@fault(CUSTOMERS, CUSTOMER)
def nothing_is_left_out(answer):
    each_customer(answer, lambda customer: [customer.pop(key) for key in [k for k, v in customer.items() if v is None]])


@fault(CUSTOMERS)
def totals_are_floats(answer):
    if answer.is_json and answer.status == 200:
        answer.json = {key: float(value) if key == "total" else value for key, value in answer.json.items()}


@fault(CUSTOMERS)
def one_page_too_many_if_it_fits(answer):
    if answer.is_json and answer.status == 200:
        told = answer.json
        answer.json = {**told, "pages": told["total"] // told["per_page"] + 1}


@fault(CUSTOMERS, CUSTOMER)
def times_say_their_zone(answer):
    each_customer(answer, lambda customer: customer.update(created_at=customer["created_at"] + "Z"))


@fault(CUSTOMER)
def ids_are_texts(answer):
    each_customer(answer, lambda customer: customer.update(id=str(customer["id"])))


@fault(CUSTOMER)
def contacts_are_sorted_by_number(answer):
    each_customer(answer, lambda customer: customer["contacts"].sort(key=lambda contact: contact["id"]))


@fault(CUSTOMERS)
def at_most_fifty_rows(answer):
    if answer.is_json and answer.status == 200:
        answer.json = {**answer.json, "items": answer.json["items"][:50]}


@fault(CUSTOMERS, CUSTOMER)
def nobody_is_told_how_to_authenticate(answer):
    answer.drop("www-authenticate")


@fault(CUSTOMERS, CUSTOMER)
def json_without_saying_so(answer):
    if answer.is_json:
        answer.set("content-type", "text/plain; charset=utf-8")


@fault(CUSTOMERS, CUSTOMER)
def errors_have_another_key(answer):
    if answer.is_json and answer.status >= 400:
        answer.json = {"error" if key == "message" else key: value for key, value in answer.json.items()}


@fault(CUSTOMER)
def revenue_loses_its_cents(answer):
    def cut(customer):
        if customer.get("annual_revenue"):
            customer["annual_revenue"] = customer["annual_revenue"].split(".")[0] + ".00"
    each_customer(answer, cut)


# --- what a port may do in its own way ------------------------------------------------------------------------------------

@harmless(LIST, DETAIL, CREATE)
def quotes_written_in_another_way(answer):
    page("&#39;", "&#x27;")(answer)
    page("&#34;", "&quot;")(answer)


@harmless(LIST, DETAIL, CREATE)
def white_space_between_blocks(answer):
    page(r">\s*\n\s*<(tr|td|div|section|option|p)\b", r"><\1")(answer)


@harmless(LIST, CREATE)
def attributes_in_another_order(answer):
    page(r'<a class="([^"]*)" href="([^"]*)"', r'<a href="\2" class="\1"')(answer)


@harmless(CUSTOMERS, CUSTOMER)
def keys_in_another_order(answer):
    if answer.is_json:
        told = answer.json
        answer.json = dict(sorted(told.items(), reverse=True)) if isinstance(told, dict) else told


@harmless(CUSTOMERS, CUSTOMER)
def json_with_its_charset(answer):
    if answer.is_json:
        answer.set("content-type", "application/json; charset=utf-8")


@harmless(LIST, DETAIL)
def headers_of_another_server(answer):
    answer.headers = [*reversed(answer.headers), ("Server", "handlers"), ("X-Request-Id", "7")]
