package config

import (
	"strings"
	"unicode/utf8"
)

// maxGRPCService bounds the name of a service: more than any has.
const maxGRPCService = 1024

func (c *checker) checkGRPCProbe(m *Monitor, path string) {
	g := m.GRPC
	if g == nil || m.Type != MonitorGRPC {
		return
	}
	if len(g.Service) > maxGRPCService || !utf8.ValidString(g.Service) || strings.ContainsFunc(g.Service, func(r rune) bool { return r < ' ' }) {
		c.problem(path+"/service", codeProbe, "write shop.v1.Orders", "%s is not the name of a service", quote(g.Service))
	}
	if g.Authority != "" && !validHostHeader(g.Authority) {
		c.problem(path+"/authority", codeProbe, "write shop.example.com or shop.example.com:8443", "%s is not a host", quote(g.Authority))
	}
}
