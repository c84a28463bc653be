"""The suite that every transform and every loader must pass, a plug-in's too.

A plug-in's whole test is `check_transform(MyTransform(MySettings()), [a_good_sample])`, or
`await check_loader(MyLoader, works=uri, content=its_bytes, missing=another_uri)`.
"""

from siftstream.agents.fetch.conformance.loader import check_loader
from siftstream.agents.fetch.conformance.transform import check_arrays, check_transform

__all__ = ["check_arrays", "check_loader", "check_transform"]
