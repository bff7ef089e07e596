"""The hubs, designs and stores that Millstream is measured beside: how each is started, spoken to and named with its version."""

import http.client
import json
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

FILES = Path(__file__).resolve().parent / "peers"
NCHAN, NODE, NESTJS, PUSHPIN = "nchan", "node", "nestjs", "pushpin"
NAMES = [NCHAN, NODE, NESTJS, PUSHPIN]
INFLUXDB, INFLUXDB_2_CORES = "influxdb", "influxdb_2_cores"
STORES = [INFLUXDB, INFLUXDB_2_CORES]
TITLES = {NCHAN: "nchan", NODE: "bare Node", NESTJS: "NestJS", PUSHPIN: "Pushpin"}


@dataclass
class Launch:
    """Commands that together are one server; helpers stand behind it and are not counted as part of it."""

    commands: list
    helpers: list = field(default_factory=list)
    url: str = ""  # "": the server says "listening on <url>" itself
    flags: dict = field(default_factory=dict)  # of the load program
    greeting: tuple = ()  # (path, headers, body) to post once it is up
    on_all_cores: bool = False  # otherwise on the server's core alone


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fill_in(name, directory, values):
    text = (FILES / name).read_text()
    for key, value in {"DIRECTORY": directory, **values}.items():
        text = text.replace(f"@{key}@", str(value))
    path = directory / name
    path.write_text(text)
    return path


def url_of(port):
    return f"http://127.0.0.1:{port}"


def launch_node(script, directory):
    port = free_port()
    return Launch([["node", str(FILES / script), str(port)]], url=url_of(port),
                  flags={"header": "Content-Type: application/json"})


def launch_nchan(directory):
    port = free_port()
    conf = fill_in("nchan.conf", directory, {"PORT": port})
    headers = "Accept: text/event-stream\r\nX-EventSource-Event: telemetry"
    return Launch([["nginx", "-p", str(directory), "-c", str(conf)]], url=url_of(port),
                  flags={"stream_path": "/stream", "publish_path": "/publish", "body": "event", "header": headers},
                  greeting=("/publish", {"X-EventSource-Event": "system"}, '{"kind":"hello"}'))


def launch_pushpin(directory):
    port, publish_port, backend_port = free_port(), free_port(), free_port()
    conf = fill_in("pushpin.conf", directory, {"PORT": port, "PUBLISH_PORT": publish_port})
    zurl = fill_in("zurl.conf", directory, {})
    (directory / "routes").write_text(f"* 127.0.0.1:{backend_port}\n")
    return Launch([["zurl", f"--config={zurl}"], ["pushpin", f"--config={conf}"]],
                  helpers=[["node", str(FILES / "grip_backend.js"), str(backend_port)]], url=url_of(port),
                  flags={"stream_path": "/stream", "publish_url": url_of(publish_port), "publish_path": "/publish/",
                         "body": "grip", "opening": 4})


def launch_influxdb(directory, on_all_cores):
    port, rpc_port = free_port(), free_port()
    conf = fill_in("influxdb.conf", directory, {"PORT": port, "RPC_PORT": rpc_port})
    return Launch([["influxd", "run", "-config", str(conf)]], url=url_of(port), on_all_cores=on_all_cores,
                  flags={"stream_path": "/query?q=SHOW+DATABASES", "publish_path": "/write?db=bench&precision=ms"},
                  greeting=("/query?q=CREATE+DATABASE+bench", {}, ""))


def launch(name, directory):
    if name in STORES:
        return launch_influxdb(directory, name == INFLUXDB_2_CORES)
    if name == NCHAN:
        return launch_nchan(directory)
    if name == PUSHPIN:
        return launch_pushpin(directory)
    return launch_node("node_server.js" if name == NODE else "nest_server.js", directory)


def greet(url, greeting):
    path, headers, body = greeting
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("POST", path, body, headers)
    connection.getresponse().read()
    connection.close()


def streams(url, path):
    """Whether a viewer would be served."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=2)
    try:
        connection.request("GET", path, headers={"Accept": "text/event-stream"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def missing(name):
    """The program or package that is not there, or ""."""
    wanted = {NCHAN: ["nginx"], PUSHPIN: ["pushpin", "zurl", "node"], **{store: ["influxd"] for store in STORES}}.get(name, ["node"])
    # Debian's /usr/sbin is not in everyone's PATH.
    lacking = [program for program in wanted if not shutil.which(program, path=search_path())]
    if lacking:
        return lacking[0]
    if name == NCHAN and not Path("/usr/lib/nginx/modules/ngx_nchan_module.so").exists():
        return "libnginx-mod-nchan"
    return "" if name != NESTJS or (FILES / "node_modules").is_dir() else "npm packages of bench/peers"


def search_path():
    return os.environ.get("PATH", "") + ":/usr/sbin"


def debian_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def npm_version(package):

    try:
        return json.loads((FILES / "node_modules" / package / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return "unknown"


def versions():
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return {NCHAN: f"nchan {debian_version('libnginx-mod-nchan')}, nginx {debian_version('nginx')}",
            NODE: f"Node {node}", NESTJS: f"NestJS {npm_version('@nestjs/core')}, Node {node}",
            INFLUXDB: f"influxdb {debian_version('influxdb')}",
            PUSHPIN: f"pushpin {debian_version('pushpin')}, condure {debian_version('condure')}"}
