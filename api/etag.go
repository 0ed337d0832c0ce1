package api

import (
	"encoding/hex"
	"strings"

	"fairlead/api/resource"
	"fairlead/config"
)

// An ETag is the hash of an object, or the revision of the whole document, in quotes (RFC 9110 section 8.8.3). JSON and YAML are two ways to write the
// same object: they have one tag, because it is there for If-Match.

func quoted(s string) string { return `"` + s + `"` }

// etagOf returns the tag of an object; "" for none.
func etagOf(o *config.Object) string {
	if o == nil {
		return ""
	}
	h := o.Hash()
	return quoted(hex.EncodeToString(h[:]))
}

// maxTags bounds the tags of one header.
const maxTags = 16

// tags are what If-Match or If-None-Match lists.
type tags struct {
	any  bool     // *
	list []string // without quotes
}

func (t tags) absent() bool { return !t.any && len(t.list) == 0 }

// has reports whether a tag is meant, which is written with quotes.
func (t tags) has(tag string) bool {
	for _, one := range t.list {
		if tag != "" && quoted(one) == tag {
			return true
		}
	}
	return t.any && tag != ""
}

// readTags reads a header of tags. Weak ones are read, too: proxies make them of strong ones when they compress.
func readTags(header, text string) (tags, error) {
	if text == "" {
		return tags{}, nil
	}
	if strings.TrimSpace(text) == "*" {
		return tags{any: true}, nil
	}
	var out tags
	for _, part := range strings.Split(text, ",") {
		tag := strings.TrimPrefix(strings.TrimSpace(part), "W/")
		inside, ok := strings.CutPrefix(tag, `"`)
		if ok {
			inside, ok = strings.CutSuffix(inside, `"`)
		}
		if !ok || inside == "" || strings.Contains(inside, `"`) || len(out.list) == maxTags {
			return tags{}, fault("/header/"+header, resource.CodeInvalid, "%s is no list of at most %d tags in quotes, as ETag has them", header, maxTags)
		}
		out.list = append(out.list, inside)
	}
	return out, nil
}

// objectHash reads the tag of an object.
func objectHash(tag string) (h config.ObjectHash, ok bool) {
	b, err := hex.DecodeString(tag)
	if err != nil || len(b) != len(h) {
		return h, false
	}
	copy(h[:], b)
	return h, true
}
