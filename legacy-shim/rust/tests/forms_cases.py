"""The forms and inputs of the form vectors, as data that Python (forms_vectors.py) and Rust (forms.rs) both can build.

A case is a dict: `fields` (declarations), `form` (pairs sent, or None), `values` (data of an object) and `templates` (Jinja
sources; default: every field and every label written out). Values with a type of their own are written {"decimal": "1.50"}.
"""

HUGE = "9" * 30
TEXTS = [
    [], [""], [" "], ["  x "], ["a&b<c>\"'"], ["é 漢字 😀"], ["a\r\nb\tc"], ["first", "second"], ["\u00a0"], ["\x1f "],
    ["0"], ["None"], ["x" * 200], ["a\x00b"], ["&amp;"], ["</textarea><script>"],
]
INTEGERS = [
    [], [""], ["5"], [" 5 "], ["+5"], ["-0"], ["-7"], ["5.0"], ["abc"], ["1_000"], ["1__0"], ["٣٤"], ["²"], [HUGE],
    ["9" * 4301], ["0x10"], ["1e3"], ["- 5"], ["１２"], ["५"], ["\u20075"], ["\x1c5"], ["5", "6"], ["007"], ["Ⅴ"], ["5\x00"], ["٥\x1c"], ["\u00855"],
]
DECIMALS = [
    [], [""], ["1.5"], ["1,5"], ["NaN"], ["-nan12"], ["sNaN"], ["Infinity"], ["-inf"], ["1e5"], ["1E-9"], ["1_0.5"], ["_1"],
    ["٣.٥"], ["  2.50 "], ["abc"], ["9" * 40], [".5"], ["5."], ["."], ["1e999999999999"], ["1e9999999999999999999"], ["0x1"],
    ["1 2"], ["-0.00"], ["000"], ["1e"], ["1.5", "x"], ["infinit"], ["1\u00a02"], ["0.0000001"], ["1e-99999999999999999999"], ["\x1f5"],
    ["0e99999999999999999999"], ["0e-99999999999999999999"], ["1e-1999999999999999997"], ["٥e٥"], ["１．５"], ["nan_1"], ["+inf"],
    ["1e+5"], ["1e 5"], ["1__0"], ["in_f"], ["sNaN" + "1" * 40], ["0." + "0" * 40 + "1"], ["1\x00"],
]
DATES = [
    [], [""], ["2020-02-29"], ["2019-02-29"], ["2020-1-2"], ["2020-01-02 "], [" 2020-01-02"], ["0000-01-01"], ["9999-12-31"],
    ["0001-01-01"], ["20-01-01"], ["2020-13-01"], ["٢٠٢٠-01-02"], ["2020-٠١-02"], ["2020-01-3٠"], ["2020-01- 2"], ["x"],
    ["2020-01-02", "2020-01-03"], ["2020-01-02T10:00"], ["12020-01-01"], ["2020-01-32"],
]
MOMENTS = [
    [], [""], ["2020-02-29 10:20:30"], ["2020-02-29T10:20:30"], ["2020-02-29T10:20"], ["2020-02-29 10:20"],
    ["2020-02-29", "10:20:30"], ["2020-02-29  10:20:30"], ["2020-02-29\t1:2:3"], ["2020-02-29 24:00:00"],
    ["2020-02-29 23:59:60"], ["2020-02-29 10:60:00"], ["2020-02-29t10:20"], ["2020-02-30 10:20:30"], ["2020-02-29 10:20:30.5"],
    ["2020-02-29 1٠:20:30"],
]
FLAGS = [[], [""], ["y"], ["false"], ["False"], ["0"], ["n", ""], ["", "y"], [" "], ["<&>"]]
COLOURS = [["r", "Red"], ["g", "Green & <b>"], ["", "–"], ["\"'", ""]]
PEOPLE = [[1, "Ana"], [2, "Marco"], [30, "Rita"]]

