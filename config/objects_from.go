package config

// From calls yield for each object from a key on, that one included, in order of the keys, until it returns false.
func (s *Objects) From(key ObjectKey, yield func(*Object) bool) {
	i, _ := s.find(key)
	for _, o := range s.list[i:] {
		if !yield(o) {
			return
		}
	}
}

// Field returns the text that stands under a key of the object itself; "" when there is none.
func (o *Object) Field(key string) string {
	if o.key.Kind == ObjectFile {
		return ""
	}
	n := o.tree()
	if n.kind != kindMapping {
		return ""
	}
	if n = n.child(key); n != nil && n.scalar == scalarText {
		return textOf(n)
	}
	return ""
}

// Masked returns the objects as everybody may see them who may read the document: those with secrets have *** in their place. It is for showing, not for
// writing.
func (s *Objects) Masked() *Objects {
	out := make([]*Object, len(s.list))
	for i, o := range s.list {
		out[i] = o
		if o.key.Kind == ObjectFile {
			continue
		}
		if o.HasSecrets() {
			out[i] = sealObject(o.key, appendTree(nil, masked(o.tree()), nil))
		}
	}
	return &Objects{list: out}
}
