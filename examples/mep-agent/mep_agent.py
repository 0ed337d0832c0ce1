#!/usr/bin/env python3
"""A site without Fairlead: tells its parents over MEP, as docs/mep-protocol.md says, the state and load of services that it reads from
HAProxy, from NGINX, or by connecting. See README.md."""

import argparse
import asyncio
import configparser
import ipaddress
import itertools
import logging
import random
import re
import signal
import ssl
import sys
import time

import mep
import sources

log = logging.getLogger("mep-agent")

ALPN = "fairlead-mep/1"
HANDSHAKE = 5.0  # seconds until Hello
FAREWELL = 1.0
MOST_HANDSHAKES = 16
SET_GAP = 0.1  # least seconds between two sets
FRAME_RATE, FRAME_BURST = 1000, 2000
BACKOFF_FIRST, BACKOFF_MOST = 0.25, 5.0
PURPOSE, SERVER_AUTH, CLIENT_AUTH = (bytes.fromhex(h) for h in ("0603551d25", "06082b06010505070301", "06082b06010505070302"))


class Parent:
    """A site that this one may report to."""

    def __init__(self, site, address, dial):
        self.site, self.address, self.dial = site, address, dial
        self.session = None
        self.since = 0.0  # of the session
        self.left = False  # it announced that it stops


class Choice:
    """Which parent this site reports to. It has no clock."""

    def __init__(self, parents, timeout, back, now):
        self.parents, self.timeout, self.back = parents, timeout, back
        self.current, self.lost = parents[0], now

    def decide(self, now):
        """Returns the parent to change to; None: there is no reason."""
        current = self.current
        if current.session:
            self.lost = None
            better = self.parents[:self.parents.index(current)]
            return next((p for p in better if p.session and now - p.since >= self.back), None)
        if self.lost is None:
            self.lost = now
        if not current.left and now - self.lost < self.timeout:
            return None
        return next((p for p in self.parents if p.session), None)

    def change(self, to):
        self.current, self.lost = to, None