EMAILS = [
    "a@b.com", "a.b+c@x-y.co.uk", "", " a@b.com", "a@b", "a@b.c1", "a@b@c.com", "@b.com", "a@", "a..b@c.com", ".a@c.com",
    "a.@c.com", "a@-b.com", "a@b-.com", "a@b..com", "a@.b.com", "a@b.com.", "a@b_c.com", "é@b.com", "a@bücher.de",
    "a@BÜCHER.de", "a@xn--bcher-kva.de", "a@xn--a.de", "a@ab--cd.com", "a b@c.com", "\"a b\"@c.com", "A <a@b.com>",
    "a@[127.0.0.1]", "a@localhost", "a@x.test", "a@x.local", "a@b.invalid", "a@test.com", "x" * 64 + "@b.com",
    "x" * 65 + "@b.com", "a@" + "x" * 63 + ".com", "a@" + "x" * 64 + ".com", "a@" + "x." * 125 + "com", "a@b.c\u0000m",
    "a@b.com\n", "a\u200bb@c.com", "a@例え.テスト", "a@☃.net", "a@faß.de", "A@B.COM", "a'b@c.com", "a,b@c.com", "a@b,c.com",
    "a@b。com", "ab\u0301@c.com", "a@xn--.com", "a@b.123", "a@b.xn--p1ai", "a＠b.com", "\u0301a@c.com", "a@b c.com",
    "x" * 200 + "@" + "y" * 60 + ".com", "é" * 60 + "@" + "ü" * 40 + ".de", "a@b.c-", "a@example.org",
    "a@ä_b.de", "a@ä-.de", "a@नमस्ते.com", "a@b\u00adc.com", "a@1.אב.com", "a@xn--nxasmq6b.com", "a@XN--BCHER-KVA.de", "a@b.arpa",
    "a@localhost.com", "a\u202eb@c.com", "\ue000@c.com", "ⅷ@c.com", "a@①.com", "a@b․com", "a@K.com", "a@l·l.cat", "a@٣٤.com",
]
URLS = [
    "http://a.com", "https://a.com/", "HTTP://A.COM/x?y#z", "ftp://a.com", "a.com", "", "http://", "http://localhost",
    "http://localhost:8080/x", "http://1.2.3.4/", "http://1.2.3.4.5/", "http://01.2.3.4/", "http://[::1]/", "http://[::1]:80/",
    "http://[zz]/", "http://a.com:99999/", "http://a.com:x/", "http://a.com:/", "http://u:p@a.com/", "http://u@a.com/",
    "http://a_b.com", "http://-a.com", "http://a-.com", "http://a--b.com", "http://a..com", "http://a.com.", "http://a.c",
    "http://a.c1", "http://bücher.de/", "http://xn--bcher-kva.de", "http://a.xn--p1ai", "javascript:alert(1)",
    "http://a.com/\nx", "http://a.com\n", " http://a.com", "http://a.com/<>\"'", "http://a.com?x", "http://a.com#x", "//a.com/",
    "http:/a.com", "http:///a.com", "x+y://a.com", "http://a com/", "http://" + "x" * 64 + ".com", "http://例え.jp/",
    "http://a.com:80:80/", "http://a.com\\b", "http://a.com/ä b", "http://☃.net/", "http://a.museumxxxxxxxxxxxxxxxxxx",
    "http://@a.com/", "http://:@a.com/", "http://a.com:+80/", "http://a.com:8０/", "http://a℀b.com/", "ht tp://a.com", "http://A.COM", "http://ÄÖ.DE",
    "http://a.ä", "http://xn--a-.de", "http://xn-a.de", "http://a.xn--", "httpſ://a.com", "http://a.com/?q#f", "http://[::1%25eth0]/",
    "http://[::ffff:1.2.3.4]:8080", "http://a.b[c].com", "http://١.com", "http://" + "a." * 130 + "com", "http://a。com/",
]
# Where Rust is known to judge differently, and with which WTForms: right-to-left labels beside others. See domain.rs.
KNOWN = {"a@1.אב.com": ["2.3"], "http://١.com": ["2.3", "3.3"]}
PLAIN_CHECKS = [
    ["^[0-9]+$", ["12", "12\n", "a", "", "1２"]],
    ["ab", ["abc", "xab", "AB"]],
    [r"^\w+\Z", ["é²_", "a b", "a\u0301", "a\n"]],
    [r"^\S+$", ["a\u001fb", "a\u00a0b", "ab"]],
    [r"^https?://[^\s/?#]+\.[^\s]+$", ["http://a.b", "https://a", "http://a .b", "http://a.b\n", "http://a.b\n\n"]],
    [r"^[0-9+()/. -]+$", ["+49 (0)30/1.2-3", "x", "1\t2"]],
    [r"^.{2,3}$", ["😀😀", "a\nb", "abcd"]],
    [r"^\d{3}", ["٣٤٥", "12", "1234"]],
    [r"[^]a-c]", ["d", "]", "a"]],
]


