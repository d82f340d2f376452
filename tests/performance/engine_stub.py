"""Engines that are none: hundreds of boards that speak the Engine API over unix sockets.

`python -m tests.performance.engine_stub FOLDER COUNT SECONDS RECORD` serves FOLDER/0.sock ... until killed.
A started container "finishes" its jobs one after another, SECONDS apart; its records are copies of RECORD.
"""

import asyncio
import base64
import hashlib
import io
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

VERSION = {
    "Version": "20.10.24",
    "ApiVersion": "1.41",
    "MinAPIVersion": "1.12",
    "Os": "linux",
    "Arch": "amd64",
}
INFO = {
    "Name": "stub",
    "Architecture": "x86_64",
    "KernelVersion": "6.1",
    "OperatingSystem": "stub",
    "NCPU": 4,
    "MemTotal": 4 << 30,
    "MemoryLimit": True,
    "CgroupVersion": "2",
    "Runtimes": {"runc": {}},
    "DefaultRuntime": "runc",
    "DockerRootDir": "/",
}
IMAGE = {
    "Id": "sha256:" + "1" * 64,
    "Architecture": "amd64",
    "Size": 1,
    "RootFS": {"Layers": []},
    "Config": {},
}


class Engine:
    """One board's engine: at most one container, whatever its name, and volumes."""

    def __init__(self, seconds: float, record: bytes) -> None:
        self.seconds, self.record = seconds, json.loads(record)
        self.labels: dict[str, str] | None = None
        self.volumes: dict[str, dict[str, str]] = {}
        self.status, self.log = "created", bytearray()
        self.files: dict[str, bytes] = {}
        self.news = asyncio.Condition()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON value of one call."""
        name = re.sub(r"^/v1\.\d+", "", path.partition("?")[0])
        if name in ("/version", "/info"):
            return 200, VERSION if name == "/version" else INFO
        if name.startswith("/images/"):
            return 200, IMAGE
        if name.startswith("/volumes"):
            return self.volume(method, name, body)
        if name == "/containers/create":
            if self.labels is not None:
                return 409, {"message": "Conflict. The container name is already in use"}
            self.labels, self.status, self.log = json.loads(body)["Labels"], "created", bytearray()
            return 201, {"Id": "c" * 64, "Warnings": []}
        if self.labels is None:
            return 404, {"message": "No such container: orbitbench"}
        return self.container(method, name, body)

    def volume(self, method: str, name: str, body: bytes) -> tuple[int, Any]:
        """Volumes: listed, made, removed."""
        if method == "POST":
            wanted = json.loads(body)
            self.volumes[wanted["Name"]] = wanted.get("Labels") or {}
            return 201, {"Name": wanted["Name"], "Labels": wanted.get("Labels")}
        if method == "DELETE":
            self.volumes.pop(name.rpartition("/")[2], None)
            return 204, None
        if name == "/volumes":
            return 200, {"Volumes": [{"Name": n, "Labels": labels} for n, labels in self.volumes.items()]}
        known = name.rpartition("/")[2] in self.volumes
        return (200, {"Name": name.rpartition("/")[2]}) if known else (404, {"message": "no such volume"})

    def container(self, method: str, name: str, body: bytes) -> tuple[int, Any]:
        """The container: inspected, filled, started, removed."""
        if name.endswith("/archive"):
            with tarfile.open(fileobj=io.BytesIO(body)) as archive:
                jobs = archive.extractfile("jobs.json")
                self.jobs = json.loads(jobs.read()) if jobs else {}
            return 200, None
        if name.endswith("/start"):
            self.status = "running"
            self.task = asyncio.create_task(self.work())
            return 204, None
        if method == "DELETE":
            self.labels = None
            return 204, None
        state = {
            "Status": self.status,
            "ExitCode": 0,
            "OOMKilled": False,
            "Error": "",
            "StartedAt": "",
            "FinishedAt": "",
        }
        config = {"Labels": self.labels, "Tty": False}
        return 200, {"Id": "c" * 64, "Created": "2026-11-22T19:15:00Z", "State": state, "Config": config}

    async def work(self) -> None:
        """Finish one job after another, saying so in the log."""
        await self.say({"event": "start", "processes": len(self.jobs["jobs"]), "done": 0})
        for done, job in enumerate(self.jobs["jobs"], 1):
            await asyncio.sleep(self.seconds)
            whole = {**job, "measure": {**self.jobs["measure"], **job["measure"]}}
            record = {**self.record, "device": self.jobs["device"], "run": self.jobs["run"], "job": whole}
            data = self.files[job["id"]] = json.dumps(record).encode()
            event = {
                "event": "process",
                "job": job["id"],
                "done": done,
                "total": len(self.jobs["jobs"]),
                "p50": 0.001,
            }
            await self.say(event)
            await self.say({"event": "record", "job": job["id"], "sha256": hashlib.sha256(data).hexdigest()})
        self.status = "exited"
        await self.say({"event": "end"})

    async def say(self, event: dict[str, Any]) -> None:
        """One more line of the log, as the engine frames standard output."""
        line = json.dumps(event).encode() + b"\n"
        async with self.news:
            self.log += b"\x01\0\0\0" + len(line).to_bytes(4, "big") + line
            self.news.notify_all()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests until the client closes it."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                body = await self.body(head.lower(), reader)
                if "/logs" in path:
                    await self.stream(writer)
                elif method == "GET" and "/archive" in path:
                    await self.send_file(path, writer)
                else:
                    self.reply(writer, *self.answer(method, path, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def body(self, head: bytes, reader: asyncio.StreamReader) -> bytes:
        """The body of a request, by length or in chunks."""
        if b"transfer-encoding: chunked" in head:
            whole = b""
            while size := int(await reader.readline(), 16):
                whole += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
            return whole
        length = re.search(rb"content-length: (\d+)", head)
        return await reader.readexactly(int(length[1])) if length else b""

    def reply(self, writer: asyncio.StreamWriter, status: int, value: Any) -> None:
        """A JSON answer."""
        body = b"" if value is None else json.dumps(value).encode()
        head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    async def stream(self, writer: asyncio.StreamWriter) -> None:
        """The log from its beginning, followed until the container has ended."""
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        while True:
            async with self.news:
                while sent == len(self.log) and self.status == "running":
                    await self.news.wait()
                new = bytes(self.log[sent:])
            sent += len(new)
            if not new:
                break
            writer.write(f"{len(new):x}\r\n".encode() + new + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    async def send_file(self, path: str, writer: asyncio.StreamWriter) -> None:
        """A record as a tar archive."""
        from urllib.parse import parse_qs, urlsplit

        name = parse_qs(urlsplit(path).query)["path"][0].rpartition("/")[2]
        data = self.files.get(name.removesuffix(".json"))
        if data is None:
            self.reply(writer, 404, {"message": f"Could not find the file {path} in container"})
            return
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        stat = base64.b64encode(
            json.dumps({"name": name, "size": len(data), "mode": 0o644}).encode()
        ).decode()
        head = f"HTTP/1.1 200 OK\r\nX-Docker-Container-Path-Stat: {stat}\r\n"
        body = buffer.getvalue()
        writer.write(
            f"{head}Content-Type: application/x-tar\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )


async def main(folder: Path, count: int, seconds: float, record: bytes) -> None:
    """Serve `count` engines."""
    for number in range(count):
        engine = Engine(seconds, record)
        await asyncio.start_unix_server(engine.serve, folder / f"{number}.sock", backlog=64)
    (folder / "ready").touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]).read_bytes()))