class Session:
    """A connection to a parent, from Hello on."""

    def __init__(self, agent, reader, writer):
        self.agent, self.reader, self.writer = agent, reader, writer
        self.parent, self.hello, self.own, self.identity = None, None, None, None
        self.sent = self.heard = 0  # sequences
        self.heard_at = time.monotonic()
        self.stamp, self.stamp_at = 0, 0.0  # of the last KeepAlive
        self.frames, self.frames_at = FRAME_BURST, time.monotonic()
        self.sending = asyncio.Lock()
        self.over = False
        self.round_trip = None

    async def send(self, kind, payload, flags=0):
        async with self.sending:
            if self.over:
                raise ConnectionError("the session is over")
            self.sent += 1
            self.writer.write(mep.frame(kind, flags, self.sent, payload))
            await asyncio.wait_for(self.writer.drain(), self.agent.keepalive)

    async def read(self, limit=mep.MAX_PAYLOAD):
        """Returns type, flags and payload of the next frame."""
        length, kind, flags, sequence = mep.parse_header(await self.reader.readexactly(mep.HEADER))
        if sequence != self.heard + 1:
            raise mep.Refused("sequence", f"{sequence} follows {self.heard}")
        if length > limit:
            raise mep.Refused("oversize", f"a frame of {length} bytes")
        payload = await self.reader.readexactly(length)
        now = time.monotonic()
        self.frames = min(FRAME_BURST, self.frames + (now - self.frames_at) * FRAME_RATE) - 1
        self.heard, self.heard_at, self.frames_at = sequence, now, now
        if self.frames < 0:
            raise mep.Refused("flood", "too many frames")
        return kind, flags, payload

    async def greet(self, parent, dialled_by_us):
        """Exchanges Hellos. parent is the site that was proved, or dialled; None: Hello tells."""
        if dialled_by_us:
            await self.say_hello()
        kind, _, payload = await self.read(mep.MAX_HELLO)
        if kind == mep.LEAVING:
            raise ConnectionError(f"refused: {mep.Leaving.decode(payload).text}")
        if kind != mep.HELLO:
            raise mep.Refused("malformed", f"the first frame has type {kind}")
        self.hello = mep.Hello.decode(payload)
        self.parent = parent or self.agent.by_name.get(self.hello.site)
        if self.parent is None:
            raise mep.Refused("unknown-site", f"site {self.hello.site} is none of the parents")
        if self.parent.site != self.hello.site:
            raise mep.Refused("wrong-site", f"Hello is of {self.hello.site}, the certificate of {self.parent.site}")
        self.agent.hello().agree(self.hello)
        if not dialled_by_us:
            await self.say_hello()
        ends = sorted((h.site.encode(), h.incarnation, h.connection) for h in (self.own, self.hello))
        self.identity = (ends[0][1], ends[1][1], ends[0][2], ends[1][2])

    async def say_hello(self):
        self.own = self.agent.hello()
        await self.send(mep.HELLO, self.own.encode())

    async def run(self):
        """Hears the parent until the session ends, and keeps it alive."""
        beat = asyncio.ensure_future(self.beat())
        try:
            while True:
                wait = self.agent.keepalive - (time.monotonic() - self.heard_at)
                kind, flags, payload = await asyncio.wait_for(self.read(), max(0.001, wait))
                if not self.handle(kind, payload):
                    return
        finally:
            beat.cancel()

    def handle(self, kind, payload):
        if kind == mep.HELLO:
            raise mep.Refused("malformed", "a second Hello")
        if kind == mep.KEEPALIVE:
            k = mep.KeepAlive.decode(payload)
            if k.heard > self.sent:
                raise mep.Refused("malformed", "KeepAlive: heard is above what was sent")
            now = time.monotonic_ns()
            if k.echo:
                self.round_trip = max(0, now - k.echo - k.held)
            if k.silence_ms >= self.agent.keepalive * 1000:
                raise ConnectionError("frames pass one way only")
            self.stamp, self.stamp_at = k.stamp, now
        if kind == mep.LEAVING and self.parent.session is self:
            leaving = mep.Leaving.decode(payload)
            self.parent.left = leaving.reason == mep.STOPPING
            log.info("parent %s leaves: %s", self.parent.site, leaving.text or leaving.reason)
        return kind != mep.LEAVING

    async def beat(self):
        """Sends KeepAlive four times within the shorter timeout."""
        pause = max(0.1, min(self.agent.keepalive, self.hello.keepalive_timeout_ms / 1000) / 4)
        try:
            while not self.over:
                now = time.monotonic_ns()
                await self.send(mep.KEEPALIVE, mep.KeepAlive(
                    now, time.time_ns(), self.stamp, now - self.stamp_at if self.stamp else 0, self.heard,
                    int((time.monotonic() - self.heard_at) * 1000)).encode())
                await asyncio.sleep(pause)
        except (OSError, asyncio.TimeoutError) as e:
            self.abort(f"cannot be written to: {e}")

    async def leave(self, reason, words=""):
        """Says goodbye as far as the connection still carries it."""
        try:
            await asyncio.wait_for(self.send(mep.LEAVING, mep.Leaving(reason, words).encode()), FAREWELL)
        except (OSError, asyncio.TimeoutError):
            pass
        self.over = True

    def close(self, why):
        """Closes the connection when what was sent has gone out, or a second later."""
        self.writer.close()
        asyncio.get_running_loop().call_later(FAREWELL, self.abort, why)

    def abort(self, why):
        log.debug("closing %s: %s", self.parent.site if self.parent else "?", why)
        self.over = True
        self.writer.transport.abort()


