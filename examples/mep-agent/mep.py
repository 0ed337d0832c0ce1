"""The frames of the Metric Exchange Protocol that a small speaker needs, as docs/mep-protocol.md lays them out.

Nothing here does input or output. Every decoder takes bytes of whom it may concern and raises Refused, and nothing else, for what is
not as laid out.
"""

import dataclasses
import ipaddress
import struct

HELLO, KEEPALIVE, LEAVING, SERVICES, ATTACH = 1, 2, 3, 4, 14

VERSION_MIN, VERSION_MAX = 1, 2
HEADER = 16
MAX_PAYLOAD = 1 << 20
MAX_HELLO = 4096
MAX_NAME = 127
MAX_TEXT = 120
MAX_SERVICES = 100_000
PART = 256 << 10  # a part of a set of services is about so large
MORE = 1  # flag: the set goes on in the next frame
MAX_AGE_MS = 366 * 24 * 3600 * 1000

UNKNOWN, UP, DOWN, DISABLED, DRAINING = range(5)
STATES = ("UNKNOWN", "UP", "DOWN", "DISABLED", "DRAINING")
STOPPING, REFUSED = 1, 2

NAME_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")

# The fields of a record, lowest bit first.
FIELDS = (
    "active_connections", "requests", "response_time_us", "bits", "packets", "custom_load", "members_behind",
    "load_age_ms", "evidence_age_ms", "member_weight", "capacity",
)
LOAD_BOUND, EVIDENCE_BOUND, ANNOUNCEMENT = 1 << 11, 1 << 12, 1 << 13


class Refused(Exception):
    """What a peer sent breaks the rules. word is one of the words of the protocol's refusals."""

    def __init__(self, word, text):
        super().__init__(f"{word}: {text}")
        self.word = word


class Cursor:
    """Reads a payload field by field."""

    def __init__(self, data, what):
        self.data, self.at, self.what = bytes(data), 0, what

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        if size > self.left():
            raise Refused("malformed", f"{self.what} at byte {self.at}: {size} bytes needed, {self.left()} left")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 64:
                    break
                return value
        raise Refused("malformed", f"{self.what} at byte {self.at}: a varint of more than 64 bits")

    def name(self, colons=0):
        raw = self.take(self.number(1))
        if not valid_name(raw, colons):
            raise Refused("malformed", f"{self.what}: {raw!r} is not a name")
        return raw.decode("ascii")

    def text(self, most):
        raw = self.take(self.number(1))
        try:
            value = raw.decode("utf-8")
        except UnicodeDecodeError:
            value = "\0"
        if len(raw) > most or not value.isprintable():
            raise Refused("malformed", f"{self.what}: a text is too long, or not printable")
        return value


def valid_name(raw, colons=0):
    """Whether bytes are a name; with colons=1 that of a service, which may be GROUP:MEMBER."""
    if not 0 < len(raw) <= MAX_NAME:
        return False
    parts = raw.split(b":")
    return len(parts) <= 1 + colons and all(part and NAME_LETTERS.issuperset(part) for part in parts)


def varint(value):
    out = bytearray()
    value = min(max(int(value), 0), (1 << 64) - 1)
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value, most=255):
    """A text made fit to be sent: printable, and at most so many bytes."""
    raw = "".join(c if c.isprintable() else " " for c in value).encode("utf-8", "replace")[:most]
    raw = raw.decode("utf-8", "ignore").encode("utf-8")
    return bytes([len(raw)]) + raw


def frame(kind, flags, sequence, payload):
    return struct.pack(">IBBHQ", len(payload), kind, flags, 0, sequence) + payload


def parse_header(raw):
    """Returns length, type, flags and sequence."""
    length, kind, flags, _, sequence = struct.unpack(">IBBHQ", raw)
    return length, kind, flags, sequence


@dataclasses.dataclass
class Hello:
    site: str
    node: str = ""
    version_min: int = VERSION_MIN
    version_max: int = VERSION_MAX
    role: int = 1
    incarnation: int = 0
    connection: int = 0
    clock: int = 0
    metrics_interval_ms: int = 1000
    keepalive_timeout_ms: int = 10_000
    digest: bytes = bytes(32)

    def encode(self):
        return b"".join((
            b"FLMP", bytes([self.version_min, self.version_max, self.role, 0]),
            struct.pack(">QQqII", self.incarnation, self.connection, self.clock, self.metrics_interval_ms, self.keepalive_timeout_ms),
            self.digest, text(self.site), text(self.node, MAX_NAME)))

    @classmethod
    def decode(cls, payload):
        c = Cursor(payload, "Hello")
        if c.take(4) != b"FLMP":
            raise Refused("malformed", "Hello: the magic is not FLMP")
        low, high, role, _ = c.take(4)
        if not 0 < low <= high:
            raise Refused("malformed", f"Hello: the range of versions {low} to {high} is empty")
        incarnation, connection, clock, metrics, keepalive = struct.unpack(">QQqII", c.take(32))
        digest = c.take(32)
        site, node = c.name(), c.text(MAX_NAME)
        while c.left():
            c.number(2)  # no field is defined
            c.take(c.number(2))
        return cls(site, node, low, high, role, incarnation, connection, clock, metrics, keepalive, digest)

    def agree(self, other):
        """The version that both ends speak."""
        version = min(self.version_max, other.version_max)
        if version < max(self.version_min, other.version_min):
            raise Refused("version", f"{other.site} speaks {other.version_min} to {other.version_max}")
        return version


