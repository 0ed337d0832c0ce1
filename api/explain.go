package api

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/miekg/dns"

	"fairlead/adns"
	"fairlead/api/resource"
	"fairlead/gslb"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

const explainPath = "/v1/explain"

// maxNameText is the longest spelling of a name: 255 octets, each of them escaped as \DDD.
const maxNameText = 4 * 255

type explainInput struct {
	Name   string `query:"name" required:"true" doc:"Name that is asked for; a final dot is taken as there."`
	Type   string `query:"type" default:"A" doc:"Type: a mnemonic in any case, or TYPEnnn."`
	Client string `query:"client" doc:"Address that the query comes from: the resolver's. Default: the caller's own."`
	Subnet string `query:"subnet" doc:"EDNS Client Subnet (RFC 7871) that the query carries, as address/length."`

	Listener string `query:"listener" doc:"Address of the server that is asked: views and policies may look at it."`
	AtSite   string `query:"at_site" maxLength:"127" doc:"Site whose node is to say what it would answer. Default: this one."`

	question adns.Question // set by Resolve
}

// Resolve reads all parameters and reports everything that is wrong with them.
func (in *explainInput) Resolve(ctx huma.Context) []error {
	return append(strictQuery(ctx), in.read(ctx.RemoteAddr())...)
}

// read makes the question. remote is the caller's address with its port.
func (in *explainInput) read(remote string) (faults []error) {
	in.question.Class = dns.ClassINET
	for _, err := range []error{in.readName(), in.readType(), in.readClient(remote), in.readSubnet(), in.readListener()} {
		if err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

func (in *explainInput) readListener() error {
	if in.Listener == "" {
		return nil
	}
	a, err := netip.ParseAddr(in.Listener)
	if err != nil || a.Zone() != "" {
		return fault("/query/listener", resource.CodeInvalid, "%q is not an IP address of the server, without a port", clip(in.Listener))
	}
	in.question.Listener = a.Unmap()
	return nil
}

func (in *explainInput) readName() error {
	if in.Name == "" {
		return nil // huma says that it is required
	}
	var wire [256]byte
	if len(in.Name) <= maxNameText {
		if end, err := dns.PackDomainName(dns.Fqdn(in.Name), wire[:], 0, nil, false); err == nil && end <= 255 {
			in.question.Name = dns.Fqdn(in.Name)
			return nil
		}
	}
	return fault("/query/name", resource.CodeInvalid,
		"%q is not a domain name: labels of 1 to 63 octets between dots, 255 octets in all", clip(in.Name))
}

func (in *explainInput) readType() error {
	text := strings.ToUpper(in.Type)
	if t, ok := dns.StringToType[text]; ok {
		in.question.Type = t
		return nil
	}
	if digits, ok := strings.CutPrefix(text, "TYPE"); ok {
		if n, err := strconv.ParseUint(digits, 10, 16); err == nil {
			in.question.Type = uint16(n)
			return nil
		}
	}
	return fault("/query/type", resource.CodeInvalid, "%q is not a record type; write A, AAAA or another mnemonic, or TYPEnnn", clip(in.Type))
}

func (in *explainInput) readClient(remote string) error {
	if in.Client == "" {
		if from, err := netip.ParseAddrPort(remote); err == nil {
			in.question.LDNS = from.Addr().Unmap().WithZone("")
			return nil
		}
		return fault("/query/client", resource.CodeRequired, "the caller has no address; give the address that the query comes from")
	}
	a, err := netip.ParseAddr(in.Client)
	if err == nil && a.Zone() == "" {
		in.question.LDNS = a.Unmap()
		return nil
	}
	if _, err := netip.ParsePrefix(in.Client); err == nil {
		return fault("/query/client", resource.CodeInvalid, "%q is a prefix; give it as subnet, and the resolver's address as client", clip(in.Client))
	}
	return fault("/query/client", resource.CodeInvalid, "%q is not an IP address such as 203.0.113.5 or 2001:db8::5", clip(in.Client))
}

func (in *explainInput) readSubnet() error {
	if in.Subnet == "" {
		return nil
	}
	p, err := netip.ParsePrefix(in.Subnet)
	if err == nil {
		in.question.Subnet = p.Masked()
		return nil
	}
	if a, err := netip.ParseAddr(in.Subnet); err == nil && a.Zone() == "" {
		usual := 24
		if !a.Is4() {
			usual = 56
		}
		return fault("/query/subnet", resource.CodeInvalid, "%q has no length; resolvers send %s/%d", clip(in.Subnet), a, usual)
	}
	return fault("/query/subnet", resource.CodeInvalid, "%q is not a prefix such as 203.0.113.0/24 or 2001:db8::/56", clip(in.Subnet))
}

type explainOutput struct{ Body resource.Explanation }

func (r *resources) registerExplain(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "explain", Method: http.MethodGet, Path: explainPath, Tags: []string{"status"},
		Summary: "What a client would be answered, why, and what would change it",
		Description: "The function that serves queries decides, on a copy of what queries have written: asking changes no answer. " +
			"at_site asks the node of another site for what it would answer, over MEP."},
		[]int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.explain)
}

