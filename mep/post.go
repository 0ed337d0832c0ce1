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
// many frames waiting gets none, and left counts these. Peers that speak version 1 only get none. x.mu must not be held.
func (x *Exchange) post(f posted, to func(*peer) bool) (taken, left int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.peers {
		if p.session == nil || p.session.version < 2 || to != nil && !to(p) {
			continue
		}
		if p.session.postFrame(f) {
			taken++
		} else {
			left++
		}
	}
	return taken, left
}

// postFrame gives the writer a frame. It reports whether there was room.
func (s *session) postFrame(f posted) bool {
	s.mu.Lock()
	room := len(s.posts) < maxPosts
	if room {
		s.posts = append(s.posts, f)
	} else {
		s.postsLeft++
	}
	s.mu.Unlock()
	signal(s.wake)
	return room
}

// takePosts returns the frames that wait, which are the caller's.
func (s *session) takePosts() []posted {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.posts
	s.posts = nil
	return out
}
