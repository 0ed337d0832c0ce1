package mepv1

// leaveReason is why a site ends a session.
type leaveReason uint8

// Reasons. The numbers are part of the protocol: append only. Unknown ones mean "ended by the peer".
const (
	leaveStopping leaveReason = 1 // the site stops as planned
	leaveRefused  leaveReason = 2 // something the receiver did or is; the text says what
	leaveRemoved  leaveReason = 3 // the receiver is no longer in the sender's document
)

// leaving is the last frame of a session that is ended on purpose. It may also be the answer to a Hello.
//
// Layout:
//
//	0  1  reason
//	1  1  length of the text (0 to MaxReason), then the text, for people
//	      later versions may append fields, which are ignored
type leaving struct {
	reason leaveReason
	text   string
}

func (l *leaving) append(b []byte) []byte {
	return appendText(append(b, uint8(l.reason)), printableText(l.text, MaxReason))
}

func decodeLeaving(payload []byte) (leaving, error) {
	c := cursor{what: "Leaving", b: payload}
	l := leaving{reason: leaveReason(c.u8())}
	l.text = c.text(MaxReason, "")
	return l, c.err
}
