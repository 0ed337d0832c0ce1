package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"fairlead/adns"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// question is one ask of a story.
type question struct {
	adns.Question
	times int
	want  []string
}

func (s *stage) parseAsk(words []string) (question, error) {
	at := slices.Index(words, "->")
	if at < 0 || words[2] != "from" {
		return question{}, errors.New("ask NAME TYPE from ADDRESS … -> …")
	}
	q := question{times: 1, want: words[at+1:]}
	q.Name, q.Type, q.Class = words[0], dns.StringToType[words[1]], dns.ClassINET
	var err error
	if q.LDNS, err = netip.ParseAddr(words[3]); err != nil {
		return q, err
	}
	for rest := words[4:at]; len(rest) > 0; rest = rest[1:] {
		switch {
		case rest[0] == "subnet" && len(rest) > 1:
			q.Subnet, err = netip.ParsePrefix(rest[1])
			rest = rest[1:]
		case rest[0] == "to" && len(rest) > 1:
			q.Listener, err = netip.ParseAddr(rest[1])
			rest = rest[1:]
		case rest[0][0] == 'x':
			q.times, err = strconv.Atoi(rest[0][1:])
		default:
			err = fmt.Errorf("what is %q?", rest[0])
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

// ask puts a question, as often as it says, and compares what came.
func (s *stage) ask(words []string) error {
	q, err := s.parseAsk(words)
	if err != nil {
		return err
	}
	served := &adns.Snapshot{Generation: s.snapshot.Generation, Zones: s.zones, GSLB: s.snapshot, Learned: s.learned}
	first := map[string]int{}
	var answer adns.Answer
	var trace gslb.Trace
	for range q.times {
		trace = gslb.Trace{}
		answer = served.Resolve(q.Question, s.now, &trace)
		if names := s.services(answer.Answer); len(names) > 0 {
			first[names[0]]++
		}
	}
	if err := s.compare(q, answer, first, &trace); err != nil {
		told, _ := json.MarshalIndent(trace.Entries, "", " ")
		return fmt.Errorf("%w\n got: %v, rcode %s, scope %d, begun with %v\n%s", err, s.services(answer.Answer), dns.RcodeToString[answer.Rcode],
			answer.Scope, first, told)
	} else if *verbose {
		told, _ := json.Marshal(trace.Entries)
		s.t.Logf("line %d: %s\n%s", s.line, s.text, told)
	}
	return nil
}

func (s *stage) compare(q question, a adns.Answer, first map[string]int, trace *gslb.Trace) error {
	var want []string
	counted := 0
	for _, w := range q.want {
		key, value, pair := strings.Cut(w, "=")
		name, count, counts := cutLast(w, ':')
		low, high, err := span(count)
		switch {
		case w == "empty":
			if len(a.Answer) > 0 {
				return errors.New("want no answer")
			}
		case pair:
			if err := s.compareKey(key, value, a, trace); err != nil {
				return err
			}
		case counts && err == nil && q.times > 1:
			counted += first[name]
			if n := float64(first[name]); n < low || n > high {
				return fmt.Errorf("%s began %d of %d answers, want %s", name, first[name], q.times, count)
			}
		default:
			want = append(want, w)
		}
	}
	if counted > 0 && counted != q.times {
		return fmt.Errorf("%d answers began with somebody else", q.times-counted)
	}
	if len(want) == 0 {
		return nil
	}
	return s.compareServices(want, a)
}

func cutLast(text string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// compareServices wants these services, or records by their data, in this order.
func (s *stage) compareServices(want []string, a adns.Answer) error {
	names, data := s.services(a.Answer), recordData(a.Answer)
	if len(names) != len(want) {
		return fmt.Errorf("want %v", want)
	}
	for i, w := range want {
		if names[i] != w && data[i] != w {
			return fmt.Errorf("want %v", want)
		}
	}
	return nil
}

func (s *stage) compareKey(key, value string, a adns.Answer, trace *gslb.Trace) error {
	number, _ := strconv.Atoi(value)
	switch key {
	case "ttl":
		for _, rr := range a.Answer {
			if rr.Header().Ttl != uint32(number) {
				return fmt.Errorf("want ttl=%d, got %d", number, rr.Header().Ttl)
			}
		}
		if len(a.Answer) == 0 {
			return errors.New("nothing has a TTL")
		}
	case "scope":
		if int(a.Scope) != number {
			return fmt.Errorf("want scope=%d, got %d", number, a.Scope)
		}
	case "rcode":
		if dns.RcodeToString[a.Rcode] != value {
			return fmt.Errorf("want rcode=%s", value)
		}
	case "because":
		if !slices.ContainsFunc(trace.Entries, func(e gslb.Entry) bool { return string(e.Reason) == value }) {
			return fmt.Errorf("no step says %s", value)
		}
	default:
		if !slices.ContainsFunc(trace.Entries, func(e gslb.Entry) bool {
			return slices.ContainsFunc(e.Candidates, func(c gslb.Candidate) bool {
				return c.Service == key && (string(c.Reason) == value || strings.HasPrefix(c.Detail, value+":"))
			})
		}) {
			return fmt.Errorf("no step says %s of candidate %s", value, key)
		}
	}
	return nil
}

// recordData is the data of each record, with - for spaces.
func recordData(answer []dns.RR) []string {
	var out []string
	for _, rr := range answer {
		out = append(out, strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(rr.String(), rr.Header().String())), " ", "-"))
	}
	return out
}

// services names the services of an answer: who has the address, host or alias.
func (s *stage) services(answer []dns.RR) []string {
	out := recordData(answer)
	for i, data := range out {
		for j := range s.doc.Services {
			svc := &s.doc.Services[j]
			addresses := slices.Concat(svc.Addresses, svc.PublicAddresses)
			for _, a := range addresses {
				if data == a.String() || strings.Contains(data, "hint="+a.String()) || strings.Contains(data, "hint=\""+a.String()) {
					out[i] = svc.Name
				}
			}
			if svc.CNAME != "" && data == dns.Fqdn(svc.CNAME) || svc.Host != "" && strings.HasSuffix(data, "-"+dns.Fqdn(svc.Host)) {
				out[i] = svc.Name
			}
		}
	}
	return out
}
