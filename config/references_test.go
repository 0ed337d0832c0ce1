package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// references are all fields of the model that name an object, each with an object that names nothing there, and what of it is left out.
var references = []struct{ field, key, text, want string }{
	{"/zones/file", "zone/new.example.com", `{file: nobody}`, "FL9203 zone/new.example.com /file"},
	{"/zones/views", "zone/gslb.example.com@inside,nobody", `{nameservers: [ns1.example.net]}`, "FL9202 zone/gslb.example.com@inside,nobody /views/1"},
	{"/sites/parent", "site/new", `{address: 192.0.2.8, parent: nobody}`, "FL9202 site/new /parent"},
	{"/sites/backup_parents", "site/new", `{address: 192.0.2.8, parent: ams, backup_parents: [nobody, nyc]}`, "FL9202 site/new /backup_parents/0"},
	{"/monitors/calculated/monitors/monitor", "monitor/both", `{type: calculated, calculated: {monitors: [web, nobody]}}`, "FL9203 monitor/both /calculated/monitors/1"},
	{"/monitors/calculated/monitors/service", "monitor/both", `{type: calculated, calculated: {monitors: [web, {monitor: port, service: nobody}]}}`, "FL9203 monitor/both /calculated/monitors/1"},
	{"/services/site", "service/new", `{site: nobody, addresses: [198.51.100.7]}`, "FL9204 service/new"},
	{"/services/monitors/monitor", "service/new", `{site: ams, addresses: [198.51.100.7], port: 80, monitors: [web, nobody]}`, "FL9202 service/new /monitors/1"},
	{"/services/views/view", "service/new", `{site: ams, addresses: [198.51.100.7], views: [{view: nobody, addresses: [10.0.0.1]}]}`, "FL9202 service/new /views/0"},
	{"/services/backup_services", "service/new", `{site: ams, addresses: [198.51.100.7], backup_services: [www-ams, nobody]}`, "FL9202 service/new /backup_services/1"},
	{"/service_groups/site", "service-group/new", `{site: nobody, members: [{addresses: [198.51.100.7]}]}`, "FL9204 service-group/new"},
	{"/service_groups/monitors/monitor", "service-group/new", `{site: ams, members: [{addresses: [198.51.100.7]}], monitors: [{monitor: nobody}]}`, "FL9202 service-group/new /monitors/0"},
	{"/virtual_servers/members/service", "virtual-server/new", `{method: round-robin, members: [{service: www-ams}, {service: nobody, weight: 2}]}`, "FL9202 virtual-server/new /members/1"},
	{"/virtual_servers/members/group", "virtual-server/new", `{method: round-robin, members: [{group: nobody}, {service: www-ams}]}`, "FL9202 virtual-server/new /members/0"},
	{"/virtual_servers/backup", "virtual-server/new", `{method: round-robin, members: [{service: www-ams}], backup: nobody}`, "FL9202 virtual-server/new /backup"},
}

// otherNames are fields that sound like references, and name something outside the document.
var otherNames = []string{"/monitors/tls/ca_file", "/monitors/tls/cert_file", "/monitors/grpc/service", "/monitors/ftp/file", "/services/naptr/services",
	"/load/tls/ca_file", "/load/tls/cert_file", "/load/backend", "/load/fields/members"}

func TestEveryReferenceIsKnown(t *testing.T) {
	nouns := []string{"site", "monitor", "service", "group", "view", "backup", "parent", "file", "member", "zone", "virtual_server", "location", "domain"}
	for _, path := range textFields(documentType, "", map[reflect.Type]bool{}) {
		last := path[strings.LastIndexByte(path, '/')+1:]
		sounds := slices.ContainsFunc(nouns, func(noun string) bool {
			return strings.Contains(last, noun) && last != "nameservers" && last != "backend" && !strings.HasPrefix(last, "member_")
		})
		known := slices.ContainsFunc(references, func(r struct{ field, key, text, want string }) bool { return r.field == path })
		other := slices.ContainsFunc(otherNames, func(end string) bool { return strings.HasSuffix(path, end) })
		if sounds && !known && !other {
			t.Errorf("%s sounds like the name of an object: say in references what happens when there is none, or in otherNames that it is something else", path)
		}
	}
}

func TestDanglingReferences(t *testing.T) {
	fields := textFields(documentType, "", map[reflect.Type]bool{})
	for _, c := range references {
		t.Run(strings.TrimPrefix(c.field, "/"), func(t *testing.T) {
			if !slices.Contains(fields, c.field) {
				t.Fatal("the model has no such field")
			}
			objects := baseObjects(t).With([]*Object{object(t, c.key, c.text)}, nil)
			if strings.HasPrefix(c.key, "zone/gslb") {
				objects = objects.With(nil, []ObjectKey{{ObjectZone, "gslb.example.com@inside"}})
			}
			if _, report := Assemble(objects, AssembleOptions{}); report.Errors() != 1 {
				t.Errorf("a write has %d errors, want 1: %v", report.Errors(), report.Err())
			}
			doc, report := Assemble(objects, AssembleOptions{Lenient: true})
			if doc == nil {
				t.Fatalf("no document: %v", report.Err())
			}
			if got := found(report); !slices.Equal(got, []string{c.want}) {
				t.Errorf("left out %q, want %s", got, c.want)
			}
		})
	}
}

// textFields lists the fields below a type that are free texts or lists of them.
func textFields(t reflect.Type, path string, above map[reflect.Type]bool) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t != textsType {
		t = t.Elem()
	}
	var out []string
	switch {
	case isText(t) || isWord(t) || t == reflect.TypeFor[Secret]() || t.Kind() == reflect.Map || above[t]:
	case t == textsType || t.Kind() == reflect.String:
		out = append(out, path)
	case t.Kind() == reflect.Struct:
		above[t] = true
		for _, f := range (shapes{}).fields(t) {
			out = append(out, textFields(f.typ, path+"/"+f.key, above)...)
		}
		delete(above, t)
	}
	return out
}