@dataclasses.dataclass
class KeepAlive:
    stamp: int
    clock: int = 0
    echo: int = 0
    held: int = 0
    heard: int = 0
    silence_ms: int = 0
    digest: bytes = bytes(32)

    def encode(self):
        return struct.pack(">QqQQQI", self.stamp, self.clock, self.echo, self.held, self.heard, min(self.silence_ms, 2**32 - 1)) + self.digest

    @classmethod
    def decode(cls, payload):
        c = Cursor(payload, "KeepAlive")
        stamp, clock, echo, held, heard, silence = struct.unpack(">QqQQQI", c.take(44))
        if stamp == 0 or held >> 63:
            raise Refused("malformed", "KeepAlive: the stamp is 0, or held is out of range")
        return cls(stamp, clock, echo, held, heard, silence, c.take(32) if c.left() >= 32 else bytes(32))


@dataclasses.dataclass
class Leaving:
    reason: int
    text: str = ""

    def encode(self):
        return bytes([self.reason]) + text(self.text, MAX_TEXT)

    @classmethod
    def decode(cls, payload):
        c = Cursor(payload, "Leaving")
        return cls(c.number(1), c.text(MAX_TEXT))


@dataclasses.dataclass
class Attach:
    here: bool

    def encode(self):
        return b"\x01" if self.here else b"\x00"

    @classmethod
    def decode(cls, payload):
        return cls(Cursor(payload, "Attach").number(1) == 1)


@dataclasses.dataclass
class Announcement:
    label: str
    ipv4: object = None  # ipaddress.IPv4Address
    ipv6: object = None
    port: int = 0
    weight: int = 1

    def encode(self):
        flags = (1 if self.ipv4 else 0) | (2 if self.ipv6 else 0)
        body = bytes([flags]) + (self.ipv4.packed if self.ipv4 else b"") + (self.ipv6.packed if self.ipv6 else b"")
        body += struct.pack(">HB", self.port, self.weight) + text(self.label)
        return varint(len(body)) + body

    @classmethod
    def decode(cls, c):
        c = Cursor(c.take(c.varint()), c.what)
        flags = c.number(1)
        four = ipaddress.IPv4Address(c.take(4)) if flags & 1 else None
        six = ipaddress.IPv6Address(c.take(16)) if flags & 2 else None
        port, weight = c.number(2), c.number(1)
        return cls(c.name(), four, six, port, weight)


@dataclasses.dataclass
class Record:
    """A service. What values lacks is not told; its keys are FIELDS."""

    name: str
    state: int = UNKNOWN
    reason: str = ""
    without4: bool = False
    without6: bool = False
    values: dict = dataclasses.field(default_factory=dict)
    announced: object = None  # Announcement

    def encode(self):
        present = sum(1 << bit for bit, field in enumerate(FIELDS) if field in self.values)
        if self.announced:
            present |= ANNOUNCEMENT
        body = bytes([self.state, (1 if self.without4 else 0) | (2 if self.without6 else 0)]) + struct.pack(">H", present)
        body += text(self.name) + text(self.reason, MAX_TEXT)
        for field in FIELDS:
            if field in self.values:
                value = self.values[field]
                most = MAX_AGE_MS * 1000 if field.endswith("_us") else MAX_AGE_MS if field.endswith("_ms") else value
                body += varint(min(value, most))
        if self.announced:
            body += self.announced.encode()
        return struct.pack(">H", len(body)) + body

    @classmethod
    def decode(cls, c):
        c = Cursor(c.take(c.number(2)), c.what)
        state, flags, present = c.number(1), c.number(1), c.number(2)
        name, reason = c.name(1), c.text(MAX_TEXT)
        values = {field: c.varint() for bit, field in enumerate(FIELDS) if present & 1 << bit}
        for bound in (LOAD_BOUND, EVIDENCE_BOUND):  # in Changes only
            if present & bound:
                c.varint()
        announced = Announcement.decode(c) if present & ANNOUNCEMENT else None
        return cls(name, state if state <= DRAINING else UNKNOWN, reason, bool(flags & 1), bool(flags & 2), values, announced)


@dataclasses.dataclass
class Services:
    """One part of a full set."""

    origin: str
    incarnation: int
    set: int
    records: list
    age_ms: int = 0
    part: int = 0

    def encode(self):
        head = struct.pack(">QQIHBBI", self.incarnation, self.set, self.age_ms, self.part, 0, 0, len(self.records))
        return head + text(self.origin) + b"".join(r.encode() for r in self.records)

    @classmethod
    def decode(cls, payload):
        c = Cursor(payload, "Services")
        incarnation, number, age, part, _, _, count = struct.unpack(">QQIHBBI", c.take(28))
        origin = c.name()
        if count > MAX_SERVICES:
            raise Refused("oversize", f"Services: {count} records")
        records = [Record.decode(c) for _ in range(count)]
        if c.left():
            raise Refused("malformed", f"Services: {c.left()} bytes follow the last record")
        return cls(origin, incarnation, number, records, age, part)


def parts(records):
    """Cuts records into lists that each fit into a frame; there is at least one."""
    out, size = [[]], 0
    for record in records:
        if size > PART:
            out.append([])
            size = 0
        out[-1].append(record)
        size += len(record.encode())
    return out
