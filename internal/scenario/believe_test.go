package scenario

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fairlead/gslb"
	"fairlead/monitors"
)

// numbers reads key=value; a bare key is 1.
func numbers(fields []string) (map[string]float64, error) {
	out := map[string]float64{}
	for _, f := range fields {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			value = "1"
		}
		if d, err := time.ParseDuration(value); err == nil && value != "0" {
			out[key] = d.Seconds()
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", f)
		}
		out[key] = v
	}
	return out, nil
}

var states = map[string]gslb.State{"UP": gslb.Up, "DOWN": gslb.Down, "UNKNOWN": gslb.Unknown, "DISABLED": gslb.Disabled, "DRAINING": gslb.Draining}

// believe sets belief about a service by hand.
func (s *stage) believe(words []string) error {
	if _, ok := s.plan.ServiceByName(words[0]); !ok {
		return fmt.Errorf("no service %q", words[0])
	}
	state, ok := states[words[1]]
	if !ok {
		return fmt.Errorf("no state %q", words[1])
	}
	st := gslb.ServiceStatus{State: state, Reason: "as told", Source: "story", Since: s.now, Seen: s.now}
	var fields []string
	for _, f := range words[2:] {
		if doubt, ok := strings.CutPrefix(f, "doubt="); ok {
			st.Doubt = gslb.Reason(doubt)
			continue
		}
		fields = append(fields, f)
	}
	n, err := numbers(fields)
	if err != nil {
		return err
	}
	at := s.now.Add(-time.Duration(n["age"] * float64(time.Second)))
	if err := fillStatus(&st, n, at); err != nil {
		return err
	}
	s.believed[words[0]] = st
	s.publish()
	return nil
}

func fillStatus(st *gslb.ServiceStatus, n map[string]float64, at time.Time) error {
	var m gslb.Measures
	measures := map[string]*gslb.Measure{"response_time": &m.ResponseTime, "bandwidth": &m.Bandwidth, "packets": &m.Packets, "custom": &m.Custom,
		"requests": &m.Requests, "members": &m.Members, "member_weight": &m.MemberWeight, "capacity": &m.Capacity}
	for key, v := range n {
		switch key {
		case "active":
			st.Load.Active, st.Load.At, st.Load.Source = uint64(v), at, "story"
			if st.Load.PerAnswer == 0 {
				st.Load.PerAnswer = 1
			}
		case "per_answer":
			st.Load.PerAnswer = v
		case "expected":
			st.Load.Expected = v
		case "share":
			st.Share = v
		case "without4":
			st.Without4 = true
		case "without6":
			st.Without6 = true
		case "age":
		default:
			if measures[key] == nil {
				return fmt.Errorf("no key %q of a load", key)
			}
			*measures[key] = gslb.Measure{Value: v, At: at, Source: "story"}
			st.Measures = &m
		}
	}
	return nil
}

func (s *stage) hold(words []string) error {
	s.held[words[0]] = words[1] == "on"
	s.publish()
	return nil
}

// read is what a load source of the node tells.
func (s *stage) read(words []string) error {
	n, err := numbers(words[1:])
	if err != nil {
		return err
	}
	l := monitors.Load{Service: words[0], Active: uint64(n["active"]), At: s.now.Add(-time.Duration(n["age"] * float64(time.Second))), Source: "json"}
	if err := fillLoad(&l, n); err != nil {
		return err
	}
	s.tracker.Load(l, s.learned.Handed)
	s.publish()
	return nil
}

// state compares belief with what a line wants.
func (s *stage) state(words []string) error {
	i, ok := s.plan.ServiceByName(words[0])
	if !ok {
		return fmt.Errorf("no service %q", words[0])
	}
	st := &s.snapshot.Status.Services[i]
	told := fmt.Sprintf("%s (%s, by %s, doubt %q, share %.3f)", st.State, st.Reason, st.Source, st.Doubt, st.Share)
	if st.State.String() != words[1] {
		return fmt.Errorf("it is %s", told)
	}
	for _, w := range words[2:] {
		key, value, _ := strings.Cut(w, "=")
		good := false
		switch key {
		case "by":
			good = strings.HasPrefix(strings.ReplaceAll(st.Source, " ", "-"), value)
		case "doubt":
			good = string(st.Doubt) == value || value == "none" && st.Doubt == ""
		case "without4":
			good = st.Without4
		case "without6":
			good = st.Without6
		case "share":
			share := st.Share
			if share == 0 {
				share = 1
			}
			low, high, err := span(value)
			if err != nil {
				return err
			}
			good = low <= share && share <= high
		}
		if !good {
			return fmt.Errorf("want %s: it is %s", w, told)
		}
	}
	return nil
}

func (s *stage) alarm(words []string) error {
	if got, want := s.snapshot.Status.Alarm != "", words[0] == "on"; got != want {
		return fmt.Errorf("the alarm says %q", s.snapshot.Status.Alarm)
	}
	return nil
}

// span reads FROM..TO, or one number.
func span(text string) (low, high float64, err error) {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		to = from
	}
	low, err1 := strconv.ParseFloat(from, 64)
	high, err2 := strconv.ParseFloat(to, 64)
	return low, high, errors.Join(err1, err2)
}
