"""Import: any model of theirs becomes ours, an encoder ONNX that normalises itself and a linear head."""

from siftstream.models.importing.options import Options
from siftstream.models.importing.run import Imported, import_model

__all__ = ["Imported", "Options", "import_model"]
