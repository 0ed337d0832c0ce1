package config

import "strings"

// ObjectKind is the kind of one object of the GSLB document: what can be written, replicated and undone by itself.
type ObjectKind uint8

// Kinds of objects. The numbers are kept in stores and told to other sites: they never change their meaning.
const (
	ObjectZone          ObjectKind = 1
	ObjectSite          ObjectKind = 2
	ObjectMonitor       ObjectKind = 3
	ObjectService       ObjectKind = 4
	ObjectServiceGroup  ObjectKind = 5
	ObjectVirtualServer ObjectKind = 6
	ObjectView          ObjectKind = 7
	ObjectLocation      ObjectKind = 8
	ObjectSettings      ObjectKind = 9  // one, named "settings"
	ObjectViewOrder     ObjectKind = 10 // one, named "views": the names of views, first match first
	ObjectFile          ObjectKind = 11 // a zone file, by the path that the document writes
)

// Names of the objects of which there is one.
const (
	SettingsName  = "settings"
	ViewOrderName = "views"
)

// ObjectKinds lists all kinds in the order in which a document shows them.
var ObjectKinds = [...]ObjectKind{ObjectZone, ObjectSite, ObjectMonitor, ObjectService, ObjectServiceGroup, ObjectVirtualServer,
	ObjectView, ObjectLocation, ObjectSettings, ObjectViewOrder, ObjectFile}

// kindWords are, for each kind, its name (service-group), its collection in addresses (service-groups) and its key in the
// document (service_groups).
var kindWords = [...][3]string{
	ObjectZone:          {"zone", "zones", "zones"},
	ObjectSite:          {"site", "sites", "sites"},
	ObjectMonitor:       {"monitor", "monitors", "monitors"},
	ObjectService:       {"service", "services", "services"},
	ObjectServiceGroup:  {"service-group", "service-groups", "service_groups"},
	ObjectVirtualServer: {"virtual-server", "virtual-servers", "virtual_servers"},
	ObjectView:          {"view", "views", "views"},
	ObjectLocation:      {"location", "locations", "locations"},
	ObjectSettings:      {"settings", "settings", "settings"},
	ObjectViewOrder:     {"view-order", "view-order", ""},
	ObjectFile:          {"file", "files", ""},
}

// Valid reports whether there is such a kind.
func (k ObjectKind) Valid() bool { return k >= ObjectZone && int(k) < len(kindWords) }

func (k ObjectKind) word(i int) string {
	if !k.Valid() {
		return "unknown"
	}
	return kindWords[k][i]
}

// String returns the kind as people write it: service-group.
func (k ObjectKind) String() string { return k.word(0) }

// Collection returns the kind as addresses of the REST interface have it: service-groups.
func (k ObjectKind) Collection() string { return k.word(1) }

// Key returns the document's key that holds objects of the kind: service_groups. Empty for the view order and files.
func (k ObjectKind) Key() string { return k.word(2) }

// ParseObjectKind reads a kind in any of its forms, whatever its case: service-group, service-groups or service_groups.
func ParseObjectKind(s string) (ObjectKind, bool) {
	s = strings.ToLower(s)
	for k := ObjectZone; k.Valid(); k++ {
		for _, word := range kindWords[k] {
			if word != "" && word == s {
				return k, true
			}
		}
	}
	return 0, false
}

// ObjectKey names one object of a document.
type ObjectKey struct {
	Kind ObjectKind
	Name string
}

// String returns the key as people write it: service/web-ams.
func (k ObjectKey) String() string { return k.Kind.String() + "/" + k.Name }

// ParseObjectKey reads what String writes.
func ParseObjectKey(s string) (ObjectKey, bool) {
	kind, name, found := strings.Cut(s, "/")
	k, known := ParseObjectKind(kind)
	return ObjectKey{k, name}, found && known && name != ""
}

// Compare orders keys by kind and then by name, byte by byte.
func (k ObjectKey) Compare(other ObjectKey) int {
	if k.Kind != other.Kind {
		return int(k.Kind) - int(other.Kind)
	}
	return strings.Compare(k.Name, other.Name)
}
