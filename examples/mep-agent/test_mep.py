"""python3 -m unittest: frames, the examples of docs/mep-protocol.md, sources, the choice of a parent, and sessions with bad peers."""

import asyncio
import configparser
import ipaddress
import pathlib
import random
import re
import unittest

import mep
import mep_agent
import sources

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "mep-protocol.md"
KINDS = {mep.HELLO: mep.Hello, mep.KEEPALIVE: mep.KeepAlive, mep.LEAVING: mep.Leaving, mep.SERVICES: mep.Services, mep.ATTACH: mep.Attach}


def examples():
    """The frames of the page, by their titles."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^#### Example: (.+)\n+```\n([0-9a-f\s]+)```\n+((?:\|.*\n)+)", text, re.M)
    for title, octets, table in found:
        rows = [tuple(cell.strip() for cell in line.strip("| ").split("|")) for line in table.splitlines()[2:]]
        yield title, bytes.fromhex("".join(octets.split())), {row[0]: row[1].strip("`") for row in rows}


def rows(kind, frame):
    """What the page's table says of a frame, as far as this program knows it."""
    if kind == mep.HELLO:
        return {"site": frame.site, "node": frame.node, "version_min": frame.version_min, "version_max": frame.version_max, "role": frame.role,
                "incarnation": frame.incarnation, "connection": frame.connection, "clock": frame.clock, "digest": frame.digest.hex(),
                "metrics_interval_ms": frame.metrics_interval_ms, "keepalive_timeout_ms": frame.keepalive_timeout_ms}
    if kind == mep.KEEPALIVE:
        return {"stamp": frame.stamp, "clock": frame.clock, "echo": frame.echo, "held": frame.held, "heard": frame.heard,
                "silence_ms": frame.silence_ms, "digest": frame.digest.hex()}
    if kind == mep.LEAVING:
        return {"reason": frame.reason, "text": frame.text}
    if kind == mep.ATTACH:
        return {"here": int(frame.here)}
    out = {"origin": frame.origin, "incarnation": frame.incarnation, "set": frame.set, "age_ms": frame.age_ms, "part": frame.part, "records": len(frame.records)}
    for i, r in enumerate(frame.records):
        at = f"records[{i}]."
        out.update({at + "name": r.name, at + "state": mep.STATES[r.state], at + "reason": r.reason, at + "without4": int(r.without4), at + "without6": int(r.without6)})
        out.update({at + key: value for key, value in r.values.items()})
        if r.announced:
            a = r.announced
            out.update({at + "label": a.label, at + "ipv4": a.ipv4 or "", at + "ipv6": a.ipv6 or "", at + "port": a.port, at + "weight": a.weight})
    return out


class Examples(unittest.TestCase):
    def test_page(self):
        seen = set()
        for title, octets, table in examples():
            with self.subTest(title):
                length, kind, flags, sequence = mep.parse_header(octets[:mep.HEADER])
                payload = octets[mep.HEADER:]
                self.assertEqual(length, len(payload))
                self.assertEqual({"type": str(kind), "flags": str(flags), "sequence": str(sequence)}, {k: table[k] for k in ("type", "flags", "sequence")})
                seen.add(kind)
                if kind in KINDS:
                    frame = KINDS[kind].decode(payload)
                    told = {k: v for k, v in table.items() if k not in ("type", "flags", "sequence")}
                    self.assertEqual({k: str(v) for k, v in rows(kind, frame).items() if str(v)}, told)
                    self.assertEqual(mep.frame(kind, flags, sequence, frame.encode()), octets)
        self.assertEqual(seen, set(range(1, 16)))


