package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// secretWord is a key whose value says where a secret is; it must not be one itself.
	secretWord = regexp.MustCompile(`(?i)^(?:\w*passw(?:or)?d|passphrase|token|secret|community|key_file)$`)
	// secretHeader is a header of a request whose value lets in who has it.
	secretHeader = regexp.MustCompile(`(?i)^(?:proxy-)?authorization$|^cookie$|token|secret|passw|api[-_]?key|session|credential|^x-auth`)
	// secretQuery is a parameter of an address whose value lets in who has it, as far as its value, and that value.
	secretQuery = regexp.MustCompile(`(?i)([?&][^=&#\s]*(?:token|secret|passw|api[-_]?key|credential|signature)[^=&#\s]*=)[^&#\s]+`)
	// hiddenQuery and hiddenUser are what is shown of an address in place of its secrets.
	hiddenQuery = regexp.MustCompile(`(?i)[?&][^=&#\s]*(?:token|secret|passw|api[-_]?key|credential|signature)[^=&#\s]*=\*\*\*(?:[&#]|$)`)
	hiddenUser  = "://" + hiddenSecret + "@"
)

// publicKey is a key whose text everybody may ask for: the records of a zone. What looks like a secret in it is none.
const publicKey = "records"

// Masked returns the object's text with *** in place of what not everybody may see who may read the document: values of headers that let in
// who has them, users in URLs, and secrets that stand where only their place belongs. It is JSON.
func (o *Object) Masked() []byte {
	if o.opaque() {
		return o.text
	}
	if !o.HasSecrets() {
		return o.text
	}
	return appendTree(nil, masked(o.tree()), nil)
}

// MaskedYAML is YAML with what Masked leaves out.
func (o *Object) MaskedYAML() []byte {
	if o.opaque() {
		return o.text
	}
	return o.yamlOf(masked(o.tree()))
}

// secretAt returns what is shown of a text under a key of a mapping; text itself when it is no secret.
func secretAt(n *node, key, text string) string {
	switch kind, _ := Secret(text).Source(); {
	case text == "":
	case secretWord.MatchString(key) && kind == "":
		return hiddenSecret
	case key == "value" && secretHeader.MatchString(textOf(n.child("name"))):
		return hiddenSecret
	case key != publicKey:
		return withoutAddressSecrets(text)
	}
	return text
}

// withoutAddressSecrets is a text without the users of the addresses in it, and without the values of their parameters that let somebody in.
func withoutAddressSecrets(text string) string {
	if strings.Contains(text, "://") {
		text = urlUser.ReplaceAllString(text, hiddenUser)
	}
	if strings.Contains(text, "=") {
		text = secretQuery.ReplaceAllString(text, "${1}"+hiddenSecret)
	}
	return text
}

// hides reports whether a text has what is shown in place of a secret.
func hides(text string) bool {
	return text == hiddenSecret || strings.Contains(text, hiddenUser) || hiddenQuery.MatchString(text)
}

func textOf(n *node) string {
	if n == nil || n.kind != kindScalar {
		return ""
	}
	return n.value
}

func hasSecrets(n *node) bool {
	for _, e := range n.entries {
		if e.value.kind == kindScalar && secretAt(n, e.key.value, e.value.value) != e.value.value || hasSecrets(e.value) {
			return true
		}
	}
	for _, item := range n.items {
		if item.kind == kindScalar && withoutAddressSecrets(item.value) != item.value || hasSecrets(item) {
			return true
		}
	}
	return false
}

// HasSecrets reports whether Masked leaves anything out.
func (o *Object) HasSecrets() bool {
	if o.opaque() {
		return false
	}
	switch o.secrets.Load() {
	case secretsNone:
		return false
	case secretsSome:
		return true
	}
	found := hasSecrets(o.tree())
	if found {
		o.secrets.Store(secretsSome)
	} else {
		o.secrets.Store(secretsNone)
	}
	return found
}

// TextHasSecrets reports whether HasSecrets of an object with this text. A text that is no object, as a zone file's, has none.
func TextHasSecrets(text []byte) bool {
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	n, err := parseJSON(text, MaxObjectDepth)
	return err == nil && hasSecrets(n)
}

// UsesSecrets reports whether the object has secrets, or names places of some: then what it makes a node send must not go to where anybody likes.
func (o *Object) UsesSecrets() bool { return o.HasSecrets() || !o.opaque() && namesSecrets(o.tree()) }

