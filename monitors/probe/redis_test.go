package probe

import (
	"bufio"
	"context"
	"strconv"
	"strings"
	"testing"

	"fairlead/config"
)

func TestRedisAnswers(t *testing.T) {
	login := func(m *config.Monitor) { m.Login = somebody }
	role := func(r config.RedisRole) func(*config.Monitor) {
		return func(m *config.Monitor) { m.Redis = &config.RedisProbe{Role: r} }
	}
	info := func(lines ...string) string {
		text := "# Replication\r\n" + strings.Join(lines, "\r\n") + "\r\n"
		return "+PONG\r\n$" + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n"
	}
	tests := []struct {
		name   string
		with   func(*config.Monitor)
		answer string
		ok     bool
		want   string
	}{
		{"pong", nil, "+PONG\r\n", true, "PONG"},
		{"logged in", login, "+OK\r\n+PONG\r\n", true, "PONG"},
		{"wrong password", login, "-WRONGPASS invalid username-password pair or user is disabled.\r\n", false, "server says WRONGPASS invalid"},
		{"loading", nil, "-LOADING Redis is loading the dataset in memory\r\n", false, "server says LOADING Redis is loading"},
		{"master down", nil, "-MASTERDOWN Link with MASTER is down\r\n", false, "server says MASTERDOWN"},
		{"needs a login", nil, "-NOAUTH Authentication required.\r\n", false, "server says NOAUTH"},
		{"protected", nil, "-DENIED Redis is running in protected mode\r\n", false, "server says DENIED"},
		{"another word", nil, "+HELLO\r\n", false, `PING was answered with "HELLO"`},
		{"not Redis", nil, "HTTP/1.1 400 Bad Request\r\n", false, "answer is not Redis's"},
		{"an array", nil, "*1\r\n+PONG\r\n", false, "answer is not Redis's"},
		{"without a carriage return", nil, "+PONG\n", false, "answer is not Redis's"},
		{"closed", nil, "", false, "connection closed waiting for first byte"},
		{"cut off", nil, "+PON", false, "connection closed"},
		{"endless line", nil, "+" + strings.Repeat("x", 1<<20), false, "line above 4 KiB"},
		{"a string of 2 GiB", nil, "$2147483647\r\n", false, "answer of 2147483647 bytes, above 64 KiB"},
		{"a string of negative length", nil, "$-7\r\n", false, `answer is not Redis's: length "-7"`},
		{"master", role(config.RedisMaster), info("role:master", "connected_slaves:1"), true, "master"},
		{"no master", role(config.RedisMaster), info("role:slave", "master_link_status:up"), false, `role "replica", want master`},
		{"replica", role(config.RedisReplica), info("role:slave", "master_link_status:up", "master_last_io_seconds_ago:3"), true, "replica"},
		{"replica without its master", role(config.RedisReplica), info("role:slave", "master_link_status:down"), false, `replica whose link to its master is "down"`},
		{"the first of two counts", role(config.RedisMaster), info("role:master", "role:slave"), true, "master"},
		{"no role", role(config.RedisMaster), info("redis_version:7"), false, "INFO replication names no role"},
		{"may not ask", role(config.RedisMaster), "+PONG\r\n-NOPERM this user has no permissions to run the 'info' command\r\n", false, "server says NOPERM"},
		{"drains", func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "LOADING"} }, "-LOADING\r\n", true, `answer has "LOADING", which drains`},
		{"turned round", func(m *config.Monitor) { m.Reverse = true }, "-LOADING\r\n", true, "server says LOADING, which passes: reverse"},
		{"turned round, without an answer", func(m *config.Monitor) { m.Reverse = true }, "", false, "connection closed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := serviceMonitor(config.MonitorRedis)
			if tt.with != nil {
				tt.with(&m)
			}
			got := keyring(canned([]byte(tt.answer)), "secret").Probe(context.Background(), target("cache", "192.0.2.1:6379", m))
			if got.OK != tt.ok || !strings.HasPrefix(got.Reason, tt.want) {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
			if tt.name == "replica" && (len(got.Values) != 1 || got.Values[0] != Value{Name: "master_last_io_seconds_ago", Value: 3}) {
				t.Errorf("values %v", got.Values)
			}
		})
	}
}

func FuzzRedis(f *testing.F) {
	f.Add("+PONG\r\n")
	f.Add("$5\r\nhello\r\n")
	f.Add("-ERR x\r\n:7\r\n")
	f.Fuzz(func(t *testing.T, answer string) {
		text, failed, err := readRedisReply(bufio.NewReaderSize(strings.NewReader(answer), maxRedisLine))
		if len(text) > maxRedisBulk || !strings.Contains(answer, text) || failed && answer[0] != '-' || err != nil && text != "" {
			t.Errorf("%q, %v, %v", text, failed, err)
		}
		parseRedisInfo(text)
	})
}
