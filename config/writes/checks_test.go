package writes_test

import (
	"errors"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/config/writes"
)

func TestChecks(t *testing.T) {
	object := func(name, text string) *config.Object {
		o, err := config.NewObject(config.ObjectService, name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	a, b := object("a", `{"port":1}`), object("b", `{"port":2}`)
	view := &revision.View{Revision: "r1", Objects: config.NewObjects([]*config.Object{a})}
	for _, tc := range []struct {
		name string
		w    revision.Write
		want error
		left int // objects after it
	}{
		{"put", revision.Write{Base: "r1", Put: []*config.Object{b}}, nil, 2},
		{"replace", revision.Write{Replace: config.NewObjects([]*config.Object{b})}, nil, 1},
		{"remove", revision.Write{Remove: []config.ObjectKey{a.Key()}}, nil, 0},
		{"remove what is not there", revision.Write{Remove: []config.ObjectKey{b.Key()}}, revision.ErrUnknown, 0},
		{"another base", revision.Write{Base: "r0"}, revision.ErrStale, 0},
		{"the object is as it was", revision.Write{Match: map[config.ObjectKey]config.ObjectHash{a.Key(): a.Hash()}}, nil, 1},
		{"the object was changed", revision.Write{Match: map[config.ObjectKey]config.ObjectHash{a.Key(): b.Hash()}}, revision.ErrStale, 0},
		{"the object exists", revision.Write{Match: map[config.ObjectKey]config.ObjectHash{a.Key(): {}}}, revision.ErrStale, 0},
		{"the object is gone", revision.Write{Match: map[config.ObjectKey]config.ObjectHash{b.Key(): b.Hash()}}, revision.ErrStale, 0},
		{"a long reason", revision.Write{Reason: strings.Repeat("x", revision.MaxText+1)}, revision.ErrRefused, 0},
		{"a long time to confirm", revision.Write{Confirm: writes.MaxConfirm + 1}, revision.ErrRefused, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := errors.Join(writes.CheckTexts(&tc.w), writes.CheckStale(&tc.w, view))
			var after *config.Objects
			if err == nil {
				after, err = writes.After(&tc.w, view.Objects)
			}
			if !errors.Is(err, tc.want) {
				t.Fatalf("error = %v, want %v", err, tc.want)
			}
			if tc.want == nil && after.Len() != tc.left {
				t.Errorf("%d objects after it, want %d", after.Len(), tc.left)
			}
		})
	}
	lost := &revision.Effect{LostNames: []string{"www.example.com"}}
	if err := writes.RefuseLost(&revision.Write{}, lost); !errors.Is(err, revision.ErrRefused) || !strings.Contains(err.Error(), "www.example.com") {
		t.Errorf("a name without an answer: %v", err)
	}
	if err := writes.RefuseLost(&revision.Write{Force: true}, lost); err != nil {
		t.Errorf("forced: %v", err)
	}
}
