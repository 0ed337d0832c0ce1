package config

// Labels returns the object's labels, as far as they are texts; nil when it has none.
func (o *Object) Labels() map[string]string {
	if o.opaque() {
		return nil
	}
	n := o.tree()
	if n.kind != kindMapping {
		return nil
	}
	labels := n.child("labels")
	if labels == nil || len(labels.entries) == 0 {
		return nil
	}
	out := make(map[string]string, len(labels.entries))
	for _, e := range labels.entries {
		if e.value.kind == kindScalar && e.value.scalar == scalarText {
			out[e.key.value] = e.value.value
		}
	}
	return out
}
