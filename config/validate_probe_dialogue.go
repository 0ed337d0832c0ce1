package config

import "strings"

// maxDatagram is the most that one UDP datagram carries.
const maxDatagram = 65507

// checkDialogue checks what tcp and udp probes send and expect.
func (c *checker) checkDialogue(m *Monitor, path string) {
	d := m.TCP
	if m.Type == MonitorUDP {
		d = m.UDP
	} else if m.Type != MonitorTCP {
		return
	}
	path += "/" + string(m.Type)
	if d == nil {
		if m.Type == MonitorUDP {
			c.problem(path, codeProbe, "add udp: {send: …} with what the service answers", "UDP answers nothing unless it is asked")
		}
		return
	}
	if d.Send != "" && d.SendHex != "" {
		c.problem(path+"/send_hex", codeProbe, "remove one of them", "send and send_hex say twice what is sent")
	}
	if d.Expect != "" && d.ExpectHex != "" {
		c.problem(path+"/expect_hex", codeProbe, "remove one of them", "expect and expect_hex say twice what is expected")
	}
	c.checkProbeText(path+"/send", d.Send)
	c.checkProbeText(path+"/expect", d.Expect)
	c.checkHex(path+"/send_hex", d.SendHex)
	c.checkHex(path+"/expect_hex", d.ExpectHex)
	c.checkRegexp(path+"/expect_regexp", d.ExpectRegexp)
	if m.Type == MonitorTCP {
		c.noEffectIn(m, path, "silent")
		return
	}
	if d.Send == "" && d.SendHex == "" {
		c.problem(path, codeProbe, "add send: or send_hex:", "UDP answers nothing unless it is asked")
	}
	if octets, err := ParseHex(d.SendHex); len(d.Send) > maxDatagram || err == nil && len(octets) > maxDatagram {
		c.problem(path+"/send", codeProbe, "", "a datagram has at most %d bytes", maxDatagram)
	}
}

// noEffectIn warns of a key in a section that this type makes no use of.
func (c *checker) noEffectIn(m *Monitor, path, key string) {
	if c.page.present(path + "/" + key) {
		c.problem(path+"/"+key, codeWarnNoEffect, "remove it", "%s has no effect on %s monitors", key, m.Type)
	}
}

// checkDrainKinds warns of answers to drain on that a type does not have.
func (c *checker) checkDrainKinds(m *Monitor, path string) {
	if m.DrainOn == nil || m.Type == "" {
		return
	}
	switch m.Type {
	case MonitorHTTP, MonitorHTTPS, MonitorSIP, MonitorSMTP, MonitorFTP, MonitorCalculated, MonitorPassive:
	default:
		c.noEffectIn(m, path+"/drain_on", "status")
	}
	switch m.Type {
	case MonitorPing, MonitorTLS, MonitorDNS:
		c.noEffectIn(m, path+"/drain_on", "text")
	case MonitorTCP:
		if d := m.TCP; d == nil || strings.Join([]string{d.Send, d.SendHex, d.Expect, d.ExpectHex, d.ExpectRegexp}, "") == "" {
			c.noEffectIn(m, path+"/drain_on", "text")
		}
	}
}