def field(kind, name="f", **options):
    return dict(options, kind=kind, name=name)


def case(fields, form=None, **options):
    fields = fields if isinstance(fields, list) else [fields]
    return dict(options, fields=fields, form=form)


def sent(values, name="f"):
    """A submitted form; another field is always there, because an empty form counts as none with Flask-WTF."""
    return [["other", "1"]] + [[name, value] for value in values]


def check(kind, **options):
    return dict(options, kind=kind)


def reading():
    """Each kind with each input, without and with a default."""
    table = [
        (["string", "text_area", "email_field", "password", "hidden", "tel", "url_field", "search"], TEXTS[:6], "d<"),
        (["string", "text_area"], TEXTS[6:], "d"),
        (["integer"], INTEGERS, 7),
        (["decimal"], DECIMALS, {"decimal": "7.125"}),
        (["date"], DATES, {"date": "2020-03-31"}),
        (["date_time", "date_time_local"], MOMENTS, {"datetime": "2020-03-31 14:05:09"}),
        (["boolean", "submit"], FLAGS, True),
    ]
    for kinds, inputs, default in table:
        for kind in kinds:
            yield case(field(kind))
            yield case(field(kind, default=default))
            for values in inputs:
                yield case(field(kind), sent(values))
            yield case(field(kind, default=default), sent([]))
            yield case(field(kind, default=default), sent(inputs[-1]))
            yield case(field(kind, default=default), values={"f": None})
    for values in [["r"], ["x"], [], [""], ["\"'"], ["r", "g"], ["R"]]:
        yield case(field("select", choices=COLOURS, default="g"), sent(values))
        yield case(field("select", choices=COLOURS), sent(values))
    for values in [["1"], [" 2 "], ["٣٠"], ["x"], [""], [], ["4"], [HUGE], ["1.0"], ["+1"]]:
        yield case(field("select", choices=PEOPLE, coerce="int"), sent(values))
        yield case(field("select", choices=PEOPLE, coerce="int", default=2), sent(values))
        yield case(field("select", choices=[["", "–"]] + PEOPLE, coerce="optional_id"), sent(values))
    yield case(field("select", choices=PEOPLE, coerce="int", default=30))
    yield case(field("select", choices=PEOPLE, coerce="int"), values={"f": "30"})
    yield case(field("select", choices=PEOPLE), values={"f": 30})
    yield case(field("select", choices=["a", "b<"]), sent(["b<"]))
    yield case(field("select", choices=[]), sent(["a"]))
    yield case(field("select", choices=COLOURS, any_choice=True), sent(["zzz"]))
    yield case(field("select", choices=PEOPLE, coerce="int", any_choice=True), sent(["x"]))
    yield case(field("boolean", false_values=["no", "0"]), sent(["no"]))
    yield case(field("boolean", false_values=["no", "0"]), sent(["false"]))
    for values in [["12"], ["12.345"], ["12.344"], ["0.005"], ["-3"], [" 1 "], ["1,5"], ["1e3"], [], ["", "2"], ["1" * 16], ["1\n"]]:
        yield case(field("amount", validators=[check("optional"), check("amount_range")]), sent(values))
    yield case(field("amount", default={"decimal": "1234.5"}))
    yield case(field("day"), sent(["31.12.2020"]), values={"f": {"date": "2020-01-01"}})
    yield case(field("day"), sent([" 2020-12-31 "]))


