"""Build an engine into the cache: here, or in a child process whose memory goes when it ends.

The child is `python -m bench.runtime.backends.tensorrt_child`: a JSON request {"order", "folder", "key"} on
standard input, one JSON line {"info"} or {"error": {kind, message, advice}} on standard output; TensorRT's
chatter goes to stderr.
A builder that is killed (a Jetson running out of memory) is a failed record, not a dead runtime.
"""

import json
import subprocess
import sys
from types import ModuleType
from typing import Any, Dict

from bench.runtime.backends import engine_cache, tensorrt_build
from bench.runtime.backends import tensorrt_api as api
from bench.runtime.backends.base import BackendError
from bench.runtime.backends.cuda import Gpu, import_driver, out_of_memory
from bench.runtime.backends.engine_cache import Key
from bench.runtime.backends.tensorrt_build import BuildInfo
from bench.runtime.machine.process import die_with_parent, for_child

SIGKILL = -9


def build_here(
    trt: ModuleType, gpu: Gpu, logger: Any, order: tensorrt_build.Order, folder: str, key: Key
) -> BuildInfo:
    """Build in this process, store engine and timing cache; how it went."""
    shared, place = engine_cache.timing_key(key), engine_cache.timing_folder(folder)
    saved, complaint = engine_cache.read(place, shared, "timing")
    plan, timing, info = tensorrt_build.build_plan(trt, gpu, logger, order, saved or b"")
    if complaint:
        info["warnings"].append(complaint)
    info["timing_cache"] = {"reused": saved is not None, "bytes": len(timing)}
    try:
        engine_cache.write(folder, key, "engine", plan)
        if timing:
            engine_cache.write(place, shared, "timing", timing)
    except OSError as error:
        raise BackendError(
            "build_failed", "the engine cannot be stored in %s: %s" % (folder, error), "free some disk space"
        ) from error
    return info


def build(order: tensorrt_build.Order, folder: str, key: Key) -> BuildInfo:
    """Build in a child process; its error is raised here."""
    request = json.dumps({"order": list(order), "folder": folder, "key": key}).encode("utf-8")
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.runtime.backends.tensorrt_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=for_child(),
    )
    try:
        output, _ = child.communicate(request)
    except BaseException:
        child.kill()
        child.wait()
        raise
    if child.returncode == SIGKILL:
        raise out_of_memory("the process that builds the engine was killed (signal 9)")
    try:
        answer = json.loads(output.decode("utf-8").splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise BackendError(
            "build_failed",
            "the process that builds the engine ended with %d and no answer" % child.returncode,
            "its last words are in the log; options.isolate_build: false builds in the runtime itself",
        ) from error
    if "error" in answer:
        raise BackendError(answer["error"]["kind"], answer["error"]["message"], answer["error"]["advice"])
    info: BuildInfo = answer["info"]
    return info


def main() -> int:
    """Build as the child process of `build`."""
    die_with_parent()  # a killed run must not leave a build behind that takes the GPU for minutes
    request = json.load(sys.stdin)
    order = tensorrt_build.Order(*request["order"])
    try:
        answer: Dict[str, object] = {"info": _build_alone(order, request["folder"], request["key"])}
    except BackendError as error:
        answer = {"error": {"kind": error.kind, "message": error.message, "advice": error.advice}}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    return 1 if "error" in answer else 0


def _build_alone(order: tensorrt_build.Order, folder: str, key: Key) -> BuildInfo:
    trt = api.import_tensorrt()
    gpu = Gpu(import_driver(), int(order.options.get("device", 0))).open()
    try:
        return build_here(trt, gpu, api.make_logger(trt), order, folder, key)
    finally:
        gpu.close()


if __name__ == "__main__":
    sys.exit(main())
