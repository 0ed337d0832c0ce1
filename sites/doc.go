// Package sites is belief: what this node holds true about every service, and how old each piece of evidence is.
//
// Evidence comes from this node's monitors (package monitors) and, over MEP, from the sites that own the services
// (package mep). A Tracker collects it and weighs it by one table of precedence (believe.go) into a gslb.Status. "I
// cannot hear site B" is not "site B is down": a lost session alone never takes away what a monitor still supports.
//
// A Tracker has no clock, no goroutine and no lock: the node's publisher, its one owner, passes the time in.
package sites