class Agent:
    """The site. Made by main, run once."""

    def __init__(self, settings):
        s = settings["site"]
        self.site, self.node = s["name"], s.get("node", "mep-agent")
        if not mep.valid_name(self.site.encode()):
            raise ValueError(f"{self.site!r} is not a name")
        self.listen, self.insecure = s.get("listen", ""), s.getboolean("insecure", False)
        self.interval, self.keepalive = s.getfloat("metrics_interval", 1.0), s.getfloat("keepalive_timeout", 10.0)
        if not 0.1 <= self.interval <= self.keepalive / 3:
            raise ValueError("metrics_interval is at least 0.1, and keepalive_timeout at least three of them")
        self.certificate = [s.get(key, "") for key in ("certificate", "key", "authority")]
        self.incarnation, self.connections = time.time_ns(), itertools.count(1)
        self.changed, self.turned, self.handshakes = asyncio.Event(), asyncio.Event(), 0
        self.services = [service(settings[name], name.split(None, 1)[1], self.changed.set)
                         for name in settings.sections() if name.startswith("service ")]
        parents = [Parent(name.split(None, 1)[1], settings[name]["address"], settings[name].getboolean("dial", False))
                   for name in settings.sections() if name.startswith("parent ")]
        if not parents:
            raise ValueError("there is no [parent NAME]")
        self.by_name = {p.site: p for p in parents}
        self.choice = Choice(parents, s.getfloat("parent_timeout", 10.0), s.getfloat("parent_return", 60.0), time.monotonic())
        self.set = 0
        self.stopping = False

    def hello(self):
        return mep.Hello(self.site, self.node, incarnation=self.incarnation, connection=next(self.connections), clock=time.time_ns(),
                         metrics_interval_ms=int(self.interval * 1000), keepalive_timeout_ms=int(self.keepalive * 1000))

    def tls(self, server):
        """TLS 1.3 with both certificates. What dials has a context for each connection, so that renewed files count."""
        if self.insecure:
            return None
        certificate, key, authority = self.certificate
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # the URI name is what counts
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
        context.set_alpn_protocols([ALPN])
        if server:
            context.num_tickets = 0
        return context

    def proved(self, writer):
        """The parent that the other end's certificate proves; None when there is no TLS."""
        secure = writer.get_extra_info("ssl_object")
        if secure is None:
            return None
        if secure.selected_alpn_protocol() != ALPN:
            raise mep.Refused("tls", f"the other end does not speak {ALPN}")
        site = proven_site(secure.getpeercert(), secure.getpeercert(binary_form=True))
        if site not in self.by_name:
            raise mep.Refused("unknown-site", f"site {site} is none of the parents")
        return self.by_name[site]

    async def run(self):
        tasks = [asyncio.ensure_future(s.follow(self.interval)) for s in self.services]
        tasks += [asyncio.ensure_future(self.dialling(p)) for p in self.by_name.values() if p.dial]
        tasks += [asyncio.ensure_future(self.telling()), asyncio.ensure_future(self.choosing())]
        server = None
        if self.listen:
            host, _, port = self.listen.rpartition(":")
            server = await asyncio.start_server(self.accept, host.strip("[]"), int(port), ssl=self.tls(True),
                                                **({} if self.insecure else {"ssl_handshake_timeout": HANDSHAKE}))
            log.info("listening on %s", server.sockets[0].getsockname())
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        ended = asyncio.ensure_future(stop.wait())
        done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        await self.stop()
        if server:
            server.close()
        for task in tasks:
            task.cancel()
        for task in done - {ended}:
            task.result()  # one that ended by itself failed

    async def stop(self):
        """Tells all parents that this site stops, and waits until they have closed, a second at most."""
        self.stopping = True
        sessions = [p.session for p in self.by_name.values() if p.session]
        await asyncio.gather(*(s.leave(mep.STOPPING, "stopped") for s in sessions))
        until = time.monotonic() + FAREWELL
        while time.monotonic() < until and any(p.session for p in self.by_name.values()):
            await asyncio.sleep(0.01)

    async def accept(self, reader, writer):
        if self.handshakes >= MOST_HANDSHAKES or self.stopping:
            writer.transport.abort()
            return
        self.handshakes += 1
        await self.serve(None, reader, writer)

    async def dialling(self, parent):
        wait = BACKOFF_FIRST
        while True:
            if parent.session is None and not self.stopping:
                began = time.monotonic()
                try:
                    host, _, port = parent.address.rpartition(":")
                    context = self.tls(False)
                    reader, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port), ssl=context), HANDSHAKE)
                    self.handshakes += 1
                    await self.serve(parent, reader, writer)
                except (OSError, ValueError, asyncio.TimeoutError) as e:
                    log.debug("dialling %s: %s", parent.site, e or type(e).__name__)
                if time.monotonic() - began >= self.keepalive:
                    wait = BACKOFF_FIRST
            await asyncio.sleep(wait * random.uniform(0.5, 1))
            wait = min(2 * wait, BACKOFF_MOST)

    async def serve(self, dialled, reader, writer):
        """One connection, until it ends. Whatever the other end sends, only that connection suffers."""
        session, why = Session(self, reader, writer), "it ended"
        greeting, close = True, session.abort
        try:
            proved = self.proved(writer)
            if dialled and proved and proved is not dialled:
                raise mep.Refused("wrong-site", f"{dialled.site} was dialled, and {proved.site} answered")
            await asyncio.wait_for(session.greet(proved or dialled, dialled is not None), HANDSHAKE)
            self.handshakes, greeting = self.handshakes - 1, False
            self.begin(session)
            await session.send(mep.ATTACH, mep.Attach(session.parent is self.choice.current).encode())
            self.turned.set()
            self.changed.set()
            await session.run()
        except mep.Refused as e:
            why = str(e)
            log.warning("refused %s: %s", writer.get_extra_info("peername"), e)
            await session.leave(mep.REFUSED, str(e))
            close = session.close
        except asyncio.TimeoutError:
            why = "nothing came in time"
        except (OSError, EOFError) as e:
            why = str(e) or type(e).__name__
        finally:
            self.handshakes -= greeting
            self.end(session, why)
            close(why)

    def begin(self, session):
        """Makes a session the parent's, unless that has a better one."""
        parent, old = session.parent, session.parent.session
        if old:
            if old.identity > session.identity:
                word = "duplicate" if old.hello.incarnation > session.hello.incarnation else "busy"
                raise mep.Refused(word, "there is a newer connection")
            asyncio.get_running_loop().call_later(FAREWELL, old.abort, "replaced")
            old.over = True
        else:
            parent.since = time.monotonic()
        parent.session, parent.left = session, False
        log.info("session with %s, version %d", parent.site, self.hello().agree(session.hello))

    def end(self, session, why):
        parent = session.parent
        if parent and parent.session is session:
            parent.session = None
            log.info("session with %s ended: %s", parent.site, why)
            self.turned.set()

    async def choosing(self):
        while True:
            to = None if self.stopping else self.choice.decide(time.monotonic())
            if to and to is not self.choice.current:
                before = self.choice.current
                self.choice.change(to)
                log.info("reporting to %s instead of %s", to.site, before.site)
                for parent in (before, to):
                    await self.try_send(parent.session, mep.ATTACH, mep.Attach(parent is to).encode())
                self.changed.set()
            self.turned.clear()
            try:
                await asyncio.wait_for(self.turned.wait(), 0.2)
            except asyncio.TimeoutError:
                pass

    async def telling(self):
        """Sends a set every interval, and at once after a change."""
        while True:
            began = time.monotonic()
            self.changed.clear()
            session = self.choice.current.session
            if session and not session.over and not self.stopping:
                await self.tell(session)
            await asyncio.sleep(SET_GAP)
            try:
                await asyncio.wait_for(self.changed.wait(), max(0.001, self.interval - (time.monotonic() - began)))
            except asyncio.TimeoutError:
                pass

    async def tell(self, session):
        self.set += 1
        now = time.monotonic()
        parts = mep.parts([s.record(now) for s in self.services])
        for number, records in enumerate(parts):
            age = int((time.monotonic() - now) * 1000)
            payload = mep.Services(self.site, self.incarnation, self.set, records, age, number).encode()
            if not await self.try_send(session, mep.SERVICES, payload, 0 if number == len(parts) - 1 else mep.MORE):
                return

    async def try_send(self, session, kind, payload, flags=0):
        try:
            if session is None or session.over:
                return False
            await session.send(kind, payload, flags)
            return True
        except (OSError, asyncio.TimeoutError) as e:
            session.abort(e)
            return False