def showing():
    """Objects, formats, places, widgets, attributes, labels."""
    for number in ["1", "1.005", "2.675", "0.125", "-0.001", "1E+5", "123456789012345678901234.567", "NaN", "1E-20"]:
        yield case(field("decimal"), values={"f": {"decimal": number}})
        yield case(field("decimal", places=0), values={"f": {"decimal": number}})
        yield case(field("decimal", places=None), values={"f": {"decimal": number}})
        yield case(field("decimal", places=3, rounding="half_up"), values={"f": {"decimal": number}})
    yield case(field("decimal"), values={"f": 3})
    yield case(field("integer"), values={"f": "12"})
    yield case(field("integer"), values={"f": "x"})
    yield case(field("integer"), values={"f": {"decimal": "12.9"}})
    yield case(field("integer"), values={"f": True})
    yield case(field("string"), values={"f": 12})
    yield case(field("string"), values={"f": {"decimal": "1.50"}})
    yield case(field("string"), values={"f": {"date": "2020-01-02"}})
    yield case(field("date"), values={"f": {"date": "0987-01-02"}})
    yield case(field("date", formats=["%d.%m.%Y"]), sent(["1.2.2020"]))
    yield case(field("date", formats=["%d.%m.%Y"]), values={"f": {"date": "2020-02-01"}})
    yield case(field("date_time", formats=["%Y-%m-%dT%H:%M"]), sent(["2020-02-01T10:20"]))
    yield case(field("date_time", formats=["%Y-%m-%dT%H:%M"]), values={"f": {"datetime": "2020-02-01 10:20:30"}})
    for widget in ["text", "number", "number_any", "date", "password", "hidden", "text_area", "tel"]:
        yield case(field("integer", widget=widget, validators=[check("input_required"), check("number_range", min=1, max=9)]), sent(["5"]))
        yield case(field("string", widget=widget, validators=[check("data_required"), check("length", min=1, max=9)]), sent(["5"]))
    calls = [
        "form.f()", "form.f(class='x')", "form.f(class_='x y', rows=4)", "form.f(data_a_b='1', aria_label='<&>', data_z=2)",
        "form.f(required=False)", "form.f(required=True, disabled=True, readonly=False)", "form.f(value='v\"')",
        "form.f(id='other')", "form.f(type='tel')", "form.f(placeholder='é \\'q\\'')", "form.f(checked=true)",
        "form.f(maxlength=5, step=0.5, tabindex=-1)", "form.f(title=none)", "form.f(title='<b>'|safe)", "form['f'](class='x')",
        "form.f.label", "form.f.label()", "form.f.label('Other <')", "form.f.label(text='T', class_='l')",
        "form.f.label(for_='x')", "form.f.label(class='l', for='y')", "form.f.label.text", "form.f.label.field_id",
        "form.f.id", "form.f.name", "form.f.type", "form.f.description", "form.f.data", "form.f.errors|length",
        "form.f.render_kw is none", "form.f.flags.required", "form.f.short_name", "form.nothing", "form.f.nothing",
    ]
    templates = ["{{ %s }}" % call for call in calls]
    dressed = {"class_": "base", "data_x": "1", "autofocus": True, "hidden": False, "size": 3, "aria_label": "A & B"}
    for kind in ["string", "text_area", "integer", "decimal", "date", "password", "hidden", "select", "boolean", "submit", "email_field"]:
        extra = {"choices": COLOURS} if kind == "select" else {}
        yield case(field(kind, **extra), sent(["1"]), templates=templates)
        yield case(
            field(kind, label="L <&>", description="Help & more", id="my-id", render_kw=dressed, validators=[check("data_required")], **extra),
            sent(["1"]),
            templates=templates,
        )
    yield case(field("string", name="annual_revenue_x2"), templates=["{{ form.annual_revenue_x2.label }}"])
    yield case(field("string", render_kw={"class": "a"}), templates=["{{ form.f(class_='b') }}", "{{ form.f(class='b') }}"])
    yield case(field("string", render_kw={"class_": "a"}), templates=["{{ form.f(class='b') }}", "{{ form.f(class_='b') }}"])
    yield case(field("string", render_kw={"b": 1, "data_b": 1, "data-a": 2, "type_": "x"}))
    options = "{% for o in form.f %}{{ o }}|{{ o.label }}|{{ o.data }}|{{ o.checked }}|{{ o.id }}|{{ o(class='c') }};{% endfor %}"
    yield case(field("select", choices=COLOURS, render_kw={"class": "k"}), sent(["g"]), templates=[options])
    yield case(field("select", choices=PEOPLE, coerce="int"), sent(["2"]), templates=[options])
    both = [field("string", "a", validators=[check("data_required")]), field("hidden", "h"), field("boolean", "b")]
    whole = [
        "{% for f in form %}{{ f.name }}={{ f() }};{% endfor %}",
        "{% for f in form %}{{ f }}{% endfor %}",
        "{% for name, errors in form.errors.items() %}{{ name }}: {{ errors|join(', ') }}{% endfor %}",
        "{% macro m(f) %}{{ f.label }}{{ f() }}{{ f(class='x') }}{% for e in f.errors %}<i>{{ e }}</i>{% endfor %}{% endmacro %}{{ m(form.a) }}",
        "{% if form.a %}yes{% endif %}{% if form.a.errors %}bad{% endif %}{% if form.nothing %}no{% endif %}",
        "{{ form.data.a }}{{ form.data.b }}",
    ]
    yield case(both, [["a", ""], ["h", "1&2"]], templates=whole)
    yield case(both, [["a", "x"], ["b", "y"]], templates=whole)
    for flask in [[["a", ""], ["csrf_token", "sent"]], None, []]:
        yield case(
            both, flask, flask=True, submitted=flask is not None,
            templates=whole[:4] + [
                "{{ form.hidden_tag() }}", "{{ form.hidden_tag('h', 'a', 'zz') }}", "{{ form.hidden_tag(form.h) }}", "{{ form.csrf_token }}",
                "{{ form.csrf_token(id='x') }}", "{{ form.csrf_token.label }}", "{{ form.csrf_token.current_token }}",
            ],
        )
    yield case(both, [["a", "x"]], flask=True, submitted=True, csrf_error="The CSRF token is missing.")


