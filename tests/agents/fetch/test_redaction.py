"""What an error may show of a URI: enough to find it, nothing that opens a door."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siftstream.agents.fetch.loaders import redact

SECRET = "s3cr3tT0ken"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("/data/cat.png", "/data/cat.png"),
        ("file:///data/cat.png", "file:///data/cat.png"),
        ("img@2x.png", "…@2x.png"),
        ("/data/img@2x.png", "/data/img@2x.png"),
        ("s3://bucket/a/b@c.png", "s3://bucket/a/b@c.png"),
        ("http://host:80/a", "http://host:80/a"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        (f"https://ann:{SECRET}@host/a.png", "https://…@host/a.png"),
        (f"https://{SECRET}@host/a.png", "https://…@host/a.png"),
        (f"https://host/a.png?X-Amz-Signature={SECRET}", "https://host/a.png?…"),
        (f"https://host/a.png#{SECRET}", "https://host/a.png#…"),
        (f"bucket/a.png?sig={SECRET}", "bucket/a.png?…"),
        (f"//ann:{SECRET}@host/a", "//…@host/a"),
        (f"http://ann:{SECRET}/x@host/a", "http://…"),
        (f"http://ann:{SECRET}?x@host/a", "http://…?…"),
        (f"ann:{SECRET}@host/a", "ann:…"),
        (f"data:image/png;base64,{SECRET}", "data:image/png,…"),
        (f"data:{SECRET}", "data:,…"),
        (f"DATA:;{SECRET},x", "data:,…"),
        ("http://host/a\r\nX: 1", "http://host/a��X: 1"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_a_uri_is_shown_without_its_secrets(uri: str, shown: str) -> None:
    assert redact(uri) == shown
    assert SECRET not in redact(uri)


@given(st.text(max_size=80))
def test_any_text_is_shown_printable_and_short(text: str) -> None:
    shown = redact(text)
    assert len(shown) <= 300
    assert shown.isprintable()


@given(
    st.sampled_from(["http://", "https://", "ftp://", "s3://"]),
    st.text(st.characters(codec="ascii"), max_size=20),
    st.text(st.characters(codec="ascii", exclude_characters="/?#@"), max_size=10),
)
def test_a_password_without_slashes_is_never_shown(scheme: str, user: str, tail: str) -> None:
    user = user.replace("/", "").replace("?", "").replace("#", "")
    assert SECRET not in redact(f"{scheme}{user}:{SECRET}{tail}@host/path")
