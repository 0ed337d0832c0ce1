package demo

import (
	"bytes"
	"fmt"
	"net"
	"strings"
)

// playedClient is the client that the first screen invites to play: somebody in New York.
const playedClient = "198.51.100.0/24"

// defaultCommand is how the program is called from its source.
const defaultCommand = "go run ./cmd/fairlead"

// screen is the first thing people see: where everything is and what to type next, at most 24 lines.
func screen(w *world, command string, tellsStory bool) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Fairlead demo: two sites on this machine, %d simulated web servers. Not for production. Ctrl-C stops it.\n\n", len(w.servers))
	fmt.Fprintf(&b, "  %-5s %-16s %-16s %-16s %s\n", "site", "DNS", "API", "MEP", "web servers")
	for _, s := range w.sites {
		fmt.Fprintf(&b, "  %-5s %-16s %-16s %-16s %s\n", s.Name, s.DNS, s.API, s.MEP, serversOf(w, s))
	}
	ams := w.sites[0]
	host, port, _ := net.SplitHostPort(ams.DNS) // it was made by JoinHostPort
	answered := w.server("nyc-1")
	fmt.Fprintf(&b, `
  www  nearest site          api  fewest connections    app  in turn, by weight
  hash by client network     dr   ams, else nyc         all  three addresses           (all in demo.test)

Try, in another terminal:
  %[1]s query www.demo.test @%[2]s --subnet %[3]s
  dig @%[4]s -p %[5]s www.demo.test +subnet=%[3]s +short    # the same, if dig is installed
  %[1]s explain www.demo.test --subnet %[3]s --api %[6]s
  %[1]s status --api %[6]s
  curl -s http://%[7]s/    # %[8]s
`, command, ams.DNS, playedClient, host, port, ams.API, answered.listener.Addr(), curlNote(w, answered))
	if tellsStory {
		fmt.Fprint(&b, "\nA story begins: a server fails after 20 s, the sites lose each other after 40 s, all heals after 60 s.\n")
	} else {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "For two real sites: %s demo --write DIR\n\n", command)
	return b.String()
}

// serversOf describes a site's web servers as the site sees them.
func serversOf(w *world, s *site) string {
	var own []string
	for _, server := range w.servers {
		if server.Site == s.Name {
			own = append(own, server.Address.Addr().String())
		}
	}
	up := s.believed().up(w.document, s.Name)
	return fmt.Sprintf("%d of %d up: %s to %s", up, len(own), own[0], own[len(own)-1][strings.LastIndexByte(own[len(own)-1], '.'):])
}

func curlNote(w *world, s *webServer) string {
	if w.shared {
		return fmt.Sprintf("%s, answered as %s: this system has only 127.0.0.1", s.Name, s.Address.Addr())
	}
	return "one of the servers that www leads to"
}
