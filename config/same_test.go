package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

// TestSameLooksAtEveryField changes one field after the other: none is left out.
func TestSameLooksAtEveryField(t *testing.T) {
	eachChange(t, func(a, b *Service) bool { return a.Same(b) })
	eachChange(t, func(a, b *VirtualServer) bool { return a.Same(b) })
	eachChange(t, func(a, b *Zone) bool { return a.same(b) })
	var stray []string // what may differ
	one := Site{Location: SiteLocation{Place: "EU.NL"}}
	changeFields(reflect.ValueOf(&one).Elem(), "site", func(where string, change func(reflect.Value)) {
		other := one
		if change(reflect.ValueOf(&other).Elem()); one.SteersAs(&other) {
			stray = append(stray, where)
		}
	})
	if want := []string{"site.Address", "site.Location.Latitude", "site.Location.Longitude", "site.Dial", "site.Labels", "site.Comment"}; !slices.Equal(stray, want) {
		t.Errorf("sites steer alike with other %q, want %q", stray, want)
	}
	if other := (Site{Location: SiteLocation{Place: "EU.NL.NH"}}); !one.SteersAs(&other) || !other.SteersAs(&one) {
		t.Error("a site elsewhere in its region does not steer alike")
	}
	eachChange(t, func(a, b *Document) bool {
		a.Services, a.ServiceGroups, a.VirtualServers = b.Services, b.ServiceGroups, b.VirtualServers // not around
		if reflect.DeepEqual(a, b) {
			return false
		}
		return a.SameAround(b)
	})
}

// TestWhatIsMadeOfGroupsIsTheSame: services of groups, and virtual servers with groups as members, are the same in every document that has them so.
func TestWhatIsMadeOfGroupsIsTheSame(t *testing.T) {
	src := Source{Name: "test", Text: []byte(`{zones: [{name: example.test, nameservers: [ns.example.net]}], sites: [{name: here, address: 192.0.2.1}],
  service_groups: [{name: pods, site: here, port: 80, autoscale: {name: pods.test}, load: {source: json, url: "http://{address}:9/load"}},
    {name: own, site: here, members: [{addresses: [192.0.2.9]}]}],
  virtual_servers: [{name: www, domains: [{name: www.example.test}], method: round-robin, members: [{group: pods}, {group: own}]}]}`)}
	doc, report := Parse(src)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	expanded := func(last byte) *Document {
		return doc.ExpandedWith(map[string][]netip.Addr{"pods": {netip.AddrFrom4([4]byte{192, 0, 2, 77}), netip.AddrFrom4([4]byte{192, 0, 2, last})}}, nil)
	}
	a, b, other := expanded(88), expanded(88), expanded(89)
	for i := range a.Services {
		if !a.Services[i].Same(&b.Services[i]) {
			t.Errorf("service %s is another one when the document is expanded again", a.Services[i].Name)
		}
	}
	if !a.VirtualServers[0].Same(&b.VirtualServers[0]) {
		t.Error("the virtual server is another one when the document is expanded again")
	}
	if a.VirtualServers[0].Same(&other.VirtualServers[0]) {
		t.Error("a virtual server with other members counts as the same")
	}
	b.Services[0].Load = &LoadSource{Source: b.Services[0].Load.Source}
	if a.Services[0].Same(&b.Services[0]) {
		t.Error("a service whose load is read in another way counts as the same")
	}
}

// eachChange gives one field of a T after the other another value.
func eachChange[T any](t *testing.T, same func(a, b *T) bool) {
	t.Helper()
	var one T
	kind := reflect.TypeOf(one)
	fill(reflect.ValueOf(&one).Elem())
	if other := one; kind != reflect.TypeFor[Document]() && !same(&one, &other) {
		t.Errorf("%v: a copy is not the same", kind)
	}
	changeFields(reflect.ValueOf(&one).Elem(), kind.String(), func(where string, change func(reflect.Value)) {
		other := one
		change(reflect.ValueOf(&other).Elem())
		if same(&one, &other) {
			t.Errorf("%s: another value counts as the same", where)
		}
	})
}

// changeFields calls visit with a way to change each field, also of blocks in it.
func changeFields(v reflect.Value, where string, visit func(where string, change func(reflect.Value))) {
	for i := range v.NumField() {
		name := where + "." + v.Type().Field(i).Name
		if v.Field(i).Kind() == reflect.Struct && v.Field(i).NumField() > 0 && v.Type().Field(i).Type.PkgPath() == v.Type().PkgPath() {
			changeFields(v.Field(i), name, func(where string, change func(reflect.Value)) {
				visit(where, func(outer reflect.Value) { change(outer.Field(i)) })
			})
			continue
		}
		visit(name, func(v reflect.Value) { alter(v.Field(i)) })
	}
}

// fill gives every field a value.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Struct {
			fill(f)
		} else {
			alter(f)
		}
	}
}

// alter gives a field another value than it has.
func alter(f reflect.Value) {
	switch f.Kind() {
	case reflect.String:
		f.SetString(f.String() + "x")
	case reflect.Bool:
		f.SetBool(!f.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		f.SetInt(f.Int() + 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f.SetUint(f.Uint() + 1)
	case reflect.Float64:
		f.SetFloat(f.Float() + 1)
	case reflect.Slice:
		f.Set(reflect.MakeSlice(f.Type(), f.Len()+1, f.Len()+1))
	case reflect.Map:
		made := reflect.MakeMap(f.Type())
		for i := range f.Len() + 1 {
			key := reflect.New(f.Type().Key()).Elem()
			key.SetString(fmt.Sprint("key", i))
			made.SetMapIndex(key, reflect.Zero(f.Type().Elem()))
		}
		f.Set(made)
	case reflect.Pointer:
		made := reflect.New(f.Type().Elem())
		if !f.IsNil() && made.Elem().Kind() == reflect.Struct {
			if first := made.Elem().Field(0); first.CanSet() && first.Kind() != reflect.Struct {
				alter(first) // what is compared in depth is not the same either
			}
		}
		f.Set(made)
	default:
		panic("a field of kind " + f.Kind().String())
	}
}
