package mep

const (
	// MaxPost is the most bytes in the payload of a frame that is posted.
	MaxPost = 64 << 10
	// maxPosts is how many of them wait to be written to one peer.
	maxPosts = 256
)

// posted is a frame that waits to be written, encoded once for all peers. Its payload is not written to any more.
type posted struct {
	kind    FrameType
	flags   uint8
	payload []byte
}

// post gives a frame to the writers of all sessions with peers that to wants; nil: all. It does not block: a session with too
// many frames waiting gets none, and left counts these. x.mu must not be held.
func (x *Exchange) post(f posted, to func(*peer) bool) (taken, left int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.peers {
		if p.session == nil || to != nil && !to(p) {
			continue
		}
		select {
		case p.session.posts <- f:
			taken++
		default:
			left++
		}
	}
	return taken, left
}
