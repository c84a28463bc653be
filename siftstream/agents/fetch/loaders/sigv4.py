"""AWS Signature Version 4 of a GET, in headers.

botocore signs the same request through its general machinery, in ten times the time; a test holds the two
together. Source: AWS General Reference, "Create a signed AWS API request".
"""

import hashlib
import hmac
from datetime import datetime
from typing import Final, NamedTuple

NO_BODY: Final = hashlib.sha256(b"").hexdigest()


class Scope(NamedTuple):
    """Where a signature holds."""

    region: str
    service: str = "s3"


class Signer:
    """Signs for one set of credentials; keeps the day's key of each scope."""

    def __init__(self, access_key: str, secret_key: str, token: str | None = None) -> None:
        self._access_key, self._secret_key, self._token = access_key, secret_key, token
        self._keys: dict[tuple[str, Scope], bytes] = {}

    def headers(self, host: str, path: str, scope: Scope, now: datetime) -> dict[str, str]:
        """Return the headers that sign `GET path` at `host`.

        Args: the Host header, the path as it is sent (percent-encoded), and the time in UTC.
        """
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        signed = {"host": host, "x-amz-content-sha256": NO_BODY, "x-amz-date": stamp}
        if self._token:
            signed["x-amz-security-token"] = self._token
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = f"GET\n{path}\n\n{lines}\n{names}\n{NO_BODY}".encode()
        where = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{where}\n{hashlib.sha256(request).hexdigest()}"
        signature = hmac.digest(self._key(stamp[:8], scope), text.encode(), "sha256").hex()
        signed["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._access_key}/{where},"
            f" SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _key(self, day: str, scope: Scope) -> bytes:
        key = self._keys.get((day, scope))
        if key is None:
            key = f"AWS4{self._secret_key}".encode()
            for part in (day, scope.region, scope.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._keys = {kept: value for kept, value in self._keys.items() if kept[0] == day}
            self._keys[day, scope] = key
        return key
