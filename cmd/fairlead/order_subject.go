package main

import (
	"strings"

	"fairlead/api/client"
)

// orderKinds are what orders can be about, by the word before the slash, with their paths in the API.
func orderKinds() map[string]string {
	return map[string]string{"service": "services", "service-group": "service-groups", "site": "sites", "virtual-server": "virtual-servers"}
}

// about reads what an order is about: NAME of a service (of a site with --site), or KIND/NAME.
func (f *orderFlags) about(text string) (client.Subject, error) {
	kind, name, ok := strings.Cut(text, "/")
	switch {
	case !ok && f.site:
		return client.Subject{Kind: "sites", Name: text}, nil
	case !ok:
		return client.Subject{Kind: "services", Name: text}, nil
	}
	path := orderKinds()[kind]
	switch {
	case path == "" || name == "":
		return client.Subject{}, usagef("%q is nothing to give an order about: write the NAME of a service, or service-group/NAME, site/NAME or virtual-server/NAME", text)
	case f.site && kind != "site":
		return client.Subject{}, usagef("--site says that %q is a site, but it is a %s: leave one of the two away", text, kind)
	case f.wait && kind != "service":
		return client.Subject{}, usagef("--wait waits for one service, but %q is a %s: wait for its services one by one", text, kind)
	}
	return client.Subject{Kind: path, Name: name}, nil
}
