package config

import "strconv"

// kind is the shape of a node.
type kind uint8

const (
	kindScalar kind = iota
	kindMapping
	kindSequence
)

// scalarType is what a scalar is without looking at the field it is meant for.
type scalarType uint8

const (
	scalarText scalarType = iota
	scalarInteger
	scalarFloat
	scalarBool
	scalarNull
)

// node is one value of a parsed file, free of the parser that made it. Aliases are resolved and merge keys are merged, so
// a node may be shared by several parents; it is never changed after the tree is made.
type node struct {
	kind    kind
	scalar  scalarType
	literal bool   // a "|" block: line i of value stands i lines below the node
	refused bool   // has a problem already: nothing more is said about it
	plain   bool   // written without quotes or block indicator
	value   string // scalars
	line    int    // 1-based
	column  int    // 1-based, in characters

	entries []entry // mappings, in order of appearance; duplicates included
	items   []*node // sequences
	size    int     // nodes in this subtree with aliases expanded
	depth   int     // levels in this subtree
}

// entry is one key of a mapping with its value.
type entry struct {
	key    *node
	value  *node
	merged bool // came through a merge key
}

// child returns the value of a key, or nil. The first of duplicates wins.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.entries {
		if n.entries[i].key.value == key {
			return n.entries[i].value
		}
	}
	return nil
}

// describe says what a node is, for messages.
func (n *node) describe() string {
	switch n.kind {
	case kindMapping:
		return "a mapping"
	case kindSequence:
		return "a list"
	}
	switch n.scalar {
	case scalarNull:
		return "empty"
	case scalarBool:
		return "the truth value " + n.value
	case scalarInteger, scalarFloat:
		return "the number " + clip(n.value)
	}
	return "the text " + quote(n.value)
}

// maxQuoted bounds the user's text inside a message, in bytes.
const maxQuoted = 80

// quote quotes user text for a message: control characters escaped, long text clipped.
func quote(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	cut := maxQuoted
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
