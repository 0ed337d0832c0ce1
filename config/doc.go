// Package config is intent: the GSLB document that all sites share and the node file that says who one machine is.
//
// A file goes through four steps, and every step reports all the problems it finds, each with its place in the text:
//
//	YAML text -> tree (yaml.go) -> structs (decode.go) -> validation as a whole (validate_*.go) -> *Document
//
// Parse and LoadNode are the ways in; both return a Report. A Document without a Report of errors exists only as the
// result of Parse, so code that receives a *Document need not check it again.
//
// The model's struct tags are the single description of a file: `json` is the key, `default` the value of an absent
// key, `range` and `step` the limits of a number or duration, `doc` the text that editors show. The decoder and the JSON
// Schema (DocumentSchema, NodeSchema) are both made from them.
//
// The package does no networking and starts no goroutine. Only ReadSource, LoadNode, CheckFile and CheckNodeFiles touch
// the file system.
package config
