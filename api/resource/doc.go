// Package resource holds what both ends of the REST interface say: the bodies of requests and responses.
//
// The JSON form is stable within /v1: keys are added, never renamed or removed, so readers ignore keys that they do not
// know. Times are RFC 3339 in UTC. Ages and durations are seconds and end in _seconds; an age is as of the response. A key
// that is absent means that there is nothing to say: no report was ever heard, nothing was measured.
//
// The package has no behaviour; package api fills these structs and package client reads them.
package resource
