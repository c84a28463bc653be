"""How a URI may be shown: without credentials, query strings, fragments and data payloads."""

import re
from typing import Final

LONGEST: Final = 300
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,60}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:@\[\]\s]*)(:\d*)?")


def redact(uri: str) -> str:
    """Return `uri` fit for logs, errors and headers; what cannot be told apart from a secret is left out.

    >>> redact("https://ann:secret@host:8443/a/b.png?X-Amz-Signature=0f#top")
    'https://…@host:8443/a/b.png?…'
    >>> redact("data:image/png;base64,iVBORw0KGgo=")
    'data:image/png,…'
    >>> redact("/data/cat.png")
    '/data/cat.png'
    >>> redact("zip://a.png::https://ann:secret@host/c.zip?signature=0f")
    'zip://a.png::https://…@host/c.zip?…'
    """
    match = _SCHEME.match(uri)
    scheme, slashes = (match[1].lower(), match[2]) if match else ("file", None)
    rest = uri[match.end() :] if match else uri
    if scheme in ("zip", "tar") and "::" in rest:
        member, _, inner = rest.partition("::")
        return _printable(f"{scheme}://{redact(member)}::{redact(inner)}")
    if scheme == "data":
        media = _MEDIA_TYPE.match(rest)
        return f"data:{media[0] if media else ''},…"
    if match and not slashes and scheme != "file":
        return f"{scheme}:…"
    shown, hidden = _before_query(rest)
    if slashes or shown.startswith("//"):
        shown = _without_credentials(shown)
    elif "@" in shown.split("/", 1)[0]:
        shown = "…@" + shown.rpartition("@")[2]
    return _printable(f"{match[0] if match else ''}{shown}{hidden}")


def _before_query(text: str) -> tuple[str, str]:
    cut = re.search(r"[?#]", text)
    return (text[: cut.start()], f"{text[cut.start()]}…") if cut else (text, "")


def _without_credentials(text: str) -> str:
    """Take user and password out of `authority/path`; an authority that is none is left out whole."""
    lead = "//" if text.startswith("//") else ""
    authority, slash, path = text[len(lead) :].partition("/")
    user, at, host = authority.rpartition("@")
    if not _HOST.fullmatch(host) or (not at and "@" in path and ":" in authority):
        return f"{lead}…"
    return f"{lead}{'…@' if user or at else ''}{host}{slash}{path}"


def _printable(text: str) -> str:
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 1]}…"
