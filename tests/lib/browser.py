"""Headless Chromium, spoken to over two pipes in the DevTools protocol."""
import base64
import json
import os
import shutil
import subprocess
import tempfile

from process import wait_for

CHROMIUM = shutil.which("chromium")


class Browser:
    """One page. Use as a context manager. `errors` are what its console and scripts complained of."""

    def __init__(self, width=1280, height=900):
        self.directory = tempfile.mkdtemp(prefix="rochefort-browser-")
        down, self.to = os.pipe()
        self.back, up = os.pipe()
        # it reads from descriptor 3 and writes to 4
        command = 'exec 3<&%d 4>&%d; exec "$@"' % (down, up)
        self.process = subprocess.Popen(
            ["bash", "-c", command, "sh", CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--remote-debugging-pipe", "--no-first-run",
             "--user-data-dir=" + self.directory, "--window-size=%d,%d" % (width, height)],
            pass_fds=(down, up), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(down)
        os.close(up)
        self.read, self.last, self.session, self.errors = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(domain + ".enable")
        self.resize(width, height)

    def message(self):
        while b"\0" not in self.read:
            more = os.read(self.back, 1 << 20)
            assert more, "the browser has ended"
            self.read += more
        text, _, self.read = self.read.partition(b"\0")
        return json.loads(text)

    def call(self, method, **parameters):
        self.last += 1
        request = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.last:
                assert "error" not in message, message
                return message["result"]
            if message.get("method") == "Runtime.exceptionThrown" or (
                    message.get("method") == "Runtime.consoleAPICalled") or (
                    message.get("method") == "Log.entryAdded"):
                self.errors.append(json.dumps(message["params"]))

    def resize(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_until(self, expression):
        wait_for(lambda: self.evaluate(expression), expression)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.directory, ignore_errors=True)