def proven_site(certificate, der):
    """The site that a certificate proves."""
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI" and value.lower().startswith("fairlead:")]
    if len(names) != 1 or not (match := re.fullmatch(r"fairlead://site/(.+)", names[0])) or not mep.valid_name(match[1].encode("utf-8", "replace")):
        raise mep.Refused("tls", f"the certificate has not one name fairlead://site/NAME: {names}")
    if PURPOSE in der:
        purposes = der[der.index(PURPOSE):]
        if SERVER_AUTH not in purposes or CLIENT_AUTH not in purposes:
            raise mep.Refused("tls", "the certificate is not good for both ends of a connection")
    return match[1]


def service(section, name, changed):
    """What a section [service NAME] says."""
    if not mep.valid_name(name.encode(), 1):
        raise ValueError(f"{name!r} is not the name of a service")
    kind, check = section.get("source", "tcp"), section.get("check", "")
    if any(section.get(key, "").startswith("https:") for key in ("stats", "status")):
        raise ValueError(f"service {name}: pages are read over http:// only")
    if kind == "haproxy":
        source = sources.HAProxy(section["stats"], check, section["proxy"], section.get("row", "BACKEND"))
    elif kind == "nginx":
        source = sources.NGINX(section["status"], check)
    elif kind == "tcp" and check:
        source = sources.Source("", check)
    else:
        raise ValueError(f"service {name}: source is haproxy, nginx, or tcp with check = HOST:PORT")
    announced = None
    if "label" in section:
        if not mep.valid_name(section["label"].encode()):
            raise ValueError(f"service {name}: {section['label']!r} is not a label")
        addresses = [ipaddress.ip_address(a.strip()) for a in section["addresses"].split(",")]
        four, six = ([a for a in addresses if a.version == v] for v in (4, 6))
        if len(four) > 1 or len(six) > 1:
            raise ValueError(f"service {name}: at most one IPv4 and one IPv6 address")
        announced = mep.Announcement(section["label"], *(a[0] if a else None for a in (four, six)), section.getint("port", 0), section.getint("weight", 1))
    return sources.Service(name, source, section.getint("fall", 2), section.getfloat("timeout", 1.0), announced, changed)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--config", required=True, help="file such as agent.ini")
    arguments.add_argument("--verbose", action="store_true", help="log each attempt to connect")
    options = arguments.parse_args()
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    settings = configparser.ConfigParser(interpolation=None)
    if not settings.read(options.config):
        sys.exit(f"mep-agent: {options.config} cannot be read")

    async def run():
        try:
            agent = Agent(settings)
            agent.tls(True)
        except (KeyError, ValueError, OSError) as e:
            sys.exit(f"mep-agent: {options.config}: {e}")
        await agent.run()

    asyncio.run(run())


if __name__ == "__main__":
    main()