def validating():
    """Each validator, its messages, and what the order of a chain does."""
    strings = [[], [""], ["  "], ["ab"], ["abc"], ["abcdef"], ["😀é"], ["\u00a0x"], ["\x1f"]]
    for values in strings:
        for checks in [
            [check("data_required")], [check("input_required")], [check("optional"), check("length", min=3)],
            [check("optional", strip=False), check("length", min=3)], [check("length", min=1)], [check("length", max=1)],
            [check("length", min=2, max=2)], [check("length", min=1, max=1)], [check("length", min=3, max=5)], [check("length", max=2)],
            [check("data_required", message="Need <it> & 100%")],
            [check("length", min=3, max=5, message="%(min)d-%(max)d (%(length)d), 100%%")],
            [check("length", min=9, message="First"), check("length", min=8, message="Second")],
            [check("fail", message="one"), check("stop", message="two"), check("fail", message="three")],
            [check("fail", message="one"), check("stop", message=""), check("fail", message="three")],
            [check("fail", message="one"), check("data_required"), check("fail", message="three")],
        ]:
            yield case(field("string", validators=checks), sent(values))
            yield case(field("string", validators=checks, filters=["strip"]), sent(values))
    yield case(field("string", validators=[check("data_required")], default="d"))
    yield case(field("string", filters=["strip", "upper"]), sent([" ab "]))
    yield case(field("string", filters=["upper", "strip"]), sent([" ab "]))
    yield case(field("string", filters=["refuse", "upper"], validators=[check("length", max=1)]), sent(["bad"]))
    yield case(field("string", filters=["refuse", "upper"], validators=[check("optional")]), sent([""]))
    numbers = [["5"], ["0"], ["10"], ["11"], ["-1"], ["x"], [""], [], [HUGE]]
    ranges = [{"min": 0, "max": 10}, {"min": 1}, {"max": 4}, {"min": 0, "max": 10, "message": "%(min)s..%(max)s"}]
    for values in numbers:
        for ends in ranges:
            yield case(field("integer", validators=[check("number_range", **ends)]), sent(values))
            yield case(field("integer", validators=[check("optional"), check("number_range", **ends)]), sent(values))
            yield case(field("integer", validators=[check("data_required"), check("number_range", **ends)]), sent(values))
            yield case(field("integer", validators=[check("input_required"), check("number_range", **ends)]), sent(values))
    for values in DECIMALS:
        ends = {"min": {"decimal": "0.5"}, "max": {"decimal": "1E+3"}}
        yield case(field("decimal", validators=[check("number_range", **ends)]), sent(values))
        yield case(field("decimal", validators=[check("optional"), check("number_range", min=0)]), sent(values))
    for address in EMAILS:
        yield case(field("string", validators=[check("email")]), sent([address]), known=KNOWN.get(address, []))
    yield case(field("string", validators=[check("email", message="No.")]), sent(["x"]))
    yield case(field("string", validators=[check("email")]), sent([]))
    for address in URLS:
        known = KNOWN.get(address, [])
        yield case(field("string", validators=[check("url")]), sent([address]), known=known)
        yield case(field("string", validators=[check("url", require_tld=False, message="No.")]), sent([address]), known=known)
    for pattern, texts in PLAIN_CHECKS:
        for text in texts:
            yield case(field("string", validators=[check("regexp", pattern=pattern)]), sent([text]))
            yield case(field("string", validators=[check("regexp", pattern=pattern, ignore_case=True, message="No.")]), sent([text]))
    yield case(field("string", validators=[check("regexp", pattern="x")], filters=["strip"]), sent([""]))
    for values in [["a"], ["b"], ["A"], [""], []]:
        for kind in ["any_of", "none_of"]:
            yield case(field("string", validators=[check(kind, values=["a", "it's"])]), sent(values))
            yield case(field("string", validators=[check(kind, values=["a"], message="[%(values)s]")]), sent(values))
    for values in [["1"], ["2"], ["3"]]:
        yield case(field("integer", validators=[check("any_of", values=[1, 2])]), sent(values))
        yield case(field("select", choices=PEOPLE, coerce="int", validators=[check("none_of", values=[1])]), sent(values))
    for pair in [["x", "x"], ["x", "y"], ["", ""], ["x", None]]:
        for message in [None, "Like %(other_label)s (%(other_name)s)"]:
            fields = [field("password", "a"), field("password", "f", validators=[check("equal_to", other="a", message=message)])]
            yield case(fields, [[name, value] for name, value in zip(["f", "a"], pair) if value is not None])
    yield case(field("string", validators=[check("equal_to", other="zz")]), sent(["x"]))
    yield case([field("integer", "a"), field("decimal", "f", validators=[check("equal_to", other="a")])], [["a", "1"], ["f", "1.0"]])
    for values in FLAGS:
        yield case(field("boolean", validators=[check("data_required")]), sent(values))
        yield case(field("boolean", validators=[check("input_required")]), sent(values))
    for values in [["x"], [""], [], ["1"]]:
        for checks in [[check("optional")], [check("data_required")], [check("input_required")]]:
            yield case(field("select", choices=PEOPLE, coerce="int", validators=checks), sent(values))
            yield case(field("date", validators=checks), sent(values))
            yield case(field("decimal", validators=checks), sent(values))