class Codec(unittest.TestCase):
    def frames(self):
        announced = mep.Announcement("web", ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("2001:db8::1"), 443, 100)
        values = {field: 10 ** bit for bit, field in enumerate(mep.FIELDS)}
        return [
            mep.Hello("edge", "node é", incarnation=2**64 - 1, connection=7, clock=-5, digest=bytes(range(32))), mep.KeepAlive(9, heard=3, silence_ms=5),
            mep.Leaving(1, "bye"), mep.Attach(True), mep.Attach(False),
            mep.Services("edge", 1, 2, [mep.Record("a", mep.UP, "fine", values=values), mep.Record("g:b", mep.DOWN, without4=True, announced=announced)], 3, 4),
        ]

    def test_round_trip(self):
        for frame in self.frames():
            self.assertEqual(type(frame).decode(frame.encode()), frame)

    def test_garbage(self):
        dice = random.Random(1)
        for frame in self.frames():
            good = frame.encode()
            for size in range(len(good)):
                self.decode(type(frame), good[:size])
            for _ in range(2000):
                bad = bytearray(good)
                for _ in range(dice.randint(1, 4)):
                    bad[dice.randrange(len(bad))] = dice.randrange(256)
                self.decode(type(frame), bytes(bad))

    def decode(self, kind, payload):
        try:
            kind.decode(payload)
        except mep.Refused:
            pass  # and nothing else

    def test_texts_are_made_fit(self):
        self.assertEqual(mep.text("a\nb"), b"\x03a b")
        self.assertEqual(mep.text("é" * 100, 5), b"\x04" + "éé".encode())
        for name, good in ((b"a-_.9", True), (b"", False), (b"a" * 128, False), (b"a b", False), (b"a:b", False)):
            self.assertEqual(mep.valid_name(name), good)

    def test_varints(self):
        for value in (0, 127, 128, 2**32, 2**64 - 1):
            self.assertEqual(mep.Cursor(mep.varint(value), "").varint(), value)
        for bad in (b"\x80", b"\xff" * 9 + b"\x7f", b"\xff" * 11):
            self.assertRaises(mep.Refused, mep.Cursor(bad, "").varint)

    def test_parts(self):
        records = [mep.Record(f"s{i}", reason="x" * 120) for i in range(5000)]
        parts = mep.parts(records)
        self.assertEqual(sum(parts, []), records)
        self.assertTrue(all(len(mep.Services("a", 1, 1, p).encode()) < mep.PART + 1000 for p in parts) and len(parts) > 1)
        self.assertEqual(mep.parts([]), [[]])


class Sources(unittest.TestCase):
    def test_haproxy(self):
        page = "# pxname,svname,scur,status,weight,act,rtime,bin,bout,req_tot,\nweb,FRONTEND,9,OPEN,,,,1,1,1,\nweb,BACKEND,7,UP,30,3,12,100,900,50,\n"
        r = sources.HAProxy("x", proxy="web").parse(page)
        self.assertEqual((r.state, r.load), (mep.UP, {"active_connections": 7, "members_behind": 3, "member_weight": 30, "response_time_us": 12000}))
        for status, state in (("DOWN", mep.DOWN), ("MAINT", mep.DISABLED), ("no check", mep.UP), ("?", mep.UNKNOWN)):
            self.assertEqual(sources.HAProxy("x", proxy="web").parse(page.replace(",UP,", f",{status},")).state, state)
        for bad in ("", "web", "<html>", page.replace("web", "other"), page.replace("BACKEND", "x" * 200_000), page.replace("FRONTEND", "F\rE")):
            self.assertRaises(sources.Unreadable, sources.HAProxy("x", proxy="web").parse, bad)

    def test_nginx(self):
        page = "Active connections: 291 \nserver accepts handled requests\n 16630948 16630948 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n"
        self.assertEqual(sources.NGINX("x").parse(page).load, {"active_connections": 291})
        self.assertRaises(sources.Unreadable, sources.NGINX("x").parse, "<html>")

    def test_rates(self):
        rate = sources.Rate()
        self.assertEqual([rate.add(total, now) for total, now in ((100, 0), (110, 1), (200, 20), (210, 21), (5, 22), (15, 23))], [None, 10, 5, 5, None, 10])

    def test_no_page_is_read_in_the_clear_by_mistake(self):
        for section in ({"source": "nginx", "status": "https://127.0.0.1/status"}, {"source": "haproxy", "stats": "https://127.0.0.1/;csv", "proxy": "web"}):
            self.assertRaisesRegex(ValueError, "http:// only", mep_agent.service, section, "web", None)

    def test_what_fails(self):
        async def look(source, times):
            s = sources.Service("a", source, fall=2, timeout=0.2)
            for _ in range(times):
                await s.look()
            return s.reading.state

        self.assertEqual(asyncio.run(look(sources.Source("", "127.0.0.1:1"), 1)), mep.UNKNOWN)
        self.assertEqual(asyncio.run(look(sources.Source("", "127.0.0.1:1"), 2)), mep.DOWN)
        self.assertEqual(asyncio.run(look(sources.HAProxy("unix:/nowhere/at/all", proxy="a"), 2)), mep.DOWN)