func namesSecrets(n *node) bool {
	for _, e := range n.entries {
		if e.value.kind == kindScalar && e.value.value != "" && secretWord.MatchString(e.key.value) || namesSecrets(e.value) {
			return true
		}
	}
	return slices.ContainsFunc(n.items, namesSecrets)
}

// What is known of whether an object has secrets.
const (
	secretsUnknown uint32 = iota
	secretsNone
	secretsSome
)

// HasSecrets reports whether Masked leaves anything out.
func (s *Objects) HasSecrets() bool {
	return slices.ContainsFunc(s.list, (*Object).HasSecrets)
}

// masked returns a tree without its secrets.
func masked(n *node) *node {
	out := *n
	out.entries = slices.Clone(n.entries)
	for i, e := range out.entries {
		shown := e.value.value
		if e.value.kind == kindScalar {
			shown = secretAt(n, e.key.value, shown)
		}
		if shown != e.value.value {
			out.entries[i].value = textNode(shown)
		} else {
			out.entries[i].value = masked(e.value)
		}
	}
	out.items = slices.Clone(n.items)
	for i, item := range out.items {
		if shown := withoutAddressSecrets(item.value); item.kind == kindScalar && shown != item.value {
			out.items[i] = textNode(shown)
		} else {
			out.items[i] = masked(item)
		}
	}
	return &out
}

// Unmask returns the object with the secrets of another one where it has what Masked shows in place of them: so that who saw an object without them can
// change the rest. Entries of lists are found by their names, else by their places. An object that has none is returned as it is. What
// the other one does not have is an error.
func (o *Object) Unmask(old *Object) (*Object, error) {
	if o.opaque() || !strings.Contains(string(o.text), hiddenSecret) {
		return o, nil
	}
	var from *node
	if old != nil && !old.opaque() {
		from = old.tree()
	}
	u := unmasker{}
	out := u.tree(o.tree(), from, nil)
	if u.missing != "" {
		return nil, fmt.Errorf("write object %q: %s has %s, which stands for a secret that is not there: write the secret's place", o.key, u.missing, hiddenSecret)
	}
	return newObjectOf(o.key, out, func(*node, *trail, finding) {}), nil
}

type unmasker struct{ missing string }

func (u *unmasker) tree(n, old *node, path *trail) *node {
	out := *n
	out.entries = slices.Clone(n.entries)
	for i, e := range out.entries {
		step := &trail{parent: path, key: e.key.value}
		before := old.child(e.key.value)
		if e.value.kind != kindScalar || e.value.scalar != scalarText {
			out.entries[i].value = u.tree(e.value, before, step)
			continue
		}
		text := e.value.value
		if e.key.value == publicKey || !hides(text) {
			continue
		}
		switch {
		case before != nil && before.kind == kindScalar && secretAt(old, e.key.value, before.value) == text:
			out.entries[i].value = before
		case text != hiddenSecret || secretWord.MatchString(e.key.value) || e.key.value == "value":
			u.missing = step.String()
		}
	}
	out.items = slices.Clone(n.items)
	for i, item := range out.items {
		step := &trail{parent: path, index: i}
		if item.kind == kindScalar && item.scalar == scalarText && item.value != hiddenSecret && hides(item.value) {
			if out.items[i] = sameText(item, i, old); out.items[i] == nil {
				out.items[i], u.missing = item, step.String()
			}
			continue
		}
		out.items[i] = u.tree(item, sameEntry(item, i, old), step)
	}
	return &out
}

// sameText finds what a text of a list was that is shown without its secrets: at the same place, else the only one that is shown so.
func sameText(item *node, i int, old *node) (found *node) {
	if old == nil || old.kind != kindSequence {
		return nil
	}
	shows := func(o *node) bool { return o.kind == kindScalar && withoutAddressSecrets(o.value) == item.value }
	if i < len(old.items) && shows(old.items[i]) {
		return old.items[i]
	}
	for _, o := range old.items {
		if shows(o) {
			if found != nil && found.value != o.value {
				return nil
			}
			found = o
		}
	}
	return found
}

// sameEntry finds an entry of a list in what the list was before.
func sameEntry(item *node, i int, old *node) *node {
	if old == nil || old.kind != kindSequence {
		return nil
	}
	if name := textOf(item.child("name")); name != "" {
		for _, o := range old.items {
			if textOf(o.child("name")) == name {
				return o
			}
		}
		return nil
	}
	if i < len(old.items) {
		return old.items[i]
	}
	return nil
}
