#!/usr/bin/env python3
"""A proxy on loopback that writes down every request, as JSON lines, and passes it on.

    record_requests.py UPSTREAM FILE [LABEL]

tells its own address in its first line, and ends with its standard input. What is written: the label, the method,
the path with its query, the headers (of Authorization its scope alone: whose call it is, not its signature), and the
body in base64. Only Python's own library is needed.
"""

import base64
import http.client
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Headers that belong to one connection, not to the request.
OF_THE_CONNECTION = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "upgrade"}


def scope(authorization):
    """`us-east-1/kinesis/aws4_request` of an Authorization header, without access key and signature."""
    found = re.search(r"Credential=[^/]*/\d+/([^,\s]+)", authorization or "")
    return found.group(1) if found else ""


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream = file = label = None
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def note(self, body):
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers["authorization"] = scope(headers.get("authorization"))
        headers.pop("x-amz-security-token", None)
        line = {
            "from": self.label,
            "method": self.command,
            "path": self.path,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
        }
        with self.lock:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()

    def pass_on(self):
        body = self.body()
        self.note(body)
        if not hasattr(self, "way"):
            self.way = http.client.HTTPConnection(self.upstream, timeout=180)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_CONNECTION}
        headers["Content-Length"] = str(len(body))
        try:
            self.way.request(self.command, self.path, body, headers)
            answer = self.way.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            # The other end broke the connection: whoever called is told the same way.
            self.way.close()
            self.close_connection = True
            return
        self.send_response_only(answer.status, answer.reason)
        length = len(content)
        for name, value in answer.getheaders():
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in OF_THE_CONNECTION | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = pass_on


def main():
    Recorder.upstream = urlsplit(sys.argv[1]).netloc
    Recorder.file = open(sys.argv[2], "a", encoding="utf-8")
    Recorder.label = sys.argv[3] if len(sys.argv) > 3 else "recorded"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
