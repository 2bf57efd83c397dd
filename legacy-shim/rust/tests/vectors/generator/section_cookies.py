"""Cookie headers through `request.cookies`, and `dump_cookie`."""

from werkzeug.http import dump_cookie
from werkzeug.wrappers import Request

HEADERS = [
    "a=1",
    "a=1; b=2",
    "a=1;b=2 ;  c = 3  ",
    "a=1; a=2",
    "session=eyJhIjoxfQ.X14PAA.sig_-x; other=1",
    'a="quoted"; b=2',
    'a="quo\\"ted"; b="back\\\\slash"',
    'a="\\303\\251"; b="\\073\\054"',
    'a="\\400"; b="\\38x"; c="\\9"',
    'a="open; b=2',
    'a="x"y; b=2',
    'a=x"y"; b=2',
    "a=with space; b=2",
    "a; b=2",
    "; ;a=1;;b=2;",
    "=noname; b=2",
    "==x; b=2",
    " = y; b=1",
    "a==x; b=a=b",
    '"key"=1; k"q=2',
    "a=\xc3\xa9; b=\xff",
    "\xc3\xa9=1",
    'a=""; b="',
    'a="\\"; b=2',
    "a\t=\t1\t;\tb=2",
    "a=1,b=2",
    "",
    ";",
    "=",
    "a=",
    "a=;b",
    'a="\xc3\xa9\\101"',
    "a=%20+x",
    "a=\x01b; c=3",
    'a= "x" ; b = "y"',
    "a=b c\"d; e=1",
]

DUMPS = [
    {"key": "a", "value": "1"},
    {"key": "a", "value": ""},
    {"key": "session", "value": "eyJhIjoxfQ.X14PAA.sig_-x", "httponly": True, "path": "/"},
    {"key": "a", "value": "with space"},
    {"key": "a", "value": "semi;colon,comma"},
    {"key": "a", "value": 'q"uo\\te'},
    {"key": "a", "value": "é€😀"},
    {"key": "a", "value": "()<>@[]{}?"},
    {"key": "a", "value": "!#$%&'*+-.^_`|~:=/"},
    {"key": "a", "value": "tab\tnl\n\x7f"},
    {"key": "a", "value": "1", "expires": 0, "max_age": 0},
    {"key": "a", "value": "1", "expires": 1600000000, "secure": True, "httponly": True, "samesite": "lax"},
    {"key": "a", "value": "1", "domain": ".example.com", "path": "/app"},
    {"key": "a", "value": "1", "domain": "example.com:80", "samesite": "None", "secure": True},
    {"key": "a", "value": "1", "path": "/ä b/;x%20y"},
    {"key": "a", "value": "1", "path": None},
    {"key": "a", "value": "1", "max_age": 3600, "expires": 1600003600, "samesite": "Strict"},
]


def vectors():
    parse = []
    for header in HEADERS:
        request = Request({"HTTP_COOKIE": header, "REQUEST_METHOD": "GET"})
        parse.append({"header": header, "pairs": [list(pair) for pair in request.cookies.items(multi=True)]})
    dump = [{"args": args, "header": dump_cookie(**dict({"path": "/"}, **args))} for args in DUMPS]
    return {"parse": parse, "dump": dump}
