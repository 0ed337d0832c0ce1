"""Where the state and the load of a service are read. A source is asked once an interval; see Source.read."""

import asyncio
import csv
import dataclasses
import io
import time
import urllib.parse

import mep

MOST = 4 << 20  # bytes that are read of an answer


class Unreadable(Exception):
    """The source did not tell anything."""


@dataclasses.dataclass
class Reading:
    state: int
    reason: str
    load: dict = dataclasses.field(default_factory=dict)  # by the fields of mep.FIELDS
    weight: int = 0


class Rate:
    """Makes a rate of a total that grows, over the last readings."""

    WINDOW = 14.0

    def __init__(self):
        self.seen = []

    def add(self, total, now):
        if self.seen and total < self.seen[-1][1]:
            self.seen = []  # it began anew
        self.seen.append((now, total))
        while len(self.seen) > 2 and now - self.seen[1][0] >= self.WINDOW:
            self.seen.pop(0)
        first = self.seen[0]
        return None if now <= first[0] else max(0, round((total - first[1]) / (now - first[0])))


async def read_all(reader):
    out = bytearray()
    while chunk := await reader.read(65536):
        out += chunk
        if len(out) > MOST:
            raise Unreadable("the answer is too long")
    return bytes(out)


async def connect(where):
    if where.startswith("unix:"):
        return await asyncio.open_unix_connection(where[len("unix:"):])
    host, _, port = where.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


async def ask(where, question):
    """Sends a question and returns all of the answer."""
    reader, writer = await connect(where)
    try:
        writer.write(question)
        await writer.drain()
        return await read_all(reader)
    finally:
        writer.close()


async def get(url):
    """The body of a page."""
    at = urllib.parse.urlsplit(url)
    host = at.hostname if ":" not in (at.hostname or "") else f"[{at.hostname}]"
    path = urllib.parse.urlunsplit(("", "", at.path or "/", at.query, ""))
    answer = await ask(f"{host}:{at.port or 80}", f"GET {path} HTTP/1.0\r\nHost: {at.netloc}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or words[1] != b"200":
        raise Unreadable(f"{url} answers {words[1:2]}")
    return body.decode("utf-8", "replace")


class Source:
    """What is configured of a service. check is HOST:PORT that has to accept connections; empty: it is not tried."""

    def __init__(self, where, check=""):
        self.where, self.check = where, check
        self.requests, self.bytes = Rate(), Rate()

    async def read(self):
        """Returns a Reading. Raises OSError or Unreadable."""
        if self.check:
            _, writer = await connect(self.check)
            writer.close()
        return await self.tell()

    async def tell(self):
        return Reading(mep.UP, f"{self.check} accepts connections")


class HAProxy(Source):
    """A proxy of HAProxy: where is its statistics socket, unix:PATH or HOST:PORT, or the URL of its CSV page."""

    def __init__(self, where, check="", proxy="", row="BACKEND"):
        super().__init__(where, check)
        self.proxy, self.row = proxy, row

    async def tell(self):
        if self.where.startswith("http://"):
            return self.parse(await get(self.where))
        return self.parse((await ask(self.where, b"show stat\n")).decode("utf-8", "replace"))

    def parse(self, page):
        try:
            for row in csv.DictReader(io.StringIO(page.lstrip("# \n"))):
                if row.get("pxname") == self.proxy and row.get("svname") == self.row:
                    return self.reading(row)
        except csv.Error as e:
            raise Unreadable(f"{self.where} is no CSV: {e}") from None
        raise Unreadable(f"{self.where} tells nothing of {self.row} of proxy {self.proxy!r}")

    def reading(self, row):
        def number(key):
            try:
                return max(0, int(row.get(key) or ""))
            except ValueError:
                return None

        status, now = row.get("status") or "", time.monotonic()
        state = next((state for word, state in HAPROXY_STATES if status.startswith(word)), mep.UNKNOWN)
        load = {"active_connections": number("scur"), "members_behind": number("act"), "member_weight": number("weight")}
        if (total := number("req_tot")) is not None:
            load["requests"] = self.requests.add(total, now)
        if None not in (number("bin"), number("bout")):
            octets = self.bytes.add(number("bin") + number("bout"), now)
            load["bits"] = octets and octets * 8
        if number("rtime"):
            load["response_time_us"] = number("rtime") * 1000
        return Reading(state, f"haproxy: {self.proxy} is {status}", {k: v for k, v in load.items() if v is not None})


HAPROXY_STATES = (("UP", mep.UP), ("OPEN", mep.UP), ("no check", mep.UP), ("DOWN", mep.DOWN), ("STOP", mep.DOWN), ("MAINT", mep.DISABLED),
                  ("NOLB", mep.DRAINING), ("DRAIN", mep.DRAINING), ("FULL", mep.UP))


class NGINX(Source):
    """An NGINX: where is the URL of its stub_status."""

    async def tell(self):
        return self.parse(await get(self.where))

    def parse(self, page):
        words = page.split()
        try:
            active = int(words[words.index("connections:") + 1])
            requests = int(words[words.index("requests") + 3])
        except (ValueError, IndexError):
            raise Unreadable(f"{self.where} is no stub_status") from None
        load = {"active_connections": active, "requests": self.requests.add(requests, time.monotonic())}
        return Reading(mep.UP, f"nginx: {active} connections", {k: v for k, v in load.items() if v is not None})


class Service:
    """A service as it is told. It is DOWN, or UNKNOWN, after fall readings that failed one after another."""

    def __init__(self, name, source, fall=2, timeout=1.0, announced=None, changed=lambda: None):
        self.name, self.source, self.fall, self.timeout = name, source, fall, timeout
        self.announced, self.changed = announced, changed
        self.failed, self.reading, self.confirmed, self.measured = 0, Reading(mep.UNKNOWN, "not read yet"), None, None

    async def follow(self, interval):
        while True:
            began = time.monotonic()
            await self.look()
            await asyncio.sleep(max(0.01, interval - (time.monotonic() - began)))

    async def look(self):
        before = self.reading.state
        try:
            reading = await asyncio.wait_for(self.source.read(), self.timeout)
        except (OSError, Unreadable, asyncio.TimeoutError, EOFError, ValueError) as e:
            self.failed += 1
            if self.failed >= self.fall:
                refused = isinstance(e, (ConnectionError, FileNotFoundError))
                if self.source.check and not isinstance(e, PermissionError):
                    refused = refused or isinstance(e, (OSError, asyncio.TimeoutError))
                self.confirmed = time.monotonic()
                self.reading = Reading(mep.DOWN if refused else mep.UNKNOWN, str(e) or type(e).__name__)
        else:
            self.failed, self.confirmed, self.reading = 0, time.monotonic(), reading
            if reading.load:
                self.measured = self.confirmed
        if self.reading.state != before:
            self.changed()

    def record(self, now):
        values = dict(self.reading.load)
        if values and self.measured is not None:
            values["load_age_ms"] = int((now - self.measured) * 1000)
        if self.confirmed is not None:
            values["evidence_age_ms"] = int((now - self.confirmed) * 1000)
        return mep.Record(self.name, self.reading.state, self.reading.reason, values=values, announced=self.announced)
