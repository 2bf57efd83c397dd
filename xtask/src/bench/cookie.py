"""Prints a Flask session cookie of user 7, signed now with the secret in argv[1]: what itsdangerous would write."""

import base64
import hashlib
import hmac
import sys
import time


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


payload = b64(b'{"_fresh":true,"_user_id":"7","csrf_token":"0123456789abcdef0123456789abcdef01234567"}')
seconds = int(time.time())
signed = payload + b"." + b64(seconds.to_bytes((seconds.bit_length() + 7) // 8, "big"))
key = hmac.new(sys.argv[1].encode(), b"cookie-session", hashlib.sha1).digest()
print((signed + b"." + b64(hmac.new(key, signed, hashlib.sha1).digest())).decode())
