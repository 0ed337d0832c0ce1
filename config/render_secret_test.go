package config

import (
	"strings"
	"testing"
)

func TestSecretsAreNotShown(t *testing.T) {
	const value = "hunter2"
	begin := "sites: [{name: fra, address: 192.0.2.1}]\nmonitors:\n"
	for name, monitor := range map[string]string{
		"in the document":           "  - name: m1\n    type: redis\n    login:\n      user: bob\n      password: hunter2\n",
		"in one line":               "  - {name: m1, type: redis, login: {user: bob, password: hunter2}}\n",
		"in quotes":                 "  - {name: m1, type: redis, login: {user: bob, 'password': \"hunter2\"}}\n",
		"with a comma":              "  - {name: m1, type: redis, login: {password: 'a, hunter2', user: bob}}\n",
		"another key is wrong":      "  - {name: m1, type: redis, login: {usr: bob, password: hunter2}}\n",
		"quotes that are open":      "  - name: m1\n    type: redis\n    login:\n      password: \"hunter2\n",
		"a key that is not known":   "  - {name: m1, type: redis, login: {user: bob, passwd: hunter2}}\n",
		"with a tag":                "  - {name: m1, type: redis, login: {user: bob, password: !secret hunter2}}\n",
		"a list":                    "  - {name: m1, type: redis, login: {user: bob, password: [hunter2]}}\n",
		"a community":               "  - {name: m1, type: snmp, snmp: {community: hunter2}}\n",
		"a number":                  "  - {name: m1, type: redis, login: {user: bob, password: 7702}}\n",
		"a truth value":             "  - {name: m1, type: redis, login: {user: bob, password: true}}\n",
		"two of them, one is right": "  - {name: m1, type: snmp, snmp: {version: 3, user: u, auth_password: 'env:A', privacy_password: hunter2}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, report := parseText(begin + monitor)
			if report.Errors() == 0 {
				t.Fatal("no problem is found")
			}
			for what, text := range map[string]string{"rendered": rendered(t, report), "as an error": report.Err().Error()} {
				for _, secret := range []string{value, "7702", "true"} {
					if strings.Contains(text, secret) {
						t.Errorf("%s, it has %q in it:\n%s", what, secret, text)
					}
				}
			}
			for _, p := range report.Problems() {
				if strings.Contains(p.Message+p.Hint, value) || strings.Contains(p.Message+p.Hint, "7702") {
					t.Errorf("the problem has the secret in it: %+v", p)
				}
			}
		})
	}
}

func TestWithoutSecrets(t *testing.T) {
	for line, want := range map[string]string{
		"  password: hunter2":                              "  password: ***",
		"  password:":                                      "  password:",
		"  password: # comes later":                        "  password: # comes later",
		"  - {password: , user: bob}":                      "  - {password: , user: bob}",
		"  password: file:/etc/fairlead/secrets/db":        "  password: file:/etc/fairlead/secrets/db",
		"  password: \"env:DB\"":                           "  password: \"env:DB\"",
		"  - {token: env:A, community: public, port: 161}": "  - {token: env:A, community: ***",
		"  url: http://bob:hunter2@192.0.2.1:80/stats@x":   "  url: http://***********@192.0.2.1:80/stats@x",
		"  url: http://192.0.2.1/a@b":                      "  url: http://192.0.2.1/a@b",
		"www TXT \"the password: none\"":                   "www TXT \"the password: none\"",
	} {
		if got := withoutSecrets(line); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// TestEndpointSecretsAreNotShown: nobody is shown the user that somebody has written into the address of a member of etcd, however that is written.
func TestEndpointSecretsAreNotShown(t *testing.T) {
	for name, endpoints := range map[string]string{
		"a url":                      `["https://root:hunter2@etcd1.example.com:2379"]`,
		"no scheme":                  `["root:hunter2@etcd1.example.com:2379"]`,
		"a password with a slash":    `["https://root:hun/hunter2@etcd1.example.com:2379"]`,
		"a password with an at sign": `["https://root:hun@hunter2@etcd1.example.com:2379"]`,
		"unquoted, among others":     `[https://root:hunter2@etcd1.example.com:2379, http://etcd2.example.com:2379]`,
		"on a line of its own":       "\n        - https://root:hunter2@etcd1.example.com:2379",
	} {
		t.Run(name, func(t *testing.T) {
			report := &Report{}
			parseNode("node.yaml", []byte("site: ams\nconfig:\n  store:\n    etcd:\n      endpoints: "+endpoints+"\n"), report)
			text := rendered(t, report)
			if !strings.Contains(text, "is not the URL of a member of etcd") || !strings.Contains(text, "*@etcd1.example.com") {
				t.Fatalf("the address is not refused, or its host not shown:\n%s", text)
			}
			if strings.Contains(text, "hunter2") || strings.Contains(report.Err().Error(), "hunter2") {
				t.Errorf("the password is shown:\n%s", text)
			}
		})
	}
}
