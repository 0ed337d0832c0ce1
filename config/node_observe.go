package config

import "slices"

// NodeDnstap is where messages are shown by dnstap: exactly one of Socket, TCP and File.
type NodeDnstap struct {
	Socket   string          `json:"socket,omitempty" doc:"Path of a collector's Unix socket."`
	TCP      string          `json:"tcp,omitempty" doc:"Address of a collector, as host:port."`
	File     string          `json:"file,omitempty" doc:"File to write. One that exists is kept, under a name with the time."`
	Messages []DnstapMessage `json:"messages,omitempty" doc:"Which messages: query, response, or both. Absent: response."`
	Identity string          `json:"identity,omitempty" doc:"Name of this server in each message. Absent: nsid, else the site."`
	Queue    int             `json:"queue,omitempty" default:"65536" range:"1024..1048576" doc:"Messages that wait for the collector, of 512 octets each on average; further ones are dropped and counted."`
}

// Wants reports whether messages of a kind are shown.
func (n *NodeDnstap) Wants(m DnstapMessage) bool {
	return slices.Contains(n.Messages, m) || len(n.Messages) == 0 && m == DnstapResponse
}

// NodeQueryLog is a log of a sample of the queries.
type NodeQueryLog struct {
	Sample        float64 `json:"sample,omitempty" range:"0..1" doc:"Share of the queries that is written, chosen by chance. 0: none."`
	File          string  `json:"file,omitempty" doc:"File to append to, a JSON object per line. Absent: the program's log."`
	MaxPerSecond  int     `json:"max_per_second,omitempty" default:"1000" range:"1..100000" doc:"Most entries in one second; further ones are dropped and counted."`
	FullAddresses bool    `json:"full_addresses,omitempty" default:"false" doc:"Write clients' addresses instead of their networks (/24, /56)."`
}

// DnstapMessage is a kind of message that dnstap shows.
type DnstapMessage string

// Kinds of dnstap messages.
const (
	DnstapQuery    DnstapMessage = "query"
	DnstapResponse DnstapMessage = "response"
)

// Enum lists the kinds.
func (DnstapMessage) Enum() []string { return []string{"query", "response"} }
