package config

import "testing"

func TestObjectsSharing(t *testing.T) {
	known := baseObjects(t)
	other := anew(t, known).With([]*Object{object(t, "site/new", "address: 192.0.2.99")}, []ObjectKey{{ObjectMonitor, "both"}})
	got := other.Sharing(known)
	if got.ID() != other.ID() {
		t.Errorf("id %s, want %s", got.ID(), other.ID())
	}
	got.All(func(o *Object) bool {
		if old := known.Get(o.Key()); old != nil && old != o {
			t.Errorf("%s is another one", o.Key())
		}
		return true
	})
	same := anew(t, known).Get(ObjectKey{ObjectSite, "ams"})
	if with := known.With([]*Object{same}, nil); with.Get(same.Key()) == same {
		t.Error("an equal object took the place of a known one")
	}
}

func TestObjectsID(t *testing.T) {
	empty := NewObjects(nil)
	if got, want := empty.ID(), "e3b0c44298fc1c149afbf4c8996fb924"; got != want {
		t.Errorf("id of nothing is %s, want %s", got, want)
	}
	one := empty.With([]*Object{object(t, "site/ams", "address: 192.0.2.1")}, nil)
	if got, want := one.ID(), "54ccbcb32f99b9717a037fe0a178c82b"; got != want {
		t.Errorf("id of one site is %s, want %s: sites of another release would not agree", got, want)
	}
	if back := one.With(nil, []ObjectKey{{ObjectSite, "ams"}}); back.ID() != empty.ID() {
		t.Errorf("id after removing is %s", back.ID())
	}
}

func TestObjectsOfANewerRelease(t *testing.T) {
	newer, err := ObjectFromCanonical(ObjectKey{ObjectFile + 1, "x"}, []byte("anything\x00"))
	if err != nil {
		t.Fatal(err)
	}
	objects := baseObjects(t).With([]*Object{newer}, nil)
	for _, lenient := range []bool{false, true} {
		doc, report := Assemble(objects, AssembleOptions{Lenient: lenient})
		if doc == nil || len(doc.Zones) != 3 {
			t.Fatalf("lenient %v: %v", lenient, report.Err())
		}
		if got := found(report); len(got) != 1 || got[0] != "FL9201 unknown/x" {
			t.Errorf("lenient %v: reported %v", lenient, got)
		}
	}
	if newer.Labels() != nil || len(newer.YAML()) == 0 || len(newer.Masked()) == 0 {
		t.Error("it is not shown as it is")
	}
	if _, err := MergePatch(newer, []byte("{}")); err == nil {
		t.Error("it can be patched")
	}
	if text := objects.Source().Text; len(text) == 0 {
		t.Error("no text")
	}
}
