# SPDX-License-Identifier: MIT
"""A headless Chromium, driven by the DevTools protocol over its pipe: needs no package beside Chromium."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


def program():
    """Path of an installed Chromium, or None."""
    return next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)


class Refused(Exception):
    """The browser could not do it: the page is just being loaded, a script failed."""


class Browser:
    """One tab. `problems` gathers errors of the console, of scripts and of what could not be loaded."""

    def __init__(self, width, height, phone=False, hang=240.0):
        self.hang, self.number, self.answers, self.problems, self.buffer = hang, 0, {}, [], b""
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self.to = os.pipe()
        self.of, from_write = os.pipe()

        def pipes():  # Chromium reads commands at 3 and writes at 4
            read, write = os.dup(to_read), os.dup(from_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
             "--remote-debugging-pipe", "--user-data-dir=" + self.folder.name, "about:blank"],
            preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.session = None
        page = next(t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(domain + ".enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=2 if phone else 1, mobile=phone)

    def take(self, wait):
        """Reads what has come; waits at most so many seconds for it."""
        if select.select([self.of], [], [], wait)[0]:
            more = os.read(self.of, 1 << 16)
            assert more, "the browser ended"
            self.buffer += more
        while b"\0" in self.buffer:
            line, self.buffer = self.buffer.split(b"\0", 1)
            message = json.loads(line)
            if "id" in message:
                self.answers[message["id"]] = message
            elif message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.problems.append(details.get("exception", {}).get("description", details["text"]))
            elif message["method"] == "Runtime.consoleAPICalled" and message["params"]["type"] in ("error", "assert"):
                self.problems.append(str(message["params"]["args"]))
            elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                entry = message["params"]["entry"]
                self.problems.append(entry["text"] + " " + entry.get("url", ""))

    def ask(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        until = time.monotonic() + self.hang
        while self.number not in self.answers:
            assert time.monotonic() < until, method + " was not answered"
            self.take(1.0)
        answer = self.answers.pop(self.number)
        if "error" in answer:
            raise Refused(method, answer)
        return answer["result"]

    def open(self, url):
        self.ask("Page.navigate", url=url)

    def value(self, expression):
        """Of a JavaScript expression, awaited if it is a promise."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise Refused(expression, result["exceptionDetails"])
        return result["result"].get("value")

    def wait_for(self, expression):
        """Until the expression is true; what fails is not true yet."""
        until = time.monotonic() + self.hang
        while True:
            try:
                if self.value(expression):
                    return
            except Refused:
                pass
            assert time.monotonic() < until, (expression, self.value("document.body.innerText"), self.problems)
            self.take(0.1)

    def rest(self, seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.take(left)

    def screenshot(self, file, whole=True):
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(file, "wb") as out:
            out.write(base64.b64decode(shot["data"]))

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.of)
        self.folder.cleanup()
