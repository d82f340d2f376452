"""The TensorRT backend under a real Python 3.6, the one that JetPack 4 brings to a TX2."""

import json
import subprocess
from pathlib import Path

from tests.conftest import PATIENCE, ROOT
from tests.py36env import python36

PROGRAM = """
import json, sys, types
import numpy as np
from bench.runtime.backends import backend_class, engine_cache, tensorrt_api, tensorrt_child
from bench.runtime.backends.base import BackendError, Settings
from bench.runtime.backends.tensorrt_calibration import calibration_batches

seen = {"python": list(sys.version_info[:2])}
backend = backend_class("tensorrt")(Settings("fp16", 0, 1, None, 0, {}))
try:
    backend.import_library()
except BackendError as error:
    seen["missing"] = error.kind
folder = sys.argv[1]
key = {"precision": "fp16", "build": 0}
engine_cache.write(folder, key, "engine", b"plan")
seen["cached"] = engine_cache.read(folder, key, "engine")[0].decode()
np.savez(folder + "/samples.npz", **{"input.0": np.zeros((3, 4), "f4")})
options = {"calibration": "samples.npz"}
arrays, warning = calibration_batches(folder + "/models/x.onnx", options, {"x": (1, 4)})
seen["samples"] = list(arrays["x"].shape)

class ILogger(object):
    def __init__(self):
        pass

logger = tensorrt_api.make_logger(types.SimpleNamespace(ILogger=ILogger))
logger.log("Severity.ERROR", "out of memory")
seen["log"] = logger.tail()
print(json.dumps(seen))
"""


def test_its_modules_work_under_python_36(tmp_path: Path) -> None:
    done = subprocess.run(
        [python36(), "-c", PROGRAM, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "python": [3, 6],
        "missing": "library_missing",
        "cached": "plan",
        "samples": [3, 4],
        "log": "out of memory",
    }
