package api

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"fairlead/api/resource"
	"fairlead/config"
)

// An ETag is the hash of an object, or the revision of the whole document, in quotes (RFC 9110 section 8.8.3). JSON and YAML are two ways to write the
// same object: they have one tag, because it is there for If-Match. Of an object with secrets it is a keyed hash of the hash: who sees the
// object without its secrets must not be able to try which ones give the hash.

func quoted(s string) string { return `"` + s + `"` }

// tagger makes tags. It is the key of those that are made of secrets.
type tagger []byte

// newTagger returns a tagger; without a key, one whose tags are good until the process ends.
func newTagger(key []byte) tagger {
	if len(key) > 0 {
		return key
	}
	made := make(tagger, sha256.Size)
	rand.Read(made) //nolint:errcheck // it never fails
	return made
}

// of returns the tag of an object; "" for none.
func (t tagger) of(o *config.Object) string {
	if o == nil {
		return ""
	}
	if o.HasSecrets() {
		h := o.Hash()
		return quoted(t.keyed(h[:]))
	}
	return t.plain(o)
}

// plain is the tag of an object that has no secrets: the same at all sites.
func (t tagger) plain(o *config.Object) string {
	h := o.Hash()
	return quoted(hex.EncodeToString(h[:]))
}

func (t tagger) keyed(text []byte) string {
	mac := hmac.New(sha256.New, t)
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil))
}

// documentID is the hash of a document as it is shown. While the document has secrets it is a keyed one, too: it is the same for the same document at this
// node only.
func (r *resources) documentID(id string) string {
	if id == "" || r.Documents == nil {
		return id
	}
	if v := r.Documents.Current(); v == nil || v.Objects == nil || !v.Objects.HasSecrets() {
		return id
	}
	return r.tagger.keyed([]byte(id))[:len(id)]
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

// noObject is the hash that stands for a tag of what is not there any more. It is that of no object, whatever the tag: who sends the hash of an object
// with guessed secrets learns nothing.
func noObject(tag string) config.ObjectHash { return sha256.Sum256([]byte("\x00" + tag)) }