def crm():
    """The customer form of the stand-in CRM with its own templates; Python takes the real class."""
    good = [["name", " Müller & Söhne "], ["status", "active"], ["industry", "Food & Drink"], ["city", "Köln"], ["country", ""],
            ["website", "https://www.example.com"], ["phone", "+49 (0)30/1"], ["annual_revenue", "1200.505"], ["owner_id", "2"],
            ["notes", "a\r\nb"]]
    bad = [["name", "  "], ["status", "archived"], ["industry", "Nonsense"], ["city", "x" * 81], ["website", "www.example.com"],
           ["phone", "call \"me\" <now>"], ["annual_revenue", "1,5"], ["owner_id", "99"], ["notes", "</textarea>" * 500]]
    loaded = {"name": "A \"B\" & 'C'", "status": "inactive", "industry": None, "city": "Wien", "annual_revenue": {"decimal": "99.5"},
              "owner_id": 30, "notes": "x < y"}
    for user in [True, False]:
        yield {"form": None, "sees_everything": user}
        yield {"form": good, "sees_everything": user}
        yield {"form": bad, "sees_everything": user}
        yield {"form": [["csrf_token", "x"]], "sees_everything": user}
    yield {"form": None, "values": loaded, "sees_everything": True}
    yield {"form": [["name", "x" * 121], ["annual_revenue", "1000000000000"], ["owner_id", "x"]], "values": loaded, "sees_everything": True}
    yield {"form": [["name", "Ok"], ["annual_revenue", "-1"], ["annual_revenue", "2"], ["status", "lead"]], "sees_everything": True}
