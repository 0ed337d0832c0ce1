package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// Limits of what a Redis server may answer. Only replies of one line and bulk strings are asked for.
const (
	maxRedisLine = 4 << 10
	maxRedisBulk = 64 << 10
)

// redisPort is Redis's own; with TLS there is no other.
const redisPort = 6379

// askRedis logs in when the monitor has a login, sends PING, and asks for the role when one is wanted.
func (x *exchange) askRedis() error {
	user, password, err := x.login()
	if err != nil {
		return err
	}
	conn, err := x.open(redisPort, redisPort)
	if err != nil {
		return err
	}
	r := &redisTalk{x: x, w: conn, in: bufio.NewReaderSize(conn, maxRedisLine)}
	if x.monitor.Login != nil {
		words := []string{"AUTH", user, password}
		if user == "" {
			words = []string{"AUTH", password}
		}
		if reply, err := r.ask(loggingIn, words...); err != nil || x.drain {
			return err
		} else if reply != "OK" {
			return unlike("AUTH was answered with %s", reason.Quote(x.veiled(reply)))
		}
		x.step("login", user)
	}
	reply, err := r.ask(reason.Answer, "PING")
	if err != nil || x.drain {
		return err
	}
	if reply != "PONG" {
		return unlike("PING was answered with %s", reason.Quote(x.veiled(reply)))
	}
	x.passes("PONG")
	want := config.SectionOf(x.monitor.Redis).Role
	if want == config.RedisAny || want == "" {
		return nil
	}
	reply, err = r.ask(reason.AnswerTo("INFO"), "INFO", "replication")
	if err != nil || x.drain {
		return err
	}
	x.step("role", "")
	return x.redisRole(parseRedisInfo(reply), want)
}

// redisRole judges the section "replication" of INFO.
func (x *exchange) redisRole(info map[string]string, want config.RedisRole) error {
	role, link := config.RedisRole(info["role"]), info["master_link_status"]
	if role == "slave" {
		role = config.RedisReplica
	}
	for _, key := range redisValues {
		if v, err := strconv.ParseFloat(info[key], 64); err == nil {
			x.value(Value{Name: key, Value: v})
		}
	}
	switch {
	case role == "":
		return unlike("INFO replication names no role")
	case role != want:
		return unlike("role %s, want %s", reason.Quote(x.veiled(string(role))), want)
	case role == config.RedisReplica && link != "up":
		return unlike("replica whose link to its master is %s", reason.Quote(x.veiled(link)))
	}
	x.passes("%s", role)
	return nil
}

// redisValues are the numbers of INFO that a result notes.
var redisValues = [...]string{"connected_slaves", "master_last_io_seconds_ago", "master_repl_offset"}

// redisTalk sends commands and reads their replies (RESP2).
type redisTalk struct {
	x  *exchange
	w  io.Writer
	in *bufio.Reader
}

// ask returns the reply to a command. One that is an error is a mismatch with what the server said: LOADING, MASTERDOWN, NOAUTH.
func (r *redisTalk) ask(stage reason.Stage, words ...string) (string, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := r.w.Write(b.Bytes()); err != nil {
		return "", reason.During(stage, err)
	}
	if _, err := r.in.Peek(1); err != nil {
		return "", reason.During(stage, err)
	}
	r.x.answered()
	reply, failed, err := readRedisReply(r.in)
	if e, ok := errors.AsType[notRedis](err); ok {
		err = notRedis(r.x.veiled(string(e)))
	}
	switch {
	case err != nil:
		return "", reason.During(stage, err)
	case r.x.text([]byte(reply)):
		return "", nil
	case failed:
		return "", unlike("server says %s", r.x.veiled(reply))
	}
	return reply, nil
}

// notRedis is an answer that is none of Redis's, which may repeat what it answers.
type notRedis string

func (e notRedis) Error() string { return "answer is not Redis's: " + reason.Quote(string(e)) }

// readRedisReply reads a simple string, an integer, a bulk string or an error. A null is empty.
func readRedisReply(in *bufio.Reader) (text string, failed bool, err error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", false, fmt.Errorf("line above %d KiB", maxRedisLine>>10)
	}
	if err != nil {
		return "", false, err
	}
	kind, rest := line[0], ""
	if len(line) >= 3 && line[len(line)-2] == '\r' {
		rest = string(line[1 : len(line)-2])
	} else {
		return "", false, notRedis(line)
	}
	switch kind {
	case '+', ':':
		return rest, false, nil
	case '-':
		return rest, true, nil
	case '$':
		text, err = readRedisBulk(in, rest)
		return text, false, err
	}
	return "", false, notRedis(string(kind) + rest)
}

func readRedisBulk(in io.Reader, length string) (string, error) {
	n, err := strconv.Atoi(length)
	switch {
	case err != nil || n < -1:
		return "", fmt.Errorf("answer is not Redis's: length %s", reason.Quote(length))
	case n == -1:
		return "", nil
	case n > maxRedisBulk:
		return "", fmt.Errorf("answer of %d bytes, above %d KiB", n, maxRedisBulk>>10)
	}
	body := make([]byte, n+2)
	if _, err := io.ReadFull(in, body); err != nil {
		return "", err
	}
	if body[n] != '\r' || body[n+1] != '\n' {
		return "", errors.New("answer is not Redis's: no line end after a string")
	}
	return string(body[:n]), nil
}

// parseRedisInfo reads lines of "key:value"; the first of a key counts.
func parseRedisInfo(text string) map[string]string {
	out := make(map[string]string)
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if _, twice := out[key]; ok && !twice {
			out[key] = value
		}
	}
	return out
}
