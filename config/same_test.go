package config

import (
	"fmt"
	"reflect"
	"testing"
)

// TestSameLooksAtEveryField changes one field after the other: none is left out.
func TestSameLooksAtEveryField(t *testing.T) {
	eachChange(t, func(a, b *Service) bool { return a.Same(b) })
	eachChange(t, func(a, b *VirtualServer) bool { return a.Same(b) })
	eachChange(t, func(a, b *Zone) bool { return a.same(b) })
	eachChange(t, func(a, b *Document) bool {
		a.Services, a.ServiceGroups, a.VirtualServers = b.Services, b.ServiceGroups, b.VirtualServers // not around
		if reflect.DeepEqual(a, b) {
			return false
		}
		return a.SameAround(b)
	})
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
		f.Set(reflect.New(f.Type().Elem()))
	default:
		panic("a field of kind " + f.Kind().String())
	}
}
