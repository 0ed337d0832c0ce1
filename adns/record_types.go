package adns

import "github.com/miekg/dns"

// besideCNAME reports whether records of a type can stand at a name that has a CNAME: the CNAME itself, and what DNSSEC
// says of it (RFC 4035 section 2.5).
func besideCNAME(rrtype uint16) bool {
	return rrtype == dns.TypeCNAME || rrtype == dns.TypeRRSIG || rrtype == dns.TypeNSEC
}

// isDataType reports whether records of a type can be in a zone: not the meta types and question types of RFC 6895
// section 3.1.
func isDataType(rrtype uint16) bool {
	switch {
	case rrtype == 0, rrtype == dns.TypeOPT, rrtype == typeNXNAME, rrtype == dns.TypeReserved:
		return false
	case rrtype >= firstQuestionType && rrtype <= lastQuestionType:
		return false
	}
	return true
}