class Choices(unittest.TestCase):
    def test_choice(self):
        a, b = mep_agent.Parent("a", "", False), mep_agent.Parent("b", "", False)
        c = mep_agent.Choice([a, b], 10, 60, 0)
        b.session, b.since = object(), 1
        self.assertIsNone(c.decide(9))
        self.assertIs(c.decide(10), b)
        c.change(b)
        a.session, a.since = object(), 20
        self.assertIsNone(c.decide(79))
        self.assertIs(c.decide(80), a)
        c.change(a)
        a.session = None
        self.assertIsNone(c.decide(90))
        a.left = True
        self.assertIs(c.decide(91), b)
        b.session = None
        self.assertIsNone(c.decide(99))


class Certificates(unittest.TestCase):
    def test_names(self):
        def names(*uris):
            return {"subjectAltName": (("DNS", "elsewhere"), *(("URI", u) for u in uris))}

        both = b"..." + mep_agent.PURPOSE + b"..." + mep_agent.CLIENT_AUTH + mep_agent.SERVER_AUTH
        self.assertEqual(mep_agent.proven_site(names("fairlead://site/ams", "https://example.test"), both), "ams")
        self.assertEqual(mep_agent.proven_site(names("fairlead://site/ams"), b"no purposes"), "ams")
        for bad in ((), ("fairlead://site/ams", "fairlead://site/nyc"), ("fairlead://site/",), ("fairlead://site/a/b",), ("fairlead://node/ams",), ("fairlead://site/a:b",),
                    ("Fairlead://other/x", "fairlead://site/ams"), ("fairlead://site/ams\n",)):
            self.assertRaises(mep.Refused, mep_agent.proven_site, names(*bad), both)
        self.assertRaises(mep.Refused, mep_agent.proven_site, names("fairlead://site/ams"), mep_agent.PURPOSE + mep_agent.CLIENT_AUTH)


class Peers(unittest.TestCase):
    """What a parent sends ends its connection at most."""

    def test_bad_peers(self):
        hello = mep.frame(mep.HELLO, 0, 1, mep.Hello("ams", role=0, incarnation=1, connection=1).encode())
        cases = {
            "garbage": (b"GET / HTTP/1.0\r\n\r\n" * 10, "sequence"), "an unknown site": (hello.replace(b"ams", b"nyc"), "unknown-site"),
            "a long Hello": (mep.frame(mep.HELLO, 0, 1, bytes(5000)), "oversize"), "no Hello": (mep.frame(mep.KEEPALIVE, 0, 1, bytes(44)), "malformed"),
            "a later protocol": (mep.frame(mep.HELLO, 0, 1, mep.Hello("ams", version_min=3, version_max=9).encode()), "version"),
            "a replay": (hello + mep.frame(mep.KEEPALIVE, 0, 1, mep.KeepAlive(1).encode()), "sequence"),
            "a lie": (hello + mep.frame(mep.KEEPALIVE, 0, 2, mep.KeepAlive(1, heard=999).encode()), "malformed"),
            "a long frame": (hello + mep.frame(99, 0, 2, b"")[:3].replace(b"\0", b"\xff") + bytes(13), None),
            "a flood": (hello + b"".join(mep.frame(99, 0, n, b"") for n in range(2, 4000)), "flood"),
        }

        async def run():
            settings = configparser.ConfigParser()
            settings.read_string("[site]\nname=edge\ninsecure=true\n[parent ams]\naddress=127.0.0.1:1\n[service s]\ncheck=127.0.0.1:1\n")
            agent = mep_agent.Agent(settings)
            server = await asyncio.start_server(agent.accept, "127.0.0.1", 0)
            for name, (sent, word) in cases.items():
                with self.subTest(name):
                    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                    writer.write(sent)
                    heard = await asyncio.wait_for(reader.read(), 5)
                    self.assertEqual((agent.handshakes, agent.by_name["ams"].session), (0, None))
                    if word:
                        self.assertIn(word.encode(), heard)
                    writer.close()
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(hello + mep.frame(200, 0xFF, 2, bytes(70_000)) + mep.frame(mep.KEEPALIVE, 0, 3, mep.KeepAlive(5).encode() + b"later"))
            kinds = []
            for _ in range(3):
                length, kind, _, _ = mep.parse_header(await asyncio.wait_for(reader.readexactly(mep.HEADER), 5))
                await reader.readexactly(length)
                kinds.append(kind)
            self.assertEqual(kinds[0], mep.HELLO)
            self.assertEqual(set(kinds[1:]), {mep.ATTACH, mep.KEEPALIVE})
            self.assertIsNotNone(agent.by_name["ams"].session)
            writer.close()
            server.close()
            await asyncio.sleep(0.05)

        mep_agent.log.disabled = True
        asyncio.run(run())


if __name__ == "__main__":
    unittest.main()