func (r *resources) explain(ctx context.Context, in *explainInput) (*explainOutput, error) {
	elsewhere := in.AtSite != "" && in.AtSite != r.Site
	queue := r.explaining
	if elsewhere {
		queue = r.askingSites
		if err := access.From(ctx).Could(access.Operate); err != nil {
			return nil, r.refuse(ctx, err, audit.Entry{})
		}
	}
	waiting, stop := context.WithTimeout(ctx, explainWait)
	defer stop()
	leave, err := queue.enter(waiting)
	if err != nil {
		return nil, err
	}
	defer leave()
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	if elsewhere {
		return r.explainAt(ctx, st, in)
	}
	out := explainHere(st, r.Site, &in.question)
	out.Document = r.documentID(out.Document)
	return &explainOutput{*out}, nil
}

// explainHere explains what this node would answer.
func explainHere(st *State, site string, q *adns.Question) *resource.Explanation {
	now := time.Now()
	snapshot := *st.Snapshot
	frozen := snapshot.Learned.Copy()
	snapshot.Learned = frozen.Copy()
	trace := gslb.Trace{Entries: []gslb.Entry{}}
	answer := snapshot.Resolve(*q, now, &trace)
	out := &resource.Explanation{
		Question: resource.Question{Name: q.Name, Type: dns.Type(q.Type).String(), Client: q.LDNS, Subnet: q.Subnet, Listener: q.Listener},
		Rcode:    rcodeName(answer.Rcode), Authoritative: answer.Authoritative,
		Answer: lines(answer.Answer), Authority: lines(answer.Authority), Additional: lines(answer.Additional),
		TTL: leastTTL(answer.Answer), Scope: answer.Scope, EDE: extendedError(answer.EDE),
		Site: site, Snapshot: snapshot.Generation, Document: st.DocumentID, At: now.UTC(), Trace: trace,
		Counterfactuals: []gslb.Counterfactual{},
	}
	if status := snapshot.GSLB.Status; status != nil {
		out.StatusAgeSeconds, out.Alarm = now.Sub(status.At).Seconds(), status.Alarm
		if status.Isolated != "" {
			out.Alarm = strings.TrimPrefix(out.Alarm+"; "+status.Isolated, "; ")
		}
	}
	if n := len(trace.Queries); n > 0 {
		if found := gslb.Counterfactuals(snapshot.GSLB, trace.Queries[n-1], frozen, now); found != nil {
			out.Counterfactuals = found
		}
	}
	return out
}

// lines writes records in presentation form. A tab only ever separates fields there; inside a string it is escaped.
func lines(records []dns.RR) []string {
	out := make([]string, len(records))
	for i, rr := range records {
		out[i] = strings.ReplaceAll(rr.String(), "\t", " ")
	}
	return out
}

func leastTTL(records []dns.RR) *uint32 {
	var least *uint32
	for _, rr := range records {
		if ttl := rr.Header().Ttl; least == nil || ttl < *least {
			least = &ttl
		}
	}
	return least
}

func extendedError(e adns.ExtendedError) *resource.ExtendedError {
	if e == (adns.ExtendedError{}) {
		return nil
	}
	return &resource.ExtendedError{Code: e.Code, Name: dns.ExtendedErrorCodeToString[e.Code], Text: e.Text}
}

// rcodeName returns an rcode's mnemonic. 16 is BADVERS in a response that is not signed (RFC 6891 section 9).
func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers {
		return "BADVERS"
	}
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return "RCODE" + strconv.Itoa(rcode)
}
